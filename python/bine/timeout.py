"""Timeout and with_timeout (gevent.timeout's names)."""

from ._bine import Timeout, getcurrent

__all__ = ["Timeout", "with_timeout"]

_none = object()


def _watch(timeout, exception):
    """Have the loop call the timeout's own _on_expiration(): the watcher."""
    from .hub import get_hub

    watcher = get_hub().loop.timer(max(timeout.seconds, 0))
    watcher.start(timeout._on_expiration, getcurrent(), exception)
    return watcher


def with_timeout(seconds, function, *args, **kwds):
    """Call ``function(*args, **kwds)``; if it takes longer than ``seconds``, a number or a Timeout,
    return ``timeout_value`` if that was given, else raise the Timeout."""
    timeout_value = kwds.pop("timeout_value", _none)
    timeout = Timeout.start_new(seconds)
    try:
        with timeout:
            return function(*args, **kwds)
    except Timeout as expired:
        if expired is timeout and timeout_value is not _none:
            return timeout_value
        raise
    if timeout_value is _none:  # Timeout(seconds, False) ended the block
        raise timeout
    return timeout_value
