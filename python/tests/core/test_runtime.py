"""What lies under the greenlets: their memory, other threads, fork, the end of the
interpreter, the tools that look into it. Each in a process of its own, most in one more: they
end it, or count what it has."""

import subprocess
import sys


def run(code, *, status=0, seconds=50, options=()):
    """What a program prints; it must end by itself, with that status, and say
    nothing on standard error."""
    done = subprocess.run([sys.executable, *options, "-c", code], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=seconds)
    assert done.returncode == status and not done.stderr, done
    return done.stdout.decode().strip()


PATCH = "from bine import monkey; monkey.patch_all()\nimport bine, os, sys\n"


# -- memory


def test_a_parked_greenlet_needs_little_more_than_a_page():
    # One page holds the C frames and the Python frames, also when the greenlet waits deep
    # in Python functions.
    print(run(PATCH + """
def resident():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
def deep(n):
    return deep(n - 1) if n else bine.sleep(1000)
bine.spawn(deep, 2)
bine.sleep(0)
n, before = 3000, resident()
kept = [bine.spawn(deep, 2) for _ in range(n)]
bine.spawn(int).join()
each = (resident() - before) / n
assert each < 7500, each
os._exit(0)
"""))


def test_python_frames_beyond_the_first_page_and_chunk():
    assert run(PATCH + """
def deep(n, *args):
    if n == 0:
        bine.sleep(0)
        return 0
    local = [n] * 5
    return deep(n - 1, *args) + local[3]
def work(n):
    return [deep(n, *range(50)) for _ in range(3)]
gs = [bine.spawn(work, 300 + i) for i in range(30)]
bine.joinall(gs, raise_error=True)
assert [g.value for g in gs] == [[sum(range(301 + i))] * 3 for i in range(30)]
gs = [bine.spawn(work, 10 + i) for i in range(30)]
bine.joinall(gs, raise_error=True)
print("fine")
""") == "fine"


def test_deep_recursion_without_patching():
    import test_hazards
    from bine import monkey

    assert not monkey.is_anything_patched()
    test_hazards.test_hazard_36_deep_recursion_ends_in_recursion_error()


def test_what_a_greenlet_drops_is_freed_at_once():
    # CPython puts the end of objects off when it thinks that the stack is nearly used up: it must
    # know the greenlet's.
    assert run("""
import bine, weakref
class Thing: pass
def work():
    thing = Thing()
    there = weakref.ref(thing)
    weakref.ref(thing), [thing], (thing,), {1: [thing]}
    bine.sleep(0)
    del thing
    return there()
print([bine.spawn(work).get() for _ in range(2)])
""") == "[None, None]"


# -- threads


def test_callbacks_that_park_find_their_greenlet_before_anything_is_patched():
    assert run("""
import bine, ctypes, threading
Compare = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))
qsort = ctypes.CDLL(None).qsort
qsort.restype = None
local = threading.local()
def sort(n):
    local.n = n
    def compare(a, b):
        bine.sleep(0)
        assert local.n == n
        return a[0] - b[0]
    values = (ctypes.c_int * 20)(*((i * 7 + n) % 20 for i in range(20)))
    qsort(values, 20, ctypes.sizeof(ctypes.c_int), Compare(compare))
    return list(values)
print(all(g.get() == list(range(20)) for g in [bine.spawn(sort, n) for n in range(5)]))
""") == "True"


def test_threads_that_used_greenlets_leave_no_thread_states():
    assert run("""
import bine, ctypes, gc, threading
api = ctypes.pythonapi
for function in "PyInterpreterState_Main", "PyInterpreterState_ThreadHead", "PyThreadState_Next":
    getattr(api, function).restype = ctypes.c_void_p
def states():
    count, state = 0, api.PyInterpreterState_ThreadHead(
        ctypes.c_void_p(api.PyInterpreterState_Main()))
    while state:
        count, state = count + 1, api.PyThreadState_Next(ctypes.c_void_p(state))
    return count
def work():
    def step(n):
        bine.sleep(0)
        return n
    gs = [bine.spawn(step, n) for n in range(20)]
    bine.joinall(gs, raise_error=True)
    assert [g.value for g in gs] == list(range(20))
for _ in range(5):
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
import time
for _ in range(500):
    if states() == 1:
        break
    time.sleep(0.01)
print(states())
""") == "1"


