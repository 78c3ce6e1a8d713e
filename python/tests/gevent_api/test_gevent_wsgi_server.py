"""gevent.pywsgi's server and its handler as programs have them: arguments, logs, methods that
subclasses override, TLS, and ends of servers."""

import logging
import os
import re
import socket
import ssl
import subprocess
import sys
import tempfile

import pytest

pytest.importorskip("httptools")

import bine
from bine.gevent import pywsgi
from bine.gevent.pywsgi import WSGIHandler, WSGIServer
from bine.pool import Pool
from helpers import raises
from http_helpers import (Served, answering, bodies, certificate, errors_to, eventually, get, hello,
                          read_all, read_response, status)

PATCHED = True


def test_connections_have_nodelay():
    seen = []

    class Handler(WSGIHandler):
        def handle(self):
            seen.append(self.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            WSGIHandler.handle(self)

    with Served(hello, handler_class=Handler) as served:
        assert served.alive()
    assert seen == [1]


def test_logs_of_all_kinds():
    with Served(hello) as served:
        served.exchange(get('/x"y'))
        line = served.access.getvalue()
    assert re.fullmatch(r'127\.0\.0\.1 - - \[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\] "GET /x\\"y '
                        r'HTTP/1\.1" 200 106 \d\.\d{6}\n', line), line
    with Served(hello, log=None, error_log=None) as served:
        assert served.alive() and status(served.exchange(b"bad\r\n\r\n")) == 400
    records = []

    class Keep(logging.Handler):
        def emit(self, record):
            records.append((record.levelname, record.getMessage()))

    logger = logging.Logger("pywsgi")
    logger.addHandler(Keep())
    with Served(hello, log=logger, error_log=logger) as served:
        assert served.alive() and status(served.exchange(b"bad\r\n\r\n")) == 400
        assert served.server.log.name == "pywsgi"
    assert ([level for level, _ in records] == ["INFO", "ERROR", "INFO"] and
            not records[0][1].endswith("\n"))
    with errors_to() as reported:
        with Served(hello, log="default") as served:
            assert served.alive()
        assert '"GET /alive HTTP/1.1" 200' in str(reported)


def test_environments_that_keep_secrets():
    environ = pywsgi.SecureEnviron(a=1)
    assert "keys: 1" in repr(environ) and "'a'" not in repr(environ)
    environ.whitelist_keys = {"a"}
    environ["b"] = "secret"
    assert str(environ) == "{'a': 1, 'b': '<MASKED>'}"
    environ.print_masked_keys = False
    assert str(environ) == "{'a': 1, (hidden keys: 1)}"
    environ.secure_repr = False
    assert str(environ) == "{'a': 1, 'b': 'secret'}"
    assert (type(environ.copy()) is pywsgi.SecureEnviron and
            list(environ.iteritems()) == [("a", 1), ("b", "secret")])
    assert (repr(pywsgi.WSGISecureEnviron({"REMOTE_ADDR": "::1", "HTTP_AUTHORIZATION": "x"})) ==
            "{'REMOTE_ADDR': '::1', (hidden keys: 1)}")


def test_the_hooks_are_called_in_order_with_their_arguments():
    calls = []

    class Handler(WSGIHandler):
        pass

    def spy(name):
        def method(self, *args):
            calls.append((name,) + args)
            return getattr(WSGIHandler, name)(self, *args)

        setattr(Handler, name, method)

    for name in ("handle", "handle_one_request", "read_requestline", "read_request", "get_environ",
                 "handle_one_response", "run_application", "start_response", "process_result",
                 "write", "finalize_headers", "log_request", "format_request", "handle_error"):
        spy(name)

    def application(environ, start_response):
        start_response("200 OK", [("X", "1")])
        if environ["PATH_INFO"] == "/fail":
            raise RuntimeError()
        return [b"body"]

    one = ["handle_one_request", "read_requestline", "read_request", "get_environ",
           "handle_one_response", "run_application", "start_response",
           "process_result", "write", "finalize_headers", "log_request", "format_request"]
    with Served(application, handler_class=Handler) as served:
        served.exchange(get("/p"))
        assert [call[0]
                for call in calls] == ["handle"] + one + ["handle_one_request", "read_requestline"]
        by_name = {call[0]: call[1:] for call in calls}
        assert by_name["read_request"] == ("GET /p HTTP/1.1\r\n",)
        assert (by_name["start_response"] == ("200 OK", [("X", "1")]) and
                by_name["write"] == (b"body",))
        calls.clear()
        with errors_to():
            served.exchange(get("/fail"))
        assert [call[0] for call in calls][6:] == ["run_application", "start_response",
                                                   "handle_error", "start_response", "write",
                                                   "finalize_headers",
                                                   "log_request", "format_request"]


def test_subclasses_read_and_change_what_gevent_lets_them():
    seen = {}

    class Handler(WSGIHandler):
        def get_environ(self):
            environ = WSGIHandler.get_environ(self)
            environ["RAW_URI"] = self.path
            environ["gunicorn.sock"] = self.socket
            return environ

        def finalize_headers(self):
            WSGIHandler.finalize_headers(self)
            self.response_headers.append(("X-Own", "1"))

        def log_request(self):
            seen.update(status=self.status, code=self.code, length=self.response_length,
                        took=self.time_finish - self.time_start, command=self.command,
                        requestline=self.requestline, version=self.request_version,
                        headers=dict(self.headers.items()), path=self.path, sent=self.headers_sent,
                        response=dict(self.response_headers), environ=self.environ["RAW_URI"])

    with Served(hello, handler_class=Handler) as served:
        answer = served.exchange(get("/a?b", "X-Y: 1\r\n"))
    assert b"\r\nX-Own: 1\r\n" in answer
    assert 0 <= seen.pop("took") < 20 and seen.pop("response")["X-Own"] == "1"
    assert seen == {"status": "200 OK", "code": 200, "length": len(answer),
                    "command": "GET", "requestline": "GET /a?b HTTP/1.1", "version": "HTTP/1.1",
                    "headers": {"Host": "x", "X-Y": "1"}, "path": "/a?b", "sent": True,
                    "environ": "/a?b"}


def test_a_handler_may_take_lines_of_its_own_before_the_request():
    class Proxied(WSGIHandler):
        def read_requestline(self):
            line = WSGIHandler.read_requestline(self)
            if line.startswith("PROXY "):
                self.client_address = (line.split()[2], int(line.split()[4]))
                line = WSGIHandler.read_requestline(self)
            return line

    seen = []
    with Served(answering(seen=seen), handler_class=Proxied) as served:
        answer = served.exchange(b"PROXY TCP4 10.0.0.1 10.0.0.2 5 6\r\n" + get("/in") +
                                 get("/again"))
    assert len(bodies(answer)[1]) == 2
    assert [(e["REMOTE_ADDR"], e["REMOTE_PORT"], e["PATH_INFO"])
            for e in seen] == [("10.0.0.1", "5", "/in"), ("10.0.0.1", "5", "/again")]


def test_an_application_may_take_the_connection_over():
    def application(environ, start_response):
        start_response("101 Switching Protocols",
                       [("Upgrade", "echo"), ("Connection", "Upgrade")])(b"")
        sock = environ["wsgi.input"].rfile.raw._sock
        rfile = environ["wsgi.input"].rfile
        sock.sendall(rfile.read(3).upper())
        sock.sendall(sock.recv(10).upper())
        return []

    with Served(application) as served, served.connect() as client:
        client.sendall(get("/", "Upgrade: echo\r\nConnection: Upgrade\r\n") + b"abc")
        data = b""
        while not data.endswith(b"ABC"):
            data += client.recv(1000)
        assert (data == b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\n"
                b"Connection: Upgrade\r\nDate: " + data[76:105] + b"\r\n\r\nABC"), data
        client.sendall(b"more")
        assert read_all(client) == b"MORE"


def test_https():
    with tempfile.TemporaryDirectory() as folder:
        certfile, keyfile = certificate(folder)
        trust = ssl.create_default_context(cafile=certfile)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certfile, keyfile)
        for arguments in ({"certfile": certfile, "keyfile": keyfile}, {"ssl_context": context}):
            seen = []
            with Served(answering(seen=seen, parts=iter([b"hello"])), **arguments) as served:
                with trust.wrap_socket(served.connect(), server_hostname="localhost",
                                       suppress_ragged_eofs=False) as client:
                    client.sendall(get("/", version="HTTP/1.0"))
                    # Its end is TLS's, not a cut.
                    assert read_all(client).endswith(b"\r\n\r\nhello")
                assert seen[0]["wsgi.url_scheme"] == "https"


