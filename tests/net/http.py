#!/usr/bin/env python3
"""The example HTTP server against a client that knows the rules, and some that do not: http.py EXAMPLES_DIRECTORY.

Prints one line per test, as test programs do; exit status 77: the example was not built.
"""
import os
import signal
import socket
import subprocess
import sys

PROGRAM = os.path.join(sys.argv[1], "http")
REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


def talk(port, data, end=False):
    """Send data; everything that comes back until the server closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(data)
        if end:
            connection.shutdown(socket.SHUT_WR)
        answer = b""
        try:
            while more := connection.recv(65536):
                answer += more
        except ConnectionResetError:
            pass  # it closed with our bytes unread
        return answer


def answers_and_keeps_the_connection(port):
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        for _ in range(3):
            connection.sendall(REQUEST)
            answer = b""
            while not answer.endswith(b"hello, world\n"):
                more = connection.recv(65536)
                assert more, answer
                answer += more
            assert answer.startswith(b"HTTP/1.1 200 OK\r\n"), answer


def answers_pipelined_requests_in_order(port):
    last = b"GET /nothing HTTP/1.1\r\nConnection: close\r\n\r\n"
    answer = talk(port, REQUEST * 300 + last)
    assert answer.count(b"HTTP/1.1 200 OK") == 300, answer.count(b"200 OK")
    assert answer.count(b"HTTP/1.1 404") == 1 and answer.rfind(b"200 OK") < answer.find(b"404"), answer[-300:]


def takes_requests_in_pieces(port):
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        for i in range(len(REQUEST)):
            connection.sendall(REQUEST[i:i + 1])
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 OK")


def refuses_what_is_too_large(port):
    assert talk(port, b"GET / HTTP/1.1\r\nA: " + b"x" * 9000 + b"\r\n\r\n").startswith(b"HTTP/1.1 400")
    assert talk(port, b"GET /" + b"x" * 2000 + b" HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 400")


def refuses_what_is_not_http(port):
    assert talk(port, b"\x16\x03\x01 hello\r\n\r\n").startswith(b"HTTP/1.1 400")


def serves_many_at_once(port):
    connections = [socket.create_connection(("127.0.0.1", port), timeout=20) for _ in range(200)]
    for connection in connections:
        connection.sendall(REQUEST)
    for connection in connections:
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 OK")
        connection.close()


TESTS = [answers_and_keeps_the_connection, answers_pipelined_requests_in_order, takes_requests_in_pieces,
         refuses_what_is_too_large, refuses_what_is_not_http, serves_many_at_once]


def main():
    if not os.path.exists(PROGRAM):
        print("skip http: the example was not built (libhttp-parser-dev)")
        return 77
    passed = failed = 0
    for workers in (1, 2):
        server = subprocess.Popen([PROGRAM, "0", str(workers)], stdout=subprocess.PIPE, text=True)
        port = int(server.stdout.readline().split(":")[2].split(",")[0])
        for test in TESTS:
            name = f"{test.__name__}_with_{workers}"
            try:
                test(port)
                passed += 1
                print("ok", name)
            except (AssertionError, OSError) as error:
                failed += 1
                print(f"FAIL {name}: {error!r:.300}")
        server.send_signal(signal.SIGTERM)
        ended = server.wait(timeout=20) == 0 and "stopped" in server.stdout.read()
        passed, failed = passed + ended, failed + (not ended)
        print("ok" if ended else "FAIL", f"stops_gracefully_with_{workers}")
    print(f"# {passed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


sys.exit(main())
