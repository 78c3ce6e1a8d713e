"""An echo server. Each connection has a greenlet, which reads and writes as in any textbook."""

from bine import monkey

monkey.patch_all()

import socket
import sys

from bine.gevent.server import StreamServer


def serve(connection: socket.socket, address: object) -> None:
    while data := connection.recv(4096):
        connection.sendall(data)


server = StreamServer(sys.argv[1], serve)
server.start()
print("echo: %s:%d" % server.address, flush=True)
server.serve_forever()
