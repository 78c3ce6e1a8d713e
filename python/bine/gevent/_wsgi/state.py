"""What a handler of pywsgi knows about the connection, the request under way and the response."""

from typing import Any, ClassVar, Dict, FrozenSet, Optional


class HandlerState:
    """The attributes of WSGIHandler. In slots, as CPython reads and writes those without a dict,
    and a class attribute as their default would hide that way from it. WSGIHandler sets each of
    them when it is made, but for those that a subclass has as attributes of its class: these are
    the values until a request sets others. Subclasses may add attributes of their own."""

    __slots__ = (
        "socket", "client_address", "server", "rfile", "connection_upgraded", "close_connection",
        "requestline", "command", "path", "request_version",
        "content_length", "environ", "wsgi_input", "application", "time_start", "time_finish",
        "result", "status", "_orig_status", "code", "response_headers", "response_length",
        "response_use_chunked", "headers_sent", "provided_date", "provided_content_length",
        "_parser", "_watcher", "_head", "_line", "_headers", "_variables", "_connection", "_linger",
        "_no_body", "_left", "_send_error",
    )

    socket: Any
    client_address: Any
    server: Any
    rfile: Any
    connection_upgraded: bool
    close_connection: bool

    requestline: Optional[str]
    command: Optional[str]
    path: Optional[str]
    request_version: Optional[str]
    content_length: int
    environ: Any
    wsgi_input: Any
    application: Any
    time_start: float
    time_finish: float

    result: Any
    status: Any
    _orig_status: Any
    code: Any
    response_headers: Any
    response_length: int
    response_use_chunked: bool
    headers_sent: bool
    provided_date: Any
    provided_content_length: Any

    _parser: Any
    _watcher: Any
    _head: bytes  # of the request that is read next, with its first line
    _line: Optional[str]  # that line, as read_requestline gave it
    _headers: Any
    _variables: Dict[Optional[str], str]
    _connection: Optional[str]
    _linger: bool
    _no_body: bool
    _left: Optional[int]  # bytes of the body that Content-Length still promises
    _send_error: Optional[OSError]

    # The slots whose names stand for something else in a subclass.
    _own: ClassVar[FrozenSet[str]] = frozenset()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        slots = {name: vars(HandlerState)[name] for name in HandlerState.__slots__}
        cls._own = frozenset(name for name, slot in slots.items() if getattr(cls, name) is not slot)

    def _begin(self) -> None:
        """Give each attribute the value that it has before the first request."""
        if self._own:
            self._begin_but_own()
            return
        self.requestline = self.command = self.path = self.request_version = None
        self.application = self.environ = self.wsgi_input = self.result = None
        self.status = self._orig_status = self.code = None
        self.response_headers = self.provided_date = self.provided_content_length = None
        self.close_connection = self.connection_upgraded = False
        self.headers_sent = self.response_use_chunked = False
        self.content_length = self.response_length = 0
        self.time_start = self.time_finish = 0
        self._watcher = self._line = self._headers = self._connection = None
        self._left = self._send_error = None
        self._linger = self._no_body = False
        self._head = b""
        self._variables = {}

    def _begin_but_own(self) -> None:
        """The same in a subclass that has some of them as attributes of its class."""
        plain = HandlerState()
        plain._begin()
        for name in HandlerState.__slots__:
            if name not in self._own and hasattr(plain, name):
                setattr(self, name, getattr(plain, name))
