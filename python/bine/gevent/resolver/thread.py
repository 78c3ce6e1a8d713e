"""Look-ups on threads of hub.threadpool (config.resolver = "thread")."""

import socket
from typing import Any, List, Tuple

from . import AbstractResolver

__all__ = ["Resolver"]


class Resolver(AbstractResolver):
    """socket's own functions, called on the pool's threads: only the caller's greenlet waits."""

    def __init__(self, hub: Any = None) -> None:
        super().__init__(hub)
        if hub is None:
            from ..hub import get_hub

            hub = get_hub()
        self.pool = hub.threadpool

    def gethostbyname(self, hostname: Any) -> str:
        """As socket.gethostbyname()."""
        return str(self.pool.apply(socket.gethostbyname, (hostname,)))

    def gethostbyname_ex(self, hostname: Any) -> Tuple[str, List[str], List[str]]:
        """As socket.gethostbyname_ex()."""
        found: Tuple[str, List[str], List[str]] = self.pool.apply(
            socket.gethostbyname_ex, (hostname,))
        return found

    def getaddrinfo(self, host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0,
                    flags: int = 0) -> List[Any]:
        """As socket.getaddrinfo()."""
        return list(self.pool.apply(socket.getaddrinfo, (host, port, family, type, proto, flags)))

    def gethostbyaddr(self, ip_address: Any) -> Tuple[str, List[str], List[str]]:
        """As socket.gethostbyaddr()."""
        found: Tuple[str, List[str], List[str]] = self.pool.apply(
            socket.gethostbyaddr, (ip_address,))
        return found

    def getnameinfo(self, sockaddr: Any, flags: int) -> Tuple[str, str]:
        """As socket.getnameinfo()."""
        found: Tuple[str, str] = self.pool.apply(socket.getnameinfo, (sockaddr, flags))
        return found
