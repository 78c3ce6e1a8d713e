"""gevent's package on Bine: its modules, its names, its semantics.

    python -m bine.gevent script.py args         runs a program that imports gevent, on Bine
    import bine.gevent; bine.gevent.install()    makes ``import gevent`` mean Bine in this process

`gevent` and `gevent.X` are then other names of `bine.gevent` and `bine.gevent.X`: the same module
objects. Without that the modules can be imported under their own names as well.
"""

from collections import namedtuple
from sys import getswitchinterval, setswitchinterval

from . import event, exceptions, greenlet, hub, os, timeout
from ._config import config
from ._place import install as install
from .greenlet import Greenlet, joinall, killall
from .hub import (GreenletExit, get_hub, getcurrent, idle, iwait, kill, reinit, signal_handler,
                  sleep, spawn_raw, wait)
from .os import fork
from .timeout import Timeout, with_timeout

__all__ = [
    "Greenlet", "GreenletExit", "Timeout", "config", "fork", "get_hub", "getcurrent",
    "getswitchinterval", "idle", "iwait", "joinall", "kill",
    "killall", "reinit", "setswitchinterval", "signal_handler", "sleep", "spawn", "spawn_later",
    "spawn_raw", "wait", "with_timeout",
]

# The gevent whose names and semantics these are.
__version__ = "26.9.0"
_version_info = namedtuple("_version_info", "major, minor, micro, releaselevel, serial")
version_info = _version_info(26, 9, 0, "final", 0)

spawn = Greenlet.spawn
spawn_later = Greenlet.spawn_later

config.monitor_thread  # GEVENT_MONITOR_THREAD_ENABLE acts when it is read
