"""The Greenlet type and functions over several greenlets (gevent.greenlet's names)."""

from ._bine import Greenlet, GreenletExit, Timeout, joinall, wait

__all__ = ["Greenlet", "joinall", "killall", "spawn_raw"]


def spawn_raw(function, *args, **kwargs):
    """Run ``function(*args, **kwargs)`` in a new greenlet.

    gevent's raw greenlets lack what Greenlet has; here they cost the same, so this is a Greenlet.
    """
    return Greenlet.spawn(function, *args, **kwargs)


def killall(greenlets, exception=GreenletExit, block=True, timeout=None):
    """Raise ``exception`` in all of them; if ``block``, wait for their ends, at most ``timeout``
    seconds (then Timeout)."""
    greenlets = list(greenlets)
    for greenlet in greenlets:
        greenlet.kill(exception, block=False)
    if block:
        timer = Timeout.start_new(timeout)
        try:
            wait([greenlet for greenlet in greenlets if greenlet])
        finally:
            timer.cancel()
