"""Sockets (gevent.socket): the module socket under gevent's name, and gevent's
waits for descriptors.

The objects are the standard library's own, made cooperative from below. Several greenlets may
wait for one descriptor.
"""

import socket as _real
from socket import *

import select as _select
from typing import Any

from .. import _bine
from ..timeout import Timeout as _Timeout
from ._standard import complete

complete(globals(), _real, "socket", "dns")

_NONE: Any = object()
timeout_default = _NONE


class cancel_wait_ex(OSError):
    """What cancel_wait() raises in the greenlet that waits: EBADF."""

    def __init__(self) -> None:
        super().__init__(_real.EBADF, "File descriptor was closed in another greenlet")


def _wait(fileno: int, events: int, seconds: Any, timeout_exc: Any) -> None:
    if seconds is not None and not isinstance(seconds, _Timeout) and seconds < 0:
        seconds = None
    if seconds is None or timeout_exc is _NONE:
        if not _bine.wait_fd(fileno, events, seconds):
            raise _real.timeout("timed out")
        return
    with _Timeout.start_new(seconds, timeout_exc):
        _bine.wait_fd(fileno, events)


def wait_read(fileno: int, timeout: Any = None, timeout_exc: Any = _NONE) -> None:
    """Wait until the descriptor can be read (or its peer has gone).

    `timeout` is in seconds, None or negative for no limit. When it has passed socket.timeout is
    raised, or what `timeout_exc` says as the argument of Timeout does. OSError EBADF when the
    descriptor is closed, now or by another greenlet. Switches."""
    _wait(fileno, _select.POLLIN | _select.POLLPRI, timeout, timeout_exc)


def wait_write(fileno: int, timeout: Any = None, timeout_exc: Any = _NONE,
               event: Any = _NONE) -> None:
    """Wait until the descriptor can be written. As wait_read(); `event` means nothing."""
    _wait(fileno, _select.POLLOUT, timeout, timeout_exc)


def wait_readwrite(fileno: int, timeout: Any = None, timeout_exc: Any = _NONE,
                   event: Any = _NONE) -> None:
    """Wait until the descriptor can be read or written. As wait_read(); `event` means nothing."""
    _wait(fileno, _select.POLLIN | _select.POLLPRI | _select.POLLOUT, timeout, timeout_exc)


def wait(watcher: Any, timeout: Any = None, timeout_exc: Any = _NONE, hub: Any = None) -> None:
    """Wait until the watcher (hub.loop.io(...) and its like) has an event. Arguments as of
    wait_read(). cancel_wait() ends it. Switches."""
    if hub is None:
        from .hub import get_hub

        hub = get_hub()
    if timeout is not None and not isinstance(timeout, _Timeout) and timeout < 0:
        timeout = None
    with _Timeout.start_new(timeout,
                            _real.timeout("timed out") if timeout_exc is _NONE else timeout_exc):
        hub.wait(watcher)


def cancel_wait(watcher: Any, error: Any = cancel_wait_ex) -> None:
    """Soon raise `error` (a class or an instance) in the greenlet that waits for the watcher, by
    wait() or hub.wait(). Nobody: nothing. Does not switch."""
    from .hub import get_hub

    get_hub().cancel_wait(watcher, error)


__all__ = list(_real.__all__) + ["cancel_wait", "cancel_wait_ex", "wait", "wait_read",
                                 "wait_readwrite", "wait_write"]
