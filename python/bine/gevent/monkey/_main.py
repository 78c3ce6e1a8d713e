"""python -m gevent.monkey"""

import sys

from ... import monkey as _bine
from ._patch import patch_all

_usage = """usage: python -m gevent.monkey [options] [--module] script.py|module [arguments]

Run the program with everything patched, as by patch_all().

  --no-NAME       leave out what patch_all() calls NAME, e.g. --no-thread
  --NAME          patch only what is named so, e.g. --socket --dns
  --module, -m    the program is a module's name
  --verbose       say what is patched
"""


def main() -> None:
    """Run the program that sys.argv names, patched as its options say; SystemExit with a message if
    they say nothing that can be done."""
    code = patch_all.__code__
    known = code.co_varnames[:code.co_argcount]
    if {"-h", "--help"} & set(sys.argv[1:2]):
        print(_usage, end="")
        return
    try:
        flags, module, verbose, args = _bine.options(sys.argv[1:], known)
    except ValueError as error:
        sys.exit("%s\ncannot patch: %s" % (_usage, error))
    if not args:
        print(_usage, end="")
        return
    if verbose:
        print("gevent.monkey.patch_all(%s)" %
              ", ".join("%s=%s" % flag for flag in sorted(flags.items())), file=sys.stderr)
    patch_all(**flags)
    _bine.run(args, module)
