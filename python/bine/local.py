"""Greenlet-local attributes (gevent.local's name).

A greenlet has a thread state of its own, so threading.local is greenlet-local already, patched or
not. This one can be copied, too.
"""

import weakref

from _thread import _local

from ._bine import getcurrent

__all__ = ["all_local_dicts_for_greenlet", "local"]

# By id: a subclass may not be hashable, or not before its __init__.
_all = weakref.WeakValueDictionary()


def all_local_dicts_for_greenlet(greenlet):
    """What the `local` objects keep for the current greenlet: a list of ((type, id), dict), without
    those that keep nothing.

    ValueError for another greenlet: CPython does not tell what an object keeps for
    another thread state."""
    if greenlet is not getcurrent():
        raise ValueError("only the current greenlet's can be told")
    living = [one for one in (reference() for reference in _all.valuerefs()) if one is not None]
    found = [((type(one), id(one)), one.__dict__) for one in living]
    return [pair for pair in found if pair[1]]


class local(_local):
    """threading.local with gevent's copy.copy(): a new object with the current
    greenlet's attributes."""

    __slots__ = ("_made_with",)

    def __new__(cls, *args, **kwargs):
        if (args or kwargs) and cls.__init__ is object.__init__:
            raise TypeError("Initialization arguments are not supported", args, kwargs)
        self = _local.__new__(cls, *args, **kwargs)
        self._made_with = args, kwargs
        _all[id(self)] = self
        return self

    def __copy__(self):
        args, kwargs = self._made_with
        copy = type(self)(*args, **kwargs)
        copy.__dict__.update(self.__dict__)
        return copy
