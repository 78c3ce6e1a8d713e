"""gevent.pywsgi: HTTP/1.1 between sockets and WSGI applications."""

import os
import socket
import sys
import wsgiref.validate

import pytest

pytest.importorskip("httptools")

import bine
from bine.gevent.pywsgi import WSGIHandler
from http_helpers import Served, answering, bodies, errors_to, get, hello, read_all, status

PATCHED = True


def echo(environ, start_response):
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "application/octet-stream")])
    return [body]


def test_a_response_has_date_and_length_and_comes_in_one_write():
    sent = []

    class Handler(WSGIHandler):
        def _sendall(self, data):
            sent.append(data)
            WSGIHandler._sendall(self, data)

    with Served(hello, handler_class=Handler) as served:
        answer = served.exchange(get("/"))
    head, body = answer.split(b"\r\n\r\n")
    assert body == b"hello"
    assert (head.startswith(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nDate: ") and
            head.endswith(b"Content-Length: 5"))
    assert sent == [answer]


def test_the_first_chunk_goes_out_with_the_headers():
    sent = []

    class Handler(WSGIHandler):
        def _sendall(self, data):
            sent.append(data)
            WSGIHandler._sendall(self, data)

    with Served(answering(parts=iter([b"one", b"two"])), handler_class=Handler) as served:
        answer = served.exchange(get("/"))
    assert b"".join(sent) == answer and len(sent) == 3
    assert sent[0].endswith(b"\r\n\r\n3\r\none\r\n") and sent[1:] == [b"3\r\ntwo\r\n", b"0\r\n\r\n"]


def test_the_environment_says_what_the_request_says():
    seen = []
    with Served(answering(seen=seen), environ={"my.own": 1}) as served:
        port = served.server.server_port
        served.exchange(b"GET /a%20b//c;d?x=%41&y HTTP/1.1\r\nHost: h:1\r\nX-Two: 1\r\n"
                        b"x-two:  2 \t\r\nCookie: a=1\r\nCookie: b=2\r\nX_Two: evil\r\n"
                        b"Content-Type: text/x\r\nContent-Length: 0\r\nEmpty:\r\n\r\n")
    environ = seen[0]
    assert type(environ) is dict
    expected = {
        "REQUEST_METHOD": "GET", "PATH_INFO": "/a b//c;d", "QUERY_STRING": "x=%41&y",
        "SERVER_PROTOCOL": "HTTP/1.1", "SCRIPT_NAME": "", "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "h:1", "HTTP_X_TWO": "1,2", "HTTP_COOKIE": "a=1; b=2",
        "CONTENT_TYPE": "text/x", "CONTENT_LENGTH": "0", "HTTP_EMPTY": "",
        "GATEWAY_INTERFACE": "CGI/1.1", "SERVER_PORT": str(port), "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http", "wsgi.multithread": False, "wsgi.multiprocess": False,
        "wsgi.run_once": False, "wsgi.input_terminated": True, "my.own": 1,
    }
    assert {key: environ.get(key) for key in expected} == expected
    assert (environ["REMOTE_PORT"].isdigit() and environ["SERVER_NAME"] and
            environ["SERVER_SOFTWARE"].startswith("gevent/"))
    assert set(environ) - set(expected) == {"REMOTE_PORT", "SERVER_NAME", "SERVER_SOFTWARE",
                                            "wsgi.input", "wsgi.errors"}


def test_targets_in_all_forms():
    seen = []
    with Served(answering(seen=seen)) as served:
        for target in (b"http://other:8/abs?q", b"http://other", b"*", b"/\xc3\xa9", b"/%C3%A9",
                       b"//double", b"/%2F%00"):
            method = b"OPTIONS " if target == b"*" else b"GET "
            assert status(served.exchange(method + target +
                                          b" HTTP/1.1\r\nHost: x\r\n\r\n")) == 200, target
    assert [(e["PATH_INFO"], e["QUERY_STRING"], e["HTTP_HOST"]) for e in seen] == [
        ("/abs", "q", "other:8"), ("/", "", "other"), ("*", "", "x"), ("/\xc3\xa9", "", "x"),
        ("/\xc3\xa9", "", "x"), ("//double", "", "x"), ("//\0", "", "x")]


def test_a_connection_is_kept_and_pipelined_requests_are_answered_in_order():
    def application(environ, start_response):
        body = environ["wsgi.input"].read()
        start_response("200 OK", [])
        return [environ["PATH_INFO"].encode(), body]

    with Served(application) as served:
        many = b"".join(get("/%d" % i) if i % 3 else b"POST /%d HTTP/1.1\r\nHost: x\r\n"
                        b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n" % i
                        for i in range(300))
        found = bodies(served.exchange(many))[1]
        assert found == [b"/%d" % i + (b"" if i % 3 else b"ab") for i in range(300)]
        with served.connect() as client:  # the same, a byte at a time
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in (get("/slow") + b"POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n"
                         b"abc" + get("/last")):
                client.send(bytes([byte]))
                bine.sleep(0)
            client.shutdown(socket.SHUT_WR)
            assert bodies(read_all(client))[1] == [b"/slow", b"/pabc", b"/last"]


def test_who_closes_the_connection():
    with Served(hello) as served:
        def two(first):
            return bodies(served.exchange(first + get("/")))[0]

        assert len(two(get("/"))) == 2
        for last in (get("/", "Connection: close\r\n"), get("/", "Connection: foo, Close\r\n"),
                     get("/", version="HTTP/1.0")):
            heads = two(last)
            assert len(heads) == 1 and b"\r\nConnection: close" in heads[0], heads
        heads = two(get("/", "Connection: keep-alive\r\n", version="HTTP/1.0"))
        assert len(heads) == 2 and b"\r\nConnection: keep-alive" in heads[0]
    with Served(answering([("Connection", "close")])) as served:
        heads = bodies(served.exchange(get("/") + get("/")))[0]
        assert len(heads) == 1 and heads[0].lower().count(b"connection:") == 1


def test_head_and_responses_without_body():
    for code in ("204 No Content", "304 Not Modified"):
        with Served(answering(code=code, parts=[])) as served:
            answer = served.exchange(get("/") + get("/"))
            assert answer.count(b"HTTP/1.1 " + code.encode()) == 2
            assert (b"Content-Length" not in answer and b"chunked" not in answer and
                    answer.endswith(b"\r\n\r\n"))
    for parts in ([b"hello"], iter([b"hel", b"lo"])):
        with Served(answering(parts=parts)) as served:
            answer = served.exchange(get("/", method="HEAD"))
            assert answer.endswith(b"\r\n\r\n") and b"hello" not in answer, answer
            assert (b"Content-Length: 5" if isinstance(parts, list)
                    else b"Transfer-Encoding: chunked") in answer


def test_bodies_of_all_kinds_go_out():
    big = os.urandom(3_000_000)
    cases = [([], b""), ([b""], b""), ([b"a", b"", b"b"], b"ab"), ((b"t",), b"t"), ([big], big),
             (iter([]), b""), (iter([b"", b"a", b""]), b"a"),
             (iter([big, b"x"]), big + b"x"), ([bytearray(b"ba")], b"ba")]
    for parts, expected in cases:
        with Served(answering(parts=parts)) as served:
            assert bodies(served.exchange(get("/")))[1] == [expected]
    with Served(answering(parts=iter([b"old", b"client"]))) as served:
        answer = served.exchange(get("/", version="HTTP/1.0"))
        assert (answer.endswith(b"\r\n\r\noldclient") and b"chunked" not in answer and
                b"Connection: close" in answer)


def test_write_sends_at_once():
    gate = bine.event.Event()

    def application(environ, start_response):
        write = start_response("200 OK", [])
        write(b"one")
        gate.wait()
        write(b"two")
        return [b"three"]

    with Served(application) as served, served.connect() as client:
        client.sendall(get("/"))
        data = b""
        while not data.endswith(b"3\r\none\r\n"):
            data += client.recv(4096)
        gate.set()
        client.shutdown(socket.SHUT_WR)
        assert bodies(data + read_all(client))[1] == [b"onetwothree"]


def test_request_bodies_by_length_and_in_chunks():
    big = os.urandom(2_000_000)
    chunks = b"".join(b"%x;ext=1\r\n%b\r\n" % (len(big[i:i + 70000]), big[i:i + 70000])
                      for i in range(0, len(big), 70000))
    with Served(echo) as served:
        for head, body in ((b"Content-Length: %d\r\n" % len(big), big),
                           (b"Transfer-Encoding: Chunked\r\n", chunks + b"0\r\nTrailer: x\r\n\r\n"),
                           (b"Content-Length: 0\r\n", b""),
                           (b"Transfer-Encoding: chunked\r\n", b"0\r\n\r\n")):
            answer = served.exchange(b"POST / HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n" +
                                     body + get("/next"))
            assert bodies(answer)[1] == [big if len(body) > 20 else b"", b""]


def test_the_input_reads_like_a_file():
    body = b"one\ntwo\n\nlong line without end"

    def application(environ, start_response):
        read = environ["wsgi.input"]
        out = {"/read": lambda: [read.read(2), read.read(0), read.read(3), read.read(-1),
                                 read.read(), read.read(5)],
               "/lines": lambda: [read.readline(), read.readline(2), read.readline(),
                                  read.readline(), read.readline(0), read.readline(),
                                  read.readline()], "/readlines": lambda: read.readlines(),
               "/hint": lambda: read.readlines(4) + [read.read()], "/iter": lambda: list(read),
               "/mixed": lambda: [read.readline(), read.read(2), next(read), read.read1(3),
                                  read.read()]}[environ["PATH_INFO"]]()
        start_response("200 OK", [])
        return [repr(out).encode()]

    expected = {"/read": [b"on", b"", b"e\nt", b"wo\n\nlong line without end", b"", b""],
                "/lines": [b"one\n", b"tw", b"o\n", b"\n", b"", b"long line without end", b""],
                "/readlines": [b"one\n", b"two\n", b"\n", b"long line without end"],
                "/hint": [b"one\n", b"two\n\nlong line without end"],
                "/iter": [b"one\n", b"two\n", b"\n", b"long line without end"],
                "/mixed": [b"one\n", b"tw", b"o\n", b"\nlo", b"ng line without end"]}
    chunked = b"".join(b"%x\r\n%b\r\n" % (len(body[i:i + 5]), body[i:i + 5])
                       for i in range(0, len(body), 5)) + b"0\r\n\r\n"
    with Served(application) as served:
        for path in expected:
            for head, sent in ((b"Content-Length: %d" % len(body), body),
                               (b"Transfer-Encoding: chunked", chunked)):
                answer = served.exchange(b"POST %s HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n%s" %
                                         (path.encode(), head, sent) + get("/iter"))
                got = bodies(answer)[1]
                if path == "/mixed" and sent is chunked:
                    assert b"".join(eval(got[0])) == body
                elif path == "/hint" and sent is chunked:
                    assert b"".join(eval(got[0])) == body
                else:
                    assert eval(got[0]) == expected[path], (path, head)
                assert got[1] == b"[]"


def test_a_body_that_is_not_read_does_not_become_a_request():
    with Served(hello) as served:
        post = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
        smuggled = get("/smuggled")
        assert len(bodies(served.exchange(post % len(smuggled) + smuggled + get("/")))[1]) == 2
        chunked = (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n"
                   b"0\r\n\r\n" % (len(smuggled), smuggled))
        assert len(bodies(served.exchange(chunked + get("/")))[1]) == 2
        # So much that it is not worth reading: the connection ends, and the answer
        # arrives all the same.
        heads = bodies(served.exchange(post % 900_000 + b"x" * 900_000 + get("/")))[0]
        assert len(heads) == 1
        assert "smuggled" not in served.access.getvalue()


def test_expect_100_is_answered_when_the_body_is_read():
    with Served(echo) as served, served.connect() as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
                       b"Content-Length: 3\r\n\r\n")
        assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"abc" + get("/", "Connection: close\r\n"))
        assert bodies(read_all(client))[1] == [b"abc", b""]
    # Never asked for: the client may or may not send it, so the connection ends.
    with Served(hello) as served:
        answer = served.exchange(
            b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n",
            end=False)
        assert status(answer) == 200 and b"100 Continue" not in answer
        assert status(
            served.exchange(get("/", "Expect: the-impossible\r\nContent-Length: 1\r\n"))) == 417


