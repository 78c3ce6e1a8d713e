"""Threads (gevent.threading): the module threading under gevent's name.

The objects are the standard library's own, made cooperative from below.
"""

import threading as _real
from threading import *

from .._bine import getcurrent as getcurrent
from ._standard import complete

complete(globals(), _real)


def main_native_thread() -> _real.Thread:
    """The object of the thread that the interpreter began in. Does not switch."""
    return _real.main_thread()
