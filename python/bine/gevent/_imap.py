"""Where gevent keeps what imap() makes: tracers look for the classes here, and put
their own in their place."""

from ..pool import IMap, IMapUnordered
from .greenlet import Greenlet

__all__ = ["Greenlet", "IMap", "IMapUnordered"]
