"""What the command `bine` does, for those who have the package: python -m bine ps PID, stack,
waits, tree, top, doctor.

The command itself does it, since it looks into a process from outside. It is looked for beside this
Python and on the path. BINE_COMMAND names another one.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
from typing import Iterator, List


def _candidates() -> Iterator[str]:
    named = os.environ.get("BINE_COMMAND")
    if named:
        yield named
        return
    yield os.path.join(sysconfig.get_path("scripts"), "bine")
    found = shutil.which("bine")
    if found:
        yield found


def _is_ours(path: str) -> bool:
    """Another project's command may have the name."""
    try:
        said = subprocess.run([path, "--help"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              timeout=10).stdout
    except (OSError, subprocess.SubprocessError):
        return False
    return b"bine doctor" in said and b"bine ps" in said


def main(arguments: List[str]) -> int:
    for path in _candidates():
        if os.access(path, os.X_OK) and _is_ours(path):
            os.execv(path, [path, *arguments])
    print(
        "bine: `python -m bine` calls the command `bine`, which is not installed here. It comes "
        "with the C library: "
        "docs/install.md. BINE_COMMAND=PATH names it.",
        file=sys.stderr,
    )
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
