"""A server that SIGTERM drains:   graceful.py ADDRESS GRACE"""

from bine import monkey

monkey.patch_all()

import signal
import socket
import sys

import bine
from bine.event import Event
from bine.gevent.server import StreamServer


def serve(connection: socket.socket, address: object) -> None:
    line = connection.makefile("rb").readline(16)
    bine.sleep(int(line or b"0") / 1000)
    connection.sendall(b"done\n")


stop = Event()
bine.signal_handler(signal.SIGTERM, stop.set)
server = StreamServer(sys.argv[1], serve, spawn=1000)  # in a pool: stop() waits for no others
server.start()
print("graceful: %s:%d" % server.address, flush=True)
stop.wait()
server.stop(timeout=float(sys.argv[2]))  # refuses new clients, waits, then kills
print("graceful: ended")
