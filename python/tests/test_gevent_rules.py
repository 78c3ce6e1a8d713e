"""gevent's own rules, where programs rely on them: what gevent 26.9 does in each of these cases was looked at beside it."""

import os
import signal
import subprocess
import sys
import threading
import time
import weakref

import bine
import bine.event
import bine.gevent
import bine.lock
import bine.pool
import bine.queue
from bine import Timeout
from helpers import raises

PATCHED = True


# -- killing oneself


def test_hazard_67_killing_oneself_without_blocking_strikes_at_the_next_wait():
    steps = []

    def kills_itself(wait):
        bine.getcurrent().kill(block=False)
        steps.append("after kill")
        wait()
        steps.append("after wait")

    for wait in (lambda: bine.sleep(0), lambda: bine.sleep(0.01), lambda: time.sleep(0.01), bine.event.Event().wait,
                 lambda: bine.getcurrent().join(), lambda: bine.joinall([bine.getcurrent()])):
        steps.clear()
        g = bine.spawn(kills_itself, wait)
        g.join(5)
        assert steps == ["after kill"] and isinstance(g.value, bine.GreenletExit), (steps, g)
    # One that never waits again ends as it wanted to.
    g = bine.spawn(lambda: bine.kill(bine.getcurrent()) or 5)
    assert g.get() == 5


def test_hazard_67_killing_oneself_and_waiting_for_it_raises_at_once():
    steps = []

    def kills_itself():
        try:
            bine.getcurrent().kill()
        finally:
            steps.append("cleanup")
        steps.append("after")

    bine.spawn(kills_itself).join(5)
    assert steps == ["cleanup"]


def everybody(end):
    """What ten sleepers and one greenlet among them, which calls end(all), did."""
    ended, all_of_them = [], []

    def sleeper(n):
        try:
            bine.sleep(30)
        finally:
            ended.append(n)

    def ender():
        bine.sleep(0)
        try:
            end(all_of_them)
        finally:
            ended.append("ender")

    for n in range(5):
        all_of_them.append(bine.spawn(sleeper, n))
    all_of_them.append(bine.spawn(ender))
    for n in range(5, 10):
        all_of_them.append(bine.spawn(sleeper, n))
    bine.joinall(all_of_them, timeout=5)
    return sorted(map(str, ended))


def test_hazard_67_a_member_kills_its_group():
    group, everyone = bine.pool.Group(), sorted(map(str, [*range(10), "ender"]))

    def in_group(**options):
        def end(greenlets):
            for greenlet in greenlets:
                group.add(greenlet)
            group.kill(**options)
            bine.sleep(0)

        return end

    assert everybody(in_group(block=True)) == everyone and len(group) == 0
    assert everybody(in_group(block=False)) == everyone
    assert everybody(in_group(timeout=3)) == everyone
    assert everybody(lambda greenlets: bine.killall(greenlets)) == everyone
    assert everybody(lambda greenlets: (bine.killall(greenlets, block=False), bine.sleep(0))) == everyone
    assert group.join(timeout=5)

    def kills_one():
        group.killone(bine.getcurrent())

    g = group.spawn(kills_one)
    g.join(5)
    assert isinstance(g.value, bine.GreenletExit) and len(group) == 0


# -- what was to start later


class Thing:
    pass


def test_hazard_68_nothing_is_left_of_a_later_greenlet_that_was_killed():
    kept = []
    for kill in (lambda g: g.kill(), lambda g: g.kill(block=False), lambda g: g.throw(bine.GreenletExit), lambda g: bine.killall([g])):
        for start in (lambda thing: bine.spawn_later(600, id, thing), lambda thing: bine.spawn(id, thing), start_later):
            thing = Thing()
            g = start(thing)
            kept += [weakref.ref(thing), weakref.ref(g)]
            kill(g)
            assert g.dead and isinstance(g.value, bine.GreenletExit)
            del thing, g
    bine.sleep(0)
    assert [ref() for ref in kept] == [None] * len(kept)
    assert bine.wait(timeout=5) is True


