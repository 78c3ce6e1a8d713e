"""A WSGI server (gevent.pywsgi): HTTP/1.1 in a greenlet for each connection.

    def application(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"hello"]

    WSGIServer(("127.0.0.1", 8000), application).serve_forever()

httptools, which is Node's llhttp, parses request heads and chunks. The classes may be
subclassed as gevent's may: each method of WSGIHandler is called at the moment, and with the
arguments, that gevent's documentation says. The attributes of WSGIServer limit what a client
may send and how slowly.
"""

import socket as _socket
import sys
from typing import Any, Dict, Optional

from .._bine import version as _bine_version
from ._wsgi.environ import Environ, LoggingLogAdapter, NoLog, SecureEnviron, WSGISecureEnviron
from ._wsgi.answer import format_date_time as format_date_time
from ._wsgi.handler import WSGIHandler
from ._wsgi.input import Input as Input
from ._wsgi.watch import Watcher
from .server import StreamServer

__all__ = ["Environ", "LoggingLogAdapter", "SecureEnviron", "WSGIHandler",
           "WSGISecureEnviron", "WSGIServer"]

MAX_REQUEST_LINE = 8192


class WSGIServer(StreamServer):
    """A server of a WSGI application, over HTTP or, with ssl_args, HTTPS.

    listener, backlog, spawn, ssl_args: see StreamServer. log, error_log: an object with write(), a
    logging.Logger, None for no log; standard error by default. handler_class: WSGIHandler or a
    subclass. environ: variables for each request's environment.

    After close() the requests that are under way are answered, each connection is closed after its
    next answer, and those that wait for a request a moment later.
    """

    handler_class = WSGIHandler
    environ_class: Any = dict
    secure_environ_class: Any = WSGISecureEnviron
    log: Any = None
    error_log: Any = None

    #: Limits, in bytes: of the request line (414), of the whole head (431), of the body (413; None:
    #: none), and how many headers there may be (431).
    max_request_line = MAX_REQUEST_LINE
    max_header_size = 65536
    max_headers = 100
    max_body_size: Optional[int] = None
    #: How many seconds a client may take for the head of a request, may wait before it begins one,
    #: and may send or take nothing of a body. None: no limit.
    header_timeout: Optional[float] = 60
    keepalive_timeout: Optional[float] = 300
    body_timeout: Optional[float] = 60
    send_timeout: Optional[float] = 60

    base_env: Dict[str, Any] = {
        "GATEWAY_INTERFACE": "CGI/1.1",
        "SERVER_SOFTWARE": "gevent/26.9 bine/%s Python/%d.%d" %
        ((_bine_version,) + sys.version_info[:2]),
        "SCRIPT_NAME": "",
        "wsgi.version": (1, 0),
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }

    def __init__(self, listener: Any, application: Any = None, backlog: Optional[int] = None,
                 spawn: Any = "default", log: Any = "default", error_log: Any = "default",
                 handler_class: Any = None, environ: Optional[Dict[str, Any]] = None,
                 **ssl_args: Any) -> None:
        if "handle" in ssl_args:
            raise TypeError(
                "WSGIServer has no argument 'handle': subclass it, or give it a handler_class")
        StreamServer.__init__(self, listener, backlog=backlog, spawn=spawn, **ssl_args)
        self._clients = Watcher(self)
        if application is not None:
            self.application = application
        if handler_class is not None:
            self.handler_class = handler_class
        self.log = _as_log(log, 20)
        self.error_log = _as_log(error_log, 40)
        self.set_environ(environ)
        self.set_max_accept()

    def set_environ(self, environ: Optional[Dict[str, Any]] = None) -> None:
        """Make the base of all environments, with these variables."""
        self.environ = self.environ_class(self.base_env)
        self.environ["wsgi.url_scheme"] = "https" if self.ssl_enabled else "http"
        if environ is not None:
            self.environ.update(environ)
        if self.environ.get("wsgi.errors") is None:
            self.environ["wsgi.errors"] = self.error_log

    def set_max_accept(self) -> None:
        """One connection at a time if other processes accept, too."""
        if self.environ.get("wsgi.multiprocess"):
            self.max_accept = 1

    def get_environ(self) -> Dict[str, Any]:
        """A new environment with what all requests have."""
        environ: Dict[str, Any] = self.environ.copy()
        return environ

    def init_socket(self) -> None:
        StreamServer.init_socket(self)
        self._clients.draining = False
        try:
            # Connections inherit it. Answers are one write each; the parts of a streamed one must
            # not wait for each other's acknowledgements.
            if self.family != _socket.AF_UNIX:
                self.socket.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
        except OSError:
            pass
        self.update_environ()

    def update_environ(self) -> None:
        """Put in the name and the port of the server, once they are known."""
        address = self.address
        if isinstance(address, tuple):
            if "SERVER_NAME" not in self.environ:
                try:
                    name = _socket.getfqdn(address[0])
                except OSError:
                    name = str(address[0])
                self.environ["SERVER_NAME"] = name
            self.environ.setdefault("SERVER_PORT", str(address[1]))
        else:
            self.environ.setdefault("SERVER_NAME", "")
            self.environ.setdefault("SERVER_PORT", "")

    def handle(self, sock: Any, address: Any) -> None:
        """Serve one connection, until it ends."""
        handler = self.handler_class(sock, address, self)
        handler.handle()

    def close(self) -> None:
        clients = self.__dict__.get("_clients")
        if clients is not None:
            clients.drain()
        StreamServer.close(self)

    def _handshake_failed(self, address: Any, error: BaseException) -> None:
        self.error_log.write("%s: TLS handshake with %s failed: %s\n" % (self, address, error))


def _as_log(log: Any, level: int) -> Any:
    if log == "default":
        return sys.stderr
    if log is None:
        return NoLog()
    if not hasattr(log, "write") and hasattr(log, "log"):
        return LoggingLogAdapter(log, level)
    return log


def _main() -> None:
    """python -m bine.gevent.pywsgi [--bind ADDRESS] MODULE:APPLICATION"""
    import argparse
    import importlib

    from .. import monkey

    monkey.patch_all()
    parser = argparse.ArgumentParser(prog="python -m gevent.pywsgi",
                                     description="Serve a WSGI application.")
    parser.add_argument("application", help="module:name")
    parser.add_argument("-b", "--bind", default="127.0.0.1:8000",
                        help="host:port or unix:path (127.0.0.1:8000)")
    options = parser.parse_args()
    module, _, name = options.application.partition(":")
    sys.path.insert(0, "")
    application = getattr(importlib.import_module(module), name or "application")
    WSGIServer(options.bind, application).serve_forever()


if __name__ == "__main__":
    _main()