def test_a_thread_that_ends_with_parked_greenlets_does_no_harm():
    assert run("""
import bine, gc, threading
def parks(n):
    return parks(n - 1) if n else bine.sleep(1000)
def work():
    for _ in range(10):
        bine.spawn(parks, 5)
    bine.spawn(int).join()
for _ in range(10):
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
gc.collect()
bine.joinall([bine.spawn(parks, 0) for _ in range(10)], timeout=0.01)
print("fine")
""") == "fine"


def test_real_threads_run_while_greenlets_switch():
    # Each hub switches for itself, and the lock goes to and fro between the threads.
    assert run(PATCH + """
from bine.threadpool import ThreadPool
pool = ThreadPool(3)
def there(n):
    def step(i):
        bine.sleep(0)
        return i
    gs = [bine.spawn(step, i) for i in range(n)]
    bine.joinall(gs, raise_error=True)
    return sum(g.value for g in gs)
def spin(n):
    return sum(i * i for i in range(n))
import time
ticks = []
def beat():
    while True:
        ticks.append(time.monotonic())
        bine.sleep(0.001)
beat = bine.spawn(beat)
calls = [pool.spawn(there, 50) for _ in range(20)] + [pool.spawn(spin, 300000) for _ in range(6)]
assert [call.get() for call in calls] == [1225] * 20 + [spin(300000)] * 6
assert len(ticks) > 5
beat.kill()
print("fine")
""") == "fine"


# -- errors of extensions that are cut short


def test_what_is_thrown_ends_a_call_in_greenlets_of_other_threads():
    # CPython would run a signal's handler in the main thread only: nothing but what
    # was thrown is seen.
    assert run(PATCH + """
import socket
from bine.threadpool import ThreadPool
a, b = socket.socketpair()
class Thrown(Exception):
    pass
def there():
    seen = []
    def waits(start):
        timeout = start()
        try:
            a.recv(1)
        except OSError as error:
            seen.append("the error itself: %r" % error)
        except (bine.Timeout, Thrown) as thrown:
            seen.append((type(thrown).__name__, timeout in (thrown, None),
                         type(thrown.__context__).__name__))
        seen.append(sys.gettrace())
    bine.spawn(waits, lambda: bine.Timeout.start_new(0.05)).join()
    g = bine.spawn(waits, lambda: None)
    bine.sleep(0.05)
    g.kill(Thrown)
    assert bine.spawn(lambda: sum(range(10))).get() == 45
    return seen
assert ThreadPool(1).spawn(there).get() == [("Timeout", True, "NoneType"), None,
                                            ("Thrown", True, "NoneType"), None]
print("fine")
""") == "fine"


def test_a_timeout_that_outlives_its_thread():
    # Its timer has ended with the thread, and the next thread's may have its number.
    assert run("""
import bine, os, threading, time
kept = []
def in_a_thread(function):
    before = len(os.listdir("/proc/self/task"))
    thread = threading.Thread(target=function)
    thread.start()
    thread.join()
    while len(os.listdir("/proc/self/task")) > before: # CPython reports the end a little early
        time.sleep(0.001)
def starts():
    kept.append(bine.Timeout.start_new(1000))
def cancels_the_other():
    kept.append(bine.Timeout.start_new(0.05))
    kept[0].cancel()
    try:
        bine.sleep(10)
    except bine.Timeout as timeout:
        assert timeout is kept[1]
    else:
        raise SystemExit("the wrong one was cancelled")
    print("raised")
in_a_thread(starts)
in_a_thread(cancels_the_other)
in_a_thread(starts)
kept[2].cancel()
assert not kept[0].pending and not kept[2].pending
print("fine")
""") == "raised\nfine"


def test_what_is_thrown_ends_a_wait_for_a_lock_in_greenlets_of_other_threads():
    assert run(PATCH + """
import threading, time
from bine.threadpool import ThreadPool
lock = threading.Lock()
lock.acquire()
def there():
    def waits():
        with bine.Timeout(0.05, False):
            lock.acquire()
            return "taken"
        return "timed out"
    return bine.spawn(waits).get()
call = ThreadPool(1).spawn(there)
print(call.get())
lock.release()
print(lock.acquire(False)) # nobody got it meanwhile
""") == "timed out\nTrue"


