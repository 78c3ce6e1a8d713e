"""A WSGI server in the test's own process, and a client that sends bytes and shows
what comes back."""

import io
import socket
import subprocess
import sys

import bine
from bine.gevent.pywsgi import WSGIServer


class Served:
    """A started server, with its access and error logs as text."""

    def __init__(self, application, server_class=WSGIServer, listener=("127.0.0.1", 0), **kwargs):
        self.access, self.errors = io.StringIO(), io.StringIO()
        kwargs.setdefault("log", self.access)
        kwargs.setdefault("error_log", self.errors)
        limits = {name: kwargs.pop(name)
                  for name in list(kwargs) if name.startswith("max_") or name.endswith("_timeout")}
        self.server = server_class(listener, application, **kwargs)
        for name, value in limits.items():
            setattr(self.server, name, value)
        self.server.start()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.server.stop()

    def connect(self):
        if self.server.family == socket.AF_UNIX:
            client = socket.socket(socket.AF_UNIX)
        else:
            client = socket.socket(self.server.family)
        client.settimeout(20)
        client.connect(self.server.address)
        return client

    def exchange(self, data, end=True):
        """All that the server answers to these bytes until it closes the connection; the client
        sends no more, and says so if `end`."""
        with self.connect() as client:
            client.sendall(data)
            if end:
                client.shutdown(socket.SHUT_WR)
            return read_all(client)

    def alive(self):
        """The server answers a plain request."""
        answer = self.exchange(get("/alive"))
        return answer.startswith(b"HTTP/1.1 200 ") and answer.endswith(b"\r\n\r\nhello")


def read_all(client):
    answer = b""
    while True:
        try:
            more = client.recv(65536)
        except ConnectionResetError:
            return answer + b"<RESET>"
        if not more:
            return answer
        answer += more


def read_response(client):
    """(head, body) of one response with Content-Length."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = client.recv(65536)
        assert more, data
        data += more
    head, body = data.split(b"\r\n\r\n", 1)
    length = int([line for line in head.lower().split(b"\r\n")
                  if line.startswith(b"content-length:")][0].split(b":")[1])
    while len(body) < length:
        more = client.recv(65536)
        assert more, data
        body += more
    assert len(body) == length, body
    return head, body


def get(path, headers="", version="HTTP/1.1", method="GET"):
    return ("%s %s %s\r\nHost: x\r\n%s\r\n" % (method, path, version, headers)).encode("latin-1")


def status(answer):
    assert answer.startswith(b"HTTP/1.1 "), answer
    return int(answer[9:12])


def bodies(answer):
    """The bodies of responses, one after the other, each with Content-Length or in
    chunks; their heads."""
    heads, found = [], []
    while answer:
        head, answer = answer.split(b"\r\n\r\n", 1)
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        body = b""
        if fields.get(b"transfer-encoding") == b"chunked":
            while True:
                size, answer = answer.split(b"\r\n", 1)
                body += answer[:int(size, 16)]
                assert answer[int(size, 16):][:2] == b"\r\n"
                answer = answer[int(size, 16) + 2:]
                if int(size, 16) == 0:
                    break
        elif b"content-length" in fields:
            length = int(fields[b"content-length"])
            body, answer = answer[:length], answer[length:]
            assert len(body) == length
        heads.append(head)
        found.append(body)
    return heads, found


def hello(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]


def answering(headers=(), parts=(b"hello",), code="200 OK", seen=None):
    def application(environ, start_response):
        if seen is not None:
            seen.append(environ)
        start_response(code, list(headers))
        return parts

    return application


def certificate(folder):
    """(certfile, keyfile) for localhost, signed by itself."""
    certfile, keyfile = "%s/cert.pem" % folder, "%s/key.pem" % folder
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                    "-subj", "/CN=localhost", "-keyout", keyfile, "-out", certfile], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return certfile, keyfile


class errors_to:
    """What the hub reports meanwhile goes to `text`."""

    def __enter__(self):
        self._stderr, self.text = sys.stderr, io.StringIO()
        sys.stderr = self.text
        return self

    def __exit__(self, *unused):
        sys.stderr = self._stderr

    def __str__(self):
        return self.text.getvalue()


def eventually(condition, seconds=20):
    """Wait until it holds."""
    with bine.Timeout(seconds):
        while not condition():
            bine.sleep(0.01)
    return True
