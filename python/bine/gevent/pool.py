"""Groups and pools of greenlets (gevent.pool)."""

from ..pool import Group, IMap, IMapUnordered, Pool, PoolFull

__all__ = ["Group", "Pool", "PoolFull"]
