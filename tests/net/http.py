#!/usr/bin/env python3
"""The cookbook's HTTP server against a client that knows the rules, and some that do not:
http.py EXAMPLES_DIRECTORY.

Prints one line per test, as test programs do; exit status 77: the example was not built.
"""
import concurrent.futures
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

PROGRAM = os.path.join(sys.argv[1], "cookbook", "web")
REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
HEAD = b"POST /a HTTP/1.1\r\nHost: x\r\n"


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
    last = b"GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    answer = talk(port, REQUEST * 300 + last)
    assert answer.count(b"HTTP/1.1 200 OK") == 300, answer.count(b"200 OK")
    assert (answer.count(b"HTTP/1.1 404") == 1 and
            answer.rfind(b"200 OK") < answer.find(b"404")), answer[-300:]


def takes_requests_in_pieces(port):
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        for i in range(len(REQUEST)):
            connection.sendall(REQUEST[i:i + 1])
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 OK")


def refuses_what_is_too_large(port):
    for status, request in ((431, HEAD + b"A: " + b"x" * 17000 + b"\r\n\r\n"),  # one header
                            (431, HEAD + b"A: x\r\n" * 3000 + b"\r\n"),  # many
                            (414, b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n\r\n"),
                            (413, HEAD + b"Content-Length: 2000000\r\n\r\n" + b"x" * 2000000)):
        answer = talk(port, request)
        assert (answer.startswith(b"HTTP/1.1 %d" % status) and
                b"Connection: close" in answer), (status, answer)


def takes_what_is_just_small_enough(port):
    assert talk(port, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + b"A: x\r\n" * 1300 +
                b"\r\n").startswith(b"HTTP/1.1 200")
    assert talk(port,
                b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 1000000\r\n"
                b"\r\n" + b"x" * 1000000).startswith(b"HTTP/1.1 200")


def closes_when_asked_to(port):
    for request in (b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
                    b"GET / HTTP/1.0\r\n\r\n"):
        answer = talk(port, request)  # until it closes
        assert answer.startswith(b"HTTP/1.1 200 OK") and answer.endswith(b"hello, world\n"), answer


def refuses_what_is_not_http(port):
    assert talk(port, b"\x16\x03\x01 hello\r\n\r\n").startswith(b"HTTP/1.1 400")


NO_REQUESTS = {
    "length and chunks": HEAD + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and length": HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
    "two lengths": HEAD + b"Content-Length: 4\r\nContent-Length: 6\r\n\r\nabcd",
    "the same length twice": HEAD + b"Content-Length: 4\r\nContent-Length: 4\r\n\r\nabcd",
    "a list of lengths": HEAD + b"Content-Length: 4, 4\r\n\r\nabcd",
    "a length with a sign": HEAD + b"Content-Length: +4\r\n\r\nabcd",
    "a length with a space": HEAD + b"Content-Length: 4 4\r\n\r\nabcd",
    "an empty length": HEAD + b"Content-Length:\r\n\r\nabcd",
    "an endless length": HEAD + b"Content-Length: 18446744073709551620\r\n\r\nabcd",
    "another coding": HEAD + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "two codings": HEAD + b"Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n",
    "chunked twice": HEAD +
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks in HTTP/1.0": b"POST /a HTTP/1.0\r\nConnection: keep-alive\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a control character": HEAD + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "space before the colon": HEAD + b"Content-Length : 4\r\n\r\nabcd",
    "a folded line": HEAD + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "bare line feeds": b"GET / HTTP/1.1\nHost: x\n\n",
    "a bare line feed at the end": b"GET / HTTP/1.1\r\nHost: x\r\n\n",
    "a bare carriage return": b"GET / HTTP/1.1\r\nHost: x\rA: b\r\n\r\n",
    "a line feed in a chunk's line": HEAD + b"Transfer-Encoding: chunked\r\n\r\n0;a=\nb\r\n\r\n",
    "an endless chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
    "a chunk without its end": HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\nab0\r\n\r\n",
    "a negative chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
    "NUL in the path": b"GET /\0x HTTP/1.1\r\nHost: x\r\n\r\n",
    "NUL in a field": b"GET / HTTP/1.1\r\nHost: x\0\r\n\r\n",
    "another version": b"GET / HTTP/9.9\r\n\r\n",
    "no version": b"GET /\r\n\r\n",
    "two spaces": b"GET  / HTTP/1.1\r\nHost: x\r\n\r\n",
    "two spaces behind the target": b"GET /  HTTP/1.1\r\nHost: x\r\n\r\n",
    "another protocol": b"GET / RTSP/1.0\r\nHost: x\r\n\r\n",
    "a tunnel": b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "a host with a path": b"GET / HTTP/1.1\r\nHost: x/y\r\n\r\n",
    "two empty lines before": b"\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "a bare line feed before": b"\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "bytes of other character sets in the target": b"GET /\xe9 HTTP/1.1\r\nHost: x\r\n\r\n",
    "a space behind a chunk's size": HEAD +
        b"Transfer-Encoding: chunked\r\n\r\n1 \r\na\r\n0\r\n\r\n",
    "line feeds alone around a chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\na\n0\n\n",
    "NUL in a trailer": HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: \0\r\n\r\n",
    "a length in a trailer": HEAD +
        b"Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 4\r\n\r\n",
    "no colon": b"GET / HTTP/1.1\r\nHost\r\n\r\n",
}


def hazard_92_refuses_what_others_may_read_differently(port):
    for what, request in NO_REQUESTS.items():
        answer = talk(port, request + REQUEST)
        status = {"a tunnel": 501, "no version": 505}.get(what, 400)
        assert (answer.startswith(b"HTTP/1.1 %d" % status) and
                answer.count(b"HTTP/1.1") == 1), (what, answer)


def hazard_92_takes_chunks_and_lengths_that_are_right(port):
    last = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: keep-alive , Close\r\n\r\n"
    body = b"4\r\nabcd\r\nA;x=y\r\n0123456789\r\n0\r\nTrailer: t\r\n\r\n"
    for request in (HEAD + b"Transfer-Encoding: Chunked\r\n\r\n" + body,
                    HEAD + b"Content-Length: \t 4 \r\n\r\nabcd",
                    b"\r\n" + HEAD + b"X: \xe9\r\n\r\n"):
        answer = talk(port, request + last)
        assert answer.count(b"HTTP/1.1 404") == 1 and answer.count(b"HTTP/1.1 200") == 1, answer


def hazard_92_a_request_out_of_time_has_no_answer_and_no_more_time(port):
    begin = time.monotonic()
    answer = talk(port, b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n" * 3)
    assert answer == b"" and time.monotonic() - begin < 2.9, answer


def serves_many_at_once(port):
    connections = [socket.create_connection(("127.0.0.1", port), timeout=20) for _ in range(200)]
    for connection in connections:
        connection.sendall(REQUEST)
    for connection in connections:
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 OK")
        connection.close()


# With a second for a request, and six between two:

def time_until_closed(connection, action):
    """Do it again and again until the server closes."""
    connection.settimeout(0.1)
    begin = time.monotonic()
    while time.monotonic() - begin < 60:
        try:
            if action:
                action()
            if connection.recv(65536) == b"":
                break
        except socket.timeout:  # before Python 3.10 no TimeoutError
            pass
        except (BrokenPipeError, ConnectionResetError):
            break
    else:
        raise AssertionError("it is never closed")
    return time.monotonic() - begin


def connect(port):
    return socket.create_connection(("127.0.0.1", port), timeout=20)


def cuts_off_who_sends_a_request_byte_by_byte(port):
    with connect(port) as slow:
        slow.sendall(b"GET / HTTP/1.1\r\nX: ")
        assert time_until_closed(slow, lambda: slow.sendall(b"x")) >= 0.9


def cuts_off_who_does_so_behind_a_whole_request(port):
    with connect(port) as slow:
        slow.sendall(REQUEST + b"GET / HTTP/1.1\r\nX: ")
        assert time_until_closed(slow, lambda: slow.sendall(b"x")) >= 0.9


def cuts_off_who_takes_no_answers(port):
    with socket.socket() as slow:
        # Before it connects: the kernel has promised more room by then, drops what comes
        # beyond the smaller buffer, acknowledgements and the reset with it, and waits ever
        # longer to try again.
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.settimeout(30)
        slow.connect(("127.0.0.1", port))
        begin = time.monotonic()
        try:
            while time.monotonic() - begin < 60:
                slow.sendall(REQUEST * 100)
            raise AssertionError("it is never closed")
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert time.monotonic() - begin >= 0.9


def lets_a_connection_rest_longer_and_cuts_it_off_then(port):
    with connect(port) as idle:
        idle.sendall(REQUEST)
        assert idle.recv(65536).startswith(b"HTTP/1.1 200 OK")
        time.sleep(2)
        idle.sendall(REQUEST)
        assert idle.recv(65536).startswith(b"HTTP/1.1 200 OK")
        assert time_until_closed(idle, None) >= 5.9


def does_not_cut_off_who_always_has_a_request_under_way(port):
    with connect(port) as busy:
        busy.sendall(REQUEST[:7])
        begin = time.monotonic()
        while time.monotonic() - begin < 3:
            busy.sendall(REQUEST[7:] + REQUEST[:7])  # never at rest, and each request in time
            assert busy.recv(65536).startswith(b"HTTP/1.1 200 OK")
            time.sleep(0.05)


def bears_a_load(port):
    wrk = shutil.which("wrk")
    assert wrk, "wrk is missing"
    ran = subprocess.run([wrk, "-t2", "-c64", "-d2s", f"http://127.0.0.1:{port}/"],
                         capture_output=True, text=True, timeout=60)
    requests = re.search(r"(\d+) requests in", ran.stdout)
    assert ran.returncode == 0 and requests and int(requests[1]) > 100, ran
    assert "Socket errors" not in ran.stdout and "Non-2xx" not in ran.stdout, ran.stdout


TESTS = [answers_and_keeps_the_connection, answers_pipelined_requests_in_order,
         takes_requests_in_pieces, refuses_what_is_too_large, takes_what_is_just_small_enough,
         closes_when_asked_to, refuses_what_is_not_http,
         hazard_92_refuses_what_others_may_read_differently,
         hazard_92_takes_chunks_and_lengths_that_are_right, serves_many_at_once, bears_a_load]
SLOW_TESTS = [cuts_off_who_sends_a_request_byte_by_byte,
              cuts_off_who_does_so_behind_a_whole_request,
              cuts_off_who_takes_no_answers, lets_a_connection_rest_longer_and_cuts_it_off_then,
              does_not_cut_off_who_always_has_a_request_under_way,
              hazard_92_a_request_out_of_time_has_no_answer_and_no_more_time]


def main():
    if not os.path.exists(PROGRAM):
        print("skip web: the example was not built")
        return 77
    passed = failed = 0
    for workers, seconds, tests in ((1, 10, TESTS), (2, 10, TESTS), (1, 1, SLOW_TESTS)):
        server = subprocess.Popen([PROGRAM, "0", str(workers), str(seconds)],
                                  stdout=subprocess.PIPE, text=True)
        port = int(server.stdout.readline().split(":")[2].split(",")[0])
        # The slow ones mostly sleep: all at once.
        threads = concurrent.futures.ThreadPoolExecutor(len(tests) if tests is SLOW_TESTS else 1)
        for test, run in [(test, threads.submit(test, port)) for test in tests]:
            name = f"{test.__name__}_with_{workers}_in_{seconds}"
            try:
                run.result()
                passed += 1
                print("ok", name)
            except (AssertionError, OSError, subprocess.TimeoutExpired) as error:
                failed += 1
                print(f"FAIL {name}: {error!r:.300}")
        server.send_signal(signal.SIGTERM)
        ended = server.wait(timeout=20) == 0 and "stopped" in server.stdout.read()
        passed, failed = passed + ended, failed + (not ended)
        print("ok" if ended else "FAIL", f"stops_gracefully_with_{workers}_in_{seconds}")
    print(f"# {passed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


sys.exit(main())
