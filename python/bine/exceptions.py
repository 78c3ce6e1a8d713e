"""Exceptions (gevent.exceptions' names)."""

from ._bine import BlockingSwitchOutError, GreenletExit, LoopExit

__all__ = ["BlockingSwitchOutError", "ConcurrentObjectUseError", "HubDestroyed", "InvalidSwitchError", "InvalidThreadUseError", "LoopExit"]


class InvalidThreadUseError(RuntimeError):
    """Never raised: events, locks and queues belong to no thread. Kept for except clauses."""


class ConcurrentObjectUseError(AssertionError):
    """Never raised: several greenlets may wait on one socket. Kept for except clauses."""


class InvalidSwitchError(AssertionError):
    """Something else than what a greenlet waited for switched to it."""


class HubDestroyed(GreenletExit):
    """Never raised: destroy() of a hub ends no greenlet. Kept for except clauses."""
