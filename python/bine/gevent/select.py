"""select and poll (gevent.select): the module select under gevent's name.

The objects are the standard library's own, made cooperative from below.
"""

import select as _real
from select import *

from ._standard import complete

complete(globals(), _real, "select")
