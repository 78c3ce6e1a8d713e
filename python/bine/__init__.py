"""Greenlets for Python: gevent's names on a C runtime that makes blocking libc calls cooperative.

    from bine import monkey; monkey.patch_all()
    import bine

    bine.joinall([bine.spawn(fetch, url) for url in urls])
"""

from os import fork
from sys import getswitchinterval, setswitchinterval

from ._bine import (Greenlet, GreenletExit, Timeout, getcurrent, idle, iwait, joinall, sleep, version, wait)
from .greenlet import killall, spawn_raw
from .hub import get_hub, kill, reinit, signal_handler
from .timeout import with_timeout

spawn = Greenlet.spawn
spawn_later = Greenlet.spawn_later
signal = signal_handler

__version__ = version
version_info = tuple(int(part) for part in version.split("."))

__all__ = [
    "Greenlet", "GreenletExit", "Timeout", "fork", "get_hub", "getcurrent", "getswitchinterval", "idle", "iwait", "joinall", "kill", "killall",
    "reinit", "setswitchinterval", "signal_handler", "sleep", "spawn", "spawn_later", "spawn_raw", "wait", "with_timeout",
]

_submodules = ("event", "exceptions", "hub", "local", "lock", "monkey", "pool", "queue", "threadpool", "timeout")


def __getattr__(name):
    """bine.event and its like without an import of their own."""
    if name in _submodules:
        import importlib

        return importlib.import_module("." + name, __name__)
    raise AttributeError("module %r has no attribute %r" % (__name__, name))
