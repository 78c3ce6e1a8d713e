"""gunicorn with its gevent workers, as users start it, under load that notices each
request that is lost."""

import contextlib
import http.client
import os
import signal
import ssl
import subprocess
import tempfile
import threading
import time

import pytest
from programs import Program, free_port, wait_for

APP = {"app.py": """
import os, threading, time

def application(environ, start_response):
    path = environ["PATH_INFO"]
    body = b"hello"
    if path == "/sleep":
        sleep()
    elif path == "/most":
        body = b"%d" % most
    elif path == "/pid":
        time.sleep(0.01)
        body = b"%d" % os.getpid()
    elif path == "/stuck":
        spin_for_ever()
    elif path == "/post":
        body = environ["wsgi.input"].read()
    elif path == "/scheme":
        body = environ["wsgi.url_scheme"].encode()
    elif path == "/loaded":
        body = b"%d" % loaded_by
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]

sleeping = most = 0

def sleep():
    global sleeping, most
    sleeping += 1
    most = max(most, sleeping)
    time.sleep(1)
    sleeping -= 1

def spin_for_ever():
    while True:
        pass

loaded_by = os.getpid()
""", "conf.py": """
import traceback

def worker_abort(worker):
    traceback.print_stack()
"""}
KINDS = ("gevent", "gevent_pywsgi")

pytestmark = pytest.mark.seconds(240)


def with_each_kind(function):
    """Make a test of the function for each kind of worker."""

    def make(kind):
        def test():
            function(kind)

        test.__name__ = "%s_%s" % (function.__name__, kind)
        test.__doc__ = function.__doc__
        globals()[test.__name__] = test

    for kind in KINDS:
        make(kind)


def gunicorn(kind, *arguments, files=APP, application="app:application"):
    port = free_port()
    program = Program("gunicorn", "-k", kind, "-b", "127.0.0.1:%d" % port, "--no-control-socket",
                      *arguments, application, files=files, port=port)
    program.port = port
    return program


def fetch(port, path="/", body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET" if body is None else "POST", path, body)
        return connection.getresponse().read()
    finally:
        connection.close()


class Load:
    """Threads that ask without a pause on kept connections. A request without its
    whole answer is an error."""

    def __init__(self, port, path="/", threads=8, keep=True):
        self.port, self.path, self.done, self.errors, self.answers = port, path, 0, [], set()
        self._over = False
        self._headers = {} if keep else {"Connection": "close"}
        self._threads = [threading.Thread(target=self._ask, daemon=True) for _ in range(threads)]

    def _ask(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        while not self._over:
            try:
                connection.request("GET", self.path, headers=self._headers)
                response = connection.getresponse()
                self.answers.add(response.read())
                assert response.status == 200, response.status
                self.done += 1
            except Exception as error:
                self.errors.append(repr(error))
                connection.close()
        connection.close()

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *unused):
        self._over = True
        for thread in self._threads:
            thread.join(60)

    def more(self, count=100):
        """Wait for so many further answers."""
        target = self.done + count
        wait_for(lambda: self.done >= target, 60)


def workers(program):
    with open("/proc/%d/task/%d/children" % (program.pid, program.pid)) as children:
        return set(map(int, children.read().split()))


@with_each_kind
def test_connections_are_kept_and_bodies_arrive(kind):
    with gunicorn(kind, "--keep-alive", "20") as program:
        connection = http.client.HTTPConnection("127.0.0.1", program.port, timeout=60)
        connection.connect()
        first = connection.sock
        for path, body, expected in (("/", None, b"hello"), ("/post", b"x" * 300_000,
                                                             b"x" * 300_000), ("/", None, b"hello"),
                                     ("/post", iter([b"in ", b"chunks"]), b"in chunks")):
            connection.request("GET" if body is None else "POST", path, body)
            assert connection.getresponse().read() == expected
            assert connection.sock is first


@with_each_kind
def test_requests_that_wait_do_so_at_the_same_time(kind):
    with gunicorn(kind, "--keep-alive", "20") as program:
        with Load(program.port, "/sleep", threads=20) as load:
            wait_for(lambda: load.done >= 40, 60)
        assert not load.errors, load.errors
        assert int(fetch(program.port, "/most")) >= 10


@with_each_kind
def test_tls(kind):
    folder = tempfile.mkdtemp(prefix="bine-frameworks-")
    cert, key = folder + "/cert.pem", folder + "/key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                    "-subj", "/CN=localhost", "-keyout", key, "-out", cert],
                   check=True, stderr=subprocess.DEVNULL)
    with gunicorn(kind, "--certfile", cert, "--keyfile", key) as program:
        connection = http.client.HTTPSConnection("localhost", program.port, timeout=60,
                                                 context=ssl.create_default_context(cafile=cert))
        connection.request("GET", "/scheme")
        assert connection.getresponse().read() == b"https"


