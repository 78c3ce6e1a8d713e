"""Greenlets for Python: gevent's names on a C runtime that makes blocking libc calls cooperative.

    from bine import monkey; monkey.patch_all()
    import bine

    bine.joinall([bine.spawn(fetch, url) for url in urls])
"""

from os import fork
from sys import getswitchinterval, setswitchinterval
from sys import version_info as _python

from . import _free_threading

_free_threading.load()

# No module __getattr__ for those that are not here (monkey, threadpool): CPython does not cache a
# look-up in a module that has one.
from . import _import_locks, _report, event, exceptions, hub, local, lock, pool, queue, timeout
from ._bine import (Greenlet, GreenletExit, Timeout, getcurrent, idle, iwait, joinall, metrics,
                    own_thread_refusal, sleep, version, wait)
from .greenlet import killall, spawn_raw
from ._watchdog import watchdog
from .hub import get_hub, kill, reinit, signal_handler
from .timeout import with_timeout

_import_locks.install()
if _python < (3, 13):
    from . import _fork

    _fork.install()

spawn = Greenlet.spawn
spawn_later = Greenlet.spawn_later
signal = signal_handler

__version__ = version
version_info = tuple(int(part) for part in version.split("."))

__all__ = [
    "Greenlet", "GreenletExit", "Timeout", "fork", "get_hub", "getcurrent", "getswitchinterval",
    "idle", "iwait", "joinall", "kill", "killall", "metrics", "own_thread_refusal", "reinit",
    "setswitchinterval", "signal_handler", "sleep", "spawn", "spawn_later", "spawn_raw", "wait",
    "watchdog", "with_timeout",
]
