"""python -m bine.gevent.monkey [options] script.py args: as python -m gevent.monkey, and ``import
gevent`` means Bine."""

from .. import install
from . import main

install()
main()
