"""Each test runs in a process of its own with a time limit: patching concerns a whole process,
and a crash in one test must not hide another's result. A test is a plain function; what it
prints is shown when it fails. In modules that say PATCHED = True everything is patched first,
after the module's imports."""

import os
import signal
import subprocess
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))

_run_one = """
import faulthandler, importlib, signal, sys
faulthandler.enable()
# A shell ignores these for what it runs in the background, and children inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGQUIT, signal.SIG_DFL)
sys.path[:0] = sys.argv[3:]
module = importlib.import_module(sys.argv[1])
function = getattr(module, sys.argv[2])
if getattr(module, "PATCHED", False):
    from bine import monkey
    monkey.patch_all()
try:
    function()
except BaseException as error:
    if type(error).__name__ == "Skipped":
        print("SKIPPED:", error)
        sys.exit(77)
    raise
"""


def pytest_configure(config):
    config.addinivalue_line("markers", "seconds(n): time limit of the test's process (default 60)")


def _run(command, seconds):
    """As subprocess.run(). Nothing that the test started outlives a test that fails."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, errors="replace", start_new_session=True)
    try:
        output, _ = process.communicate(timeout=seconds)
        return subprocess.CompletedProcess(command, process.returncode, output)
    finally:
        if process.returncode != 0:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    marker = pyfuncitem.get_closest_marker("seconds")
    seconds = marker.args[0] if marker else 60
    command = [sys.executable, "-c", _run_one, pyfuncitem.module.__name__,
               pyfuncitem.function.__name__, os.path.dirname(pyfuncitem.path), HERE]
    try:
        done = _run(command, seconds)
    except subprocess.TimeoutExpired as expired:
        output = expired.stdout or b""
        pytest.fail("still running after %d s\n%s" % (seconds, output.decode(errors="replace")
                                                       if isinstance(output, bytes) else output),
                    pytrace=False)
    if done.returncode == 77:
        pytest.skip(done.stdout.strip().rpartition("SKIPPED: ")[2])
    if done.returncode:
        pytest.fail("exit status %d\n%s" % (done.returncode, done.stdout), pytrace=False)
    return True
