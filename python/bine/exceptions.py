"""Exceptions (gevent.exceptions' names)."""

from ._bine import BlockingSwitchOutError, GreenletExit, LoopExit

__all__ = ["BlockingSwitchOutError", "ConcurrentObjectUseError", "HubDestroyed", "InvalidSwitchError", "InvalidThreadUseError", "LoopExit"]


class InvalidThreadUseError(RuntimeError):
    """An object was used from another thread than the one it belongs to."""


class ConcurrentObjectUseError(AssertionError):
    """Never raised: several greenlets may wait on one socket. Kept for except clauses."""


class InvalidSwitchError(AssertionError):
    """Something else than what a greenlet waited for switched to it."""


class HubDestroyed(GreenletExit):
    """Never raised: hubs end with their thread. Kept for except clauses."""
