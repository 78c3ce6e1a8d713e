"""Waits that look as if they were none: loops that only try, calls that wait for a peer,
signals between two looks."""

import fcntl
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time

import bine
import bine.event
import bine.lock
import bine.pool
import bine.queue

PATCHED = True


def test_hazard_52_a_program_that_never_calls_bine_lets_others_run():
    # Its greenlets are threads of threading alone. The one that tries has the GIL all the time.
    lock = threading.Lock()
    lock.acquire()

    def tries():
        while not lock.acquire(False):
            pass

    thread = threading.Thread(target=tries)
    thread.start()
    thread.join(0)
    lock.release()
    thread.join()


def answered(function, *arguments):
    try:
        return function(*arguments) or True
    except (queue.Empty, queue.Full, bine.Timeout):
        return False


class Newest(bine.queue.Queue):
    """One with a hook of its own."""

    def _get(self):
        return self.queue.pop()


def is_brought_about(tries, other):
    """A loop that calls tries() until it is true, which other() in another greenlet makes it."""
    greenlet = bine.spawn(other)
    until = time.monotonic() + 5
    while not tries():
        assert time.monotonic() < until
    assert greenlet.join(5) is None and greenlet.ready()


def test_hazard_52_loops_that_only_try_a_lock_let_others_run():
    for lock in (threading.Lock(), bine.lock.Semaphore(), bine.lock.BoundedSemaphore(),
                 threading.Semaphore()):
        lock.acquire()
        is_brought_about(lambda: lock.acquire(blocking=False), lock.release)
    for lock in bine.lock.Semaphore(), bine.lock.BoundedSemaphore():
        lock.acquire()
        is_brought_about(lambda: lock.acquire(timeout=0), lock.release)
        lock.acquire(blocking=False)
        is_brought_about(lambda: (lock.wait(0), lock.counter)[1], lock.release)


def test_hazard_52_loops_that_only_try_what_threads_share_let_others_run():
    lock, items, condition, event = (threading.RLock(), queue.SimpleQueue(), threading.Condition(),
                                     threading.Event())
    go, some = threading.Event(), []

    def holds():
        with lock:
            go.wait()

    bine.spawn(holds)
    bine.sleep(0)
    is_brought_about(lambda: lock.acquire(blocking=False), go.set)
    is_brought_about(lambda: answered(items.get_nowait), lambda: items.put(1))
    is_brought_about(lambda: answered(items.get, True, 0), lambda: items.put(1))
    is_brought_about(lambda: event.wait(0), event.set)

    def some_after_a_wait():
        with condition:
            return condition.wait(0) or some

    is_brought_about(some_after_a_wait, lambda: some.append(1))
    items = queue.Queue()
    is_brought_about(lambda: not items.empty(), lambda: items.put(1))
    for tries in lambda: not thread.is_alive(), lambda: (thread.join(0), not thread.is_alive())[1]:
        thread = threading.Thread(target=time.sleep, args=(0.001,))
        thread.start()
        is_brought_about(tries, lambda: None)


def test_hazard_52_loops_that_only_look_at_an_event_let_others_run():
    for tries in (
        lambda: event.wait(0),
        lambda: (result.wait(0), result.ready())[1],
        lambda: answered(result.get, True, 0),
        lambda: answered(result.get, False),
        lambda: answered(result.get_nowait),
        lambda: bine.wait([event], 0),
        lambda: list(bine.iwait([result], 0)),
    ):
        event, result = bine.event.Event(), bine.event.AsyncResult()
        is_brought_about(tries, lambda: (event.set(), result.set(1)))


def test_hazard_52_loops_that_only_ask_a_queue_let_others_run():
    items = bine.queue.JoinableQueue()
    for tries in (
        lambda: answered(items.get_nowait),
        lambda: answered(items.get, True, 0),
        lambda: answered(items.peek, True, 0) and items.get(),
    ):
        is_brought_about(tries, lambda: items.put(1))
    is_brought_about(lambda: items.join(0), lambda: [items.task_done() for _ in range(3)])
    for full in bine.queue.Queue(1), Newest(1):
        full.put(1)
        is_brought_about(lambda: answered(full.put_nowait, 2), full.get)
        is_brought_about(lambda: answered(lambda: full.put(3, timeout=0)), full.get)
        full.get()
        is_brought_about(lambda: answered(full.get_nowait), lambda: full.put(4))


def test_hazard_52_loops_that_only_ask_a_greenlet_let_others_run():
    pool = bine.pool.Pool(5)
    for tries in (
        lambda: (last.join(0), last.ready())[1],
        lambda: answered(lambda: last.get(block=False)),
        lambda: answered(lambda: last.get(timeout=0)),
        lambda: bine.joinall([last], 0),
        lambda: bine.wait([last], 0),
        lambda: list(bine.iwait([last], 0)),
        lambda: (pool.join(0), last.ready())[1],
    ):
        go = bine.event.Event()
        last = pool.spawn(go.wait)
        is_brought_about(tries, go.set)


def test_hazard_55_what_waits_for_a_peer_lets_others_run_by_default():
    # A child of its own: the tests patch the file family as well.
    program = """
import sys
from bine import monkey; monkey.patch_all()
import bine, fcntl, os, socket
name = sys.argv[1]
a, b = socket.socketpair()
with open(name, "wb") as file:
    file.write(b"x" * 3_000_000)
with open(name, "rb") as file:
    g = bine.spawn(a.sendfile, file)
    got = 0
    while got < 3_000_000:
        got += len(b.recv(65536))
    assert g.get() == 3_000_000
held, wanted = open(name), open(name)
fcntl.flock(held, fcntl.LOCK_EX)
bine.spawn(lambda: (bine.sleep(0.01), fcntl.flock(held, fcntl.LOCK_UN)))
fcntl.flock(wanted, fcntl.LOCK_EX)
os.mkfifo(name + ".fifo")
g = bine.spawn(lambda: open(name + ".fifo", "wb").close())
assert open(name + ".fifo", "rb").read() == b""
g.get()
print("fine")
"""
    with tempfile.TemporaryDirectory() as directory:
        command = [sys.executable, "-c", program, directory + "/file"]
        child = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert child.stdout == "fine\n", child.stderr


def test_hazard_50_a_signal_between_two_looks_is_not_lost():
    # The child is stopped over the end of a pause, and so is the signal that comes meanwhile.
    program = """
import sys
from bine import monkey; monkey.patch_all()
import bine, fcntl, signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
bine.spawn(lambda: None).join()
file = open(sys.argv[1])
print("waiting", flush=True)
try:
    fcntl.flock(file, fcntl.LOCK_EX)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""
    with tempfile.NamedTemporaryFile() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        for _ in range(3):
            child = subprocess.Popen(
                [sys.executable, "-c", program, held.name], stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL, text=True
            )
            assert child.stdout.readline() == "waiting\n"
            time.sleep(0.1)
            for number, pause in ((signal.SIGSTOP, 0.1), (signal.SIGINT, 0), (signal.SIGCONT, 0)):
                child.send_signal(number)
                time.sleep(pause)
            assert child.communicate(timeout=20)[0] == "interrupted\n"
