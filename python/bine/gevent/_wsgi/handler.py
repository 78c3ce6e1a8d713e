"""The handler of pywsgi: the requests of one connection, one after the other."""

import errno
import sys
import time
from datetime import datetime
from http.client import HTTPMessage
from typing import Any, Callable, Dict, Optional, Tuple
from urllib.parse import unquote_to_bytes

from ...hub import get_hub
from .answer import (CONNECTION, DATE, ERRORS, KINDS, LENGTH, PLAIN, TRANSFER, Headers, complain,
                     date_now, error_response, linger_on, native)
from .environ import NoLog
from .input import IDLE, SENDING, WORKING, Input, InvalidClientInput, InvalidClientRequest, Reader
from .request import HeadParser, check_coding, read_length, split_target
from .state import HandlerState

_INTERNAL_ERROR_BODY = b"Internal Server Error"

# So much of a body that the application left unread is read before the next request; with more left
# the connection is closed.
_MOST_UNREAD = 1 << 18
# Larger bodies are not copied behind their head.
_JOINED = 1 << 16

_log_time: Tuple[int, str] = (0, "")


class WSGIHandler(HandlerState):
    """Serves the requests of one connection.

    sock, address: the connection. server: the WSGIServer, which has the application, the
    environment, the logs and the limits. rfile: a file to read from instead of the socket.
    """

    protocol_version = "HTTP/1.1"
    ignored_socket_errors = (errno.EPIPE, errno.ECONNRESET)
    ApplicationError = AssertionError

    def __init__(self, sock: Any, address: Any, server: Any, rfile: Any = None) -> None:
        self.socket = sock
        self.client_address = address
        self.server = server
        if rfile is None:
            self.rfile = Reader(sock)
        elif isinstance(rfile, Reader):
            self.rfile = rfile
        else:
            self.rfile = Reader(sock, getattr(rfile, "read1", None) or rfile.readline)
        self._parser = HeadParser()
        self._begin()

    # -- the connection

    def handle(self) -> None:
        """Serve requests until the connection ends. The server calls it."""
        watcher = self._watcher = getattr(self.server, "_clients", None)
        reader = self.rfile
        if watcher is not None:
            watcher.add(reader)
        try:
            while True:
                result = self.handle_one_request()
                if result is True:
                    reader.stage = IDLE
                    reader.step += 1
                    continue
                if result is not None:
                    self._refuse(result)
                break
        finally:
            if watcher is not None:
                watcher.remove(reader)
            self._close()

    def _refuse(self, result: Tuple[Any, bytes]) -> None:
        """Answer a request that went to no application."""
        self.status, response = result
        self._orig_status = None
        self.time_start = self.time_start or time.time()
        try:
            self.code = int(str(self.status).split(" ", 1)[0])
        except ValueError:
            self.code = 0
        self._linger = True
        try:
            self._sendall(response)
        except OSError:
            pass
        self.response_length = 0
        self.time_finish = time.time()
        self.log_request()

    def _close(self) -> None:
        """End the connection. The client gets the last answer, whatever it has sent meanwhile."""
        sock = self.socket
        try:
            if self._linger and sock is not None:
                linger_on(sock)
        finally:
            if sock is not None:
                rfile = getattr(self, "rfile", None)
                if rfile is not None:
                    rfile.close()
            del self.socket
            try:
                del self.rfile
            except AttributeError:
                pass  # the application took it
            self.environ = None

    def handle_one_request(self) -> Any:
        """Serve one request. True: the next one may come; None: the connection is to be closed;
        (status, response): refuse the request so, and close."""
        self.time_start = 0
        try:
            self.requestline = self.read_requestline()
            if not self.requestline:
                return None
            self.response_length = 0
            if not self.read_request(self.requestline):
                return ("400", error_response(400))
        except OSError:
            return None  # the client is gone
        except Exception as error:
            return self._handle_client_error(error)
        self.environ = self.get_environ()
        self.application = self.server.application
        self.handle_one_response()
        if self.close_connection:
            return None
        return True

    def _handle_client_error(self, ex: Exception) -> Tuple[str, bytes]:
        """The answer to a request that could not be read."""
        if not isinstance(ex, (ValueError, InvalidClientInput)):
            get_hub().handle_error(None if not hasattr(self, "environ") else self._context(),
                                   type(ex), ex, ex.__traceback__)
        message = getattr(ex, "formatted_message", None) or ex
        self.log_error("(from %s) %s", self.client_address, message)
        status = getattr(ex, "status", 400)
        return (str(status), error_response(status))

    # -- the request

    def read_requestline(self) -> str:
        """The request's first line with its line end, or "" if the client sends no further request.
        May switch. ValueError: it is refused."""
        if self._head:
            # Read before, and not given to read_request: a subclass takes lines of its own off.
            head = (self._head[len(self._line or ""):] or
                    self.rfile.head(self._most_line(), self.server.max_header_size))
        else:
            server = self.server
            head = self.rfile.head(server.max_request_line, server.max_header_size)
        self._head = head
        line = head[:head.find(b"\n") + 1].decode("latin-1")
        self._line = line
        return line

    def _most_line(self) -> int:
        most: int = self.server.max_request_line
        return most

    def read_request(self, raw_requestline: str) -> bool:
        """Parse the head that begins with this line. True, or ValueError: it is refused."""
        head, self._head = self._head, b""
        if raw_requestline is not self._line:
            rest = (head[len(self._line or ""):] or
                    self.rfile.head(self._most_line(), self.server.max_header_size))
            head = raw_requestline.encode("latin-1") + rest
        server = self.server
        self.requestline = line = raw_requestline.rstrip("\r\n")
        if len(line) > server.max_request_line:
            raise InvalidClientRequest("the request line is too long", 414)
        if len(head) > server.max_header_size:
            raise InvalidClientRequest("the header is too long", 431)
        words = line.split(" ")
        if len(words) != 3:
            raise InvalidClientRequest("Invalid HTTP request line: %r" % line[:200])
        self.command, self.path, self.request_version = words
        if self.request_version != "HTTP/1.1" and self.request_version != "HTTP/1.0":
            raise InvalidClientRequest("Invalid http version: %r" % line[:200],
                                       505 if words[2].startswith("HTTP/") else 400)
        if "#" in words[1] or not words[0].isalpha() and "\n" in words[0]:
            raise InvalidClientRequest("Invalid HTTP request line: %r" % line[:200])
        self._headers = None
        variables = self._variables = self._parser.parse(head)
        if len(variables) > server.max_headers:
            raise InvalidClientRequest("the header has too many fields", 431)
        variables.pop(None, None)
        self._frame(variables)
        return True

    def _frame(self, variables: Dict[Optional[str], str]) -> None:
        """How long the body is, and whether the connection outlives the request."""
        connection = variables.get("HTTP_CONNECTION")
        if connection is None:
            self.close_connection = self.request_version != "HTTP/1.1"
        else:
            connection = connection.lower()
            tokens = ((connection,) if connection.isalpha()
                      else [token.strip() for token in connection.split(",")])
            self.close_connection = ("close" in tokens or self.request_version != "HTTP/1.1" and
                                     "keep-alive" not in tokens)
        self._connection = connection
        if self.command == "CONNECT":
            self.close_connection = True
        coding, length = variables.get("HTTP_TRANSFER_ENCODING"), variables.get("CONTENT_LENGTH")
        sock = None
        if coding is None and length is None:
            self.content_length = 0
        else:
            self._parser.used_up()
            if coding is not None:
                check_coding(coding, length, self.request_version)
                self.content_length = -1
            else:
                assert length is not None
                self.content_length = read_length(length)
                most = self.server.max_body_size
                if most is not None and self.content_length > most:
                    raise InvalidClientRequest("the body is longer than %d bytes" % most, 413)
            expected = variables.get("HTTP_EXPECT")
            if expected is not None and self.request_version == "HTTP/1.1":
                if expected.lower() != "100-continue":
                    raise InvalidClientRequest("Expect: %r" % expected[:40], 417)
                sock = self.socket
        body = self.wsgi_input = (Input(self.rfile, self.content_length) if coding is None
                                  else Input(self.rfile, None, None, True))
        if sock is not None:
            body.socket = sock
        most = self.server.max_body_size
        if most is not None:
            body.limit = most

    @staticmethod
    def MessageClass(*args: Any) -> HTTPMessage:
        """An empty message for headers."""
        return HTTPMessage()

    @property
    def headers(self) -> Any:
        """The request's headers, as an http.client.HTTPMessage."""
        if self._headers is None:
            message = self.MessageClass()
            for name, value in self._parser.items():
                message[str(name, "latin-1")] = str(value, "latin-1")
            self._headers = message
        return self._headers

    @headers.setter
    def headers(self, value: Any) -> None:
        self._headers = value

    def get_environ(self) -> Dict[str, Any]:
        """The environment of this request: the server's, and what read_request has read."""
        environ: Dict[str, Any] = self.server.get_environ()
        environ["REQUEST_METHOD"] = self.command
        path, _, query = self.path.partition("?")  # type: ignore[union-attr]
        if not path.startswith("/") and "://" in path:
            self._variables["HTTP_HOST"], path = split_target(path)
        if "%" in path:
            path = str(unquote_to_bytes(path.encode("latin-1")), "latin-1")
        environ["PATH_INFO"] = path
        environ["QUERY_STRING"] = query
        environ["SERVER_PROTOCOL"] = self.request_version
        address = self.client_address
        if address.__class__ is tuple:
            environ["REMOTE_ADDR"] = address[0]
            environ["REMOTE_PORT"] = str(address[1])
        environ.update(self._variables)  # type: ignore[arg-type]
        environ["wsgi.input"] = self.wsgi_input
        environ["wsgi.input_terminated"] = True
        return environ

    def _connection_upgrade_requested(self) -> bool:
        return (self._connection is not None and
                "upgrade" in [token.strip() for token in self._connection.split(",")])

    # -- the response

    def handle_one_response(self) -> None:
        """Run the application for the request in `environ` and log it. Its errors end here."""
        self.time_start = time.time()
        self.status = self._orig_status = None
        self.headers_sent = False
        self.result = None
        self.response_use_chunked = False
        self.connection_upgraded = False
        self.response_length = 0
        self._send_error = None
        self._left = None
        self.rfile.stage = WORKING
        self.rfile.step += 1
        try:
            try:
                self.run_application()
            finally:
                if self.content_length != 0:
                    self._leave_body()
        except InvalidClientInput as error:
            self.log_error("(from %s) %s", self.client_address, error)
            self._send_error_response_if_possible(408 if self.rfile.cut else error.status)
        except OSError as error:
            self.close_connection = True
            if error is not self._send_error or error.errno not in self.ignored_socket_errors:
                self.handle_error(*sys.exc_info())
        except BaseException:
            self.handle_error(*sys.exc_info())
        finally:
            self.time_finish = time.time()
            self.log_request()

    def _leave_body(self) -> None:
        """Get past what the application did not read of the body."""
        body = self.wsgi_input
        if self.close_connection and not self._linger_needed(body):
            return
        if self.close_connection:
            self._linger = True
            return
        try:
            if not body._finish(_MOST_UNREAD):
                self.close_connection = self._linger = True
        except (OSError, ValueError):
            self.close_connection = True

    @staticmethod
    def _linger_needed(body: Any) -> bool:
        return bool(body.chunked_input or body.position < (body.content_length or 0))

    def run_application(self) -> None:
        """Call the application, send its result, and close that."""
        try:
            self.result = self.application(self.environ, self.start_response)
            self.process_result()
        finally:
            close = getattr(self.result, "close", None)
            try:
                if close is not None:
                    close()
            finally:
                self.result = None

    def start_response(self, status: str, headers: Headers,
                       exc_info: Any = None) -> Callable[[bytes], None]:
        """WSGI's start_response: write(data). ValueError: there are line ends in what would be
        sent; TypeError, UnicodeError: it is no text of latin-1."""
        if exc_info:
            try:
                if self.headers_sent:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None
        elif self.headers_sent:
            raise AssertionError("start_response() was called after the headers were sent")
        response_headers: Headers = []
        length = date = None
        closes = False
        text = status
        for name, value in headers:
            if name.__class__ is not str or value.__class__ is not str:
                name, value = native(name), native(value)
            kind = KINDS[name]
            if kind != PLAIN:
                if kind == LENGTH:
                    length = value
                elif kind == DATE:
                    date = value
                elif kind == CONNECTION:
                    closes = closes or value.lower() == "close"
                elif kind == TRANSFER:
                    continue  # of the connection, which the server frames
                else:
                    text += name
            text += value
            response_headers.append((name, value))
        if "\n" in text or "\r" in text or "\0" in text:
            complain(status, headers)
        if not text.isascii():
            text.encode("latin-1")
        code = int(status[:3])
        if length is not None and not (length.isdigit() and length.isascii()):
            raise ValueError("Content-Length is no number", length)
        self.status = self._orig_status = status
        self.code = code
        self.response_headers = response_headers
        self.provided_content_length = length
        self.provided_date = date
        if closes:
            self.close_connection = True
        if code == 101:
            self.connection_upgraded = self.close_connection = True
        return self.write

    def write(self, data: Any) -> None:
        """Send a part of the body, after the headers if it is the first. May switch.
        OSError: the client is gone."""
        if self.headers_sent:
            self._write(data)
        else:
            if not self.status:
                raise self.ApplicationError("The application did not call start_response()")
            self._write_with_headers(data)

    def finalize_headers(self) -> None:
        """Complete response_headers, just before they are sent."""
        if self.provided_date is None:
            self.response_headers.append(("Date", date_now(self.time_start or time.time())))
        code = self.code
        self._no_body = (code != 200 and (code == 204 or code == 304 or code < 200) or
                         self.command == "HEAD")
        length = self.provided_content_length
        if length is None and code != 304 and code != 204 and code >= 200:
            result = self.result
            if hasattr(result, "__len__"):
                total = sum([len(part) for part in result])
                self.response_headers.append(("Content-Length", str(total)))
                self._left = total
            elif self.request_version == "HTTP/1.1":
                self.response_use_chunked = True
                self.response_headers.append(("Transfer-Encoding", "chunked"))
            else:
                self.close_connection = True
        elif length:
            self._left = int(length)
        watcher = self._watcher
        if watcher is not None and watcher.draining:
            self.close_connection = True
        if self.close_connection or self.request_version != "HTTP/1.1":
            self._tell_connection()

    def _tell_connection(self) -> None:
        if self.connection_upgraded:
            return
        for name, _ in self.response_headers:
            if len(name) == 10 and name.lower() == "connection":
                return
        self.response_headers.append(("Connection",
                                      "close" if self.close_connection else "keep-alive"))

    def _write_with_headers(self, data: Any) -> None:
        code = self.code
        if data and (code == 304 or code == 204):
            raise self.ApplicationError("The %s response must have no body" % code)
        self.finalize_headers()
        parts = [self.protocol_version, " ", self.status, "\r\n"]
        for name, value in self.response_headers:
            parts += (name, ": ", value, "\r\n")
        parts.append("\r\n")
        try:
            text = "".join(parts)
        except TypeError:  # a subclass may have put bytes in
            text = "".join([native(part) for part in parts])
        head = text.encode("latin-1")
        if data and not self._no_body:
            data = self._framed(data)
            if len(data) <= _JOINED:
                head += data
                data = None
        else:
            data = None
        self.headers_sent = True
        self._sendall(head)
        if data is not None:
            self._sendall(data)

    def _write(self, data: Any) -> None:
        if data and not self._no_body:
            if self.code == 304 or self.code == 204:
                raise self.ApplicationError("The %s response must have no body" % self.code)
            data = self._framed(data)
            if data:
                self._sendall(data)

    def _framed(self, data: Any) -> Any:
        """The part as it is sent: a chunk, or no more than Content-Length allows."""
        if self.response_use_chunked:
            return b"%x\r\n%b\r\n" % (len(data), data)
        left = self._left
        if left is not None:
            size = len(data)
            if size > left:
                self.close_connection = True
                self.log_error("The application sends more than the %s bytes of its Content-Length",
                               self.provided_content_length)
                data = data[:left]
                size = left
            self._left = left - size
        return data

    def _sendall(self, data: bytes) -> None:
        reader = self.rfile
        reader.stage = SENDING
        reader.step += 1
        try:
            self.socket.sendall(data)
        except OSError as error:
            self.status = "socket error: %s" % error
            if self.code and self.code > 0:
                self.code = -self.code
            self._send_error = error
            self.close_connection = True
            raise
        reader.stage = WORKING
        self.response_length += len(data)

    def process_result(self) -> None:
        """Send each part of `result`, what has to follow, and the headers if there was no part."""
        result = self.result
        if ((result.__class__ is list or result.__class__ is tuple) and len(result) > 1 and
            not self.headers_sent and self.status):
            result = [b"".join(result)]
            self.result = result
        for data in result:
            if data:
                self.write(data)
        if self.status and not self.headers_sent:
            self.write(b"")
        if self.response_use_chunked and not self._no_body:
            self._sendall(b"0\r\n\r\n")
        elif not self.status:
            # No response: an application that took the connection over.
            self.close_connection = True
        elif self._left and not self._no_body:
            self.close_connection = True
            self.log_error("The application sent %s bytes fewer than its Content-Length",
                           self._left)

    def _send_error_response_if_possible(self, error_code: int) -> None:
        """Answer with this status if nothing was sent yet; the connection is closed in any case."""
        self.close_connection = self._linger = True
        if self.headers_sent:
            return
        body = _INTERNAL_ERROR_BODY if error_code == 500 else b""
        self.result = [body]
        try:
            self.start_response(ERRORS.get(error_code, ERRORS[400]), [
                ("Content-Type", "text/plain"), ("Connection", "close"),
                ("Content-Length", str(len(body)))])
            self.write(body)
        except OSError:
            pass

    # -- logs

    def log_request(self) -> None:
        """Write a line about the request to the server's log."""
        log = self.server.log
        if log.__class__ is not NoLog:
            log.write(self.format_request() + "\n")

    def format_request(self) -> str:
        """The line of the access log."""
        global _log_time
        now = time.time()
        if _log_time[0] != int(now):
            _log_time = (int(now), str(datetime.fromtimestamp(int(now))))
        address = self.client_address
        client = address[0] if isinstance(address, tuple) else address
        delta = "%.6f" % (self.time_finish - self.time_start) if self.time_finish else "-"
        line = self.requestline or ""
        if not line.isprintable() or '"' in line:
            line = ascii(line)[1:-1].replace('"', '\\"')
        return '%s - - [%s] "%s" %s %s %s' % (client or "-", _log_time[1], line,
                                              str(self._orig_status or
                                                  self.status or "000").split()[0],
                                              self.response_length or "-", delta)

    def log_error(self, msg: str, *args: Any) -> None:
        """Write a line about this connection to the server's error log."""
        try:
            message = msg % args
        except Exception:
            message = "%s %r" % (msg, args)
        try:
            self.server.error_log.write("%s: %s\n" % (self.server, message))
        except Exception:
            get_hub().handle_error(self, *sys.exc_info())

    def _context(self) -> Any:
        environ = self.environ
        kind = self.server.secure_environ_class
        return environ if environ is None or isinstance(environ, kind) else kind(environ)

    def handle_error(self, t: Any, v: Any, tb: Any) -> None:
        """Called with what the application raised: report it to the hub, and answer 500 if
        that is still possible.

        A kill and SystemExit are not reported, end the connection, and are raised again.
        """
        killed = issubclass(t, get_hub().NOT_ERROR)
        if not killed:
            get_hub().handle_error(self._context(), t, v, tb)
        self._send_error_response_if_possible(500)
        if killed:
            self._linger = False  # the greenlet that kills waits for this one
            raise v.with_traceback(tb)
