"""Programs of the cookbook as processes, and peers for them: for tests whose first argument is the
folder of the examples."""
import contextlib
import os
import re
import resource
import socket
import struct
import subprocess
import sys
import threading
import time

EXAMPLES = os.path.join(sys.argv[1], "cookbook")
SLOWER = int(os.environ.get("BINE_TEST_SLOWER", "1"))
WRAPPER = os.environ.get("BINE_TEST_WRAPPER", "").split()
LIMIT = 30 * SLOWER  # seconds after which something hangs


class Program:
    """A program of the cookbook. One that serves says "NAME: ADDRESS:PORT" first."""

    def __init__(self, name, *arguments, files=None, serves=True, stdin=subprocess.DEVNULL):
        if files and WRAPPER:
            files += 12  # valgrind keeps these for itself
        limit = ((lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))) if files
                 else None)
        self.process = subprocess.Popen([*WRAPPER, os.path.join(EXAMPLES, name),
                                         *map(str, arguments)], stdin=stdin, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, preexec_fn=limit)
        if serves:
            self.port = int(re.search(rb"127\.0\.0\.1:(\d+)", self.process.stdout.readline())[1])

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.process.kill()
        self.process.communicate()

    def close_input(self):
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        self.process.stdin = None  # else communicate() would flush it

    def send(self, number):
        self.process.send_signal(number)

    def end(self, number=None, status=0):
        """What it printed until it ended by itself, or by this signal."""
        if number:
            self.send(number)
        output, errors = (text.decode() for text in self.process.communicate(timeout=LIMIT))
        assert self.process.returncode == status, (
            f"status {self.process.returncode}: {output[-500:]} {errors[-500:]}")
        return output + errors


def run(name, *arguments, status=0, **options):
    with Program(name, *arguments, serves=False, **options) as program:
        return program.end(status=status)


class Client:
    def __init__(self, port, receive_buffer=None):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(LIMIT)
        self.socket.connect(("127.0.0.1", port))
        self.stream = self.socket.makefile("rb")

    def say(self, text):
        self.socket.sendall(text.encode() + b"\n")

    def line(self):
        return self.stream.readline().decode().rstrip("\n")

    def holds(self, text):
        """Has this come, and was not read yet?"""
        with contextlib.suppress(BlockingIOError):
            return text in self.socket.recv(4096, socket.MSG_PEEK | socket.MSG_DONTWAIT).decode()
        return False

    def close(self, reset=False):
        if reset:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.stream.close()
        self.socket.close()


def until(condition, what):
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < deadline, f"not within {LIMIT} s: {what}"
        time.sleep(0.01)


@contextlib.contextmanager
def peer(behave):
    """A server on a thread, for programs that go out: behave(connection, number) for each
    connection. Its port."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=300)
    counter = iter(range(1000000))

    def one(connection, number):
        with connection, contextlib.suppress(OSError):
            behave(connection, number)

    def accept():
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=one, args=(listener.accept()[0], next(counter)),
                                 daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def main(tests, places):
    """Run those of the tests, functions by their names, that are wanted. places: the program of
    each by how its tests' names begin."""
    wanted = sys.argv[2:]
    passed = failed = skipped = 0
    for name, test in list(tests.items()):
        place = next((place for place in places if name.startswith(place)), None)
        if name == place or not place or not callable(test) or test.__code__.co_argcount:
            continue
        if not any(name.startswith(word) for word in wanted) if wanted else place == "connections":
            continue
        if not os.path.exists(os.path.join(EXAMPLES, places[place])):
            print(f"skip {name}: {places[place]} was not built: its library is missing")
            skipped += 1
            continue
        try:
            test()
            print(f"ok {name}", flush=True)
            passed += 1
        except Exception as why:  # one test's trouble is not the next one's
            print(f"FAIL {name}: {type(why).__name__}: {why}", flush=True)
            failed += 1
    print(f"# {passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0
