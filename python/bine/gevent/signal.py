"""Signals (gevent.signal): the module signal under gevent's name.

The objects are the standard library's own, made cooperative from below.
"""

import signal as _real
from signal import *

from ._standard import complete

complete(globals(), _real)
