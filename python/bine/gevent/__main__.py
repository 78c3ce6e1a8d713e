"""python -m bine.gevent [-m module | script.py] args: run a program for which ``import
gevent`` means Bine.

With --enable [--user], --disable or --status instead: have it so for all programs of the
environment, see _environment.
"""

import os
import sys

from ..monkey import run
from . import _environment
from ._place import install


_usage = """usage: python -m bine.gevent [-m module | script.py] args
       python -m bine.gevent --enable [--user] | --disable | --status"""


def main() -> None:
    """Run the program that sys.argv names, in this process. SystemExit: there is none, or the
    arguments are wrong."""
    args = sys.argv[1:]
    if args[:1] in (["-h"], ["--help"]):
        print(_usage)
        return
    if not args or args == ["-m"]:
        sys.exit(_usage)
    if args[0].startswith("-") and not args[0].startswith("--") and args[0] != "-m":
        sys.exit("bine.gevent: there is no option %s\n%s" % (args[0], _usage))
    if args[0] != "-m" and not args[0].startswith("--") and not os.path.exists(args[0]):
        sys.exit("bine.gevent: there is no file %s" % args[0])
    if args[0].startswith("--"):
        _environment.command(args)
        return
    install()
    module = args[0] == "-m"
    run(args[1:] if module else args, module)


main()