def test_over_a_unix_socket():
    with tempfile.TemporaryDirectory() as folder:
        path = folder + "/http"
        seen = []
        with Served(answering(seen=seen), listener="unix:" + path) as served:
            assert bodies(served.exchange(get("/")))[1] == [b"hello"]
            assert "REMOTE_ADDR" not in seen[0]
            assert served.access.getvalue().startswith("- - - [")
        assert not os.path.exists(path)


def test_stop_answers_what_is_under_way_and_ends_idle_connections():
    gate, begun = bine.event.Event(), bine.event.Event()

    def application(environ, start_response):
        if environ["PATH_INFO"] == "/slow":
            begun.set()
            gate.wait()
        return hello(environ, start_response)

    served = Served(application, spawn=10)
    idle, busy, late = served.connect(), served.connect(), served.connect()
    for client in (idle, late):
        client.sendall(get("/"))
        read_response(client)
    busy.sendall(get("/slow"))
    begun.wait()
    stopping = bine.spawn(served.server.stop, 30)
    eventually(lambda: served.server.closed)
    raises(OSError, served.connect)
    late.sendall(get("/"))
    head, body = read_response(late)
    assert b"Connection: close" in head and read_all(late) == b""
    gate.set()
    assert b"Connection: close" in read_response(busy)[0] and read_all(busy) == b""
    assert read_all(idle) == b""
    stopping.get()
    assert len(served.server.pool) == 0


