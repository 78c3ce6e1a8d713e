"""Exceptions (gevent.exceptions' names)."""

from ._bine import GreenletExit, LoopExit

__all__ = ["BlockingSwitchOutError", "ConcurrentObjectUseError", "HubDestroyed", "InvalidSwitchError", "InvalidThreadUseError", "LoopExit"]


class BlockingSwitchOutError(AssertionError):
    """Raised by gevent when a callback of the hub would block. Bine raises OSError(EDEADLK) there; kept for except clauses."""


class InvalidThreadUseError(RuntimeError):
    """An object was used from another thread than the one it belongs to."""


class ConcurrentObjectUseError(AssertionError):
    """Never raised: several greenlets may wait on one socket. Kept for except clauses."""


class InvalidSwitchError(AssertionError):
    """A greenlet was asked to switch to something that cannot be switched to. Kept for except clauses."""


class HubDestroyed(GreenletExit):
    """Never raised: hubs end with their thread. Kept for except clauses."""
