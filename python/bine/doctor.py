"""What will differ when a program of gevent's runs on Bine: read from its source,
without running it.

    python -m bine.doctor program.py            a script
    python -m bine.doctor -m package.module     a module of sys.path
    python -m bine.doctor folder                all .py files below

The imports of the program are followed, into installed packages as well, but not into the standard
library. What is imported by a computed name is not seen. Exit status: 0; 1 if something is missing;
2 if the program cannot be read.
"""

import ast
import importlib
import importlib.machinery
import os
import sys
import sysconfig
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Set, Tuple

from . import _bine

__all__ = ["Finding", "examine", "main"]

MISSING, DIFFERS, GAINS = "missing", "differs", "gains"
_HEADINGS = {
    MISSING: "Missing: the program fails where it gets there",
    DIFFERS: "Differs: it runs, look whether it matters",
    GAINS: "Gains: what blocked under gevent, or needed help, and does not here",
}

# What is known of packages that programs import.
_PACKAGES = {
    "grpc": (DIFFERS,
             "its own threads do not fit with patched ones: monkey.own_threads(\"cygrpc*\") and "
             "greenlets with own_thread, or monkey.patch_all(thread=False) and bine.threadpool"),
    "eventlet": (DIFFERS,
                 "another library of greenlets, with a hub and patches of its own: its greenlets "
                 "and Bine's do not wait for each other"),
    "psycogreen": (DIFFERS, "not needed: psycopg2 is cooperative without it, and faster"),
    "psycopg2": (GAINS, "cooperative with no patch of its own"),
    "MySQLdb": (GAINS, "mysqlclient is cooperative"),
    "pycurl": (GAINS, "cooperative"),
    "sqlite3": (GAINS, "waiting for another process's lock parks the greenlet"),
    "aiohttp": (GAINS,
                "asyncio.run() works in each greenlet, and bine.aio joins both in one thread"),
    "multiprocessing": (GAINS, "works in all its start methods"),
    "_xxsubinterpreters": (DIFFERS, "greenlets run in the main interpreter only"),
    "_interpreters": (DIFFERS, "greenlets run in the main interpreter only"),
}

# Names of gevent's that are there and do something else.
_NAMES = {
    "gevent.monkey.get_original": "answers the object that is there, since patching replaces none",
    "gevent.monkey.patch_all":
        "replaces no Python object, and works at any time: it points libc's calls at the runtime",
    "gevent.config.loop": "accepted without effect: BINE_POLLER chooses",
    "gevent.config.libev_backend": "accepted without effect: BINE_POLLER chooses",
    "gevent.util.assert_switches": "any switch counts, hub_only means nothing",
    "gevent.exceptions.ConcurrentObjectUseError":
        "never raised: several greenlets may wait on one socket",
    "gevent.exceptions.LoopExit":
        "raised in the main greenlet only, and carries a dump of who waits for what",
}


class Finding(NamedTuple):
    """One thing that a program should know, and where it was found first."""

    kind: str
    subject: str
    text: str
    path: str
    line: int


class _Sources:
    """Finds modules as the import would, without importing anything of the program's."""

    def __init__(self, first: str) -> None:
        self._path = [first] + [entry for entry in sys.path if entry]
        self._standard = {os.path.realpath(sysconfig.get_paths()[name])
                          for name in ("stdlib", "platstdlib")}

    def find(self, name: str) -> Optional[importlib.machinery.ModuleSpec]:
        """The spec of a module, by its whole name."""
        path, spec = self._path, None
        for depth, _ in enumerate(name.split("."), 1):
            part = ".".join(name.split(".")[:depth])
            try:
                spec = importlib.machinery.PathFinder.find_spec(part, path)
            except (ImportError, ValueError):
                return None
            if spec is None:
                return None
            path = list(spec.submodule_search_locations or [])
        return spec

    def source(self, name: str) -> Optional[str]:
        """The file to read for a module; None for the standard library's, for Bine's and gevent's
        own, and for those that have no source."""
        if name.split(".")[0] in ("bine", "gevent", "greenlet"):
            return None
        spec = self.find(name)
        if spec is None or not spec.origin or not spec.origin.endswith(".py"):
            return None
        folder = os.path.realpath(os.path.dirname(spec.origin))
        if ("site-packages" not in folder and
            any(folder == one or folder.startswith(one + os.sep) for one in self._standard)):
            return None
        return spec.origin


class _Reader(ast.NodeVisitor):
    """The imports of one file, and the names of gevent that it uses."""

    def __init__(self, package: str) -> None:
        self._package = package
        self._known: Dict[str, str] = {}  # a name in the file -> what of gevent it stands for
        self.imports: List[Tuple[str, int]] = []
        self.used: List[Tuple[str, int]] = []

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self.imports.append((alias.name, node.lineno))
            if alias.name.split(".")[0] == "gevent":
                self._known[alias.asname or "gevent"] = alias.name if alias.asname else "gevent"
                self.used.append((alias.name, node.lineno))

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        module = node.module or ""
        if node.level:
            parts = self._package.split(".")
            parts = parts[:len(parts) - node.level + 1]
            module = ".".join(parts + ([module] if module else []))
        if not module:
            return
        self.imports.append((module, node.lineno))
        for alias in node.names:
            if alias.name == "*":
                continue
            self.imports.append(("%s.%s" % (module, alias.name), node.lineno))
            if module.split(".")[0] == "gevent":
                self._known[alias.asname or alias.name] = "%s.%s" % (module, alias.name)
                self.used.append(("%s.%s" % (module, alias.name), node.lineno))

    def visit_Attribute(self, node: ast.Attribute) -> None:
        names, below = [node.attr], node.value
        while isinstance(below, ast.Attribute):
            names.append(below.attr)
            below = below.value
        if isinstance(below, ast.Name) and below.id in self._known:
            self.used.append((".".join([self._known[below.id]] + names[::-1]), node.lineno))
        else:
            self.generic_visit(node)


