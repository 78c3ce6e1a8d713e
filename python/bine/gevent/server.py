"""Servers of streams and of datagrams (gevent.server).

    def echo(socket, address):
        for line in socket.makefile("rb"):
            socket.sendall(line)

    StreamServer(("127.0.0.1", 7000), echo).serve_forever()

Handlers get the standard library's sockets, made cooperative from below. A handler that returns or
fails has its socket closed.
"""

import errno
import os
import socket as _socket
import stat
from typing import Any, Callable, Optional, Tuple

from .._bine import Semaphore, Timeout
from . import baseserver
from .baseserver import AF_INET, AF_INET6, AF_UNIX, BaseServer, _note

__all__ = ["DatagramServer", "StreamServer"]


def _bound(address: Any, kind: int, family: int, reuse_addr: Optional[int]) -> Any:
    """A socket of this kind, bound to the address. OSError tells which address
    could not be bound."""
    try:
        listener = _socket.socket(family, kind)
    except OSError as error:
        # "All interfaces" where there is no IPv6: then those of IPv4.
        if family != AF_INET6 or error.errno != errno.EAFNOSUPPORT or address[0]:
            raise
        listener = _socket.socket(AF_INET, kind)
    try:
        if reuse_addr is not None and family != AF_UNIX:
            listener.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, reuse_addr)
        if family == AF_UNIX:
            _remove_stale(address, kind)
        listener.bind(address)
    except OSError as error:
        listener.close()
        if error.errno is None:
            raise
        raise type(error)(error.errno, "%s: %s" % (error.strerror, address)) from None
    except BaseException:
        listener.close()
        raise
    return listener


def _remove_stale(path: str, kind: int) -> None:
    """Remove a Unix socket that no process listens on any more."""
    try:
        if not stat.S_ISSOCK(os.stat(path).st_mode):
            return
    except (OSError, ValueError):
        return
    with _socket.socket(AF_UNIX, kind) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
        except OSError:
            pass


def _context(keyfile: Optional[str] = None, certfile: Optional[str] = None,
             cert_reqs: Any = None, ssl_version: Any = None,
             ca_certs: Optional[str] = None, ciphers: Optional[str] = None) -> Any:
    """The context that these arguments, which ssl.wrap_socket had up to CPython 3.11, describe.
    Errors of ssl and OSError: a file that is wrong."""
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if ssl_version is None else ssl_version)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE if cert_reqs is None else cert_reqs
    if ca_certs:
        context.load_verify_locations(ca_certs)
    if certfile is None:
        raise ValueError("certfile must be specified for server-side operations")
    context.load_cert_chain(certfile, keyfile)
    if ciphers:
        context.set_ciphers(ciphers)
    return context


