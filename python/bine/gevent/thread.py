"""Low-level threads and locks (gevent.thread): the module _thread under gevent's name.

Where threads are patched the objects are the standard library's own, made cooperative from below.
Before that, and where they are not, the names that gevent has are Bine's: allocate_lock() gives
locks that park the greenlet, and start_new_thread() spawns one.
"""

import _thread as _real
from _thread import *
from typing import Any, Callable, Dict, Optional, Tuple

from .. import _bine
from .. import monkey as _monkey
from .._bine import Greenlet, GreenletExit, Semaphore, getcurrent
from ._standard import complete

complete(globals(), _real)


class _Lock:
    """A lock that parks the greenlet, with the methods of _thread.lock."""

    def __init__(self) -> None:
        self._free = Semaphore(1)

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Take the lock; False if that takes longer than `timeout` seconds (-1: for ever), or if it
        is taken and `blocking` is False. Switches."""
        if not blocking and timeout != -1:
            raise ValueError("can't specify a timeout for a non-blocking call")
        if timeout < 0 and timeout != -1:
            raise ValueError("timeout value must be a non-negative number")
        return self._free.acquire(blocking, None if timeout == -1 else timeout)

    def release(self) -> None:
        """Give it back. RuntimeError if nobody has taken it."""
        if not self.locked():
            raise RuntimeError("release unlocked lock")
        self._free.release()

    def locked(self) -> bool:
        """Is it taken?"""
        return self._free.counter <= 0

    def _at_fork_reinit(self) -> None:
        self._free = Semaphore(1)

    __enter__ = acquire

    def __exit__(self, *error: Any) -> None:
        self.release()

    def __repr__(self) -> str:
        return "<%s lock at 0x%x>" % ("locked" if self.locked() else "unlocked", id(self))


def _start_new_thread(function: Callable[..., Any], args: Tuple[Any, ...] = (),
                      kwargs: Optional[Dict[str, Any]] = None) -> int:
    """Spawn a greenlet: its identity, as of get_ident()."""
    return id(Greenlet.spawn(function, *args, **(kwargs or {})))


def _get_ident(greenlet: Any = None) -> int:
    """A number that no other greenlet has while this one lives."""
    return id(getcurrent() if greenlet is None else greenlet)


def _exit() -> None:
    """End the greenlet."""
    raise GreenletExit


_unpatched = {
    "LockType": _Lock, "allocate": _Lock, "allocate_lock": _Lock, "exit": _exit,
    "exit_thread": _exit, "get_ident": _get_ident,
    "start_new": _start_new_thread, "start_new_thread": _start_new_thread,
}


def _choose() -> None:
    """Have the names that fit what is patched now."""
    if _bine.patched() & _bine.PATCH_THREAD:
        globals().update((name, getattr(_real, name))
                         for name in _unpatched if hasattr(_real, name))
    else:
        globals().update(_unpatched)


_choose()
_monkey._on_thread.append(_choose)
