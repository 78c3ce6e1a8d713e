"""A Python prompt inside a running program, for telnet, nc or socat (gevent.backdoor).

    BackdoorServer(("127.0.0.1", 5001), banner="Hello", locals={"app": app}).start()

Whoever can connect can run code: listen on loopback or on a Unix path only. What one client prints
goes to that client, other greenlets print where they did: while clients are connected sys.stdin,
sys.stdout and sys.stderr are objects that ask which greenlet writes. quit(), exit() and the end of
the input end the connection. Code that computes or blocks stops the program, as any greenlet does.
"""

import io
import sys
from code import InteractiveConsole
from typing import Any, Dict, Optional

from .._bine import getcurrent
from .server import StreamServer

__all__ = ["BackdoorServer"]

_NAMES = ("stdin", "stdout", "stderr")


class _ByGreenlet:
    """Stands in sys for a standard stream: the client's for the greenlets of clients,
    else what was there."""

    def __init__(self, original: Any, index: int) -> None:
        self.__dict__.update(_original=original, _index=index)

    def _mine(self) -> Any:
        streams = _clients.get(getcurrent())
        return self._original if streams is None else streams[self._index]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._mine(), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._mine(), name, value)

    def __iter__(self) -> Any:
        return iter(self._mine())

    def __repr__(self) -> str:
        return repr(self._mine())


_clients: Dict[Any, Any] = {}  # the greenlet that serves a client -> its streams


def _enter(streams: Any) -> None:
    if not _clients:
        for index, name in enumerate(_NAMES):
            setattr(sys, name, _ByGreenlet(getattr(sys, name), index))
    _clients[getcurrent()] = streams


def _leave() -> None:
    del _clients[getcurrent()]
    if _clients:
        return
    for name in _NAMES:
        stream = getattr(sys, name)
        if isinstance(stream, _ByGreenlet):  # the program may have put something else there
            setattr(sys, name, stream._original)


class _Output(io.TextIOBase):
    """What a client sees. A client that has gone is not told anything."""

    encoding = "utf-8"
    errors = "replace"

    def __init__(self, connection: Any) -> None:
        super().__init__()
        self._connection = connection

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return False

    def fileno(self) -> int:
        number: int = self._connection.fileno()
        return number

    def write(self, text: str) -> int:
        try:
            self._connection.sendall(text.encode("utf-8", "replace"))
        except OSError:
            pass
        return len(text)

    def close(self) -> None:
        """The connection closes when its console ends."""


class _Input(io.TextIOBase):
    """What a client types."""

    encoding = "utf-8"
    errors = "replace"

    def __init__(self, connection: Any) -> None:
        super().__init__()
        self._file = connection.makefile("rb")

    def readable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return False

    def readline(self, size: Any = -1) -> str:  # type: ignore[override]
        try:
            line: bytes = self._file.readline(size)
        except OSError:
            return ""
        return line.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r\0", "\n")

    def read(self, size: Optional[int] = -1) -> str:
        data: bytes = self._file.read(size)
        return data.decode("utf-8", "replace")

    def close(self) -> None:
        """quit() closes sys.stdin: the connection closes when its console ends."""

    def end(self) -> None:
        self._file.close()


class _Console(InteractiveConsole):
    def raw_input(self, prompt: str = "") -> str:
        sys.stdout.write(prompt)
        line = sys.stdin.readline()
        if not line:
            raise EOFError
        return line.rstrip("\n")


class BackdoorServer(StreamServer):
    """Serves each client that connects with a Python prompt, in a greenlet of its own."""

    def __init__(self, listener: Any, locals: Optional[Dict[str, Any]] = None,
                 banner: Optional[str] = None, **server_args: Any) -> None:
        """`listener`: as of StreamServer: (host, port), a Unix path or a listening socket.
        `locals`: the names that each client's session begins with; what it adds is its own.
        `banner`: text that is sent first; None: the interpreter's version. Further
        arguments: StreamServer's."""
        super().__init__(listener, spawn=server_args.pop("spawn", "default"), **server_args)
        self.locals = {"__doc__": None, "__name__": "__console__"}
        self.locals.update(locals or {})
        self.banner = banner

    def _create_interactive_locals(self) -> Dict[str, Any]:
        return dict(self.locals)

    def handle(self, conn: Any, _address: Any) -> None:  # type: ignore[override,unused-ignore]
        """Serve one client until it leaves. Switches."""
        streams = (_Input(conn), _Output(conn), _Output(conn))
        _enter(streams)
        # From CPython 3.13 on interact() removes the prompts that it set, which other clients'
        # sessions still read.
        sys.ps1, sys.ps2 = getattr(sys, "ps1", ">>> "), getattr(sys, "ps2", "... ")
        try:
            _Console(self._create_interactive_locals()).interact(self.banner, "")
        except SystemExit:
            pass  # quit(); the program goes on
        finally:
            _leave()
            streams[0].end()
            conn.close()


def _main() -> None:
    """python -m gevent.backdoor PORT [BANNER]"""
    import argparse

    from .. import monkey

    monkey.patch_all()
    parser = argparse.ArgumentParser(prog="python -m gevent.backdoor",
                                     description="Serve a Python prompt on 127.0.0.1.")
    parser.add_argument("port", type=int)
    parser.add_argument("banner", nargs="?", help="what is sent first")
    options = parser.parse_args()
    BackdoorServer(("127.0.0.1", options.port), banner=options.banner).serve_forever()


if __name__ == "__main__":
    _main()
