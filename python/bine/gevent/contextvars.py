"""Context variables (gevent.contextvars): the module contextvars under gevent's name.

The objects are the standard library's own, made cooperative from below.
"""

import contextvars as _real
from contextvars import *

from ._standard import complete

complete(globals(), _real)
