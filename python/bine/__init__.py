"""Greenlets for Python: gevent's names on a C runtime that makes blocking libc calls cooperative."""

from ._bine import Greenlet, GreenletExit, Timeout, getcurrent, idle, sleep

spawn = Greenlet.spawn
spawn_later = Greenlet.spawn_later


def joinall(greenlets, timeout=None):
    for g in greenlets:
        g.join(timeout)
    return greenlets
