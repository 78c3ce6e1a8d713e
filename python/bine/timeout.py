"""Timeout and with_timeout (gevent.timeout's names)."""

from ._bine import Timeout

__all__ = ["Timeout", "with_timeout"]

_none = object()


def with_timeout(seconds, function, *args, **kwds):
    """Call ``function(*args, **kwds)``; if it takes longer than ``seconds``, return ``timeout_value`` if that was given,
    else raise the Timeout."""
    timeout_value = kwds.pop("timeout_value", _none)
    timeout = Timeout(seconds)
    try:
        with timeout:
            return function(*args, **kwds)
    except Timeout as expired:
        if expired is timeout and timeout_value is not _none:
            return timeout_value
        raise
