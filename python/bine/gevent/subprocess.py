"""Processes (gevent.subprocess): the module subprocess under gevent's name.

The objects are the standard library's own, made cooperative from below. Popen has three names more
from the import of this module on: `result`, an AsyncResult of the exit status, and
rawlink(callback) and unlink(callback).
"""

import subprocess as _real
from subprocess import *

from typing import Any, Callable

from .._bine import sleep as sleep
from .._link import end_of as _end_of
from ._standard import complete

complete(globals(), _real, "process")


class _Result:
    """Popen.result: an AsyncResult of the exit status, from the first look on. Programs may put
    something else in its place."""

    def __get__(self, popen: Any, owner: Any = None) -> Any:
        from .event import AsyncResult
        from .greenlet import Greenlet

        if popen is None:
            return self
        result = popen.__dict__["result"] = AsyncResult()
        if popen.returncode is not None:
            result.set(popen.returncode)
        else:
            Greenlet.spawn(lambda: result.set(_end_of(popen)))
        return result


class _Link:
    """A callback of rawlink(): called with the Popen, found by unlink() by what it calls."""

    def __init__(self, popen: Any, callback: Callable[[Any], Any]) -> None:
        self.popen, self.callback = popen, callback

    def __call__(self, result: Any) -> None:
        self.callback(self.popen)

    def __eq__(self, other: object) -> bool:
        return self.callback == getattr(other, "callback", other)

    def __hash__(self) -> int:
        return hash(self.callback)


def _rawlink(popen: Any, callback: Callable[[Any], Any]) -> None:
    """Call callback(popen) in another greenlet when the process has ended."""
    if not callable(callback):
        raise TypeError("Expected callable: %r" % (callback,))
    popen.result.rawlink(_Link(popen, callback))


def _unlink(popen: Any, callback: Callable[[Any], Any]) -> None:
    """Take back rawlink(callback)."""
    popen.result.unlink(_Link(popen, callback))


# `gevent.subprocess.Popen is subprocess.Popen`, as after gevent's patching: both have them.
setattr(_real.Popen, "result", _Result())
setattr(_real.Popen, "rawlink", _rawlink)
setattr(_real.Popen, "unlink", _unlink)
