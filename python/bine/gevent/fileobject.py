"""Files whose reads and writes let other greenlets run (gevent.fileobject).

FileObjectPosix waits for descriptors that can be waited for: pipes, sockets, terminals. Reads
of a regular file block the thread, as in gevent. FileObjectThread makes each call on a thread
of the pool. FileObjectBlock is an ordinary file, whose calls are cooperative as far as the
process is patched. FileObject is the one that `config.fileobject` names. Nothing needs to be
patched for the first two.

All take the arguments of io.open(): `fobj` (a path, a descriptor, or an object with fileno()),
`mode` ("r" by default: text), `buffering` (bytes; 0: none, also for text), `encoding`, `errors`,
`newline`, and `closefd` (False: close() leaves the descriptor open). `bufsize` and `close` are
older names of `buffering` and `closefd`. They have the methods of the file they stand for, can be
iterated and used in with-blocks. close() writes what is buffered; another greenlet that waits in a
read gets OSError EBADF then. Errors are those of io.open() and of the calls.
"""

import io
import os
import stat
import warnings
from typing import Any, Callable, Iterator, List, Optional

from .. import _bine
from ._config import config

__all__ = ["FileObject", "FileObjectBlock", "FileObjectPosix", "FileObjectThread"]

_METHODS = ("read", "read1", "readinto", "readline", "readlines", "write", "writelines", "flush",
            "seek", "tell", "truncate", "fileno", "isatty", "readable", "writable", "seekable")


class FileObjectClosed(OSError):
    """A file that has been closed was used: EBADF."""

    def __init__(self) -> None:
        super().__init__(9, "Bad file descriptor (FileObject was closed)")


class _Closed:
    """What stands for the file from close() on."""

    def __getattr__(self, name: str) -> Any:
        raise FileObjectClosed


class _Arguments:
    """The arguments of io.open(), checked."""

    def __init__(self, fobj: Any, mode: str = "r", bufsize: Optional[int] = None,
                 close: Optional[bool] = None, encoding: Optional[str] = None,
                 errors: Optional[str] = None, newline: Optional[str] = None,
                 buffering: Optional[int] = None, closefd: Optional[bool] = None) -> None:
        if buffering is None:
            buffering = bufsize
        self.closefd = (bool(close) if closefd is None and close is not None
                        else closefd is None or bool(closefd))
        self.fobj, self.encoding, self.errors, self.newline = fobj, encoding, errors, newline
        plain = mode.replace("U", "").replace("b", "").replace("t", "")
        if "U" in mode and "r" not in plain:
            plain = "r" + plain
        both = "".join(sorted(plain)) == "rw"  # a pipe of two ways, where io.open() knows "r+" only
        self.raw_mode = "r+" if both else plain
        if (len(set(mode)) != len(mode) or set(mode) - set("rwaxbtU+") or
            sum(map(self.raw_mode.count, "rwax")) != 1 or {"b", "t"} <= set(mode)):
            raise ValueError("invalid mode: %r" % (mode,))
        self.binary = "b" in mode
        if self.binary and (encoding is not None or errors is not None or newline is not None):
            raise ValueError(
                "binary mode takes neither encoding nor errors nor newline: that is text's")
        self.readable, self.writable = "r" in self.raw_mode or "+" in mode, self.raw_mode != "r"
        self.line_buffering = buffering == 1 and not self.binary
        if buffering == 1 and self.binary:
            warnings.warn("line buffering is for text: the default size is used",
                          RuntimeWarning, stacklevel=5)
        self.buffering = (io.DEFAULT_BUFFER_SIZE
                          if buffering is None or buffering < 0 or buffering == 1 else buffering)
        self.unbuffered = buffering == 0

    def layers(self, raw: Any) -> Any:
        """The file that the arguments ask for, on a raw one: a buffer, and text on it."""
        if self.binary and self.unbuffered:
            return raw
        size = self.buffering or io.DEFAULT_BUFFER_SIZE
        buffer: Any
        if not self.writable:
            buffer = io.BufferedReader(raw, size)
        elif not self.readable:
            buffer = io.BufferedWriter(raw, size)
        elif raw.seekable():
            buffer = io.BufferedRandom(raw, size)
        else:
            buffer = io.BufferedRWPair(raw, raw, size)
        return buffer if self.binary else self.text(buffer)

    def text(self, buffer: Any) -> Any:
        """Text on a buffer."""
        text = io.TextIOWrapper(buffer, self.encoding, self.errors, self.newline,
                                self.line_buffering, write_through=self.unbuffered)
        text.mode = self.raw_mode  # type: ignore[misc]
        return text


