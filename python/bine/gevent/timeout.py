"""Timeout and with_timeout (gevent.timeout)."""

from ..timeout import Timeout, with_timeout

__all__ = ["Timeout", "with_timeout"]