def start_later(thing):
    g = bine.Greenlet(id, thing)
    g.start_later(600)
    return g


def test_hazard_68_a_killed_later_greenlet_keeps_nobody_waiting():
    begun = time.monotonic()
    bine.spawn_later(20, print).kill()
    assert bine.wait(timeout=30) is True and bine.get_hub().join(timeout=30) is True
    bine.spawn_later(20, print).kill()
    error = raises(bine.exceptions.LoopExit, bine.event.Event().wait)
    assert "would block forever" in str(error) and time.monotonic() - begun < 15
    # Its links are called.
    seen = []
    g = bine.spawn_later(20, print)
    g.link(seen.append)
    g.kill()
    bine.sleep(0.01)
    assert seen == [g]


# -- hooks of subclasses


def hooked(base):
    class Unique(base):
        def _init(self, maxsize, items=()):
            self.queue, self.seen = [], set()
            for item in items:
                self._put(item)

        def _put(self, item):
            if item not in self.seen:
                self.seen.add(item)
                self.queue.append(item)

        def _get(self):
            return self.queue.pop(0)

        def _peek(self):
            return self.queue[0]

        def _qsize(self):
            return len(self.queue)

    return Unique


def test_hazard_69_hooks_of_queue_subclasses_are_called():
    for base in (bine.queue.Queue, bine.queue.LifoQueue, bine.queue.PriorityQueue, bine.queue.JoinableQueue, bine.queue.SimpleQueue):
        queue = hooked(base)()
        for item in (2, 2, 1):
            queue.put(item)
        assert queue.qsize() == len(queue) == 2 and not queue.empty() and not queue.full() and queue
        assert queue.peek() == 2 and [queue.get(), queue.get_nowait()] == [2, 1]
        assert raises(bine.queue.Empty, queue.get, False) and raises(bine.queue.Empty, queue.get, timeout=0.01)
        assert hooked(base)(None, [3, 3, 4]).qsize() == 2


def test_hazard_69_one_hook_is_enough():
    class Counts(bine.queue.Queue):
        taken = 0

        def _get(self):
            self.taken += 1
            return super()._get()

    class Loud(bine.queue.PriorityQueue):
        def _put(self, item):
            bine.queue.PriorityQueue._put(self, -item)

    class Stack(bine.queue.LifoQueue):
        def _qsize(self):
            return super()._qsize()

    queue = Counts(items=[1, 2])
    assert [queue.get(), queue.get(timeout=1)] == [1, 2] and queue.taken == 2
    queue = Loud()
    for n in (1, 3, 2):
        queue.put(n)
    assert queue.peek() == -3 and [queue.get() for _ in range(3)] == [-3, -2, -1]
    queue = Stack()
    for n in (1, 2):
        queue.put_nowait(n)
    assert queue.peek_nowait() == 2 and [queue.get(), queue.get()] == [2, 1]


def test_hazard_69_queues_with_hooks_wait_and_wake():
    queue = hooked(bine.queue.Queue)(2)
    assert queue.maxsize == 2
    order = []
    getters = [bine.spawn(lambda n: order.append((n, queue.get())), n) for n in range(3)]
    bine.sleep(0)
    putters = [bine.spawn(queue.put, n) for n in range(6)]
    bine.joinall(getters, timeout=5, raise_error=True)
    assert sorted(item for _, item in order) == [0, 1, 2] and len(queue) == 2
    assert raises(bine.queue.Full, queue.put, 9, timeout=0.01) and raises(bine.queue.Full, queue.put_nowait, 9)
    assert [queue.get() for _ in range(3)] == [3, 4, 5]
    bine.joinall(putters, timeout=5, raise_error=True)
    # A getter that is killed after it was woken loses nothing.
    first, second = bine.spawn(queue.get), bine.spawn(queue.get)
    bine.sleep(0)
    queue.put("item")
    first.kill(block=False)
    first.join()
    item = "item"
    if first.value == item:  # the wake came first
        item = "another"
        queue.put(item)
    assert second.get(timeout=5) == item
    # And iteration, shutting down.
    queue.put(StopIteration)
    assert list(queue) == []
    waiting = bine.spawn(raises, bine.queue.ShutDown, queue.get)
    bine.sleep(0)
    queue.shutdown()
    assert waiting.get(timeout=5) and raises(bine.queue.ShutDown, queue.put, 1) and queue.is_shutdown


