"""Where gevent had the resolver of c-ares before gevent.resolver.ares."""

from .resolver.ares import Resolver

__all__ = ["Resolver"]
