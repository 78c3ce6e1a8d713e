"""Greenlets with a thread of their own: to C code each of them is a thread, on one OS thread."""

import contextvars
import ctypes
import errno
import gc
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import threading
import weakref

import bine
import bine.event
import bine.hub
import bine.pool
import pytest

REFUSAL = bine.own_thread_refusal()
pytestmark = pytest.mark.skipif(REFUSAL is not None, reason=str(REFUSAL))

LIBRARY = r"""
#include <pthread.h>
#include <stddef.h>

static __thread int kept;
static pthread_key_t key;
static int destroyed;

static void destroy(void *value)
{
    destroyed += *(int *)value;
}

__attribute__((constructor)) static void begin(void)
{
    pthread_key_create(&key, destroy);
}

int keep(int value)
{
    static __thread int own;
    own = value;
    pthread_setspecific(key, &own);
    return kept = value;
}

int get(void) { return kept; }
int get_destroyed(void) { return destroyed; }
unsigned long self(void) { return (unsigned long)pthread_self(); }
int call(int (*function)(int), int value) { return function(value) + 1; }
"""
CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)


def library():
    """What keeps state per thread, written in C."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="bine-own-"))
    (folder / "kept.c").write_text(LIBRARY)
    subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-pthread", "-o",
                    str(folder / "kept.so"), str(folder / "kept.c")], check=True)
    loaded = ctypes.CDLL(str(folder / "kept.so"))
    loaded.self.restype = ctypes.c_ulong
    return loaded


def own(function, *args, **kwargs):
    g = bine.Greenlet(function, *args, **kwargs)
    g.own_thread = True
    g.start()
    return g


def os_threads():
    return len(os.listdir("/proc/self/task"))


def test_each_has_thread_local_variables_of_its_own():
    lib, before = library(), os_threads()
    lib.keep(1000)

    def keep(number):
        assert lib.get() == 0  # a new thread's
        lib.keep(number)
        for _ in range(5):
            bine.sleep(0.001)
            assert lib.get() == number
        return lib.self()

    greenlets = [own(keep, number) for number in range(1, 21)]
    assert len({g.get() for g in greenlets} | {lib.self()}) == 21
    assert lib.get() == 1000 and os_threads() == before
    bine.sleep(0)
    assert lib.get_destroyed() == sum(range(1, 21))


def test_it_switches_beside_ordinary_greenlets():
    lib, turns = library(), []

    def take_turns(name):
        for turn in range(3):
            turns.append((turn, name))
            bine.sleep(0)

    shared = [bine.spawn(lib.keep, 5), own(take_turns, "own"), bine.spawn(take_turns, "plain")]
    bine.joinall(shared, raise_error=True)
    assert turns == [(turn, name) for turn in range(3) for name in ("own", "plain")]
    assert lib.get() == 5  # an ordinary greenlet shares them with the OS thread


def test_identities():
    def identities():
        first = threading.get_ident()
        bine.sleep(0)
        assert threading.get_ident() == first
        bine.sleep(0.01)
        return first, bine.hub.get_hub().thread_ident, threading.get_native_id()

    found = [g.get() for g in [own(identities) for _ in range(5)]]
    assert len({each[0] for each in found} | {threading.get_ident()}) == 6
    assert {each[1:] for each in found} == {(threading.get_ident(), threading.get_native_id())}


def test_a_callback_from_c():
    lib = library()
    assert hasattr(lib, "call")

    def call(number):
        def function(value):
            bine.sleep(0.001)
            assert bine.getcurrent() is g[number]
            return value * 2

        lib.call.argtypes = (CALLBACK, ctypes.c_int)
        return lib.call(CALLBACK(function), number)

    g = [own(call, number) for number in range(10)]
    assert [each.get() for each in g] == [number * 2 + 1 for number in range(10)]


def test_values_exceptions_and_links():
    ended = []
    g = own(lambda: 1 // 0)
    g.link(ended.append)
    with pytest.raises(ZeroDivisionError):
        g.get()
    assert isinstance(g.exception, ZeroDivisionError) and ended == [g]
    assert own(lambda a, b: (a, b), 1, b=2).get() == (1, 2)
    with pytest.raises(RecursionError):
        def deeper():
            return deeper()
        own(deeper).get()


def test_kill_before_and_after_it_began():
    begun, cleaned = [], []

    def wait():
        begun.append(1)
        try:
            bine.sleep(100)
        finally:
            cleaned.append(1)

    early = own(wait)
    early.kill()
    assert early.dead and isinstance(early.value, bine.GreenletExit) and not begun
    late = own(wait)
    bine.sleep(0)
    assert begun == [1]
    late.kill()
    assert cleaned == [1] and late.dead
    stubborn = own(wait)
    bine.sleep(0)
    stubborn.kill(KeyError("why"))
    assert isinstance(stubborn.exception, KeyError)


def test_timeout_and_join():
    def late():
        with pytest.raises(bine.Timeout):
            with bine.Timeout(0.01):
                bine.sleep(100)
        return "after"

    assert own(late).get() == "after"
    g = own(bine.sleep, 100)
    g.join(timeout=0.01)
    assert not g.ready()
    with pytest.raises(bine.Timeout):
        g.get(timeout=0.01)
    g.kill()


def test_events_generators_and_contextvars():
    variable = contextvars.ContextVar("variable", default="none")
    variable.set("spawner's")
    event, out = bine.event.AsyncResult(), []

    def numbers():
        for number in range(3):
            bine.sleep(0)
            yield number

    def run(name):
        assert variable.get() == "spawner's"
        variable.set(name)
        out.extend((name, number) for number in numbers())
        assert event.get() == "go"
        return variable.get()

    greenlets = [own(run, name) for name in ("a", "b")]
    bine.sleep(0.01)
    event.set("go")
    assert [g.get() for g in greenlets] == ["a", "b"] and variable.get() == "spawner's"
    assert sorted(out) == [(name, number) for name in "ab" for number in range(3)]


def test_threading_local_and_current_thread():
    local = threading.local()

    class Kept:
        pass

    def keep():
        local.kept = Kept()
        threading.current_thread()
        bine.sleep(0)
        return weakref.ref(local.kept)

    before = len(threading.enumerate())
    references = [g.get() for g in [own(keep) for _ in range(5)]]
    bine.sleep(0.01)
    gc.collect()
    assert [reference() for reference in references] == [None] * 5
    assert len(threading.enumerate()) == before


def test_one_spawns_another_and_pools_make_them():
    class OwnThread(bine.Greenlet):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.own_thread = True

    lib = library()
    selves = bine.pool.Pool(4, greenlet_class=OwnThread).map(lambda _: lib.self(), range(8))
    assert lib.self() not in selves
    assert own(lambda: own(lambda: bine.spawn(lambda: 5).get()).get()).get() == 5


def test_patched_waits_end_by_kill_and_timeout():
    code = """
