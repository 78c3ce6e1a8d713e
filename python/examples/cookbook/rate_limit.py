"""A server that refuses what one client asks too often:   rate_limit.py ADDRESS RATE BURST"""

from bine import monkey

monkey.patch_all()

import math
import socket
import sys
import time
from typing import Dict, Tuple

import bine
from bine.gevent.server import StreamServer


class Bucket:
    """Fills by `rate` tokens a second, up to `burst`. A request takes one."""

    def __init__(self, rate: float, burst: float) -> None:
        self.rate, self.burst, self.tokens, self.filled = rate, burst, burst, time.monotonic()

    def fill(self) -> None:
        now = time.monotonic()
        self.tokens = min(self.burst, self.tokens + (now - self.filled) * self.rate)
        self.filled = now

    def attempt(self) -> float:
        """Take a token. If there is none, return the seconds until there will be one."""
        self.fill()
        if self.tokens < 1:
            return (1 - self.tokens) / self.rate
        self.tokens -= 1
        return 0

    def wait(self) -> None:
        """Take the next token, and wait until it has come. First come, first served."""
        self.fill()
        self.tokens -= 1
        if self.tokens < 0:
            try:
                bine.sleep(-self.tokens / self.rate)
            except BaseException:
                self.tokens += 1  # killed, or out of time: it is free again
                raise


every = Bucket(1000, 100)
buckets: Dict[str, Bucket] = {}


def bucket_of(host: str) -> Bucket:
    if len(buckets) > 10000:  # a stranger must not fill the memory
        buckets.clear()
    return buckets.setdefault(host, Bucket(float(sys.argv[2]), float(sys.argv[3])))


def serve(connection: socket.socket, address: Tuple[str, int]) -> None:
    connection.settimeout(60)
    for _ in connection.makefile("rb"):
        seconds = bucket_of(address[0]).attempt()
        if not seconds:
            every.wait()
        answer = "too many: try again in %d s\n" % math.ceil(seconds) if seconds else "done\n"
        connection.sendall(answer.encode())


server = StreamServer(sys.argv[1], serve, spawn=1000)
server.start()
print("rate_limit: %s:%d" % server.address, flush=True)
server.serve_forever()
