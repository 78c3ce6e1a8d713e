"""Processes and descriptors (gevent.os): the module os under gevent's name, and what gevent adds.

os.fork, os.waitpid and the rest are the standard library's own, made cooperative from below: there
is no other fork to choose from, and fork_gevent is os.fork. nb_read, nb_write, tp_read and tp_write
wait in this greenlet only, whatever is patched.
"""

import os as _real
from os import *

import collections
from typing import Any, Callable, Deque, Optional, Tuple

from .. import _bine
from ._standard import complete

complete(globals(), _real, "process")


def make_nonblocking(fd: int) -> Optional[bool]:
    """Set O_NONBLOCK. True if that changed the descriptor, None if it was set already. OSError of
    fcntl(2). Does not switch."""
    if not _real.get_blocking(fd):
        return None
    _real.set_blocking(fd, False)
    return True


def nb_read(fd: int, n: int) -> bytes:
    """At most `n` bytes, as soon as there is one; b"" at the end. The descriptor may be blocking or
    not. OSError of read(2), EBADF when another greenlet closes it. May switch."""
    return _bine.read_fd(fd, n)


def nb_write(fd: int, buf: Any) -> int:
    """Write some of the bytes: their number. A blocking descriptor takes all of them. OSError of
    write(2). May switch."""
    return _bine.write_fd(fd, buf)


def tp_read(fd: int, n: int) -> bytes:
    """As os.read(), on a thread of the hub's pool, so that a descriptor that blocks the thread
    keeps no other greenlet waiting. Switches."""
    data: bytes = _bine.offload(_real.read, (fd, n))
    return data


def tp_write(fd: int, buf: Any) -> int:
    """As os.write(), on a thread of the hub's pool. Switches."""
    count: int = _bine.offload(_real.write, (fd, buf))
    return count


def fork_gevent() -> int:
    """os.fork(): Bine's greenlets live in the child as far as the one that forks,
    with no further call."""
    return _real.fork()


def forkpty_gevent() -> Tuple[int, int]:
    """os.forkpty()."""
    return _real.forkpty()


class _Watched:
    """A child of fork_and_watch(): what its callback is given. `pid`, and from its end on `rpid`
    and `rstatus` (as of os.waitpid)."""

    def __init__(self, pid: int) -> None:
        self.pid, self.rpid, self.rstatus = pid, 0, 0

    def __repr__(self) -> str:
        return "<child pid=%d rstatus=%d>" % (self.pid, self.rstatus)


# Watched children that have ended, and that os.waitpid() may still be asked about.
_ended: Deque[int] = collections.deque()
_KEEP = 100


def _reap(pid: int) -> None:
    try:
        _real.waitpid(pid, _real.WNOHANG)
    except OSError:
        pass  # the program has


def _watch(child: _Watched, callback: Callable[[Any], Any]) -> None:
    try:
        ended = _real.waitid(_real.P_PID, child.pid, _real.WEXITED | _real.WNOWAIT)
    except ChildProcessError:
        return  # the program was faster, and knows its status
    if ended is None:
        return
    child.rpid = child.pid
    child.rstatus = ended.si_status << 8 if ended.si_code == _real.CLD_EXITED else ended.si_status
    if ended.si_code == _real.CLD_DUMPED:
        child.rstatus |= 0x80
    _ended.append(child.pid)
    while len(_ended) > _KEEP:
        _reap(_ended.popleft())
    callback(child)


def fork_and_watch(callback: Optional[Callable[[Any], Any]] = None, loop: Any = None,
                   ref: bool = False, fork: Callable[[], int] = fork_gevent) -> int:
    """fork(), and in the parent call callback(child) in a greenlet when the child has ended;
    `child` has pid, rpid and rstatus.

    os.waitpid() still gives the status. Nobody has to ask: the oldest of more than a hundred
    that nobody asked about are reaped. `loop` and `ref` mean nothing here. OSError of
    fork(2). Does not switch."""
    pid = fork()
    if pid and callback is not None:
        _spawn_watch(pid, callback)
    return pid


def forkpty_and_watch(callback: Optional[Callable[[Any], Any]] = None, loop: Any = None,
                      ref: bool = False,
                      forkpty: Callable[[], Tuple[int, int]] = forkpty_gevent) -> Tuple[int, int]:
    """As fork_and_watch(), with os.forkpty(): (pid, descriptor of the terminal)."""
    pid, terminal = forkpty()
    if pid and callback is not None:
        _spawn_watch(pid, callback)
    return pid, terminal


def _spawn_watch(pid: int, callback: Callable[[Any], Any]) -> None:
    if not callable(callback):
        raise TypeError("Expected callable: %r" % (callback,))
    _bine.Greenlet.spawn(_watch, _Watched(pid), callback)


__all__ = list(_real.__all__) + [
    "fork_and_watch", "fork_gevent", "forkpty_and_watch", "forkpty_gevent", "make_nonblocking",
    "nb_read", "nb_write", "tp_read", "tp_write",
]