def test_hazard_69_queues_with_hooks_count_tasks():
    class Logs(bine.queue.JoinableQueue):
        def _put(self, item):
            super()._put(item)

    queue = Logs()
    queue.put(1)
    assert queue.unfinished_tasks == 1 and queue.join(timeout=0.01) is False
    waiting = bine.spawn(queue.join)
    assert queue.get() == 1
    queue.task_done()
    assert waiting.get(timeout=5) is True and raises(ValueError, queue.task_done)


# -- a Timeout as the argument of a call


def full_queue():
    queue = bine.queue.Queue(1)
    queue.put(1)
    return queue


def taken_rlock():
    lock = bine.lock.RLock()
    bine.spawn(lambda: (lock.acquire(), bine.sleep(30)))
    bine.sleep(0)
    return lock


def joined_queue():
    queue = bine.queue.JoinableQueue()
    queue.put(1)
    return queue


def stubborn():
    def sleeps():
        end = time.monotonic() + 30
        while time.monotonic() < end:
            try:
                bine.sleep(30)
            except bine.GreenletExit:
                pass

    g = bine.spawn(sleeps)
    bine.sleep(0)
    return g


def with_members(group, *members):
    for member in members:
        group.add(member)
    return group


def sleeper():
    return bine.spawn(bine.sleep, 30)


class Hooked(bine.queue.Queue):
    def _get(self):
        return super()._get()


# The call, and what it gives when its time is up; RAISES: it raises.
RAISES = object()
CALLS = {
    "Queue.get": (lambda t: bine.queue.Queue().get(timeout=t), RAISES),
    "Queue.peek": (lambda t: bine.queue.Queue().peek(timeout=t), RAISES),
    "Queue.put": (lambda t: full_queue().put(2, timeout=t), RAISES),
    "hooked get": (lambda t: Hooked().get(timeout=t), RAISES),
    "Channel.get": (lambda t: bine.queue.Channel().get(timeout=t), RAISES),
    "Channel.put": (lambda t: bine.queue.Channel().put(2, timeout=t), RAISES),
    "Queue.join": (lambda t: joined_queue().join(timeout=t), False),
    "Event.wait": (lambda t: bine.event.Event().wait(t), False),
    "AsyncResult.get": (lambda t: bine.event.AsyncResult().get(timeout=t), RAISES),
    "AsyncResult.result": (lambda t: bine.event.AsyncResult().result(t), RAISES),
    "AsyncResult.wait": (lambda t: bine.event.AsyncResult().wait(t), None),
    "Semaphore.acquire": (lambda t: bine.lock.Semaphore(0).acquire(timeout=t), False),
    "Semaphore.wait": (lambda t: bine.lock.Semaphore(0).wait(t), 0),
    "RLock.acquire": (lambda t: taken_rlock().acquire(timeout=t), False),
    "Greenlet.join": (lambda t: sleeper().join(t), None),
    "Greenlet.get": (lambda t: sleeper().get(timeout=t), RAISES),
    "Greenlet.kill": (lambda t: stubborn().kill(timeout=t), None),
    "killall": (lambda t: bine.killall([stubborn()], timeout=t), RAISES),
    "Group.join": (lambda t: with_members(bine.pool.Group(), sleeper()).join(timeout=t), False),
    "Group.kill": (lambda t: with_members(bine.pool.Group(), stubborn()).kill(timeout=t), None),
    "Pool.wait_available": (lambda t: with_members(bine.pool.Pool(1), sleeper()).wait_available(timeout=t), 0),
    "with_timeout": (lambda t: bine.with_timeout(t, bine.sleep, 30), RAISES),
    # gevent takes only numbers here.
    "joinall": (lambda t: bine.joinall([sleeper()], timeout=t), []),
    "wait": (lambda t: bine.wait([bine.event.Event()], timeout=t), []),
    "iwait": (lambda t: list(bine.iwait([bine.event.Event()], timeout=t)), []),
    "wait for all": (lambda t: sleeper() and bine.wait(timeout=t), False),
}