def test_the_standard_validator_has_nothing_to_say():
    def application(environ, start_response):
        data = environ["wsgi.input"].read(5)
        environ["wsgi.input"].readline()
        list(environ["wsgi.input"])
        environ["wsgi.errors"].write("fine\n")
        code = "204 No Content" if environ["PATH_INFO"] == "/none" else "200 OK"
        write = start_response(code, [] if code[0:3] == "204" else [("Content-Type", "text/plain")])
        if environ["PATH_INFO"] == "/write":
            write(b"written")
        return [] if code[0:3] == "204" else [data, b"end"]

    with errors_to() as reported, Served(wsgiref.validate.validator(application)) as served:
        for request in (get("/"), get("/x?y=1", method="HEAD"), get("/none"), get("/write"),
                        get("/", version="HTTP/1.0"),
                        b"POST / HTTP/1.1\r\nHost: x\r\n"
                        b"Content-Length: 12\r\nContent-Type: a/b\r\n\r\nab\ncd\nef\ngh\n",
                        b"POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n"
                        b"ab\ncd\n\r\n0\r\n\r\n"):
            assert status(served.exchange(request)) in (200, 204), request
        assert set(served.errors.getvalue().split()) == {"fine"}
    assert not str(reported), str(reported)


def test_an_application_that_fails_anywhere_is_answered_500_or_cut_short():
    class Closing(list):
        def close(self):
            raise RuntimeError("closing")

    def late():
        yield b"one"
        raise RuntimeError("later")

    def early():
        raise RuntimeError("first")
        yield b""

    def application(environ, start_response):
        path = environ["PATH_INFO"]
        if path == "/called":
            raise RuntimeError("called")
        if path == "/started":
            start_response("200 OK", [])
            raise RuntimeError("started")
        if path == "/unstarted":
            return [b"x"]
        if path == "/written":
            start_response("200 OK", [])(b"part")
            raise RuntimeError("written")
        start_response("200 OK", [])
        return {"/late": late, "/early": early, "/closing": lambda: Closing([b"one"]),
                "/text": lambda: ["text"], "/none": lambda: None,
                "/number": lambda: [5], "/alive": lambda: [b"hello"]}[path]()

    with Served(application) as served:
        for path in ("/called", "/started", "/unstarted", "/early", "/text", "/none", "/number"):
            with errors_to() as reported:
                answer = served.exchange(get(path) + get("/alive"))
            assert (status(answer) == 500 and answer.endswith(b"\r\n\r\nInternal Server Error") and
                    b"Connection: close" in answer), (path, answer)
            assert ("failed with" in str(reported) and
                    '"GET %s HTTP/1.1" 500 ' % path in served.access.getvalue())
        for path, body in (("/late", b"3\r\none\r\n"), ("/written", b"4\r\npart\r\n"),
                           ("/closing", b"one")):
            with errors_to() as reported:
                answer = served.exchange(get(path) + get("/alive"))
            assert status(answer) == 200 and answer.endswith(b"\r\n\r\n" + body), (path, answer)
            assert "RuntimeError" in str(reported) and answer.count(b"HTTP/1.1") == 1
        assert served.alive()


