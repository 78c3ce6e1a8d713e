"""Greenlet-local attributes (gevent.local's name).

A greenlet has a thread state of its own, so threading.local is greenlet-local already, patched or not. This one can be copied, too.
"""

from _thread import _local

__all__ = ["local"]


class local(_local):
    """threading.local with gevent's copy.copy(): a new object with the current greenlet's attributes."""

    __slots__ = ("_made_with",)

    def __new__(cls, *args, **kwargs):
        if (args or kwargs) and cls.__init__ is object.__init__:
            raise TypeError("Initialization arguments are not supported", args, kwargs)
        self = _local.__new__(cls, *args, **kwargs)
        self._made_with = args, kwargs
        return self

    def __copy__(self):
        args, kwargs = self._made_with
        copy = type(self)(*args, **kwargs)
        copy.__dict__.update(self.__dict__)
        return copy
