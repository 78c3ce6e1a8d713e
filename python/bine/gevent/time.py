"""Clocks and sleep (gevent.time): the module time under gevent's name.

The objects are the standard library's own, made cooperative from below.
"""

import time as _real
from time import *

from ._standard import complete

complete(globals(), _real, "time")
