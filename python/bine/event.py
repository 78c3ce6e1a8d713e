"""Event and AsyncResult (gevent.event's names)."""

from ._bine import AsyncResult, Event

__all__ = ["AsyncResult", "Event"]
