"""Programs as their users start them, each in a process group of its own that ends
with the test."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time

import pytest

BIN = os.path.dirname(sys.executable)


def port(name):
    """The port of one of the servers that tools/test-frameworks started, or the test is skipped."""
    number = os.environ.get("BINE_%s_PORT" % name.upper())
    if number is None:
        pytest.skip("no servers: run by tools/test-frameworks")
    return int(number)


def free_port():
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(condition, seconds=20):
    """Ask until the condition is true, which is returned; an error after `seconds`."""
    end = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError("still not so after %d s: %s" % (seconds, condition))
        time.sleep(0.05)


class Program:
    """A running command. `with Program("gunicorn", "-k", "gevent", "app:app", cwd=folder,
    port=8000) as program:` waits until it listens.

    The command's first word is looked up in the environment's own folder of programs. `files` are
    written into the folder first. With `place=False` gevent is what is installed under this name.
    What the program prints is in `output()`, and shown if the test fails.
    """

    def __init__(self, *command, files=None, port=None, cwd=None, env=None, place=True):
        self.folder = cwd or tempfile.mkdtemp(prefix="bine-frameworks-")
        for name, text in (files or {}).items():
            with open(os.path.join(self.folder, name), "w") as file:
                file.write(text)
        own = os.path.join(BIN, command[0])
        self.command = [own if os.path.exists(own) else command[0], *map(str, command[1:])]
        self.log = tempfile.TemporaryFile("w+")
        environment = dict(os.environ, PYTHONUNBUFFERED="1", PYTHONFAULTHANDLER="1",
                           PATH=BIN + os.pathsep + os.environ["PATH"])
        environment.update(env or {})
        if not place:
            environment["BINE_GEVENT"] = "off"
        self.process = subprocess.Popen(self.command, cwd=self.folder, env=environment,
                                        stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
                                        start_new_session=True)
        self.pid = self.process.pid
        if port:
            try:
                wait_for(lambda: self.listens(port))
            except BaseException:
                self.end()
                raise

    def listens(self, port):
        """Does the port take connections? An error if the program has ended."""
        if self.process.poll() is not None:
            raise AssertionError("%s ended with status %d:\n%s" %
                                 (self.command, self.process.returncode, self.output()))
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return True
        except OSError:
            return False

    def output(self):
        """Everything that the program has printed."""
        return os.pread(self.log.fileno(), 1 << 24, 0).decode(errors="replace")

    def signal(self, number):
        """Send the program, and not its children, a signal."""
        os.kill(self.pid, number)

    def wait(self, seconds=20):
        """The exit status."""
        return self.process.wait(seconds)

    def end(self):
        """SIGTERM to the program, then SIGKILL to what is left of its process group."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                pass
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, kind, value, traceback):
        self.end()
        if kind is not None:
            print("-- %s printed:\n%s" % (" ".join(self.command), self.output()[-8000:]))