def test_the_client_of_a_request_that_is_killed_is_answered_500():
    def application(environ, start_response):
        if environ["PATH_INFO"] == "/wait":
            bine.sleep(60)
        if environ["PATH_INFO"] == "/half":
            start_response("200 OK", [("Content-Length", "2")])(b"h")
            bine.sleep(60)
        raise bine.GreenletExit

    pool = Pool(5)
    with Served(application, spawn=pool) as served:
        assert served.exchange(get("/raise")).startswith(b"HTTP/1.1 500 ")
        for target, answer in (("/wait", b"HTTP/1.1 500 "), ("/half", b"HTTP/1.1 200 ")):
            with served.connect() as client:
                client.sendall(get(target))
                eventually(lambda: len(pool) == 1)
                eventually(lambda: target == "/wait" or client.recv(1, socket.MSG_PEEK))
                bine.sleep(0.05)
                pool.kill(timeout=20)
                answered = read_all(client)
                assert answered.startswith(answer) and answered.count(b"HTTP/1.1") == 1, answered
        assert served.errors.getvalue() == ""


def test_stop_kills_what_does_not_end_in_time():
    def application(environ, start_response):
        bine.sleep(100)

    served = Served(application, spawn=10)
    client = served.connect()
    client.sendall(get("/"))
    eventually(lambda: len(served.server.pool) == 1)
    with errors_to() as reported:
        served.server.stop(timeout=0.1)
        assert read_all(client).startswith(b"HTTP/1.1 500 ")
    assert len(served.server.pool) == 0 and "Traceback" not in str(reported), str(reported)


def test_arguments_that_make_no_sense():
    assert isinstance(raises(TypeError, WSGIServer, ("127.0.0.1", 0), hello, handle=hello),
                      TypeError)
    listener = socket.create_server(("127.0.0.1", 0))
    raises(TypeError, WSGIServer, listener, hello, backlog=5)
    raises(ValueError, WSGIServer, "not an address", hello)
    raises(OSError, WSGIServer(listener.getsockname(), hello).start)


def test_without_httptools_the_import_says_what_to_install():
    program = "import sys; sys.modules['httptools'] = None; import bine.gevent.pywsgi"
    done = subprocess.run([sys.executable, "-c", program], stderr=subprocess.PIPE, text=True)
    assert (done.returncode == 1 and
            'pip install "pybine[gevent]"' in done.stderr.splitlines()[-1]), done.stderr