def test_hazard_69_a_timeout_object_as_timeout():
    for name, (call, value) in CALLS.items():
        for make in (lambda: Timeout(0.01), lambda: Timeout(0.01, False), lambda: Timeout(0.01, "why"), lambda: Timeout.start_new(0.01)):
            timeout = make()
            try:
                result = call(timeout)
            except Timeout as raised:
                assert raised is timeout and value is RAISES, (name, raised)
            else:
                assert value is not RAISES and result == value, (name, result)
            assert not timeout.pending, name


def test_hazard_69_a_timeout_with_an_exception_of_its_own():
    for name, (call, _) in CALLS.items():
        mine = RuntimeError("mine")
        for exception in (mine, KeyError):
            timeout = Timeout(0.01, exception)
            raised = raises((RuntimeError, KeyError), call, timeout)
            assert raised is mine or exception is KeyError, name
            assert not timeout.pending, name


def test_hazard_69_a_timeout_object_that_was_not_needed_goes_on():
    queue = bine.queue.Queue()
    queue.put(1)
    with raises_timeout():
        with Timeout(0.05) as timeout:
            assert queue.get(timeout=timeout) == 1 and timeout.pending
            bine.sleep(5)


class raises_timeout:
    def __enter__(self):
        return self

    def __exit__(self, kind, value, traceback):
        assert kind is Timeout, kind
        return True


def test_hazard_69_a_put_that_was_cut_short_leaves_nothing_in_the_channel():
    channel = bine.queue.Channel()
    g = bine.spawn(channel.put, "of the killed")
    bine.sleep(0)
    g.kill()
    bine.spawn(channel.put, "of the living")
    assert channel.get(timeout=5) == "of the living"


# -- waiting for everything, and for what others made


def test_hazard_70_waiting_for_all_ends_where_nothing_can_go_on():
    code = """
import sys
from bine import monkey; monkey.patch_all()
import bine, bine.queue, time
begun = time.monotonic()
bine.spawn(bine.queue.Queue().get)
bine.spawn(bine.sleep, 0.05)
print(bine.wait(), bine.get_hub().join(), bine.wait(timeout=30), list(bine.iwait()), bine.get_hub().join(timeout=30))
bine.spawn(bine.sleep, 0.05)
print(bine.spawn(bine.wait).get(), time.monotonic() - begun < 20)
bine.spawn(bine.sleep, 0.5)
print(bine.wait(timeout=0.01), bine.wait(timeout=0))
"""
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=50)
    assert done.stdout.decode() == "True True True [] True\nTrue True\nFalse False\n", done.stdout.decode()


def test_hazard_70_processes_can_be_waited_for():
    quick, slow = subprocess.Popen(["true"]), subprocess.Popen(["sleep", "30"])
    try:
        assert bine.wait([quick, slow], timeout=0.5) == [quick] and quick.returncode == 0
        assert bine.wait([slow, bine.spawn(int)], timeout=5, count=1)[0] is not slow
        assert slow.poll() is None
        slow.terminate()
        assert bine.joinall([slow], timeout=5, raise_error=True) == [slow] and slow.returncode == -signal.SIGTERM
        assert list(bine.iwait([quick, slow])) == [quick, slow] or slow.returncode is not None
    finally:
        slow.kill()
        slow.wait()


