"""The event loop and its watchers (gevent.core).

``get_hub().loop`` is the calling thread's loop; it makes watchers (``io``, ``timer``, ``async_``,
``signal``, ``child``, ``fork``, ``prepare``, ``check``, ``idle``, ``stat``), whose
``start(callback, *args)`` has the callback called at each event, between two greenlets. A callback
may not wait (BlockingSwitchOutError). READ and WRITE are the events of ``io``.
"""

from typing import Any, List

from .. import _loop
from .._bine import poller_name, version
from .._loop import (ASYNC, CHECK, CHILD, CLEANUP, CUSTOM, EMBED, FORK, IDLE, MAXPRI, MINPRI,
                     PREPARE, READ, SIGNAL, STAT, TIMER, WRITE, async_, callback,
                     check, child, fork, idle, io, loop, prepare, signal, stat, timer, watcher)

READWRITE = READ | WRITE
NONE, UNDEF, ERROR = 0, -1, -0x80000000
PERIODIC = 0x200
# libev's numbers for kinds of pollers, and its flags, which mean nothing here.
BACKEND_SELECT, BACKEND_POLL, BACKEND_EPOLL, BACKEND_KQUEUE = 1, 2, 4, 8
BACKEND_DEVPOLL, BACKEND_PORT, BACKEND_LINUXAIO, BACKEND_IOURING = 16, 32, 64, 128
NOINOTIFY, SIGNALFD, NOSIGMASK, FORKCHECK = 0x100000, 0x200000, 0x400000, 0x2000000


class _Events:
    """Stands for the events that have happened, where a callback's arguments are listed."""

    def __repr__(self) -> str:
        return "gevent.core.EVENTS"


EVENTS = _Events()

globals()["async"] = async_  # a keyword by now

__all__ = [
    "BACKEND_EPOLL", "BACKEND_IOURING", "BACKEND_POLL", "BACKEND_SELECT", "EVENTS", "MAXPRI",
    "MINPRI", "READ", "READWRITE", "WRITE", "async_", "callback", "check", "child",
    "embeddable_backends", "fork", "get_header_version", "get_version", "idle", "io", "loop",
    "prepare", "recommended_backends", "signal", "stat", "supported_backends", "time", "timer",
    "watcher",
]


def get_version() -> str:
    """What the loop is made of, and its version."""
    return "bine-" + version


def get_header_version() -> str:
    """The same as get_version()."""
    return get_version()


def supported_backends() -> List[str]:
    """The pollers that Bine has on Linux: "uring" and "epoll"."""
    return ["uring", "epoll"]


def recommended_backends() -> List[str]:
    """The poller that this thread uses, or both if it has not waited for a descriptor."""
    name = poller_name()
    return [name] if name in supported_backends() else supported_backends()


def embeddable_backends() -> List[str]:
    """None: no loop is embedded in another."""
    return []


def time() -> float:
    """The time of day in seconds, as time.time()."""
    import time as _time

    return _time.time()