# -- fork, and the end


def test_a_child_goes_on_with_greenlets_of_its_own():
    # Those that were idle or parked in the parent are gone in the child.
    assert run(PATCH + """
def child():
    pid = os.fork()
    if pid:
        return os.WEXITSTATUS(os.waitpid(pid, 0)[1])
    def step(n):
        bine.sleep(0.001)
        return n
    ok = [bine.spawn(step, n).get(timeout=20) for n in range(5)] == list(range(5))
    import gc
    gc.collect()
    os._exit(42 if ok else 1)
bine.joinall([bine.spawn(int) for _ in range(5)])
parked = [bine.spawn(bine.sleep, 1000) for _ in range(3)]
bine.sleep(0)
print(child(), bine.spawn(child).get())
""") == "42 42"


def test_a_child_ends_with_the_greenlet_that_forked():
    assert run(PATCH + """
import atexit
def child(how):
    pid = os.fork()
    if pid:
        return os.WEXITSTATUS(os.waitpid(pid, 0)[1])
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    bine.spawn(bine.sleep, 1000)
    atexit.register(print, "the end of", how, flush=True)
    if how == "exit":
        sys.exit(5)
    if how == "error":
        1 / 0
print([bine.spawn(child, how).get() for how in ("exit", "error", "return")])
""").splitlines() == ["the end of exit", "the end of error", "the end of return", "[5, 1, 0]"]


def test_multiprocessing_by_every_method():
    import os
    import tempfile

    program = """
from bine import monkey; monkey.patch_all()
import bine, multiprocessing, sys, time
def square(n):
    bine.joinall([bine.spawn(time.sleep, 0.001) for _ in range(3)])
    return n * n
def main():
    ticks = []
    def beat():
        while True:
            ticks.append(1)
            bine.sleep(0.01)
    beat = bine.spawn(beat)
    for method in ("fork", "spawn", "forkserver"):
        with multiprocessing.get_context(method).Pool(2) as pool:
            assert pool.map(square, range(20)) == [n * n for n in range(20)]
        print(method, flush=True)
    assert len(ticks) > 5
    beat.kill()
if __name__ == "__main__":
    main()
"""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "program.py")
        with open(path, "w") as file:
            file.write(program)
        done = subprocess.run([sys.executable, path], stdout=subprocess.PIPE,
                              timeout=55, check=True)
    assert done.stdout.split() == [b"fork", b"spawn", b"forkserver"], done


def test_exit_with_parked_greenlets():
    assert run(PATCH + """
import socket, threading, bine.queue
a, b = socket.socketpair()
lock = threading.Lock()
lock.acquire()
def parks(wait, *args):
    try:
        wait(*args)
    finally:
        print("never")
for wait in ((bine.sleep, 1000), (a.recv, 1), (lock.acquire,), (bine.queue.Queue().get,)):
    for _ in range(3):
        bine.spawn(parks, *wait)
threading.Thread(target=parks, args=(a.recv, 1), daemon=True).start()
bine.sleep(0.01)
print("the end")
sys.exit(3)
""", status=3) == "the end"


# -- signals


def test_keyboard_interrupt_reaches_a_main_program_that_waits():
    for wait in ("bine.sleep(100)", "bine.spawn(bine.sleep, 100).join()", "a.recv(1)",
                 "lock.acquire()", "bine.queue.Queue().get()", "select.select([], [], [], 100)",
                 "time.sleep(100)"):
        assert run(PATCH + """
import select, signal, socket, threading, time, bine.queue
lock = threading.Lock()
lock.acquire()
a, b = socket.socketpair()
# Whoever starts us in the background may have it ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
bine.spawn(bine.sleep, 1000)
def busy():
    bine.sleep(0.1)
    os.kill(os.getpid(), signal.SIGINT)
    bine.sleep(100)
bine.spawn(busy)
try:
    %s
except KeyboardInterrupt:
    print("interrupted")
""" % wait) == "interrupted", wait


# -- tools that look into the interpreter