class _Base:
    """What the kinds have in common: the methods of the file they stand for."""

    default_bufsize = io.DEFAULT_BUFFER_SIZE
    _io: Any

    def __init__(self, file: Any, closefd: bool) -> None:
        self._io, self._close = file, closefd
        for name in _METHODS:
            if hasattr(file, name):
                setattr(self, name, self._wrap_method(getattr(file, name)))

    def _wrap_method(self, method: Callable[..., Any]) -> Callable[..., Any]:
        return method

    def _extra_repr(self) -> str:
        return ""

    io = property(lambda self: self._io, doc="The file that this one stands for.")

    @property
    def closed(self) -> bool:
        """Has close() been called?"""
        return isinstance(self._io, _Closed)

    def close(self) -> None:
        """Write what is buffered and close the file, and the descriptor unless `closefd` was False.
        Again: nothing. May switch."""
        if self.closed:
            return
        file, self._io = self._io, _Closed()
        for name in _METHODS:
            self.__dict__.pop(name, None)
        self._do_close(file, self._close)

    def _do_close(self, file: Any, closefd: bool) -> None:
        raise NotImplementedError

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or "_io" not in self.__dict__:
            raise AttributeError(name)
        return getattr(self._io, name)

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *error: Any) -> None:
        self.close()

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        line = self.readline()
        if not line:
            raise StopIteration
        return line

    next = __next__

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        return "<%s at 0x%x %s_fobj=%r%s>" % (type(self).__name__, id(self),
                                              "closed" if self.closed else "", self._io,
                                              self._extra_repr())


class GreenFileDescriptorIO(io.RawIOBase):
    """A descriptor as a raw file: only the greenlet that reads or writes waits."""

    def __init__(self, fd: int, mode: str, closefd: bool = True, owner: Any = None) -> None:
        super().__init__()
        self._fd, self.mode, self._closefd, self._owner = fd, mode, closefd, owner
        self._readable, self._writable = "r" in mode or "+" in mode, mode != "r"
        name = getattr(owner, "name", None)
        self.name: Any = fd if name is None else name
        self._seekable: Optional[bool] = None

    def fileno(self) -> int:
        self._check()
        return self._fd

    def isatty(self) -> bool:
        return os.isatty(self.fileno())

    def readable(self) -> bool:
        return self._readable

    def writable(self) -> bool:
        return self._writable

    def seekable(self) -> bool:
        if self._seekable is None:
            try:
                os.lseek(self.fileno(), 0, os.SEEK_CUR)
                self._seekable = True
            except OSError:
                self._seekable = False
        return self._seekable

    def _check(self) -> None:
        if self.closed:
            raise FileObjectClosed

    def readinto(self, buffer: Any) -> int:
        self._check()
        if not self._readable:
            raise io.UnsupportedOperation("not readable")
        return _bine.read_fd_into(self._fd, buffer)

    def readall(self) -> bytes:
        parts: List[bytes] = []
        while True:
            self._check()
            part = _bine.read_fd(self._fd, 65536)
            if not part:
                return b"".join(parts)
            parts.append(part)

    def write(self, data: Any) -> int:
        self._check()
        if not self._writable:
            raise io.UnsupportedOperation("not writable")
        return _bine.write_fd(self._fd, data)

    def seek(self, offset: int, whence: int = 0) -> int:
        return os.lseek(self.fileno(), offset, whence)

    def tell(self) -> int:
        return os.lseek(self.fileno(), 0, os.SEEK_CUR)

    def truncate(self, size: Optional[int] = None) -> int:
        size = self.tell() if size is None else size
        os.ftruncate(self.fileno(), size)
        return size

    def close(self) -> None:
        if self.closed:
            return
        super().close()
        owner, self._owner = self._owner, None
        if self._closefd:
            if hasattr(owner, "close"):
                owner.close()
            else:
                os.close(self._fd)

    def __repr__(self) -> str:
        return "<%s at 0x%x fileno=%s mode=%r>" % (type(self).__name__, id(self),
                                                   "closed" if self.closed else self._fd, self.mode)