class StreamServer(BaseServer):
    """A server of TCP or Unix sockets: handle(socket, address) for each connection.

    listener, handle, spawn: see BaseServer. backlog: how many connections the kernel keeps that
    are not accepted yet; only with an address. ssl_args: either ssl_context (an ssl.SSLContext)
    and arguments of its wrap_socket, or keyfile, certfile, cert_reqs, ssl_version, ca_certs,
    ciphers. The handshake runs in the handler's greenlet, before `handle`: a client that is slow
    there holds up no other one.
    """

    backlog = 128
    reuse_addr: Optional[int] = 1
    #: A client that has not finished the TLS handshake after so many seconds is cut off;
    #: None waits for ever.
    handshake_timeout: Optional[float] = 60

    def __init__(self, listener: Any, handle: Optional[Callable[..., Any]] = None,
                 backlog: Optional[int] = None, spawn: Any = "default", **ssl_args: Any) -> None:
        self.ssl_args: Optional[dict[str, Any]] = None
        if ssl_args:
            ssl_args.setdefault("server_side", True)
            context = ssl_args.pop("ssl_context", None)
            if context is None:
                names = ("keyfile", "certfile", "cert_reqs", "ssl_version", "ca_certs", "ciphers")
                context = _context(**{name: ssl_args.pop(name)
                                      for name in names if name in ssl_args})
            self.wrap_socket = context.wrap_socket
            self.ssl_args = ssl_args
        if backlog is not None:
            if hasattr(listener, "accept"):
                raise TypeError("backlog must be None when a socket instance is passed")
            self.backlog = backlog
        self._listener: Any = None
        self._kind: Optional[Tuple[int, int, int]] = None
        BaseServer.__init__(self, listener, handle=handle, spawn=spawn)

    @property
    def ssl_enabled(self) -> bool:
        """True if connections are wrapped in TLS."""
        return self.ssl_args is not None

    def set_listener(self, listener: Any) -> None:
        BaseServer.set_listener(self, listener)

    def set_handle(self, handle: Optional[Callable[..., Any]]) -> None:
        BaseServer.set_handle(self, handle)
        if self.ssl_args is not None:
            self._handle = self.wrap_socket_and_handle

    def init_socket(self) -> None:
        """Make the listening socket out of the address, if none was given. OSError:
        it cannot be bound."""
        if self.closed:
            self.socket = self.get_listener(self.address, self.backlog, self.family)
            self.address = self.socket.getsockname()
            if self.family == AF_UNIX and isinstance(self.address, str) and self.address:
                self._made_path = self.address

    @classmethod
    def get_listener(cls, address: Any, backlog: Optional[int] = None,
                     family: Optional[int] = None) -> Any:
        """A socket that listens on the address. OSError: it cannot be bound."""
        if family is None:
            family, address = baseserver.parse_address(address)
        listener = _bound(address, _socket.SOCK_STREAM, family, cls.reuse_addr)
        listener.listen(cls.backlog if backlog is None else backlog)
        return listener

    def do_read(self) -> Optional[Tuple[Any, ...]]:
        """Wait for a connection: (socket, address)."""
        listener = self.socket
        if listener is not self._listener:
            self._learn_kind(listener)
        kind = self._kind
        if kind is None:
            connection: Tuple[Any, Any] = listener.accept()
            return connection
        descriptor, address = listener._accept()
        return _socket.socket(kind[0], kind[1], kind[2], descriptor), address

    def _learn_kind(self, listener: Any) -> None:
        """Note what connections of this listener are, which socket.accept() asks for at each of
        them. A listener of another class has an accept() of its own."""
        self._kind = (int(listener.family), int(listener.type),
                      listener.proto) if listener.__class__ is _socket.socket else None
        self._listener = listener

    def do_close(self, sock: Any, *arguments: Any) -> None:
        """Close the socket that the handler is done with."""
        sock.close()

    def wrap_socket_and_handle(self, client_socket: Any, address: Any) -> Any:
        """Do the TLS handshake, then call `handle` with the wrapped socket. A handshake that fails
        is one line on standard error."""
        try:
            with Timeout(self.handshake_timeout,
                         TimeoutError("it took more than %s s" % self.handshake_timeout)):
                wrapped = self.wrap_socket(client_socket, **(self.ssl_args or {}))
        except (OSError, ValueError) as error:  # ssl.SSLError among them
            client_socket.close()
            self._handshake_failed(address, error)
            return None
        try:
            return self.handle(wrapped, address)
        finally:
            end_of_tls(wrapped)
            wrapped.close()

    def _handshake_failed(self, address: Any, error: BaseException) -> None:
        _note("%s: TLS handshake with %s failed: %s" % (self, address, error))


def end_of_tls(wrapped: Any) -> None:
    """Send TLS's close_notify, by which the client knows that nothing was cut off, without
    waiting for the client's."""
    try:
        wrapped.settimeout(0)
        wrapped.unwrap()
    except (OSError, ValueError):
        pass
    try:
        wrapped.settimeout(None)
    except OSError:
        pass


class DatagramServer(BaseServer):
    """A server of UDP or Unix datagram sockets: handle(data, address) for each datagram;
    answers go out by sendto()."""

    reuse_addr: Optional[int] = 1

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        BaseServer.__init__(self, *args, **kwargs)
        self._writelock = Semaphore()

    def init_socket(self) -> None:
        """Make and bind the socket, if none was given. OSError: the address cannot be bound."""
        if self.closed:
            self.socket = self.get_listener(self.address, self.family)
            self.address = self.socket.getsockname()
            if self.family == AF_UNIX and isinstance(self.address, str) and self.address:
                self._made_path = self.address
        self._socket = self.socket

    @classmethod
    def get_listener(cls, address: Any, family: Optional[int] = None) -> Any:
        """A datagram socket that is bound to the address. OSError: it cannot be bound."""
        if family is None:
            family, address = baseserver.parse_address(address)
        return _bound(address, _socket.SOCK_DGRAM, family, cls.reuse_addr)

    def do_read(self) -> Optional[Tuple[Any, ...]]:
        """Wait for a datagram: (data, address)."""
        datagram: Tuple[Any, Any] = self.socket.recvfrom(65536)
        return datagram

    def sendto(self, *args: Any) -> int:
        """socket.sendto(data, [flags,] address), by one greenlet at a time: how many bytes were
        sent. May switch. OSError."""
        with self._writelock:
            sent: int = self.socket.sendto(*args)
            return sent
