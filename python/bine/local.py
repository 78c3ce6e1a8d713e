"""Greenlet-local attributes (gevent.local's name).

A greenlet has a thread state of its own, so threading.local is greenlet-local already, patched or not.
"""

from _thread import _local as local

__all__ = ["local"]
