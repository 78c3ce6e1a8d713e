"""Bine in gevent's place for a whole environment: what `python -m bine.gevent --enable`,
`--disable` and `--status` do.

A directory of site-packages gets three things: a .pth file, which each Python of the environment
reads as it starts; a module for it, which imports Bine when a program imports gevent, not before;
and, unless a gevent is installed, the metadata of a distribution called gevent, so that
importlib.metadata, pip and pkg_resources find the gevent that other packages require. Its list of
files has all three: `pip uninstall gevent`, and an installation of another gevent, take them away
as well as --disable does.
"""

import importlib.machinery
import importlib.metadata
import importlib.util
import os
import shutil
import site
import subprocess
import sys
import sysconfig
from typing import Any, Iterator, List, Optional

_PTH, _MODULE = "bine-gevent.pth", "_bine_gevent.py"

_finder = '''"""Makes ``import gevent`` mean Bine. Written by python -m bine.gevent --enable; \
--disable takes it away. BINE_GEVENT=off keeps it from acting."""

import os
import sys


class BineInGeventsPlace:
    """Asked for gevent, puts Bine's own finder into sys.meta_path. Asks nothing of Bine \
before that."""

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name != "gevent":
            return None
        sys.meta_path.remove(cls)
        try:
            from bine.gevent import _place
        except ModuleNotFoundError as error:
            if error.name in ("bine", "bine.gevent"):
                return None  # Bine has been uninstalled
            raise
        return _place.begin()


if os.environ.get("BINE_GEVENT") != "off":
    sys.meta_path.insert(0, BineInGeventsPlace)
'''

_metadata = """Metadata-Version: 2.1
Name: gevent
Version: %s
Summary: Bine in gevent's place: put here by python -m bine.gevent --enable, taken away by --disable
"""


class Refused(Exception):
    """What was asked for cannot be done; the message says why."""


def _version() -> str:
    from . import __version__

    return __version__


def _directories() -> List[str]:
    """The directories whose .pth files this interpreter reads."""
    found = list(site.getsitepackages())
    if site.ENABLE_USER_SITE:
        found.append(site.getusersitepackages())
    return list(dict.fromkeys(os.path.abspath(directory) for directory in found))


def _target(user: bool) -> str:
    """Where to enable it: the user's directory if asked for or if Bine is installed there,
    else the environment's."""
    known = _directories()
    users = os.path.abspath(site.getusersitepackages())
    here = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    if user and users not in known:
        raise Refused("this Python does not read %s (a virtual environment, or python -s)" % users)
    if user or here == users:
        return users
    for directory in (os.path.abspath(sysconfig.get_path("purelib")), here):
        if directory in known:
            return directory
    raise Refused("this Python reads no .pth files in %s" % sysconfig.get_path("purelib"))


def _enabled() -> List[str]:
    return [directory
            for directory in _directories() if os.path.exists(os.path.join(directory, _PTH))]


def _paths() -> List[str]:
    """sys.path without the current directory, which python -m has put there."""
    return [path for path in sys.path if path not in ("", os.getcwd())]


def _gevents() -> Iterator[Any]:
    """The distributions called gevent that programs see."""
    for distribution in importlib.metadata.distributions(path=_paths()):
        if (distribution.metadata["Name"] or "").lower() == "gevent":
            yield distribution


def _is_ours(distribution: Any) -> bool:
    return (distribution.read_text("INSTALLER") or "").strip() == "bine"


def _real() -> Optional[str]:
    """The real gevent that is installed, as its version and its directory; None if
    there is none."""
    for distribution in _gevents():
        if not _is_ours(distribution):
            return "gevent %s in %s" % (distribution.version, distribution.locate_file(""))
    spec = importlib.machinery.PathFinder.find_spec("gevent", _paths())
    if spec is not None and spec.origin:
        return "a gevent without metadata, %s" % spec.origin
    return None


def _write(path: str, text: str) -> None:
    """All of the file or nothing, for interpreters that start meanwhile."""
    with open(path + ".new", "w") as file:
        file.write(text)
    os.replace(path + ".new", path)


def _dist_info(directory: str) -> str:
    return os.path.join(directory, "gevent-%s.dist-info" % _version())


def _put(directory: str, with_metadata: bool) -> None:
    os.makedirs(directory, exist_ok=True)
    _write(os.path.join(directory, _MODULE), _finder)
    if with_metadata:
        info = _dist_info(directory)
        name = os.path.basename(info)
        os.makedirs(info, exist_ok=True)
        _write(os.path.join(info, "METADATA"), _metadata % _version())
        _write(os.path.join(info, "INSTALLER"), "bine\n")
        _write(os.path.join(info, "top_level.txt"), "gevent\n")
        files = [_MODULE, _PTH] + [name + "/" + part
                                   for part in ("METADATA", "INSTALLER", "top_level.txt", "RECORD")]
        _write(os.path.join(info, "RECORD"), "".join("%s,,\n" % file for file in files))
    _write(os.path.join(directory, _PTH), "import %s\n" % _MODULE[:-3])


