"""TLS (gevent.ssl): the module ssl under gevent's name.

The objects are the standard library's own, made cooperative from below.
"""

import ssl as _real
from ssl import *

from ._standard import complete

complete(globals(), _real, "socket")
