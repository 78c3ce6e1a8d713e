"""Ask a server, and ask again where that may help:   retry.py SECONDS HOST PORT LINE"""

from bine import monkey

monkey.patch_all()

import random
import socket
import sys

import bine

TRIES = 4
PATIENCE = 1  # seconds for one try


def ask(host: str, port: str, question: str) -> str:
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(question.encode() + b"\n")
        answer = connection.makefile().readline()
        if not answer:
            raise ConnectionError("it hung up")
        return answer.rstrip("\n")


def ask_again(host: str, port: str, question: str) -> str:
    for n in range(1, TRIES + 1):
        try:
            with bine.Timeout(PATIENCE, TimeoutError("too late")):
                return ask(host, port, question)
        except OSError as error:  # of this try. The Timeout of all tries is no OSError.
            if n == TRIES:
                raise
            print("try %d: %s" % (n, error.strerror or error))
        bine.sleep(0.1 * 2**n * random.uniform(0.5, 1))
    raise AssertionError


try:
    with bine.Timeout(float(sys.argv[1])):
        print(ask_again(*sys.argv[2:]))
except (OSError, bine.Timeout) as error:
    print("gave up:", getattr(error, "strerror", None) or error)
