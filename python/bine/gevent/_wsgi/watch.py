"""The greenlet that cuts off clients which keep a server waiting.

Connections count the steps they take (Reader.step) and say what they wait for (Reader.stage). The
watcher looks at all of them now and then: one that has taken no step within the time for what it
waits for is cut off. So no request pays for a timer. While the server drains, after close(),
connections that wait for a request have a short time only.
"""

import socket as _socket
import struct
from time import monotonic
from typing import Any, List, Optional, Set

from ..._bine import Greenlet, getcurrent, sleep
from .input import BODY, HEAD, IDLE, SENDING, Reader

# tcpi_bytes_acked in struct tcp_info.
_BYTES_ACKED = 120


def _acknowledged(sock: Any) -> Optional[int]:
    """How many bytes the client has confirmed; None if it is not told."""
    try:
        information = sock.getsockopt(_socket.IPPROTO_TCP, _socket.TCP_INFO, 256)
        return int(struct.unpack_from("=Q", information, _BYTES_ACKED)[0])
    except (OSError, struct.error):
        return None


class Watcher:
    """Watches the connections of one server: `server` has the attributes header_timeout,
    keepalive_timeout, body_timeout, send_timeout, in seconds, or None."""

    #: A connection that waits for a request is closed after so many seconds once the
    #: server takes no new ones.
    grace = 2.0

    def __init__(self, server: Any) -> None:
        self._server = server
        self._seen: Set[Reader] = set()
        self._greenlet: Optional[Greenlet] = None
        self.draining = False

    def add(self, reader: Reader) -> None:
        """Watch the connection from now on."""
        self._seen.add(reader)
        if self._greenlet is None:
            self._greenlet = Greenlet(self._watch)
            self._greenlet.start()

    def remove(self, reader: Reader) -> None:
        """Forget the connection."""
        self._seen.discard(reader)
        if self.draining and not self._seen:
            self._end()

    def _end(self) -> None:
        greenlet, self._greenlet = self._greenlet, None
        if greenlet is not None:
            greenlet.kill(block=False)

    def drain(self) -> None:
        """Close connections that wait for a request, after a moment in which one may arrive."""
        self.draining = True
        self._end()
        if self._seen:
            now = monotonic()
            for reader in self._seen:
                reader.seen_step, reader.seen_since = reader.step, now
            self._greenlet = Greenlet(self._watch)
            self._greenlet.start()

    def _limits(self) -> List[Optional[float]]:
        """By stage."""
        server = self._server
        idle = server.keepalive_timeout
        if self.draining:
            idle = self.grace if idle is None else min(idle, self.grace)
        return [idle, server.header_timeout, server.body_timeout, server.send_timeout, None]

    def _watch(self) -> None:
        me = getcurrent()
        try:
            while self._seen and self._greenlet is me:
                limits = self._limits()
                shortest = min([limit for limit in limits if limit is not None] or [10.0])
                sleep(min(max(shortest / 4, 0.02), 5.0))
                self._look(limits, monotonic())
        finally:
            if self._greenlet is me:
                self._greenlet = None

    def _look(self, limits: List[Optional[float]], now: float) -> None:
        for reader in list(self._seen):
            if reader.seen_step != reader.step:
                reader.seen_step, reader.seen_since, reader.acknowledged = reader.step, now, -1
                continue
            limit = limits[reader.stage]
            if (limit is not None and now - reader.seen_since >= limit and
                not self._progresses(reader, now)):
                self._cut_off(reader, limit)

    @staticmethod
    def _progresses(reader: Reader, now: float) -> bool:
        """True if the client takes what is sent to it, however slowly."""
        if reader.stage != SENDING:
            return False
        acknowledged = _acknowledged(reader._sock)
        if acknowledged is None or acknowledged == reader.acknowledged:
            return False
        reader.acknowledged, reader.seen_since = acknowledged, now
        return True

    @staticmethod
    def _cut_off(reader: Reader, limit: float) -> None:
        reader.cut = "%g s" % limit
        # Of socket.socket, as SSLSocket's own takes TLS down first. The side that the
        # handler waits on ends.
        how = _socket.SHUT_RD if reader.stage in (IDLE, HEAD, BODY) else _socket.SHUT_RDWR
        try:
            _socket.socket.shutdown(reader._sock, how)
        except OSError:
            pass
