"""What pywsgi reads from a connection: request heads, and bodies as wsgi.input."""

from typing import Any, Iterator, List, Optional

try:
    from httptools import HttpParserError, HttpRequestParser
except ImportError as error:
    raise ImportError('gevent.pywsgi parses HTTP with httptools, which is not installed: pip '
                      'install "pybine[gevent]"') from error

# What a connection waits for: the watcher (watch.py) gives each its time.
IDLE, HEAD, BODY, SENDING, WORKING = range(5)

_BLOCK = 65536
# What is around the chunks of a body, extensions and trailers too, may take six bytes for each of
# the body's, which is a chunk for each byte, and so many more.
_MOST_FRAMING = 16384


class InvalidClientInput(IOError):
    """The body of a request ends too early, or its chunks are malformed. `status` is the answer."""

    status = 400


class InvalidClientRequest(ValueError):
    """The head of a request is refused. `status` is the answer."""

    def __init__(self, message: str, status: int = 400) -> None:
        ValueError.__init__(self, message)
        self.formatted_message = message
        self.status = status


class _Raw:
    """`raw` of a file made by socket.makefile, by which websocket libraries find the socket."""

    def __init__(self, sock: Any) -> None:
        self._sock = sock


class Reader:
    """The receiving side of a connection, buffered: a file that is read, and what the
    watcher needs to know.

    All methods that read may switch, and raise what recv() of the socket raises.
    """

    __slots__ = ("closed", "stage", "step", "cut", "seen_step", "seen_since", "acknowledged",
                 "_recv", "_data", "_sock")

    def __init__(self, sock: Any, recv: Any = None) -> None:
        self._sock = sock
        self._recv = sock.recv if recv is None else recv
        self._data = b""
        self.closed = False
        self.stage = HEAD  # a client that connects and says nothing is slow with its first request
        self.step = 0
        self.cut: Optional[str] = None
        # Of the watcher: the step it saw last, since when in seconds of monotonic(), and how many
        # bytes the client had confirmed.
        self.seen_step = -1
        self.seen_since = 0.0
        self.acknowledged: Optional[int] = -1

    @property
    def raw(self) -> _Raw:
        """An object whose `_sock` is the socket."""
        return _Raw(self._sock)

    def head(self, longest_line: int, longest: int) -> bytes:
        """The head of the next request up to and with its empty line; b"" at the end of the stream.
        InvalidClientRequest: it is too long."""
        data = self._data
        if not data:
            data = self._recv(_BLOCK)
            if not data:
                return b""
        end = data.find(b"\r\n\r\n") + 4
        if end < 4 or data.startswith(b"\r\n"):
            return self._slow_head(data, longest_line, longest)
        if end == len(data):
            self._data = b""
            return data
        self._data = data[end:]
        return data[:end]

    def _slow_head(self, data: bytes, longest_line: int, longest: int) -> bytes:
        """The head that has not come as a whole, or after an empty line."""
        self.stage = HEAD
        self.step += 1
        skipped = False
        while True:
            if not skipped and len(data) >= 2:
                skipped = True
                if data.startswith(b"\r\n"):
                    data = data[2:]
            end = data.find(b"\r\n\r\n") + 4
            if end >= 4:
                break
            line = data.find(b"\r\n")
            if line > longest_line or line < 0 and len(data) > longest_line:
                raise InvalidClientRequest("the request line is too long", 414)
            if len(data) > longest:
                raise InvalidClientRequest("the header is too long", 431)
            if data.count(b"\n") != data.count(b"\r\n") or b"\r" in data[:-1].replace(b"\r\n", b""):
                raise InvalidClientRequest("a line does not end with CR LF")
            more = self._recv(_BLOCK)
            if not more:
                self._data = b""
                if not data:
                    return b""
                if self.cut:
                    raise InvalidClientRequest("no whole request within %s" % self.cut, 408)
                raise InvalidClientRequest("the connection ended within the header")
            data += more
        self._data = data[end:]
        return data[:end]

    def _more(self, size: int = _BLOCK) -> bytes:
        """What arrives next of a body; b"" at the end of the stream."""
        self.stage = BODY
        self.step += 1
        try:
            data: bytes = self._recv(size)
        except OSError as error:
            raise InvalidClientInput("the connection failed within the body: %s" % error) from None
        finally:
            self.stage = WORKING
            self.step += 1
        return data

    def unread(self, data: bytes) -> None:
        """Put data back: it is read next."""
        self._data = data + self._data

    def read1(self, size: int = -1) -> bytes:
        """At most `size` bytes, without waiting for all of them; b"" at the end of the stream."""
        data = self._data
        if data:
            if 0 <= size < len(data):
                self._data = data[size:]
                return data[:size]
            self._data = b""
            return data
        return (b"" if size == 0 or self.closed
                else self._more(_BLOCK if size < 0 else min(size, 4 * _BLOCK)))

    def read(self, size: Optional[int] = -1) -> bytes:
        """`size` bytes, fewer only at the end of the stream; all up to there if it is negative."""
        if size is None:
            size = -1
        data = self.read1(size)
        if len(data) == size or not data:
            return data
        parts, missing = [data], size - len(data)
        while size < 0 or missing > 0:
            data = self.read1(missing if size >= 0 else -1)
            if not data:
                break
            parts.append(data)
            missing -= len(data)
        return b"".join(parts)

    def readline(self, size: Optional[int] = -1) -> bytes:
        """Up to and with the next b"\\n", at most `size` bytes."""
        most = -1 if size is None else size
        parts: List[bytes] = []
        while most != 0:
            data = self.read1()
            if not data:
                break
            end = data.find(b"\n") + 1
            if not end:
                end = len(data)
            if 0 <= most < end:
                end = most
            parts.append(data[:end])
            if end < len(data):
                self.unread(data[end:])
            if parts[-1].endswith(b"\n"):
                break
            if most > 0:
                most -= end
        return b"".join(parts)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.readline, b"")

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        """No more is read. The socket stays open."""
        self.closed = True
        self._data = b""