def test_hazard_70_what_has_rawlink_can_be_waited_for():
    class Linked:
        def __init__(self):
            self.links, self.unlinked = [], []

        def rawlink(self, callback):
            self.links.append(callback)

        def unlink(self, callback):
            self.unlinked.append(callback)

    one, two = Linked(), Linked()
    bine.spawn(lambda: one.links[0](one))
    assert bine.wait([one, two, bine.event.Event()], timeout=0.05) == [one]
    assert one.unlinked == one.links and two.unlinked == two.links
    raises(TypeError, bine.wait, [object()])
    with bine.iwait([two, one]) as ready:
        two.links[-1](two)
        assert next(ready) is two
    assert two.unlinked == two.links


def test_hazard_70_gevents_names_of_popen():
    bine.gevent.install()
    from gevent.subprocess import Popen

    ended = []
    process = Popen(["sh", "-c", "exit 3"])
    process.rawlink(ended.append)
    assert process.result.get(timeout=5) == 3
    bine.sleep(0.01)
    assert ended == [process] and isinstance(process, subprocess.Popen)
    done = Popen(["true"])
    done.wait()
    assert done.result.get(timeout=5) == 0
    done.result = "its own"
    assert done.result == "its own"


def test_hazard_70_start_is_for_once():
    ran = []
    g = bine.Greenlet(ran.append, 1)
    g.start()
    g.start()
    g.start_later(0)
    g.join()
    g.start()
    bine.sleep(0.01)
    assert ran == [1] and g.dead


def test_hazard_70_a_block_that_fails_throws_its_exception_into_the_greenlet():
    def waits():
        try:
            bine.sleep(30)
        finally:
            seen.append(sys.exc_info()[0])

    seen = []
    error = ValueError("of the block")
    try:
        with bine.spawn(waits) as g:
            bine.sleep(0)
            raise error
    except ValueError as raised:
        assert raised is error
    assert g.exception is error and seen == [ValueError] and not g.successful()
    # One that waits in vain kills it.
    try:
        with Timeout(0.01):
            with bine.spawn(bine.sleep, 30) as g:
                pass
    except Timeout:
        pass
    assert g.dead and isinstance(g.value, bine.GreenletExit)
    with bine.spawn(lambda: 5) as g:
        pass
    assert g.value == 5
    g = bine.spawn(bine.sleep, 30)
    bine.sleep(0)
    g.kill((KeyError, KeyError("one of three"), None))
    assert g.exception.args == ("one of three",)


