"""The runtime's own look-ups (config.resolver = "bine"): libc's, made on threads of the runtime,
equal ones of a thread's greenlets only once."""

import socket
from typing import Any, List, Tuple

from ... import monkey
from . import AbstractResolver

__all__ = ["Resolver"]

monkey._patch("dns")


class Resolver(AbstractResolver):
    """socket's own functions, which let other greenlets run."""

    def gethostbyname(self, hostname: Any) -> str:
        """As socket.gethostbyname()."""
        return socket.gethostbyname(hostname)

    def gethostbyname_ex(self, hostname: Any) -> Tuple[str, List[str], List[str]]:
        """As socket.gethostbyname_ex()."""
        return socket.gethostbyname_ex(hostname)

    def getaddrinfo(self, host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0,
                    flags: int = 0) -> List[Any]:
        """As socket.getaddrinfo()."""
        return socket.getaddrinfo(host, port, family, type, proto, flags)

    def gethostbyaddr(self, ip_address: Any) -> Tuple[str, List[str], List[str]]:
        """As socket.gethostbyaddr()."""
        return socket.gethostbyaddr(ip_address)

    def getnameinfo(self, sockaddr: Any, flags: int) -> Tuple[str, str]:
        """As socket.getnameinfo()."""
        return socket.getnameinfo(sockaddr, flags)
