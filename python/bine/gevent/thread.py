"""Low-level threads and locks (gevent.thread): the module _thread under gevent's name.

The objects are the standard library's own, made cooperative from below.
"""

import _thread as _real
from _thread import *

from ._standard import complete

complete(globals(), _real)
