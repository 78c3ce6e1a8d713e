"""Look-ups of names (gevent.resolver): the kinds of hub.resolver.

`config.resolver` (GEVENT_RESOLVER) chooses one: bine (the default), thread, block, dnspython, ares.
A program that calls socket.getaddrinfo() gets the runtime's own look-ups in any case; hub.resolver
is for programs that ask a resolver by name, and for those that want another one.

Each has gethostbyname, gethostbyname_ex, getaddrinfo, gethostbyaddr and getnameinfo with the
arguments, results and exceptions of the module socket (socket.gaierror, socket.herror; TypeError
and UnicodeError for arguments that make no sense), and close().
"""

import socket
from typing import Any, List, Optional, Tuple

__all__ = ["AbstractResolver"]


class AbstractResolver:
    """What the resolvers that ask name servers themselves have in common. A subclass has
    _addresses() and _name().

    Numeric hosts and services, and names of /etc/hosts, are answered without a
    question. Switches: maybe."""

    def __init__(self, hub: Any = None) -> None:
        """`hub`: whose resolver it is (None: the current one)."""
        self.hub = hub

    def close(self) -> None:
        """No look-up follows. Does nothing where nothing is open."""

    def __repr__(self) -> str:
        return "<%s.%s at 0x%x>" % (type(self).__module__, type(self).__name__, id(self))

    def _addresses(self, host: str, family: int) -> Tuple[str, List[str], List[Tuple[int, str]]]:
        """The canonical name, the other names, and (family, address) of each address, of AF_INET,
        AF_INET6 or both (AF_UNSPEC). socket.gaierror."""
        raise NotImplementedError

    def _name(self, address: str) -> Tuple[str, List[str]]:
        """The name of a numeric address, and its other names. socket.herror."""
        raise NotImplementedError

    def gethostbyname(self, hostname: Any) -> str:
        """As socket.gethostbyname()."""
        return self.gethostbyname_ex(hostname)[2][0]

    def gethostbyname_ex(self, hostname: Any) -> Tuple[str, List[str], List[str]]:
        """As socket.gethostbyname_ex()."""
        name = _text(hostname)
        if not name or _numeric(name, socket.AF_INET) is not None:
            return socket.gethostbyname_ex(name)
        canonical, aliases, addresses = self._addresses(name, socket.AF_INET)
        return canonical, aliases, [address for _, address in addresses]

    def getaddrinfo(self, host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0,
                    flags: int = 0) -> List[Any]:
        """As socket.getaddrinfo()."""
        if (not host or flags & socket.AI_NUMERICHOST or
            family not in (socket.AF_UNSPEC, socket.AF_INET, socket.AF_INET6)):
            return socket.getaddrinfo(host, port, family, type, proto,
                                      flags | socket.AI_NUMERICHOST if host else flags)
        name = _text(host)
        numeric = _numeric(name, family)
        if numeric is not None:
            return socket.getaddrinfo(name, port, family, type, proto,
                                      flags | socket.AI_NUMERICHOST)
        # First the port: a service that does not exist is told before anybody is asked.
        socket.getaddrinfo("::1" if family == socket.AF_INET6 else "127.0.0.1", port, 0, type,
                           proto, socket.AI_NUMERICHOST)
        canonical, _, addresses = self._addresses(name, family)
        found: List[Any] = []
        for kind, address in addresses:
            found.extend(socket.getaddrinfo(address, port, kind, type, proto,
                                            socket.AI_NUMERICHOST))
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        if flags & socket.AI_CANONNAME:
            found[0] = found[0][:3] + (canonical,) + found[0][4:]
        return found

    def gethostbyaddr(self, ip_address: Any) -> Tuple[str, List[str], List[str]]:
        """As socket.gethostbyaddr()."""
        name = _text(ip_address)
        address = _numeric(name, socket.AF_UNSPEC)
        if address is None:
            address = self._addresses(name, socket.AF_UNSPEC)[2][0][1]
        canonical, aliases = self._name(address)
        return canonical, aliases, [address]

    def getnameinfo(self, sockaddr: Any, flags: int) -> Tuple[str, str]:
        """As socket.getnameinfo()."""
        if flags & socket.NI_NUMERICHOST or not isinstance(sockaddr, tuple):
            return socket.getnameinfo(sockaddr, flags)
        host, service = socket.getnameinfo(sockaddr,
                                           flags & ~socket.NI_NAMEREQD | socket.NI_NUMERICHOST)
        try:
            host = self._name(host.partition("%")[0])[0]
        except socket.herror:
            if flags & socket.NI_NAMEREQD:
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known") from None
        return host, service


def _text(name: Any) -> str:
    """The name as text that name servers know. TypeError, UnicodeError."""
    if isinstance(name, str):
        return (name.encode("ascii").decode() if name.isascii()
                else name.encode("idna").decode("ascii"))
    if isinstance(name, (bytes, bytearray)):
        return bytes(name).decode("ascii")
    raise TypeError("a name is str or bytes, not %s" % type(name).__name__)


def _numeric(name: str, family: int) -> Optional[str]:
    """The address that the text is already, or None."""
    try:
        return str(socket.getaddrinfo(name, None, family, 0, 0, socket.AI_NUMERICHOST)[0][4][0])
    except socket.gaierror:
        return None