@with_each_kind
def test_hup_under_load_loses_no_request(kind):
    with gunicorn(kind, "-w", "2", "--keep-alive", "20") as program:
        with Load(program.port) as load:
            load.more()
            for _ in range(2):
                before = workers(program)
                program.signal(signal.SIGHUP)
                wait_for(lambda: len(workers(program)) == 2 and not before & workers(program), 60)
                load.more()
        assert not load.errors, load.errors
        assert load.answers == {b"hello"}


@with_each_kind
def test_term_answers_what_is_under_way(kind):
    with gunicorn(kind) as program:
        # A worker that has not booted yet takes SIGTERM for its parent's.
        assert fetch(program.port) == b"hello"
        answers = []
        asking = [threading.Thread(target=lambda: answers.append(fetch(program.port, "/sleep")))
                  for _ in range(10)]
        for thread in asking:
            thread.start()
        time.sleep(0.5)
        program.signal(signal.SIGTERM)
        for thread in asking:
            thread.join(60)
        assert answers == [b"hello"] * 10
        assert program.wait(30) == 0


def test_idle_connections_do_not_hold_up_the_end_of_gevent_pywsgi():
    """gunicorn's own HTTP of the gevent worker waits for such clients, as long as
    graceful-timeout says."""
    with gunicorn("gevent_pywsgi", "--graceful-timeout", "1000") as program:
        idle = http.client.HTTPConnection("127.0.0.1", program.port, timeout=60)
        idle.request("GET", "/")
        assert idle.getresponse().read() == b"hello"
        program.signal(signal.SIGTERM)
        assert program.wait(60) == 0


def test_max_requests_replaces_workers_and_loses_no_request():
    with gunicorn("gevent", "-w", "2", "--max-requests", "200") as program:
        with Load(program.port, "/pid") as load:
            wait_for(lambda: len(load.answers) >= 5, 100)
        assert not load.errors, load.errors


@with_each_kind
def test_a_stuck_worker_is_ended_with_its_traceback(kind):
    with gunicorn(kind, "-w", "1", "-t", "3", "-c", "conf.py") as program:
        stuck, = wait_for(lambda: workers(program))  # it listens before the worker is there
        # gunicorn ends it by SystemExit, which pywsgi, as gevent's does, may still
        # answer with status 500.
        with contextlib.suppress(http.client.HTTPException, OSError):
            assert b"Internal Server Error" in fetch(program.port, "/stuck")
        assert fetch(program.port) == b"hello"
        assert stuck not in workers(program)
        assert "WORKER TIMEOUT" in program.output() and "spin_for_ever" in program.output()


@with_each_kind
def test_preloaded_applications_and_several_workers(kind):
    with gunicorn(kind, "--preload", "-w", "3") as program:
        with Load(program.port, "/pid", threads=16, keep=False) as load:
            wait_for(lambda: len(load.answers) == 3, 60)
        assert {int(answer) for answer in load.answers} == workers(program) and not load.errors
        assert int(fetch(program.port, "/loaded")) == program.pid


@with_each_kind
def test_a_worker_that_is_killed_is_replaced(kind):
    with gunicorn(kind, "-w", "2") as program:
        before = workers(program)
        os.kill(min(before), signal.SIGKILL)
        wait_for(lambda: len(workers(program) - before) == 1, 60)
        assert {fetch(program.port) for _ in range(20)} == {b"hello"}


@with_each_kind
def test_flask(kind):
    files = {"app.py": """
import flask
application = flask.Flask(__name__)

@application.route("/<name>")
def greet(name):
    return "hello " + name
"""}
    with gunicorn(kind, "--keep-alive", "20",
                  files=files) as program, Load(program.port, "/you") as load:
        load.more(200)
        assert load.answers == {b"hello you"} and not load.errors


def test_the_websocket_worker():
    websocket = pytest.importorskip("websocket")
    files = {"app.py": """
def application(environ, start_response):
    socket = environ.get("wsgi.websocket")
    if socket is None:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"plain"]
    while True:
        message = socket.receive()
        if message is None:
            return []
        socket.send(message.upper())
"""}
    with gunicorn("geventwebsocket.gunicorn.workers.GeventWebSocketWorker", files=files) as program:
        assert fetch(program.port) == b"plain"
        clients = [websocket.create_connection("ws://127.0.0.1:%d/" % program.port, timeout=60)
                   for _ in range(5)]
        for text in ("hello", "x" * 100_000, ""):
            for client in clients:
                client.send(text)
            for client in clients:
                assert client.recv() == text.upper()
        for client in clients:
            client.close()
        assert fetch(program.port) == b"plain"


def test_gthread_with_everything_patched():
    files = dict(APP,
                 **{"app.py": "from gevent import monkey\nmonkey.patch_all()\n" + APP["app.py"],
                    "conf.py": "from gevent import monkey\nmonkey.patch_all()\n"})
    with gunicorn("gthread", "--threads", "20", "-c", "conf.py", "--keep-alive", "20",
                  files=files) as program:
        with Load(program.port, "/sleep", threads=10) as load:
            wait_for(lambda: load.done >= 20, 60)
        assert not load.errors, load.errors
        program.signal(signal.SIGTERM)
        assert program.wait(40) == 0