def _remove(directory: str) -> None:
    """Take away all that `_put` has put there, the .pth file first."""
    compiled = importlib.util.cache_from_source(os.path.join(directory, _MODULE))
    for name in (_PTH, _MODULE, compiled, _PTH + ".new", _MODULE + ".new"):
        try:
            os.remove(os.path.join(directory, name))
        except FileNotFoundError:
            pass
    for distribution in importlib.metadata.distributions(path=[directory]):
        if (distribution.metadata["Name"] or "").lower() == "gevent" and _is_ours(distribution):
            shutil.rmtree(str(getattr(distribution, "_path")))


def _try() -> str:
    """What a new process says to ``import gevent``: nothing if it gets Bine."""
    program = "import gevent, bine.gevent; assert gevent is bine.gevent, gevent"
    environment = {name: value for name, value in os.environ.items()
                   if name not in ("PYTHONPATH", "BINE_GEVENT")}
    done = subprocess.run([sys.executable, "-c", program], env=environment, cwd="/",
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return (done.stdout.decode(errors="replace") or "exit status %d" % done.returncode
            if done.returncode else "")


def enable(user: bool = False) -> None:
    """Put Bine in gevent's place for every Python of this environment; with `user`, for
    every one of this user.

    Refused if the directory cannot be written, or if a new process does not get Bine afterwards:
    then nothing is left behind. It waits for that process.
    """
    directory, real = _target(user), _real()
    try:
        _remove(directory)  # an older Bine's
        _put(directory, with_metadata=real is None)
    except OSError as error:
        _try_to_remove(directory)
        advice = ("" if user or not site.ENABLE_USER_SITE
                  else ", or enable it for yourself: python -m bine.gevent --enable --user")
        raise Refused("cannot write to %s: %s\nRun this as the owner of that directory%s" %
                      (directory, error.strerror, advice)) from error
    trouble = _try()
    if trouble:
        _try_to_remove(directory)
        raise Refused("not enabled, as a new process does not get Bine when it imports gevent:\n" +
                      trouble)
    print("Bine is in gevent's place (%s)" % directory)
    if real:
        print("The real gevent stays installed, and is not imported until python -m bine.gevent "
              "--disable: %s" % real)


def _try_to_remove(directory: str) -> None:
    try:
        _remove(directory)
    except OSError:
        pass


def disable() -> None:
    """Take Bine out of gevent's place in each directory of this environment. Refused if one of
    them cannot be written."""
    directories = _enabled()
    for directory in directories:
        try:
            _remove(directory)
        except OSError as error:
            raise Refused("cannot write to %s: %s\nRun this as the owner of that directory" %
                          (directory, error.strerror)) from error
        print("Bine is not in gevent's place any more (%s)" % directory)
    if not directories:
        print("Bine was not in gevent's place")
    real = _real()
    print("import gevent gives %s" % real if real else "No gevent is installed")


def status() -> bool:
    """Print which gevent new processes of this environment import, and what is
    installed. True if it is Bine."""
    directories, real = _enabled(), _real()
    for directory in directories:
        print("Bine is in gevent's place (%s)" % directory)
    if not directories:
        print("Bine is not in gevent's place")
    print("Installed: %s" % real if real else "No real gevent is installed")
    versions = ["%s (%s)" % (found.version, "Bine's" if _is_ours(found) else "the real one's")
                for found in _gevents()]
    print("Metadata of gevent: %s" % (", ".join(versions) or "none"))
    if os.environ.get("BINE_GEVENT") == "off":
        print(
            "BINE_GEVENT=off in the environment: this process and its children import the real one")
    return bool(directories)


def command(args: List[str]) -> None:
    """--enable [--user], --disable or --status. SystemExit tells what went wrong, or 1 if the
    status is that Bine is not in place."""
    try:
        if args[0] == "--enable" and args[1:] in ([], ["--user"]):
            enable(user=len(args) > 1)
        elif args == ["--disable"]:
            disable()
        elif args == ["--status"]:
            sys.exit(0 if status() else 1)
        else:
            sys.exit("usage: python -m bine.gevent --enable [--user] | --disable | --status")
    except Refused as reason:
        sys.exit("bine.gevent: %s" % reason)