def test_secrets_are_not_in_the_report_of_a_failure():
    def application(environ, start_response):
        raise RuntimeError()

    with errors_to() as reported, Served(application) as served:
        served.exchange(get("/?token=secret1", "Authorization: secret2\r\nCookie: secret3\r\n"))
    assert "127.0.0.1" in str(reported) and "secret" not in str(reported)


def test_exc_info_replaces_a_response_that_was_not_sent():
    def application(environ, start_response):
        write = start_response("200 OK", [("X-First", "1")])
        if environ["PATH_INFO"] == "/sent":
            write(b"x")
        try:
            raise KeyError("inner")
        except KeyError:
            start_response("503 Sorry", [("X-Second", "1")], sys.exc_info())
        return [b"sorry"]

    with errors_to() as reported, Served(application) as served:
        answer = served.exchange(get("/"))
        assert status(answer) == 503 and b"X-Second" in answer and b"X-First" not in answer
        assert status(served.exchange(get("/sent"))) == 200
    assert "KeyError: 'inner'" in str(reported)


def test_a_length_that_is_wrong_costs_the_connection_not_the_framing():
    with Served(answering([("Content-Length", "3")], [b"he", b"llo"])) as served:
        answer = served.exchange(get("/") + get("/"))
        assert answer.endswith(b"\r\n\r\nhel") and answer.count(b"HTTP/1.1") == 1
        assert "more than the 3 bytes" in served.errors.getvalue()
    with Served(answering([("Content-Length", "9")], [b"hello"])) as served:
        answer = served.exchange(get("/") + get("/"))
        assert answer.endswith(b"\r\n\r\nhello") and answer.count(b"HTTP/1.1") == 1
        assert "4 bytes fewer" in served.errors.getvalue()


