"""Selectors (gevent.selectors): the module selectors under gevent's name.

The objects are the standard library's own, made cooperative from below.
"""

import selectors as _real
from selectors import *

from ._standard import complete

complete(globals(), _real, "select")