class _Events:
    on_body: Any
    on_message_complete: Any


class _Chunks:
    """Takes the chunks of a body apart. The parser does not tell where in its input the
    message ended, but a chunked message ends with an empty line: it is fed up to one
    empty line at a time."""

    __slots__ = ("_parser", "_parts", "_open", "_last", "_framing")

    def __init__(self) -> None:
        events = _Events()
        self._parts: List[bytes] = []
        self._open = [True]
        events.on_body = self._parts.append
        events.on_message_complete = self._open.clear
        self._parser = HttpRequestParser(events)
        self._parser.feed_data(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
        self._last = b""
        self._framing = 0

    @property
    def ended(self) -> bool:
        return not self._open

    def feed(self, reader: Reader) -> bytes:
        """Bytes of the body that arrive next; b"" if it has ended. What follows it
        stays in the reader."""
        while self._open:
            data = reader.read1()
            if not data:
                raise InvalidClientInput("the connection ended within a chunked body")
            taken = self._take(data, reader)
            body = b"".join(self._parts)
            self._parts.clear()
            self._framing = max(self._framing + taken - 7 * len(body), 0)
            if self._framing > _MOST_FRAMING:
                raise InvalidClientInput("too much around the chunks of a body")
            if body:
                return body
        return b""

    def _take(self, data: bytes, reader: Reader) -> int:
        """Parse the data, and put back what is behind the body. How much belonged to it."""
        begun, last = 0, self._last
        try:
            while self._open and begun < len(data):
                if begun == 0 and last:
                    end = (last + data[:3]).find(b"\r\n\r\n")
                    end = end + 4 - len(last) if end >= 0 else data.find(b"\r\n\r\n") + 4
                else:
                    end = data.find(b"\r\n\r\n", max(begun - 3, 0)) + 4
                if end < 4 and not (begun == 0 and last and end > 0):
                    end = len(data)
                self._parser.feed_data(data[begun:end] if begun or end < len(data) else data)
                begun = end
        except HttpParserError as error:
            raise InvalidClientInput("malformed chunk: %s" % error) from None
        self._last = (last + data)[-3:]
        if begun < len(data):
            reader.unread(data[begun:])
        return begun


class Input:
    """wsgi.input: the body of one request, by its length or in chunks, never a byte more.

    A body that ends too early or is malformed raises an IOError, which the handler answers with 400
    if the application lets it through. The first read of a body that the client holds back until it
    is asked (Expect: 100-continue) asks it. Reading may switch.
    """

    socket: Any = None  # to say 100 Continue on, once
    position = 0
    chunked_input = False
    send_100_continue_enabled = True
    limit: Optional[int] = None
    _chunks: Optional[_Chunks] = None
    _pending = b""

    def __init__(self, rfile: Any, content_length: Optional[int], socket: Any = None,
                 chunked_input: bool = False) -> None:
        self.rfile = rfile
        self.content_length = content_length
        if socket is not None:
            self.socket = socket
        if chunked_input:
            self.chunked_input = True

    def _send_100_continue(self) -> None:
        sock, self.socket = self.socket, None
        if sock is not None and self.send_100_continue_enabled:
            sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _some(self, most: int = -1) -> bytes:
        """Bytes of the body that come next, at most `most` unless it is negative;
        b"" at its end."""
        data = self._pending
        if data:
            self._pending = b""
        elif self.socket is not None:
            self._send_100_continue()
            data = self._next(most)
        else:
            data = self._next(most)
        if 0 <= most < len(data):
            self._pending = data[most:]
            return data[:most]
        return data

    def _next(self, most: int) -> bytes:
        if self.chunked_input:
            if self._chunks is None:
                self._chunks = _Chunks()
            data: bytes = self._chunks.feed(self.rfile)
            self.position += len(data)
            if self.limit is not None and self.position > self.limit:
                failure = InvalidClientInput("the body is longer than %d bytes" % self.limit)
                failure.status = 413
                raise failure
            return data
        left = (self.content_length or 0) - self.position
        if left <= 0:
            return b""
        data = self.rfile.read1(left if most < 0 else min(left, most))
        if not data:
            raise InvalidClientInput("unexpected end of file while reading request at position %s" %
                                     self.position)
        self.position += len(data)
        return data

    def read(self, length: Optional[int] = None) -> bytes:
        """`length` bytes of the body, fewer only at its end; all that is left without it."""
        most = -1 if length is None or length < 0 else length
        if most == 0:
            return b""
        data = self._some(most)
        if not data or len(data) == most:
            return data
        parts, missing = [data], most - len(data)
        while True:
            data = self._some(missing if most >= 0 else -1)
            if not data:
                break
            parts.append(data)
            missing -= len(data)
            if missing == 0 and most >= 0:
                break
        return b"".join(parts)

    def read1(self, length: int = -1) -> bytes:
        """What has arrived, at most `length` bytes."""
        return b"" if length == 0 else self._some(length)

    def readline(self, size: Optional[int] = None) -> bytes:
        """One line of the body with its b"\\n", at most `size` bytes."""
        most = -1 if size is None or size < 0 else size
        parts: List[bytes] = []
        while most != 0:
            data = self._some(-1)
            if not data:
                break
            end = data.find(b"\n") + 1 or len(data)
            if 0 <= most < end:
                end = most
            parts.append(data[:end])
            if end < len(data):
                self._pending = data[end:] + self._pending
            if data[end - 1:end] == b"\n":
                break
            if most > 0:
                most -= end
        return b"".join(parts)

    def readlines(self, hint: Optional[int] = None) -> List[bytes]:
        """The lines that are left; no further one once they have `hint` bytes together."""
        lines, total = [], 0
        for line in self:
            lines.append(line)
            total += len(line)
            if hint and hint > 0 and total >= hint:
                break
        return lines

    def __iter__(self) -> "Input":
        return self

    def __next__(self) -> bytes:
        line = self.readline()
        if not line:
            raise StopIteration
        return line

    next = __next__

    def _finish(self, most: int) -> bool:
        """Read what the application left of the body, at most about `most` bytes. False: more is
        left, and the connection must be closed."""
        if not self.chunked_input and self.position >= (self.content_length or 0):
            return True
        if self.socket is not None:
            return False  # the client was never asked for its body
        if not self.chunked_input and (self.content_length or 0) - self.position > most:
            return False
        self._pending = b""
        while most > 0:
            data = self._next(-1)
            if not data:
                return True
            most -= len(data)
        return self.chunked_input and self._chunks is not None and self._chunks.ended

    def _discard(self) -> None:
        """Read and drop what is left of the body."""
        self._pending = b""
        if self.socket is None:
            while self._next(-1):
                pass
