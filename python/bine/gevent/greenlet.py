"""The Greenlet type and functions over several greenlets (gevent.greenlet)."""

from .._link import FailureSpawnedLink, SpawnedLink, SuccessSpawnedLink
from ..greenlet import Greenlet, joinall, killall

__all__ = [
    "FailureSpawnedLink", "Greenlet", "SpawnedLink", "SuccessSpawnedLink", "joinall", "killall",
]
