"""What loops, watchers and callbacks are, for programs that ask by isinstance or read
(gevent._interfaces)."""

from abc import ABCMeta
from typing import Any

from .. import _loop


class _Interface(ABCMeta):
    """An interface, with the methods that zope.interface gives one."""

    def providedBy(cls, thing: Any) -> bool:
        """Does the object have this interface?"""
        return isinstance(thing, cls)

    def implementedBy(cls, kind: Any) -> bool:
        """Do objects of that class have it?"""
        return issubclass(kind, cls)


class Interface(metaclass=_Interface):
    """What all interfaces derive from."""


class ILoop(Interface):
    """An event loop: see bine.gevent.core.loop."""


class IWatcher(Interface):
    """A watcher: start(callback, *args), stop(), close(), active, pending, ref, priority."""


class ICallback(Interface):
    """What loop.run_callback() returns: stop(), close(), pending."""


ILoop.register(_loop.loop)
IWatcher.register(_loop.watcher)
ICallback.register(_loop.callback)

__all__ = ["ICallback", "ILoop", "IWatcher"]