def _descriptor_of(arguments: _Arguments) -> GreenFileDescriptorIO:
    """The raw file for what was given: a path is opened."""
    fobj = arguments.fobj
    if isinstance(fobj, int):
        os.fstat(fobj)
        return GreenFileDescriptorIO(fobj, arguments.raw_mode, arguments.closefd)
    if hasattr(fobj, "fileno"):
        if arguments.writable and hasattr(fobj, "flush"):
            fobj.flush()
        return GreenFileDescriptorIO(fobj.fileno(), arguments.raw_mode, arguments.closefd, fobj)
    if not arguments.closefd:
        raise ValueError("a path needs closefd=True")
    opened = io.FileIO(os.fspath(fobj), arguments.raw_mode)
    return GreenFileDescriptorIO(opened.fileno(), arguments.raw_mode, True, opened)


class FileObjectPosix(_Base):
    """A file on a descriptor that is waited for: blocking or not, only the greenlet that reads or
    writes waits. Arguments: see the module."""

    def __init__(self, fobj: Any, mode: str = "r", *args: Any, **kwargs: Any) -> None:
        arguments = _Arguments(fobj, mode, *args, **kwargs)
        self.fileio = _descriptor_of(arguments)
        if stat.S_ISDIR(os.fstat(self.fileio.fileno()).st_mode):
            raise IsADirectoryError(21, "Is a directory", fobj)
        super().__init__(arguments.layers(self.fileio), arguments.closefd)

    def _do_close(self, file: Any, closefd: bool) -> None:
        try:
            if self.fileio.writable():
                file.flush()
        finally:
            # First the descriptor: a greenlet that waits in a read holds the
            # buffer's lock until then.
            self.fileio.close()


class FileObjectThread(_Base):
    """A file whose calls are made on threads of `threadpool` (None: the hub's), one at a time
    unless `lock` is False. A Timeout or a kill ends the wait, not the call. Other arguments: see
    the module; `fobj` may be any file object."""

    def __init__(self, fobj: Any, mode: str = "r", *args: Any, lock: bool = True,
                 threadpool: Any = None, **kwargs: Any) -> None:
        from .lock import DummySemaphore, Semaphore

        arguments = _Arguments(fobj, mode, *args, **kwargs)
        if threadpool is None:
            from .hub import get_hub

            threadpool = get_hub().threadpool
        self.threadpool = threadpool
        self.lock: Any = Semaphore() if lock else DummySemaphore()
        super().__init__(_plain_file(arguments), arguments.closefd)

    def _wrap_method(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            with self.lock:
                if self.closed:
                    raise FileObjectClosed
                return self.threadpool.apply(method, args, kwargs)

        call.__name__ = getattr(method, "__name__", "call")
        return call

    def _extra_repr(self) -> str:
        return " threadpool=%r" % (self.threadpool,)

    def _do_close(self, file: Any, closefd: bool) -> None:
        with self.lock:
            self.threadpool.apply(_finish, (file, closefd))


class FileObjectBlock(_Base):
    """An ordinary file. Arguments: see the module."""

    def __init__(self, fobj: Any, mode: str = "r", *args: Any, **kwargs: Any) -> None:
        arguments = _Arguments(fobj, mode, *args, **kwargs)
        super().__init__(_plain_file(arguments), arguments.closefd)

    def _do_close(self, file: Any, closefd: bool) -> None:
        _finish(file, closefd)


def _plain_file(arguments: _Arguments) -> Any:
    fobj = arguments.fobj
    if not isinstance(fobj, int) and hasattr(fobj, "read" if arguments.readable else "write"):
        return fobj if arguments.binary or isinstance(fobj, io.TextIOBase) else arguments.text(fobj)
    return arguments.layers(io.FileIO(fobj if isinstance(fobj, int) else os.fspath(fobj),
                                      arguments.raw_mode, arguments.closefd))


def _finish(file: Any, closefd: bool) -> None:
    if closefd:
        file.close()
    elif hasattr(file, "flush"):
        file.flush()


FileObject = config.fileobject
