"""gevent.pywsgi and clients that mean harm, or are broken: what they send, what comes back, and
that the server goes on without a loss."""

import gc
import os
import resource
import socket
import ssl
import tempfile

import pytest

pytest.importorskip("httptools")

import bine
from http_helpers import (Served, bodies, certificate, errors_to, eventually, get, hello, read_all,
                          read_response, status)

PATCHED = True


def echo(environ, start_response):
    body = environ["wsgi.input"].read()
    start_response("200 OK", [])
    return [b"hello" if environ["PATH_INFO"] == "/alive" else body]


def request(*lines, method="GET / HTTP/1.1"):
    return b"\r\n".join(line if isinstance(line, bytes) else line.encode("latin-1")
                        for line in (method, "Host: x") + lines + ("", ""))


def post(*lines, body=b""):
    return request(*lines, method="POST / HTTP/1.1") + body


def chunked(body):
    return post("Transfer-Encoding: chunked", body=body)


# What is sent, and the status that comes back; the connection is closed after each but 200.
HEADS = [
    # lines
    (b"GET / HTTP/1.1\nHost: x\n\n", 400), (b"GET / HTTP/1.1\r\nHost: x\n\r\n", 400),
    (b"GET / HTTP/1.1\nHost: x\r\n\r\n", 400), (b"GET / HTTP/1.1\r\nHost: x\r\n\n", 400),
    (b"GET / HTTP/1.1\rHost: x\r\n\r\n", 400), (request("A: 1\rB: 2"), 400),
    (request("A: 1\nB: 2"), 400), (b"GET / HTTP/1.1\r\r\nHost: x\r\n\r\n", 400),
    (b"\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", 400), (b"\r\n\r\n\r\nGET / HTTP/1.1\r\n\r\n", 400),
    (b"\r\n" + get("/"), 200),
    # request lines
    (b"\r\n\r\n", 400), (b"GET\r\n\r\n", 400), (b"GET /\r\n\r\n", 400),
    (b"GET  / HTTP/1.1\r\n\r\n", 400), (b"GET /  HTTP/1.1\r\n\r\n", 400),
    (b"GET / HTTP/1.1 \r\n\r\n", 400), (b" GET / HTTP/1.1\r\n\r\n", 400),
    (b"GET /a b HTTP/1.1\r\n\r\n", 400), (b"GET\t/\tHTTP/1.1\r\n\r\n", 400),
    (b"GET / HTTP/2.0\r\n\r\n", 505), (b"GET / HTTP/0.9\r\n\r\n", 505),
    (b"GET / HTTP/1.2\r\n\r\n", 505), (b"GET / HTTP/1.10\r\n\r\n", 505),
    (b"GET / http/1.1\r\n\r\n", 400), (b"GET / HTTP/11\r\n\r\n", 505),
    (b"GET / ICE/1.0\r\n\r\n", 400), (b"ANNOUNCE / RTSP/1.0\r\n\r\n", 400),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505), (b"get / HTTP/1.1\r\n\r\n", 501),
    (b"NONSENSE / HTTP/1.1\r\n\r\n", 501), (b"G@T / HTTP/1.1\r\n\r\n", 400),
    (b"GET /\0 HTTP/1.1\r\n\r\n", 400), (b"GET /\x7f HTTP/1.1\r\n\r\n", 400),
    (b"GET x HTTP/1.1\r\n\r\n", 400), (b"GET /#part HTTP/1.1\r\n\r\n", 400),
    (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n\r\n", 414),
    (b"x" * 100_000, 414), (b"GET /" + b"x" * 100_000, 414),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\xaa" * 506, 400), (b"\0" * 20, 400),
    (b"SSH-2.0-OpenSSH\r\n", 400),
    # header fields
    (request("A : 1"), 400), (request(" A: 1"), 400), (request("A: 1", " folded"), 400),
    (request("A: 1", "\tfolded"), 400), (request("A"), 400), (request(": 1"), 400),
    (request("A(b): 1"), 400), (request(b"A\xff: 1"), 400), (request("A\0: 1"), 400),
    (request("A: a\0b"), 400), (request("A: a\x01b"), 400), (request("A: a\x7fb"), 400),
    (request(b"A: \xe9"), 200), (request("A\tB: 1"), 400), (request("Host: y"), 400),
    (request("A: " + "y" * 70_000), 431), (request(*["A%d: 1" % i for i in range(200)]), 431),
    (request(*["A: " + "y" * 60] * 2000), 431), (request(*["A: 1"] * 50), 200),
    # two ways to say how long the body is
    (post("Content-Length: 1", "Content-Length: 1", body=b"x"), 400),
    (post("Content-Length: 1", "Content-Length: 2", body=b"xy"), 400),
    (post("Content-Length: 1, 1", body=b"x"), 400), (post("Content-Length: +1", body=b"x"), 400),
    (post("Content-Length: -1"), 400), (post("Content-Length: 0x1", body=b"x"), 400),
    (post("Content-Length: 1_0", body=b"x" * 10), 400),
    (post("Content-Length: 1 0", body=b"x"), 400),
    (post("Content-Length:"), 400), (post("Content-Length: 99999999999999999999"), 400),
    (post("Content-Length : 1", body=b"x"), 400), (post(b"Content-Length: \xb2", body=b"xx"), 400),
    (post("Content-Length: 1", "Transfer-Encoding: chunked", body=b"0\r\n\r\n"), 400),
    (post("Transfer-Encoding: chunked", "Content-Length: 5", body=b"0\r\n\r\n"), 400),
    (post("content-length: 1", "CONTENT-LENGTH: 1", body=b"x"), 400),
    (post("Content-Length: 1\x0b", body=b"x"), 400),
    (post("Content-Length: 5", "Transfer_Encoding: chunked", body=b"0\r\n\r\n"), 200),
    (post("Content_Length: 50"), 200),
    # Transfer-Encoding
    (post("Transfer-Encoding: xchunked", body=b"0\r\n\r\n"), 400),
    (post("Transfer-Encoding: identity"), 400),
    (post("Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n"), 501),
    (post("Transfer-Encoding: chunked, identity", body=b"0\r\n\r\n"), 400),
    (post("Transfer-Encoding: chunked", "Transfer-Encoding: chunked", body=b"0\r\n\r\n"), 400),
    (post("Transfer-Encoding:\x0bchunked", body=b"0\r\n\r\n"), 400),
    (post("Transfer-Encoding: chunked", "Transfer-Encoding: identity", body=b"0\r\n\r\n"), 400),
    (post('Transfer-Encoding: "chunked"', body=b"0\r\n\r\n"), 400),
    (post("Transfer-Encoding : chunked", body=b"0\r\n\r\n"), 400),
    (post("Transfer-Encoding: chunked ", body=b"0\r\n\r\n"), 200),
    (b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    (post("Transfer-Encoding:", body=b"0\r\n\r\n"), 400),
    # chunks
    (chunked(b"3\r\nabc\r\n0\r\n\r\n"), 200), (chunked(b"3\nabc\n0\n\n"), 400),
    (chunked(b"3\r\nabcX\r\n0\r\n\r\n"), 400), (chunked(b"3 \r\nabc\r\n0\r\n\r\n"), 400),
    (chunked(b"0x3\r\nabc\r\n0\r\n\r\n"), 400), (chunked(b"-1\r\n"), 400),
    (chunked(b"+3\r\nabc\r\n0\r\n\r\n"), 400), (chunked(b"fffffffffffffffff\r\nx"), 400),
    (chunked(b"g\r\n"), 400), (chunked(b"\r\nabc"), 400),
    (chunked(b"3\r\nabc0\r\n\r\n"), 400), (chunked(b"3\r\nab"), 400), (chunked(b""), 400),
    (chunked(b"3\r\nabc\r\n"), 400), (chunked(b"3\r\nabc\r\n0\r\n"), 400),
    (chunked(b"3;a\nb\r\nabc\r\n0\r\n\r\n"), 400), (chunked(b"3\r\r\nabc\r\n0\r\n\r\n"), 400),
    (chunked(b"3\r\nabc\r\n0\r\nContent-Length: 5\r\n\r\n"), 400),
    (chunked(b"3\r\nabc\r\n0\r\nA : b\r\n\r\n"), 400),
    (chunked(b"3\r\nabc\r\n0\r\nA: b\n\r\n"), 400),
    (chunked(b"1;" + b"x" * 50_000 + b"\r\na\r\n0\r\n\r\n"), 400),
    (chunked(b"0\r\n" + b"A: b\r\n" * 20_000 + b"\r\n"), 400),
    # ends
    (b"", None), (b"GET / HT", 400), (b"GET / HTTP/1.1\r\nHost: x\r\n", 400),
    (post("Content-Length: 5", body=b"abc"), 400),
]


def test_each_hostile_request_is_refused_and_smuggles_nothing():
    with errors_to() as reported, Served(echo) as served:
        for sent, expected in HEADS:
            served.access.seek(0)
            served.access.truncate()
            served.errors.seek(0)
            served.errors.truncate()
            answer = served.exchange(sent +
                                     (get("/smuggled") if sent.endswith(b"\r\n\r\n") else b""))
            label = sent[:120]
            if expected is None:
                assert answer == b"", label
            elif expected == 200:
                assert all(status(b"%b\r\n" % head) == 200
                           for head in bodies(answer)[0]), (label, answer)
            else:
                assert status(answer) == expected, (label, answer)
                assert (answer.count(b"HTTP/1.1") == 1 and
                        b"Connection: close\r\n" in answer), (label, answer)
                assert "/smuggled" not in served.access.getvalue(), label
                assert (" %d " % expected in served.access.getvalue() and
                        "(from ('127.0.0.1'" in served.errors.getvalue()), label
                assert (served.errors.getvalue().count("\n") == 1 and
                        served.errors.getvalue().isascii()), served.errors.getvalue()
            assert served.alive(), label
    assert not str(reported), str(reported)


def test_hostile_requests_in_pieces_have_the_same_answers():
    with errors_to() as reported, Served(echo) as served:
        for sent, expected in HEADS[::3]:
            if not sent or len(sent) > 2000:
                continue
            with served.connect() as client:
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                try:
                    for i in range(0, len(sent), 7):
                        client.send(sent[i:i + 7])
                        bine.sleep(0)
                    client.shutdown(socket.SHUT_WR)
                except OSError:
                    pass  # answered and closed before all of it was sent
                assert status(read_all(client)) == expected, sent
    assert not str(reported), str(reported)


def test_limits_are_attributes():
    with Served(echo, max_request_line=50, max_header_size=200, max_headers=5,
                max_body_size=10) as served:
        assert status(served.exchange(get("/" + "x" * 60))) == 414
        assert status(served.exchange(get("/", "A: %s\r\n" % ("y" * 200)))) == 431
        assert status(served.exchange(get("/", "".join("A%d: 1\r\n" % i for i in range(9))))) == 431
        assert status(served.exchange(post("Content-Length: 11", body=b"x" * 11))) == 413
        assert status(served.exchange(chunked(b"6\r\nabcdef\r\n6\r\nabcdef\r\n0\r\n\r\n"))) == 413
        assert status(served.exchange(post("Content-Length: 10", body=b"x" * 10))) == 200
        # The answer to a body that is too large reaches a client that goes on sending.
        assert status(served.exchange(post("Content-Length: 900000", body=b"x" * 900_000))) == 413
        assert served.alive()


def test_slow_clients_are_cut_off():
    with Served(echo, header_timeout=0.2, keepalive_timeout=0.2, body_timeout=0.2) as served:
        for sent, expected in ((b"", b""), (b"GET / HT", b"HTTP/1.1 408 "),
                               (get("/", method="HEAD"), b"HTTP/1.1 200 "),
                               (post("Content-Length: 5", body=b"ab"), b"HTTP/1.1 408 "),
                               (chunked(b"5\r\nab"), b"HTTP/1.1 408 ")):
            answer = served.exchange(sent, end=False)
            assert answer[:13] == expected, (sent, answer)
        # Bytes that trickle in do not make a head last longer.
        with served.connect() as client:
            sent = 0
            try:
                while sent < 10_000:
                    client.send(b"G" if not sent else b"E")
                    sent += 1
                    bine.sleep(0.02)
                    if client.recv(100, socket.MSG_DONTWAIT) is not None:
                        break
            except BlockingIOError:
                raise AssertionError("not reached") from None
            except OSError:
                pass
        assert served.alive()


def test_clients_that_do_not_read_are_cut_off_and_slow_ones_are_not():
    size, ended = 8_000_000, []

    def application(environ, start_response):
        start_response("200 OK", [("Content-Length", str(size))])
        try:
            yield b"x" * size
        finally:
            ended.append(environ["PATH_INFO"])

    with Served(application, send_timeout=0.4) as served:
        with served.connect() as stuck, served.connect() as slow:
            for client, path in ((stuck, "/stuck"), (slow, "/slow")):
                client.sendall(get(path, "Connection: close\r\n"))
            received = 0
            while True:
                data = slow.recv(200_000)
                if not data:
                    break
                received += len(data)
                bine.sleep(0.02)
            eventually(lambda: "/stuck" in ended)
            assert received > size and sorted(ended) == ["/slow", "/stuck"]


def test_clients_that_vanish_leave_one_line_at_most():
    def application(environ, start_response):
        start_response("200 OK", [])
        body = environ["wsgi.input"].read()
        for _ in range(100):
            yield body or b"x" * 100_000

    def reset(client):
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.close()

    with errors_to() as reported, Served(application, spawn=20) as served:
        for sent in (b"", b"GET", get("/"), get("/") * 5, post("Content-Length: 100", body=b"x"),
                     chunked(b"5\r\nab")):
            for end in (reset, socket.socket.close):
                client = served.connect()
                client.sendall(sent)
                bine.sleep(0.01)
                end(client)
        eventually(lambda: served.server.pool.free_count() == 20)
    assert "Traceback" not in str(reported), str(reported)


def test_an_error_of_the_applications_own_connections_is_told():
    def application(environ, start_response):
        raise ConnectionResetError(104, "the database is gone")

    with errors_to() as reported, Served(application) as served:
        assert status(served.exchange(get("/"))) == 500
    assert "the database is gone" in str(reported)


def test_a_client_that_closes_its_half_gets_its_answer():
    with Served(echo) as served:
        assert bodies(served.exchange(post("Content-Length: 3", body=b"abc")))[1] == [b"abc"]


def test_logs_cannot_be_forged():
    with Served(hello) as served:
        served.exchange(b"GET /\x1b[31m\"\r HTTP/1.1\r\n\r\n")
        served.exchange(b"GET /\xc2\x9b31m HTTP/1.1\r\nHost: x\r\n\r\n")
        logs = served.access.getvalue() + served.errors.getvalue()
    assert all(line.isprintable() for line in logs.splitlines()), logs


def test_a_full_pool_makes_clients_wait_and_not_fail():
    gate = bine.event.Event()

    def application(environ, start_response):
        gate.wait()
        return hello(environ, start_response)

    with Served(application, spawn=3) as served:
        asking = [bine.spawn(served.exchange, get("/", "Connection: close\r\n")) for _ in range(12)]
        eventually(lambda: served.server.full())
        gate.set()
        assert all(status(greenlet.get()) == 200 for greenlet in asking)


def test_rubbish_on_a_tls_port_is_one_line_in_the_error_log():
    with tempfile.TemporaryDirectory() as folder:
        certfile, keyfile = certificate(folder)
        trust = ssl.create_default_context(cafile=certfile)
        with errors_to() as reported, Served(hello, certfile=certfile, keyfile=keyfile,
                                             max_body_size=1000) as served:
            for rubbish in (get("/"), b"\x16\x03\x01\x02\x00" + os.urandom(600), b""):
                served.exchange(rubbish)
            with trust.wrap_socket(served.connect(), server_hostname="localhost") as client:
                client.sendall(b"bad\r\n\r\n" + b"x" * 100_000)
                assert status(read_all(client)) == 400
            with trust.wrap_socket(served.connect(), server_hostname="localhost",
                                   suppress_ragged_eofs=False) as client:
                client.sendall(post("Content-Length: 900000", body=b"x" * 600_000))
                assert status(read_all(client)) == 413  # and its end is TLS's
            lines = served.errors.getvalue().splitlines()
            assert (len(lines) == 5 and
                    sum("TLS handshake with" in line for line in lines) == 3), lines
        assert not str(reported)


def _resident():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize()


@pytest.mark.seconds(900)
def test_nothing_is_left_of_many_requests():
    """BINE_TEST_REQUESTS=100000 makes it longer."""
    total = int(os.environ.get("BINE_TEST_REQUESTS", "6000"))

    def application(environ, start_response):
        if environ["PATH_INFO"] == "/fail":
            raise RuntimeError()
        return echo(environ, start_response)

    def connection(served):
        with served.connect() as client:
            for _ in range(8):
                client.sendall(get("/x"))
                read_response(client)
            client.sendall(chunked(b"3\r\nabc\r\n0\r\n\r\n"))
            read_response(client)
        served.exchange(get("/fail"))
        return 10

    figures = []
    with errors_to() as reported, Served(application, log=None, error_log=None) as served:
        for part in range(4):
            done = 0
            while done < total / 4:
                connections = [bine.spawn(connection, served) for _ in range(5)]
                bine.joinall(connections, raise_error=True)
                done += sum(greenlet.value for greenlet in connections)
                reported.text.truncate(0)
            gc.collect()
            eventually(lambda: not served.server._clients._seen)
            figures.append((len(os.listdir("/proc/self/fd")),
                            sum(isinstance(thing, bine.Greenlet) for thing in gc.get_objects()),
                            _resident()))
    descriptors, greenlets, resident = zip(*figures)
    assert descriptors[-1] <= descriptors[0], figures
    assert greenlets[-1] <= greenlets[0] + 5, figures
    assert resident[-1] < resident[1] + 2_000_000, figures
