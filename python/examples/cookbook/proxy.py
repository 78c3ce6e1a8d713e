"""A TCP proxy:   proxy.py ADDRESS HOST PORT"""

from bine import monkey

monkey.patch_all()

import socket
import sys

import bine
from bine.gevent.server import StreamServer


def forward(source: socket.socket, sink: socket.socket) -> None:
    while data := source.recv(16384):
        sink.sendall(data)
    sink.shutdown(socket.SHUT_WR)  # the end is passed on; the other direction goes on


def serve(client: socket.socket, address: object) -> None:
    with socket.create_connection((sys.argv[2], int(sys.argv[3])), timeout=10) as server:
        server.settimeout(None)
        ways = [bine.spawn(forward, client, server), bine.spawn(forward, server, client)]
        try:
            bine.joinall(ways, raise_error=True)
        finally:
            bine.killall(ways)


server = StreamServer(sys.argv[1], serve, spawn=1000)  # clients at a time
server.start()
print("proxy: %s:%d" % server.address, flush=True)
server.serve_forever()