def test_responses_cannot_be_split():
    for code, headers in (("200 OK\r\nX: y", []), ("200 OK", [("X", "a\r\nSet-Cookie: b")]),
                          ("200 OK", [("X\n", "a")]), ("200 OK", [("X", "a\nb")]),
                          ("200 OK", [("X", "a\0b")]), ("200 OK", [("X", "a\rb")]),
                          ("200 OK", [("X", "\u2603")]), ("200 OK", [("X", 5)]),
                          ("200 OK", [("Content-Length", "5\r\n\r\nHTTP/1.1 200 OK")]),
                          ("200 OK", [("Content-Length", "-1")]), (200, []), ("OK", [])):
        with errors_to() as reported, Served(answering(headers, code=code)) as served:
            answer = served.exchange(get("/"))
            assert (status(answer) == 500 and b"Set-Cookie" not in answer and
                    answer.count(b"HTTP/1.1") == 1), (code, headers)
        assert "Error" in str(reported), (code, headers)
    # Framing is the server's.
    with Served(answering([("Transfer-Encoding", "chunked"), ("X", "1")])) as served:
        answer = served.exchange(get("/"))
        assert b"Content-Length: 5" in answer and b"chunked" not in answer


def test_an_upgrade_that_the_application_ignores_is_a_plain_request():
    with Served(hello) as served:
        h2c = "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: x\r\n"
        assert bodies(served.exchange(get("/", h2c) + get("/")))[1] == [b"hello", b"hello"]
        post = (b"POST / HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n"
                b"Content-Length: 3\r\n\r\nabc")
        assert bodies(served.exchange(post + get("/")))[1] == [b"hello", b"hello"]


