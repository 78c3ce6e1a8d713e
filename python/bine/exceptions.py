"""Exceptions (gevent.exceptions' names)."""

from ._bine import BlockingSwitchOutError, GreenletExit, LoopExit

__all__ = ["BlockingSwitchOutError", "ConcurrentObjectUseError", "HubDestroyed",
           "InvalidSwitchError", "InvalidThreadUseError", "LoopExit"]


def _hub_of(exit):
    if len(exit.args) == 3:
        return exit.args[1]
    if not exit.__dict__.get("_raised"):
        return None
    from .hub import get_hub

    return get_hub()


LoopExit.hub = property(_hub_of, doc="The hub that has nothing to wait for: the calling thread's. "
                        "None if a program made the exception without one.")


class InvalidThreadUseError(RuntimeError):
    """Never raised: events, locks and queues belong to no thread. Kept for except clauses."""


class ConcurrentObjectUseError(AssertionError):
    """Never raised: several greenlets may wait on one socket. Kept for except clauses."""


class InvalidSwitchError(AssertionError):
    """Something else than what a greenlet waited for switched to it."""


class HubDestroyed(GreenletExit):
    """Never raised: destroy() of a hub ends no greenlet. Kept for except clauses."""
