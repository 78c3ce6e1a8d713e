"""Processes (gevent.subprocess): the module subprocess under gevent's name.

The objects are the standard library's own, made cooperative from below.
"""

import subprocess as _real
from subprocess import *

from typing import Any, Callable

from ._standard import complete

complete(globals(), _real, "process")


class _Result:
    """Popen.result: an AsyncResult of the exit status, from the first look on. Programs may put something else in its place."""

    def __get__(self, popen: Any, owner: Any = None) -> Any:
        from .event import AsyncResult
        from .greenlet import Greenlet

        if popen is None:
            return self
        result = popen.__dict__["result"] = AsyncResult()
        if popen.returncode is not None:
            result.set(popen.returncode)
        else:
            Greenlet.spawn(lambda: result.set(popen.wait()))
        return result


def _rawlink(popen: Any, callback: Callable[[Any], Any]) -> None:
    """Call callback(popen) in another greenlet when the process has ended."""
    if not callable(callback):
        raise TypeError("Expected callable: %r" % (callback,))
    popen.result.rawlink(lambda result: callback(popen))


# gevent's Popen has these; a program may take either module's for gevent's.
setattr(_real.Popen, "result", _Result())
setattr(_real.Popen, "rawlink", _rawlink)