def test_a_subclass_has_attributes_of_the_handler_as_attributes_of_its_class():
    """They hold until a request sets others; a property's setter is called when one does."""
    seen, set_to = [], []

    class Handler(WSGIHandler):
        command, content_length, environ = "none yet", 7, {"of": "the class"}

        def handle(self):
            seen.append((self.command, self.content_length, self.environ, self.status, self.path,
                         self.headers_sent))
            WSGIHandler.handle(self)

        def get_environ(self):
            seen.append((self.command, self.content_length))
            return WSGIHandler.get_environ(self)

        @property
        def status(self):
            return set_to[-1] if set_to else "no status"

        @status.setter
        def status(self, value):
            set_to.append(value)

    class Inherits(Handler):
        path = "/of/the/class"

    for kind, path in (Handler, None), (Inherits, "/of/the/class"):
        del seen[:], set_to[:]
        with Served(hello, handler_class=kind) as served:
            assert bodies(served.exchange(get("/") + get("/two")))[1] == [b"hello"] * 2
        assert seen == [("none yet", 7, {"of": "the class"}, "no status", path, False),
                        ("GET", 0), ("GET", 0)]
        assert set_to[0] is None and set_to.count("200 OK") == 2
        assert Handler.command == "none yet" and WSGIHandler.command is not Handler.command
