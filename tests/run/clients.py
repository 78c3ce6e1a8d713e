"""Clients of tests/run/echo_threads.c:   clients.py PORT COUNT PID"""

import socket
import sys

port, count, pid = (int(argument) for argument in sys.argv[1:])
clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(count)]
answered = 0
for number, client in enumerate(clients):
    client.sendall(b"hello %d\n" % number)
for number, client in enumerate(clients):
    wanted, got = b"hello %d\n" % number, b""
    while len(got) < len(wanted):
        piece = client.recv(100)
        if not piece:
            break
        got += piece
    answered += got == wanted
with open(f"/proc/{pid}/status") as status:
    threads = [line.split()[1] for line in status if line.startswith("Threads")][0]
for client in clients:
    client.close()
print(f"{answered} answered, Threads {threads}")
with socket.create_connection(("127.0.0.1", port)) as last:
    last.sendall(b"quit\n")
    last.recv(1)