def _read(path: str, package: str) -> Optional[_Reader]:
    try:
        with open(path, "rb") as file:
            tree = ast.parse(file.read(), path)
    except (OSError, SyntaxError, ValueError, RecursionError):
        return None
    reader = _Reader(package)
    reader.visit(tree)
    return reader


def _missing(name: str) -> Optional[str]:
    """The part of a dotted name of gevent's that Bine does not have, or None. Only modules count,
    and what lies right in one."""
    parts = name.split(".")
    module: Any = importlib.import_module("bine.gevent")
    for depth, part in enumerate(parts[1:], 2):
        try:
            module = importlib.import_module("bine." + ".".join(parts[:depth]))
        except ImportError as error:
            if hasattr(module, part):
                return None
            if error.name and not error.name.startswith("bine."):
                return None  # it is there, and needs a package that is not installed here
            return ".".join(parts[:depth])
    return None


def _of_name(name: str, path: str, line: int) -> Iterator[Finding]:
    missing = _missing(name)
    if missing:
        yield Finding(MISSING, missing, "private, and not there" if "._" in missing
                      else "not there: docs/gevent.md says what to use", path, line)
    elif name in _NAMES:
        yield Finding(DIFFERS, name, _NAMES[name], path, line)


def _of_import(name: str, path: str, line: int) -> Iterator[Finding]:
    known = _PACKAGES.get(name.split(".")[0])
    if known:
        yield Finding(known[0], name.split(".")[0], known[1], path, line)


def _of_interpreter() -> Iterator[Finding]:
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        yield Finding(DIFFERS, "this CPython", "a free-threaded build: Bine has it turn the GIL on",
                      sys.executable, 0)
    if _bine.disabled():
        yield Finding(DIFFERS, "BINE_DISABLE", "is set: nothing is patched", "environment", 0)


def examine(paths: List[str], first: Optional[str] = None) -> List[Finding]:
    """What programs should know whose main files these are. `first`: the folder that imports look
    in first (None: that of the first file). Imports modules of Bine only; runs nothing of the
    program. OSError if a path cannot be read."""
    sources = _Sources(first or os.path.dirname(os.path.abspath(paths[0])))
    waiting = [(path, "") for path in paths]
    for path in paths:
        open(path, "rb").close()
    seen: Set[str] = set()
    found: Dict[Tuple[str, str], Finding] = {}
    for finding in _of_interpreter():
        found.setdefault((finding.kind, finding.subject), finding)
    while waiting:
        path, package = waiting.pop(0)
        if os.path.realpath(path) in seen:
            continue
        seen.add(os.path.realpath(path))
        reader = _read(path, package)
        if reader is None:
            continue
        findings = [f for name, line in reader.used for f in _of_name(name, path, line)]
        findings += [f for name, line in reader.imports for f in _of_import(name, path, line)]
        for finding in findings:
            found.setdefault((finding.kind, finding.subject), finding)
        for name, _ in reader.imports:
            origin = sources.source(name)
            if origin:
                waiting.append((origin, name if os.path.basename(origin) == "__init__.py"
                                else name.rpartition(".")[0]))
    return list(found.values())


def _paths(args: List[str]) -> List[str]:
    if len(args) == 2 and args[0] == "-m":
        name = args[1]
        sources = _Sources(os.getcwd())
        spec = sources.find(name + ".__main__") or sources.find(name)
        if spec is None or not spec.origin or not spec.origin.endswith(".py"):
            raise OSError("no module with a source: %s" % name)
        return [spec.origin]
    if len(args) != 1 or args[0].startswith("-"):
        raise OSError("usage: python -m bine.doctor program.py | folder | -m module")
    if not os.path.isdir(args[0]):
        return args
    paths = sorted(os.path.join(folder, name) for folder, _, names in os.walk(args[0])
                   for name in names if name.endswith(".py"))
    if not paths:
        raise OSError("no .py file in %s" % args[0])
    return paths


def main(args: Optional[List[str]] = None) -> int:
    """Print what differs for the program that the arguments name (None: sys.argv).
    The exit status."""
    given = sys.argv[1:] if args is None else args
    try:
        paths = _paths(given)
        found = examine(paths, given[0] if os.path.isdir(given[0])
                        else os.getcwd() if given[0] == "-m" else None)
    except OSError as error:
        print("bine.doctor: %s" % error, file=sys.stderr)
        return 2
    for kind, heading in _HEADINGS.items():
        here = [finding for finding in found if finding.kind == kind]
        if here:
            print("%s\n" % heading)
            for finding in here:
                where = "%s:%d" % (finding.path, finding.line) if finding.line else finding.path
                print("  %s: %s\n      %s" % (finding.subject, finding.text, where))
            print()
    if not found:
        print("Nothing that is known to differ.")
    return 1 if any(finding.kind == MISSING for finding in found) else 0


if __name__ == "__main__":
    sys.exit(main())
