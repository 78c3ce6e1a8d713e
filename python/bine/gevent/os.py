"""Processes and descriptors (gevent.os): the module os under gevent's name.

The objects are the standard library's own, made cooperative from below.
"""

import os as _real
from os import *

from ._standard import complete

complete(globals(), _real, "process")
