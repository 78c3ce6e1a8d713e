"""Greenlet-local attributes (gevent.local)."""

from ..local import local

__all__ = ["local"]
