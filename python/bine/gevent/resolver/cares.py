"""c-ares with callbacks (gevent.resolver.cares), on the resolver of gevent.resolver.ares, which
needs pycares 5 or later.

Programs call hub.resolver's methods instead, which wait for the answer.
"""

import socket
from typing import Any, Callable, List, Optional, Tuple

from ..greenlet import Greenlet
from .ares import Resolver

__all__ = ["InvalidIP", "Result", "ares_host_result", "channel"]


class InvalidIP(ValueError):
    """What was to be a numeric address is none."""


class Result:
    """What a callback is given: `value`, or `exception` if the look-up failed."""

    def __init__(self, value: Any = None, exception: Optional[BaseException] = None) -> None:
        self.value, self.exception = value, exception

    def successful(self) -> bool:
        """Did the look-up succeed?"""
        return self.exception is None

    def get(self) -> Any:
        """The value; raises the exception if the look-up failed."""
        if self.exception is not None:
            raise self.exception
        return self.value

    def __repr__(self) -> str:
        return ("Result(%r)" % (self.value,) if self.exception is None
                else "Result(exception=%r)" % (self.exception,))


class ares_host_result(Tuple[Any, ...]):
    """(name, other names, addresses), and their `family`."""

    family: int

    def __new__(cls, family: int, iterable: Any) -> "ares_host_result":
        self = super().__new__(cls, iterable)
        self.family = family
        return self


class channel:
    """channel(loop, flags=None, timeout=None, tries=None, ndots=None, udp_port=None,
    tcp_port=None, servers=None)

    Look-ups that return at once; callback(Result) is called in a greenlet when the answer is there.
    Names are bytes or text."""

    def __init__(self, loop: Any, flags: Any = None, timeout: Any = None, tries: Any = None,
                 ndots: Any = None, udp_port: Any = None,
                 tcp_port: Any = None, servers: Any = None) -> None:
        """`timeout`: seconds that each try may take. The rest is as in c-ares;
        None: its default."""
        self.loop = loop
        options = {"flags": flags, "timeout": timeout, "tries": tries, "ndots": ndots,
                   "udp_port": udp_port, "tcp_port": tcp_port}
        self._options = {name: value for name, value in options.items() if value is not None}
        self._resolver: Optional[Resolver] = None
        self.set_servers(servers)

    def set_servers(self, servers: Any = None) -> None:
        """Ask these from now on: a list of addresses, or text with commas; None:
        those of the system."""
        if isinstance(servers, str):
            servers = servers.split(",")
        self._resolver = Resolver(**(dict(self._options, servers=list(servers)) if servers
                                     else self._options))

    def destroy(self) -> None:
        """No more look-ups; those under way fail."""
        resolver, self._resolver = self._resolver, None
        if resolver is not None:
            resolver.close()

    def _ask(self, callback: Callable[[Result], Any], look: Callable[[Resolver], Any]) -> None:
        if self._resolver is None:
            raise socket.gaierror(16, "this ares channel has been destroyed")
        if not callable(callback):
            raise TypeError("this is not callable: %r" % (callback,))
        Greenlet.spawn(self._answer, self._resolver, callback, look)

    @staticmethod
    def _answer(resolver: Resolver, callback: Callable[[Result], Any],
                look: Callable[[Resolver], Any]) -> None:
        try:
            result = Result(look(resolver))
        except OSError as error:
            result = Result(None, error)
        callback(result)

    def gethostbyname(self, callback: Callable[[Result], Any], name: Any,
                      family: int = socket.AF_INET) -> None:
        """The addresses of a family, as an ares_host_result. socket.gaierror."""

        def look(resolver: Resolver) -> ares_host_result:
            canonical, aliases, found = resolver._addresses(_text(name), family)
            return ares_host_result(family, (canonical, aliases, [address for _, address in found]))

        self._ask(callback, look)

    def gethostbyaddr(self, callback: Callable[[Result], Any], addr: Any) -> None:
        """The names of an address, as an ares_host_result. socket.herror; InvalidIP at once."""
        family = _family(addr)
        self._ask(callback,
                  lambda resolver: ares_host_result(family, resolver.gethostbyaddr(_text(addr))))

    def getnameinfo(self, callback: Callable[[Result], Any], sockaddr: Any, flags: int) -> None:
        """As socket.getnameinfo(). InvalidIP at once."""
        _family(sockaddr[0])
        self._ask(callback,
                  lambda resolver: resolver.getnameinfo((_text(sockaddr[0]),) + tuple(sockaddr[1:]),
                                                        flags))

    def getaddrinfo(self, callback: Callable[[Result], Any], name: Any, service: Any,
                    family: int = 0, type: int = 0, proto: int = 0, flags: int = 0) -> None:
        """As socket.getaddrinfo()."""
        port: Any = _text(service) if isinstance(service, (bytes, bytearray)) else service

        def look(resolver: Resolver) -> List[Any]:
            return resolver.getaddrinfo(_text(name), port, family, type, proto, flags)

        self._ask(callback, look)


def _text(name: Any) -> str:
    return bytes(name).decode("ascii") if isinstance(name, (bytes, bytearray)) else str(name)


def _family(address: Any) -> int:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, _text(address).partition("%")[0])
            return family
        except OSError:
            pass
    raise InvalidIP(address)
