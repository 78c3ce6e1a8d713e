"""Built-in names (gevent.builtins): the module builtins under gevent's name.

The objects are the standard library's own, made cooperative from below.
"""

import builtins as _real
from builtins import *

from ._standard import complete

complete(globals(), _real)
