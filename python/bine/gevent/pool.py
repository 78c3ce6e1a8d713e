"""Groups and pools of greenlets (gevent.pool)."""

from ..pool import Group, IMap, IMapUnordered, Pool, PoolFull
from . import _imap as _imap  # gevent._imap is there with it, without an import of its own
from .greenlet import Greenlet as Greenlet

__all__ = ["Group", "Pool", "PoolFull"]