def test_hazard_70_with_blocks_of_timeouts():
    with Timeout(0.01, False) as timeout:
        bine.sleep(5)
    assert not timeout.pending
    with raises_timeout():
        with Timeout(0.01) as timeout:
            bine.sleep(5)
    timeout = Timeout(30)
    timeout.start()
    with timeout as same:  # it is started already
        assert same is timeout and timeout.pending
    assert not timeout.pending
    with timeout:
        assert timeout.pending
    with raises_timeout():
        with Timeout(0.01, False):
            with Timeout(30, False):
                raise Timeout(1)
    with Timeout(None):
        pass
    raises(ZeroDivisionError, lambda: bine.with_timeout(30, lambda: 1 // 0))


def test_hazard_70_errors_of_signal_handlers_reach_the_main_greenlet():
    for exception in (ValueError("of the handler"), SystemExit(3), KeyboardInterrupt()):
        def fails():
            raise exception

        handler = bine.signal_handler(signal.SIGUSR1, fails)
        bine.spawn_later(0.01, os.kill, os.getpid(), signal.SIGUSR1)
        try:
            assert raises(type(exception), bine.sleep, 10) is exception
        finally:
            handler.cancel()


def test_hazard_70_gevents_modules_are_found_from_gevent():
    bine.gevent.install()
    from gevent import event, signal as gevents_signal, socket as gevents_socket, subprocess as gevents_subprocess
    import gevent
    import gevent.os
    import gevent.threading
    import socket

    assert gevent.__name__ == "gevent" and gevents_socket.__name__ == "gevent.socket" and gevent.socket is gevents_socket
    assert gevents_socket.socket is socket.socket and gevents_subprocess.Popen is subprocess.Popen
    assert gevents_signal.SIGTERM == signal.SIGTERM and gevent.signal is gevents_signal
    assert gevent.spawn == bine.spawn and event.Event is bine.event.Event and gevent.threading.Thread is threading.Thread
    names = {}
    exec("from gevent import *; from gevent.socket import *; from gevent.os import *", names)
    assert names["spawn"] == bine.spawn and names["create_connection"] is socket.create_connection and names["fork"] is os.fork


def test_hazard_70_locals_can_be_copied():
    import copy

    from bine.local import local

    one = local()
    one.x = 1
    two = copy.copy(one)
    two.x += 1
    assert (one.x, two.x) == (1, 2) and type(two) is local

    class Made(local):
        __slots__ = ("shared",)
        y = 5

        def __init__(self, *args):
            self.args = args

    made = Made(1)
    made.shared = 3
    assert bine.spawn(lambda: (made.args, made.shared, made.y)).get() == ((1,), 3, 5)
    made.args = "changed"
    assert copy.copy(made).args == "changed" and bine.spawn(lambda: copy.copy(made).args).get() == (1,)
    assert raises(TypeError, local, 1).args[1] == (1,)


# -- thread pools


def test_hazard_71_a_wait_for_a_pools_thread_is_cut_short():
    import bine.threadpool

    pool = bine.get_hub().threadpool
    go = threading.Event()

    def blocks():
        go.wait(30)

    def cut(function):
        begun = time.monotonic()
        with Timeout(0.05, False):
            function()
            raise AssertionError("it was not cut")
        return time.monotonic() - begun

    waits = [lambda: pool.apply(blocks), lambda: pool.spawn(blocks).get(), lambda: pool.map(lambda _: blocks(), [1, 2]),
             lambda: list(pool.imap(lambda _: blocks(), [1])), lambda: pool.apply_async(blocks).get(),
             lambda: list(pool.imap_unordered(lambda _: blocks(), [1])), lambda: bine.threadpool.ThreadPool(2).apply(blocks),
             lambda: bine.threadpool.ThreadPoolExecutor(2).submit(blocks).result()]
    # The threads wait for a lock of their own: it is a greenlet's here, so a real sleep stands for it.
    blocks = lambda: time.sleep(1)  # noqa: E731
    begun = time.monotonic()
    for wait in waits:
        cut(wait)
    g = bine.spawn(pool.apply, blocks)
    bine.sleep(0.02)
    g.kill()
    assert g.dead
    # All of them together took less than one call each.
    assert time.monotonic() - begun < len(waits)
    go.set()


def test_hazard_71_apply_gives_results_and_exceptions_as_before():
    pool = bine.get_hub().threadpool
    assert pool.apply(divmod, (7, 2)) == (3, 1) and pool.apply(dict, (), {"a": 1}) == {"a": 1}
    assert raises(ZeroDivisionError, pool.apply, lambda: 1 // 0)
    assert len(pool) == 0 and bine.wait(timeout=5) is True


# -- fork


def test_hazard_61_a_greenlet_that_has_logged_forks():
    code = """
from bine import monkey; monkey.patch_all()
import bine, logging, multiprocessing, os, sys, threading

def child():
    assert threading.current_thread() is threading.main_thread(), threading.current_thread()
    sys.exit(5)

def work():
    logging.warning("x")
    known = threading.current_thread()
    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join()
    pid = os.fork()
    if pid == 0:
        assert type(threading.main_thread()).__name__ == "_MainThread"
        bine.sleep(0)
        threading._shutdown()
        os._exit(6)
    assert threading.current_thread() is known and known.name.startswith("Dummy")
    return process.exitcode, os.waitpid(pid, 0)[1] >> 8

for _ in range(2):
    print(bine.spawn(work).get())
"""
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=50)
    assert done.stdout.decode() == "(5, 6)\n(5, 6)\n", done