def test_faulthandler_shows_the_stack_of_every_greenlet():
    shown = run(PATCH + """
import faulthandler
def outer():
    inner()
def inner():
    bine.sleep(1000)
bine.spawn(outer)
bine.sleep(0)
faulthandler.dump_traceback(file=sys.stdout, all_threads=True)
""")
    assert "in inner" in shown and "in outer" in shown, shown


def test_faulthandler_watches_although_a_thread_was_started_before():
    done = subprocess.run([sys.executable, "-c", PATCH + """
import faulthandler, threading
seen = []
thread = threading.Thread(target=lambda: seen.append(threading.get_native_id()))
thread.start()
thread.join()
assert seen == [os.getpid()], seen
faulthandler.dump_traceback_later(0.2, exit=True)
while True:
    pass
"""], stderr=subprocess.PIPE, timeout=50)
    assert done.returncode == 1 and done.stderr.startswith(b"Timeout"), done


def test_faulthandler_watches_although_a_thread_has_not_begun():
    done = subprocess.run([sys.executable, "-c", PATCH + """
import faulthandler, _thread, time
_thread.start_new_thread(time.sleep, (100,))
faulthandler.dump_traceback_later(0.2, exit=True)
while True:
    pass
"""], stderr=subprocess.PIPE, timeout=50)
    assert done.returncode == 1 and done.stderr.startswith(b"Timeout"), done


def test_faulthandler_takes_the_watch_back():
    assert run(PATCH + """
import faulthandler
for _ in range(20):
    faulthandler.dump_traceback_later(100)
    bine.sleep(0.001)
    faulthandler.cancel_dump_traceback_later()
print("fine")
""") == "fine"


def test_tracemalloc_counts_across_switches():
    assert run(PATCH + """
import tracemalloc
tracemalloc.start(5)
def work(n):
    kept = []
    for _ in range(20):
        kept.append(bytearray(10000))
        bine.sleep(0)
    size = tracemalloc.get_object_traceback(kept[-1])
    assert size and any("<string>" in frame.filename for frame in size)
    return len(kept)
gs = [bine.spawn(work, n) for n in range(20)]
bine.joinall(gs, raise_error=True)
traced = tracemalloc.get_traced_memory()
assert traced[1] > 4000000 and traced[0] < 1000000, traced
tracemalloc.stop()
print("fine")
""") == "fine"


def test_collection_in_a_greenlet_while_others_are_in_the_midst_of_it():
    # Finalizers that the collector calls switch, and collect again elsewhere.
    assert run(PATCH + """
import gc
finalized = []
class Node:
    def __del__(self):
        bine.sleep(0)
        finalized.append(1)
def work():
    for _ in range(20):
        node = Node()
        node.me = node
        del node
        bine.sleep(0)
        gc.collect()
gc.set_threshold(20)
bine.joinall([bine.spawn(work) for _ in range(20)], raise_error=True)
gc.collect()
print(len(finalized))
""") == "400"


def test_current_frames_have_the_greenlet_that_runs():
    assert run("""
import bine, sys, threading, time
main, seen, until = threading.get_ident(), [], time.monotonic() + 20
def running():
    return sys._current_frames()[main].f_code.co_name
def sample():
    while not seen and time.monotonic() < until:
        if running() == "compute":
            seen.append("compute")
def compute():
    while not seen and time.monotonic() < until:
        pass
thread = threading.Thread(target=sample)
thread.start()
bine.spawn(compute).join()
thread.join()
print(seen, bine.spawn(running).get(), running())
""") == "['compute'] running running"


def test_profilers_and_tracers_see_the_greenlets_own_frames():
    assert run(PATCH + """
import cProfile, pstats, io
def work():
    for _ in range(3):
        step()
def step():
    bine.sleep(0)
profiles = []
def profiled():
    profile = cProfile.Profile()
    if sys.version_info < (3, 12):
        profile.runcall(work)
        stats = pstats.Stats(profile).stats
        profiles.append([count
                         for (file, line, name), (count, *rest) in stats.items() if name == "step"])
    else:
        work()
        profiles.append([3])
bine.joinall([bine.spawn(profiled) for _ in range(3)], raise_error=True)
print(profiles)
""") == "[[3], [3], [3]]"
