"""/etc/hosts, for resolvers that ask name servers themselves."""

import os
import socket
from typing import Dict, List, Optional, Tuple

PATH = "/etc/hosts"
# The first name, the others, (family, address) of each.
Entry = Tuple[str, List[str], List[Tuple[int, str]]]


class Hosts:
    """The file as it is when somebody asks: it is read again when it has changed.
    Does not switch."""

    def __init__(self, path: str = PATH) -> None:
        self._path = path
        self._version: Optional[Tuple[int, int, int]] = None
        self._names: Dict[str, Entry] = {}
        self._addresses: Dict[str, Entry] = {}

    def by_name(self, name: str) -> Optional[Entry]:
        """What the file says of a name in any case of letters; None if nothing."""
        self._look()
        return self._names.get(name.rstrip(".").lower())

    def by_address(self, address: str) -> Optional[Entry]:
        """What the file says of a numeric address; None if nothing."""
        self._look()
        return self._addresses.get(address)

    def _look(self) -> None:
        try:
            status = os.stat(self._path)
            version = (status.st_mtime_ns, status.st_size, status.st_ino)
            if version == self._version:
                return
            with open(self._path, encoding="utf-8", errors="replace") as file:
                lines = file.read().splitlines()
        except OSError:
            version, lines = (0, 0, 0), []
        self._names, self._addresses = {}, {}
        for line in lines:
            self._add(line.partition("#")[0].split())
        self._version = version

    def _add(self, words: List[str]) -> None:
        if len(words) < 2:
            return
        family = socket.AF_INET6 if ":" in words[0] else socket.AF_INET
        try:
            socket.inet_pton(family, words[0].partition("%")[0])
        except OSError:
            return
        address, names = words[0], [name.lower() for name in words[1:]]
        self._addresses.setdefault(address, (names[0], names[1:], [(family, address)]))
        for name in names:
            known = self._names.setdefault(name, (names[0], names[1:], []))
            if (family, address) not in known[2]:
                known[2].append((family, address))