import bine.monkey
bine.monkey.patch_all()
import bine, socket, threading, time, queue
def own(function, *args):
    g = bine.Greenlet(function, *args)
    g.own_thread = True
    g.start()
    return g
a, b = socket.socketpair()
def read():
    return a.recv(1)
g = own(read)
time.sleep(0.01)
b.send(b"x")
assert g.get() == b"x"
for wait in (read, lambda: time.sleep(100), queue.Queue().get, threading.Event().wait):
    g = own(wait)
    time.sleep(0.01)
    g.kill(timeout=10)
    assert g.dead and isinstance(g.value, bine.GreenletExit), (wait, g.value, g.exception)
    def limited():
        with bine.Timeout(0.01, False):
            wait()
            return "ended"
        return "limit"
    assert own(limited).get(timeout=10) == "limit", wait
t = []
def starts_thread():
    thread = threading.Thread(target=lambda: t.append(threading.get_ident()))
    thread.start()
    thread.join()
    return threading.get_ident()
assert own(starts_thread).get(timeout=10) not in t and len(t) == 1
own(time.sleep, 100)
time.sleep(0)
print("reached")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "reached\n", "")


def test_fork_in_one():
    def fork():
        pid = bine.fork()
        if pid == 0:
            bine.sleep(0.001)
            os._exit(7 if bine.spawn(lambda: 3).get() == 3 else 1)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    assert own(fork).get() == 7


def test_no_memory_loses_nothing():
    with open("/proc/self/statm") as statm:
        size = int(statm.read().split()[0]) * resource.getpagesize()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (size + (1 << 20), hard))
    g = bine.Greenlet(lambda: "ran")
    g.own_thread = True
    with pytest.raises(MemoryError):
        g.start()
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    assert not g.started and not g.dead
    g.start()
    assert g.get() == "ran"


def test_where_they_cannot_be_had():
    def elsewhere():
        g = bine.Greenlet(lambda: "ran")
        g.own_thread = True
        with pytest.raises(OSError) as error:
            g.start()
        assert error.value.errno == errno.ENOTSUP
        assert bine.own_thread_refusal() in str(error.value)
        g.own_thread = False
        g.start()
        done.append(g.get())

    done = []
    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert done == ["ran"]


def test_bad_values():
    g = bine.Greenlet(lambda: "ran")
    assert g.own_thread is False
    for bad in (1, None, "yes"):
        with pytest.raises(TypeError):
            g.own_thread = bad
    with pytest.raises(TypeError):
        del g.own_thread
    g.own_thread = True
    with pytest.raises(ValueError):
        g.start_later(1)
    g.start()
    with pytest.raises(RuntimeError):
        g.own_thread = False
    assert g.get() == "ran" and g.own_thread is True


def test_many_begin_and_end():
    lib, states = library(), set()
    for _ in range(20):
        for g in [own(lambda: lib.keep(1) and bine.sleep(0)) for _ in range(50)]:
            g.get()
        states.add(os_threads())
    bine.sleep(0.01)
    assert lib.get_destroyed() == 1000 and len(states) == 1
