"""Look-ups by c-ares, in the package pycares 5 or later (config.resolver = "ares").

config.resolver_nameservers, config.resolver_timeout and the settings that begin with ares_
count. c-ares has one thread of its own for each resolver. ImportError if pycares is not
installed, or is older.
"""

import socket
from typing import Any, Callable, Dict, List, Optional, Tuple

from .._config import config
from ..event import AsyncResult
from . import AbstractResolver

try:
    import pycares  # type: ignore[import-not-found,unused-ignore]
except ImportError as error:
    raise ImportError('the ares resolver asks by pycares, which is not installed: pip install '
                      '"pycares>=5"') from error

__all__ = ["Resolver"]

if int(pycares.__version__.split(".")[0]) < 5:
    raise ImportError("the ares resolver needs pycares 5, whose look-ups need no event loop; this "
                      "is %s" % pycares.__version__)

_AGAIN = (pycares.errno.ARES_ETIMEOUT, pycares.errno.ARES_ECONNREFUSED,
          pycares.errno.ARES_ESERVFAIL, pycares.errno.ARES_ECANCELLED)


class Resolver(AbstractResolver):
    """Asks /etc/hosts and the name servers by c-ares. Only the caller's greenlet waits."""

    def __init__(self, hub: Any = None, **options: Any) -> None:
        """`options`: more arguments of pycares.Channel."""
        super().__init__(hub)
        chosen: Dict[str, Any] = {
            "flags": config.ares_flags, "timeout": config.resolver_timeout or config.ares_timeout,
            "tries": config.ares_tries, "ndots": config.ares_ndots,
            "udp_port": config.ares_udp_port, "tcp_port": config.ares_tcp_port,
            "servers": config.resolver_nameservers or config.ares_servers,
        }
        arguments: Dict[str, Any] = {name: value if name in ("servers", "timeout") else int(value)
                                     for name, value in chosen.items() if value is not None}
        if "servers" in arguments and "udp_port" in arguments:
            arguments["servers"] = [_with_port(server, arguments["udp_port"])
                                    for server in arguments["servers"]]
        arguments.update(options)
        self._channel: Optional[Any] = pycares.Channel(**arguments)

    @property
    def cares(self) -> Any:
        """The pycares.Channel that is asked."""
        return self._channel

    def close(self) -> None:
        """Cancel what is under way: those who wait get EAI_AGAIN."""
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()

    def _ask(self, ask: Callable[..., Any], *args: Any, **kwargs: Any) -> Tuple[Any, Optional[int]]:
        outcome = AsyncResult()
        ask(*args, callback=lambda result, error: outcome.set((result, error)), **kwargs)
        answer: Tuple[Any, Optional[int]] = outcome.get()
        return answer

    def _open(self) -> Any:
        if self._channel is None:
            raise socket.gaierror(socket.EAI_AGAIN, "the resolver is closed")
        return self._channel

    def _addresses(self, host: str, family: int) -> Tuple[str, List[str], List[Tuple[int, str]]]:
        result, error = self._ask(self._open().getaddrinfo, host, None, family=family)
        if error is not None:
            if error in _AGAIN:
                raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution: " +
                                      _string(pycares.errno.strerror(error)))
            code = socket.EAI_NODATA if error == pycares.errno.ARES_ENODATA else socket.EAI_NONAME
            raise socket.gaierror(code, pycares.errno.strerror(error))
        names = [_string(entry.name) for entry in result.cnames]
        found = [(int(node.family), _string(node.addr[0]))
                 for node in result.nodes if node.family in (socket.AF_INET, socket.AF_INET6)]
        return (names[-1] if names else host), ([host] + names[:-1] if names else []), found

    def _name(self, address: str) -> Tuple[str, List[str]]:
        result, error = self._ask(self._open().gethostbyaddr, address)
        if error is not None:
            raise socket.herror(2 if error in _AGAIN else 1, pycares.errno.strerror(error))
        return _string(result.name), [_string(alias)
                                      for alias in result.aliases or () if alias != result.name]


def _with_port(server: str, port: int) -> str:
    """The server with that port: c-ares takes 53 for servers that are given,
    whatever udp_port says."""
    if ":" not in server:
        return "%s:%d" % (server, port)
    return ("[%s]:%d" % (server, port) if server.count(":") > 1 and not server.startswith("[")
            else server)


def _string(text: Any) -> str:
    return text.decode("ascii", "replace") if isinstance(text, bytes) else str(text)
