"""Threads (gevent.threading): the module threading under gevent's name.

The objects are the standard library's own, made cooperative from below.
"""

import threading as _real
from threading import *

from ._standard import complete

complete(globals(), _real)
