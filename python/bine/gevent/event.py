"""Event and AsyncResult (gevent.event)."""

from ..event import AsyncResult, Event

__all__ = ["AsyncResult", "Event"]
