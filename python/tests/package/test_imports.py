"""What the import of Bine brings with it: programs that start often pay for each module."""

import subprocess
import sys

UNWANTED = {"asyncio", "email", "importlib.abc", "importlib.metadata", "importlib.resources",
            "inspect", "logging", "pathlib", "random", "runpy",
            "shutil", "socket", "ssl", "subprocess", "tempfile"}
if sys.version_info < (3, 10):
    UNWANTED.discard("importlib.abc")  # importlib.util brings it there

# Without site, whose .pth files import what they like.
_program = """
import sys
sys.path[:0] = {path!r}
before = set(sys.modules)
import {name}
print(*sorted((set(sys.modules) - before) & {unwanted!r}))
"""


def brings(name):
    program = _program.format(path=sys.path, name=name, unwanted=UNWANTED)
    return subprocess.run([sys.executable, "-S", "-c", program], stdout=subprocess.PIPE,
                          check=True).stdout.split()


def test_the_import_of_bine_brings_no_large_modules():
    assert brings("bine") == []


def test_the_import_of_gevents_package_brings_no_large_modules():
    assert brings("bine.gevent") == []
