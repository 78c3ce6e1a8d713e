"""Greenlets for Python: gevent's names on a C runtime that makes blocking libc calls cooperative."""

from ._bine import Greenlet, GreenletExit, LoopExit, Timeout, getcurrent, idle, iwait, joinall, sleep, wait

spawn = Greenlet.spawn
spawn_later = Greenlet.spawn_later
