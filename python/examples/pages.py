"""A server of three slow pages, in a greenlet of this process, for the fetch examples."""

import http.server
import os
import socketserver
import ssl
import subprocess
import tempfile
import time
import urllib.request
from typing import Any, Sequence

import bine


class Handler(http.server.BaseHTTPRequestHandler):
    def delays(self) -> Sequence[float]:
        assert isinstance(self.server, Server)
        return self.server.delays

    def do_GET(self) -> None:
        number = int(self.path.rpartition("/")[2])
        time.sleep(self.delays()[number])
        body = b"x" * (1000 * (number + 1))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass


class Server(http.server.ThreadingHTTPServer):
    """http.server's, but it does not ask the resolver for this machine's name when it starts."""

    delays: Sequence[float]

    def server_bind(self) -> None:
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", self.server_address[1]


class Pages:
    """``with Pages(secure, delays) as pages:`` serves pages.urls, each after its
    delay in seconds."""

    def __init__(self, secure: bool, delays: Sequence[float]) -> None:
        self.delays = delays
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.delays = delays
        if secure:
            self._make_secure()
        scheme = "https" if secure else "http"
        self.urls = ["%s://127.0.0.1:%d/page/%d" % (scheme, self.server.server_port, i)
                     for i in range(len(delays))]

    def _make_secure(self) -> None:
        """A certificate for this run only, which urllib in this process trusts."""
        with tempfile.TemporaryDirectory() as folder:
            key, certificate = os.path.join(folder,
                                            "key.pem"), os.path.join(folder, "certificate.pem")
            subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days",
                            "1", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
                            "-keyout", key, "-out", certificate],
                           check=True, stderr=subprocess.DEVNULL)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, key)
            trusting = ssl.create_default_context(cafile=certificate)
        # The handshake belongs to the thread of the connection, not to accept.
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True,
                                                 do_handshake_on_connect=False)
        handler = urllib.request.HTTPSHandler(context=trusting)
        urllib.request.install_opener(urllib.request.build_opener(handler))

    def __enter__(self) -> "Pages":
        self._greenlet = bine.spawn(self.server.serve_forever, poll_interval=0.05)
        return self

    def __exit__(self, *unused: Any) -> None:
        self.server.shutdown()
        self._greenlet.join()
        self.server.server_close()
