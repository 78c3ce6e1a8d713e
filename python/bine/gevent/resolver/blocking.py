"""Look-ups that block the thread (config.resolver = "block"): for programs that may not have
threads, before they fork for instance."""

import socket
from typing import Any, List, Tuple

from ... import _bine
from . import AbstractResolver

__all__ = ["Resolver"]


class Resolver(AbstractResolver):
    """socket's own functions. All greenlets of the thread wait."""

    def gethostbyname(self, hostname: Any) -> str:
        """As socket.gethostbyname()."""
        return _bine.call_blocking(socket.gethostbyname, hostname)

    def gethostbyname_ex(self, hostname: Any) -> Tuple[str, List[str], List[str]]:
        """As socket.gethostbyname_ex()."""
        return _bine.call_blocking(socket.gethostbyname_ex, hostname)

    def getaddrinfo(self, host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0,
                    flags: int = 0) -> List[Any]:
        """As socket.getaddrinfo()."""
        return _bine.call_blocking(socket.getaddrinfo, host, port, family, type, proto, flags)

    def gethostbyaddr(self, ip_address: Any) -> Tuple[str, List[str], List[str]]:
        """As socket.gethostbyaddr()."""
        return _bine.call_blocking(socket.gethostbyaddr, ip_address)

    def getnameinfo(self, sockaddr: Any, flags: int) -> Tuple[str, str]:
        """As socket.getnameinfo()."""
        return _bine.call_blocking(socket.getnameinfo, sockaddr, flags)
