"""Where gevent had its binding of c-ares before gevent.resolver.cares."""

from .resolver.cares import channel

__all__ = ["channel"]
