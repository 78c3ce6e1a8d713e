"""What pywsgi answers: status lines, the date, checks of what applications give, and how a
connection is ended."""

import socket as _socket
import time
from typing import Any, Dict, List, Tuple, Union

from ..._bine import Timeout
from ..server import end_of_tls

# After an answer to a request whose rest nobody reads, so much of it is taken in, and for so long,
# lest the client lose the answer by a reset.
_LINGER_BYTES, _LINGER_SECONDS = 1 << 20, 2.0

Headers = List[Tuple[str, str]]

ERRORS = {
    400: "400 Bad Request", 408: "408 Request Timeout", 413: "413 Content Too Large",
    414: "414 URI Too Long", 417: "417 Expectation Failed",
    431: "431 Request Header Fields Too Large", 500: "500 Internal Server Error",
    501: "501 Not Implemented", 505: "505 HTTP Version Not Supported",
}


def error_response(status: int) -> bytes:
    return ("HTTP/1.1 %s\r\nConnection: close\r\nContent-Length: 0\r\n\r\n" %
            ERRORS.get(status, ERRORS[400])).encode("latin-1")


_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("", "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def format_date_time(timestamp: float) -> bytes:
    """The time, in seconds since 1970, as HTTP's header Date has it."""
    year, month, day, hour, minute, second, weekday = time.gmtime(timestamp)[:7]
    return b"%s, %02d %3s %4d %02d:%02d:%02d GMT" % (_WEEKDAYS[weekday].encode(), day,
                                                     _MONTHS[month].encode(), year, hour,
                                                     minute, second)


_date: Tuple[int, str] = (0, "")


def date_now(now: float) -> str:
    global _date
    second = int(now)
    if _date[0] != second:
        _date = (second, str(format_date_time(now), "latin-1"))
    return _date[1]


def native(text: Union[str, bytes]) -> str:
    if isinstance(text, bytes):
        return str(text, "latin-1")
    if not isinstance(text, str):
        raise TypeError("a status or header is a str, not %r" % (text,))
    return text


# What start_response makes of a header, by its name.
PLAIN, LENGTH, DATE, CONNECTION, TRANSFER, ODD = range(6)


class _Kinds(Dict[str, int]):
    """The kind of each name that was used. ODD: it is to be checked each time."""

    def __missing__(self, name: str) -> int:
        if not (name.isascii() and name.isprintable()):
            return ODD
        kind = {"content-length": LENGTH, "date": DATE, "connection": CONNECTION,
                "transfer-encoding": TRANSFER}.get(name.lower(), PLAIN)
        # Applications choose the names, and may choose them anew for each response.
        if len(self) < 512:
            self[name] = kind
        return kind


KINDS = _Kinds()


def complain(status: str, headers: Headers) -> None:
    """Raise the error that says which text would split the response."""
    if any(character in status for character in "\r\n\0"):
        raise ValueError("carriage return or newline in status", status)
    for name, value in headers:
        if any(character in name for character in "\r\n\0"):
            raise ValueError("carriage return or newline in header name", name)
        if any(character in value for character in "\r\n\0"):
            raise ValueError("carriage return or newline in header value", value)


def linger_on(sock: Any) -> None:
    """Say that nothing more comes, and take in what the client still sends: a reset would cost it
    the answer it has not read yet."""
    plain = _socket.socket
    if hasattr(sock, "unwrap"):
        end_of_tls(sock)
    try:
        with Timeout(_LINGER_SECONDS, False):
            plain.shutdown(sock, _socket.SHUT_WR)
            left = _LINGER_BYTES
            while left > 0:
                data = plain.recv(sock, 65536)
                if not data:
                    break
                left -= len(data)
    except (OSError, ValueError):
        pass
