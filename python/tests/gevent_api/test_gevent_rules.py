"""gevent's own rules, where programs rely on them: what gevent 26.9 does in each of these cases was
looked at beside it."""

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
from helpers import raises, raising

PATCHED = True


# -- killing oneself


def test_hazard_67_killing_oneself_without_blocking_strikes_at_the_next_wait():
    steps = []

    def kills_itself(wait):
        bine.getcurrent().kill(block=False)
        steps.append("after kill")
        wait()
        steps.append("after wait")

    for wait in (lambda: bine.sleep(0), lambda: bine.sleep(0.01), lambda: time.sleep(0.01),
                 bine.event.Event().wait, lambda: bine.getcurrent().join(),
                 lambda: bine.joinall([bine.getcurrent()])):
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
    assert everybody(lambda greenlets: (bine.killall(greenlets, block=False),
                                        bine.sleep(0))) == everyone
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
    for kill in (lambda g: g.kill(), lambda g: g.kill(block=False),
                 lambda g: g.throw(bine.GreenletExit), lambda g: bine.killall([g])):
        for start in (lambda thing: bine.spawn_later(600, id, thing),
                      lambda thing: bine.spawn(id, thing), start_later):
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


# -- waiting for everything, and for what others made


def test_hazard_70_waiting_for_all_ends_where_nothing_can_go_on():
    code = """
import sys
from bine import monkey; monkey.patch_all()
import bine, bine.queue, time
begun = time.monotonic()
bine.spawn(bine.queue.Queue().get)
bine.spawn(bine.sleep, 0.05)
print(bine.wait(), bine.get_hub().join(), bine.wait(timeout=30), list(bine.iwait()),
      bine.get_hub().join(timeout=30))
bine.spawn(bine.sleep, 0.05)
print(bine.spawn(bine.wait).get(), time.monotonic() - begun < 20)
bine.spawn(bine.sleep, 0.5)
print(bine.wait(timeout=0.01), bine.wait(timeout=0))
"""
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=50)
    assert (done.stdout.decode() ==
            "True True True [] True\nTrue True\nFalse False\n"), done.stdout.decode()


def test_hazard_70_processes_can_be_waited_for():
    quick, slow = subprocess.Popen(["true"]), subprocess.Popen(["sleep", "30"])
    try:
        assert bine.wait([quick, slow], timeout=0.5) == [quick] and quick.returncode == 0
        assert bine.wait([slow, bine.spawn(int)], timeout=5, count=1)[0] is not slow
        assert slow.poll() is None
        slow.terminate()
        assert (bine.joinall([slow], timeout=5, raise_error=True) == [slow] and
                slow.returncode == -signal.SIGTERM)
        assert list(bine.iwait([quick, slow])) == [quick, slow] or slow.returncode is not None
    finally:
        slow.kill()
        slow.wait()


def test_hazard_70_those_who_wait_for_one_process_do_not_block_each_other():
    # In a process of its own: importing gevent.subprocess here would patch.
    code = """
import subprocess, sys
import bine

with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as process:
    order = []

    def wait(name):
        assert bine.wait([process], timeout=20) == [process]
        order.append((name, process.returncode))

    waits = [bine.spawn(wait, name) for name in ("first", "second")]
    killed = bine.spawn(wait, "killed")
    for _ in range(20):
        bine.sleep(0.005)
    killed.kill()
    order.append("others run")
    process.stdin.close()
    bine.joinall(waits, raise_error=True)
print(order[0], sorted(order[1:]), killed.value, "gevent.subprocess" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=50)
    assert (done.stdout.decode() ==
            "others run [('first', 0), ('second', 0)]  False\n"), done.stdout.decode()


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
    with raising(Timeout):
        with Timeout(0.01) as timeout:
            bine.sleep(5)
    timeout = Timeout(30)
    timeout.start()
    with timeout as same:  # it is started already
        assert same is timeout and timeout.pending
    assert not timeout.pending
    with timeout:
        assert timeout.pending
    with raising(Timeout):
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
    from gevent import (event, signal as gevents_signal, socket as gevents_socket,
                        subprocess as gevents_subprocess)
    import gevent
    import gevent.os
    import gevent.threading
    import socket

    assert (gevent is bine.gevent and gevents_socket is bine.gevent.socket and
            gevent.socket is gevents_socket is not socket)
    assert gevents_socket.socket is socket.socket and gevents_subprocess.Popen is subprocess.Popen
    assert gevents_signal.SIGTERM == signal.SIGTERM and gevent.signal is gevents_signal
    assert (gevent.spawn == bine.spawn and event.Event is bine.event.Event and
            gevent.threading.Thread is threading.Thread)
    names = {}
    exec("from gevent import *; from gevent.socket import *; from gevent.os import *", names)
    assert (names["spawn"] == bine.spawn and
            names["create_connection"] is socket.create_connection and names["fork"] is os.fork)


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
    assert (copy.copy(made).args == "changed" and
            bine.spawn(lambda: copy.copy(made).args).get() == (1,))
    assert raises(TypeError, local, 1).args[1] == (1,)


# -- thread pools


def test_hazard_71_a_wait_for_a_pools_thread_is_cut_short():
    import bine.threadpool

    pool = bine.get_hub().threadpool

    def blocks():  # its thread: a lock's wait would be a greenlet's here
        time.sleep(1)

    def cut(function):
        begun = time.monotonic()
        with Timeout(0.05, False):
            function()
            raise AssertionError("it was not cut")
        return time.monotonic() - begun

    waits = [lambda: pool.apply(blocks), lambda: pool.spawn(blocks).get(),
             lambda: pool.map(lambda _: blocks(), [1, 2]),
             lambda: list(pool.imap(lambda _: blocks(), [1])),
             lambda: pool.apply_async(blocks).get(),
             lambda: list(pool.imap_unordered(lambda _: blocks(), [1])),
             lambda: bine.threadpool.ThreadPool(2).apply(blocks),
             lambda: bine.threadpool.ThreadPoolExecutor(2).submit(blocks).result()]
    begun = time.monotonic()
    for wait in waits:
        cut(wait)
    g = bine.spawn(pool.apply, blocks)
    bine.sleep(0.02)
    g.kill()
    assert g.dead
    # All of them together took less than one call each.
    assert time.monotonic() - begun < len(waits)


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
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=50)
    assert done.stdout.decode() == "(5, 6)\n(5, 6)\n", done
