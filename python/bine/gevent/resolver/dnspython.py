"""Look-ups by the package dnspython (config.resolver = "dnspython"): its own questions to the name
servers, without threads.

config.resolver_nameservers and config.resolver_timeout count. The order of addresses is the name
server's, IPv4 first; libc would sort them. ImportError if dnspython is not installed.
"""

import socket
from typing import Any, List, Tuple

import dns.exception  # type: ignore[import-not-found,unused-ignore]
import dns.resolver  # type: ignore[import-not-found,unused-ignore]
import dns.reversename  # type: ignore[import-not-found,unused-ignore]

from ... import monkey
from .._config import config
from . import AbstractResolver
from ._hosts import Hosts

__all__ = ["Resolver"]

monkey._patch("socket", "select", "dns")


class Resolver(AbstractResolver):
    """Asks the name servers of /etc/resolv.conf or of config.resolver_nameservers, after
    /etc/hosts. Only the caller's greenlet waits."""

    def __init__(self, hub: Any = None) -> None:
        super().__init__(hub)
        self._hosts = Hosts()
        self._resolver = dns.resolver.Resolver(configure=not config.resolver_nameservers)
        if config.resolver_nameservers:
            self._resolver.nameservers = config.resolver_nameservers
        if config.resolver_timeout:
            self._resolver.lifetime = config.resolver_timeout

    @property
    def resolver(self) -> Any:
        """The dns.resolver.Resolver that is asked."""
        return self._resolver

    def _ask(self, name: Any, kind: str) -> Any:
        return self._resolver.resolve(name, kind, raise_on_no_answer=False, search=True)

    def _addresses(self, host: str, family: int) -> Tuple[str, List[str], List[Tuple[int, str]]]:
        known = self._hosts.by_name(host)
        if known is not None:
            return known[0], known[1], _only(known[2], family)
        canonical, found = host, []
        try:
            for kind, name in ((socket.AF_INET, "A"), (socket.AF_INET6, "AAAA")):
                if family in (socket.AF_UNSPEC, kind):
                    answer = self._ask(host, name)
                    found += [(int(kind), str(record.address)) for record in answer.rrset or ()]
                    canonical = (answer.canonical_name.to_text(omit_final_dot=True) if answer.rrset
                                 else canonical)
        except dns.resolver.NXDOMAIN:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known") from None
        except dns.exception.Timeout as error:
            raise socket.gaierror(socket.EAI_AGAIN,
                                  "Temporary failure in name resolution") from error
        except dns.resolver.NoNameservers as error:
            raise socket.gaierror(socket.EAI_AGAIN,
                                  "Temporary failure in name resolution") from error
        except dns.exception.DNSException as error:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known") from error
        if not found:
            raise socket.gaierror(socket.EAI_NODATA, "No address associated with hostname")
        return canonical, [] if canonical == host else [host], found

    def _name(self, address: str) -> Tuple[str, List[str]]:
        known = self._hosts.by_address(address)
        if known is not None:
            return known[0], known[1]
        try:
            answer = self._ask(dns.reversename.from_address(address), "PTR")
        except (dns.exception.Timeout, dns.resolver.NoNameservers) as error:
            raise socket.herror(2, "Host name lookup failure") from error
        except dns.exception.DNSException:
            answer = None
        names = ([] if answer is None
                 else [record.target.to_text(omit_final_dot=True) for record in answer.rrset or ()])
        if not names:
            raise socket.herror(1, "Unknown host")
        return names[0], names[1:]


def _only(addresses: List[Tuple[int, str]], family: int) -> List[Tuple[int, str]]:
    """Those of the family. socket.gaierror if there is none."""
    found = [entry for entry in addresses if family in (socket.AF_UNSPEC, entry[0])]
    if not found:
        raise socket.gaierror(socket.EAI_NODATA, "No address associated with hostname")
    return found
