"""The head of a request, as httptools parses it, and the answers to those that are refused."""

from typing import Any, Callable, Dict, Iterable, List, Optional, Tuple

from .input import InvalidClientRequest

from httptools import (HttpParserError, HttpParserInvalidMethodError, HttpParserInvalidURLError,
                       HttpParserUpgrade,  # isort: skip
                       HttpRequestParser)


class _Names(Dict[bytes, Optional[str]]):
    """The environment's key for a header's name; None for names with an underscore, which would
    look like others with a hyphen."""

    def __missing__(self, name: bytes) -> Optional[str]:
        key: Optional[str] = None
        if b"_" not in name:
            key = str(name, "latin-1").upper().replace("-", "_")
            if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
                key = "HTTP_" + key
        if len(self) < 512:  # clients choose the names
            self[name] = key
        return key


_names = _Names()


class _Events:
    """What a parser reports to. It asks for each of these once, when it is made, and keeps no
    reference to the object. Bound methods of built-in objects cost it no Python frame."""

    __slots__ = ("on_header",)
    on_url = on_headers_complete = on_body = on_message_begin = on_message_complete = None
    on_chunk_header = on_chunk_complete = None
    on_header: Callable[..., Any]


class HeadParser(_Events):
    """Parses request heads of one connection. Names and values of the last one are in `fields`;
    each name once, unless `pairs` is not None."""

    __slots__ = ("fields", "pairs", "_parser")

    def __init__(self) -> None:
        self.fields: Dict[bytes, bytes] = {}
        self.pairs: Optional[List[Tuple[bytes, bytes]]] = None
        self.on_header = self.fields.setdefault
        self._parser: Any = None

    def parse(self, head: bytes) -> Dict[Optional[str], str]:
        """The variables of the environment for the headers. InvalidClientRequest."""
        fields = self.fields
        fields.clear()
        self.pairs = None
        parser = self._parser
        if parser is None:
            parser = self._parser = HttpRequestParser(self)
        try:
            parser.feed_data(head)
        except HttpParserUpgrade:
            self._parser = None
        except HttpParserError as error:
            self._parser = None
            self._again(head, error)
        variables = {_names[name]: value.decode("latin-1") for name, value in fields.items()}
        # find(), as `in` first makes an exception that says bytes are no number.
        if (len(variables) != head.count(b"\r\n") - 2 or head.find(b" \r\n") >= 0 or
            head.find(b"\t\r\n") >= 0):
            return self._collect(head)
        return variables

    def _again(self, head: bytes, error: HttpParserError) -> None:
        """What the parser refuses and we accept: bytes beyond ASCII in the target,
        as gevent does."""
        if isinstance(error, HttpParserInvalidMethodError):
            method = head.split(b" ", 1)[0]
            raise InvalidClientRequest("Invalid HTTP method: %r" % method[:40],
                                       501 if method.isalnum() else 400) from None
        line, rest = head.split(b"\r\n", 1)
        if isinstance(error, HttpParserInvalidURLError) and not line.isascii():
            quoted = b"".join(b"%%%02X" % byte if byte > 126 else bytes((byte,)) for byte in line)
            try:
                HttpRequestParser(self).feed_data(quoted + b"\r\n" + rest)
                return
            except HttpParserUpgrade:
                return
            except HttpParserError:
                pass
        raise InvalidClientRequest("Malformed request: %s" % error) from None

    def _collect(self, head: bytes) -> Dict[Optional[str], str]:
        """The same where a name comes twice or values have to be trimmed."""
        pairs: List[Tuple[bytes, bytes]] = []
        events = _Events()
        events.on_header = lambda name, value: pairs.append((name, value.rstrip(b" \t")))
        line, rest = head.split(b"\r\n", 1)
        try:
            HttpRequestParser(events).feed_data((b"GET / HTTP/1.1" if not line.isascii()
                                                 else line) + b"\r\n" + rest)
        except HttpParserUpgrade:
            pass
        variables: Dict[Optional[str], str] = {}
        for name, raw in pairs:
            key, value = _names[name], str(raw, "latin-1")
            if key not in variables:
                variables[key] = value
            elif key == "HTTP_HOST":
                raise InvalidClientRequest("Host comes twice")
            elif key is not None:
                variables[key] += ("; " if key == "HTTP_COOKIE" else ",") + value
        self.pairs = pairs
        return variables

    def used_up(self) -> None:
        """The parser waits for a body, which it is not given."""
        self._parser = None

    def items(self) -> Iterable[Tuple[bytes, bytes]]:
        return self.fields.items() if self.pairs is None else self.pairs


def check_coding(coding: str, length: Optional[str], version: Optional[str]) -> None:
    """InvalidClientRequest: a Transfer-Encoding that two servers may read differently, or
    that we do not have."""
    if length is not None:
        raise InvalidClientRequest("Transfer-Encoding and Content-Length")
    if version != "HTTP/1.1":
        raise InvalidClientRequest("Transfer-Encoding in HTTP/1.0")
    if coding.lower() != "chunked":
        raise InvalidClientRequest("Transfer-Encoding: %r" % coding[:40], 501)


def read_length(length: str) -> int:
    """Content-Length as a number. InvalidClientRequest: it is none."""
    if not (length.isascii() and length.isdigit()):
        raise InvalidClientRequest("Invalid Content-Length: %r" % length[:40])
    return int(length)


def split_target(target: str) -> Tuple[str, str]:
    """(authority, path) of a target in absolute form. Its authority counts, whatever Host says."""
    authority, slash, path = target.partition("://")[2].partition("/")
    return authority.rpartition("@")[2], slash + path or "/"
