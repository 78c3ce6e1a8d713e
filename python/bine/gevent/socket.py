"""Sockets (gevent.socket): the module socket under gevent's name.

The objects are the standard library's own, made cooperative from below.
"""

import socket as _real
from socket import *

from ._standard import complete

complete(globals(), _real, "socket", "dns")
