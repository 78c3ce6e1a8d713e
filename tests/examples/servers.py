#!/usr/bin/env python3
"""The examples that serve and those that go out: servers.py EXAMPLES"""
import os
import re
import socket
import subprocess
import sys

EXAMPLES = sys.argv[1]
SLOWER = int(os.environ.get("BINE_TEST_SLOWER", "1"))
WRAPPER = os.environ.get("BINE_TEST_WRAPPER", "").split()
CLIENTS = 40


def program(name, *arguments):
    return [*WRAPPER, os.path.join(EXAMPLES, name), *map(str, arguments)]


class Server:
    """A program that says "NAME: ADDRESS:PORT" once it listens, and is killed at the end."""

    def __init__(self, name, *arguments):
        self.process = subprocess.Popen(program(name, *arguments),
                                        stdout=subprocess.PIPE, text=True)
        self.port = int(re.search(r"127\.0\.0\.1:(\d+)", self.process.stdout.readline())[1])

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def connect(port):
    return socket.create_connection(("127.0.0.1", port), timeout=20 * SLOWER)


def receive(connection, size):
    data = b""
    while len(data) < size:
        more = connection.recv(65536)
        assert more, f"closed after {len(data)} of {size} bytes"
        data += more
    return data


def echoes(port):
    """All clients are connected at the same time; the last to come is answered first."""
    connections = [connect(port) for _ in range(CLIENTS)]
    for number, connection in reversed(list(enumerate(connections))):
        message = b"%d " % number * 5000
        connection.sendall(message)
        assert receive(connection, len(message)) == message
    for connection in connections:
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1) == b"", "bytes after the end"
        connection.close()


def echo_serves_many_at_once():
    with Server("echo", 0) as server:
        echoes(server.port)


def portscan_finds_what_listens():
    with Server("echo", 0) as echo:
        first = max(1, echo.port - 300)
        ran = subprocess.run(program("portscan", first, echo.port), capture_output=True, text=True,
                             check=True, timeout=60 * SLOWER)
        assert f"{echo.port} is open\n" in ran.stdout, ran.stdout
        assert re.search(rf"^[1-9]\d* of {echo.port - first + 1} ports are open$", ran.stdout,
                         re.M), ran.stdout
    refused = subprocess.run(program("portscan", 5, 2), capture_output=True, text=True,
                             timeout=60 * SLOWER, check=False)
    assert refused.returncode == 2 and "usage" in refused.stderr


def http_answers_and_keeps_the_connection():
    with Server("http", 0) as server, connect(server.port) as connection:
        for target, status, body in ((b"/", b"200 OK", b"hello, world\n"),
                                     (b"/x", b"404 Not Found", b"nothing here\n")) * 2:
            connection.sendall(b"GET " + target + b" HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = b""
            while not answer.endswith(b"\r\n\r\n" + body):
                answer += receive(connection, 1)
            assert answer.startswith(b"HTTP/1.1 " + status + b"\r\n"), answer


def crawl_fetches_each_page_once():
    ran = subprocess.run(program("crawl"), capture_output=True, text=True,
                         timeout=60 * SLOWER, check=True)
    assert re.match(r"100 pages, \d+ bytes, 0 failed, by 10 greenlets\nThreads: \d+\n$",
                    ran.stdout), ran.stdout
    if SLOWER == 1:
        assert ran.stdout.endswith("Threads: 1\n"), ran.stdout


def main():
    passed = failed = skipped = 0
    for test in (echo_serves_many_at_once, portscan_finds_what_listens,
                 http_answers_and_keeps_the_connection, crawl_fetches_each_page_once):
        needed = {crawl_fetches_each_page_once: "crawl",
                  http_answers_and_keeps_the_connection: "http"}.get(test)
        if needed and not os.path.exists(os.path.join(EXAMPLES, needed)):
            print(f"skip {test.__name__}: {needed} was not built")
            skipped += 1
            continue
        try:
            test()
            print(f"ok {test.__name__}")
            passed += 1
        except Exception as why:  # one test's trouble is not the next one's
            print(f"FAIL {test.__name__}: {type(why).__name__}: {why}")
            failed += 1
    print(f"# {passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


sys.exit(main())
