"""Where gevent had the resolver on threads before gevent.resolver.thread."""

from .resolver.thread import Resolver

__all__ = ["Resolver"]
