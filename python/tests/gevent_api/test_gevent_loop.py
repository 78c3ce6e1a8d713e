"""hub.loop itself: its callbacks, what keeps it, its threads and forks, as gevent
documents them."""

import io
import os
import socket
import sys
import threading
import time

import bine
from bine import monkey
from bine.gevent import core
from bine.gevent._interfaces import ICallback, ILoop, IWatcher
from bine.gevent.exceptions import BlockingSwitchOutError
from helpers import raising, turns, until


hub = bine.get_hub()
loop = hub.loop


def errors_seen():
    """What the hub is told of failed callbacks, from now on."""
    seen = []
    hub.handle_error = lambda *error: seen.append(error)
    return seen


# ---- callbacks of the loop -----------------------------------------------------------------------


def test_run_callback_calls_soon_and_in_order():
    seen = []
    callbacks = [loop.run_callback(seen.append, number) for number in range(3)]
    assert (seen == [] and all(callback.pending for callback in callbacks) and
            callbacks[1].args == (1,))
    callbacks[1].stop()
    turns()
    assert seen == [0, 2] and not any(callback.pending for callback in callbacks)
    with raising(TypeError):
        loop.run_callback(None)


def test_what_a_callback_adds_is_for_the_next_round_and_greenlets_run_between():
    seen = []

    def again(n):
        seen.append(n)
        if n < 3:
            loop.run_callback(again, n + 1)
            bine.spawn(seen.append, "greenlet %d" % n)

    loop.run_callback(again, 1)
    turns()
    assert seen == [1, "greenlet 1", 2, "greenlet 2", 3]


def test_callbacks_that_add_callbacks_for_ever_keep_nobody_from_running():
    """Neither a timer, nor a descriptor, nor another thread, although no other greenlet is ready
    when the next round begins."""
    one, other = socket.socketpair()
    seen, going = set(), [True]

    def again():
        if going[0]:
            loop.run_callback(again)

    def came(what):
        seen.add(what)
        if len(seen) == 3:
            going[0] = False
            done.set()

    done = bine.event.Event()
    timer, readable = loop.timer(0.01), loop.io(one.fileno(), 1)
    timer.start(came, "timer")
    readable.start(lambda: (readable.stop(), came("descriptor")))
    thread = threading.Thread(target=lambda: (other.send(b"x"),
                                              loop.run_callback_threadsafe(came, "thread")))
    loop.run_callback(again)
    thread.start()
    assert done.wait(30)
    thread.join()


def test_run_callback_threadsafe_from_another_thread():
    seen = []
    thread = threading.Thread(target=loop.run_callback_threadsafe,
                              args=(lambda: seen.append(threading.get_ident()),))
    thread.start()
    until(lambda: seen)
    thread.join()
    assert seen == [threading.get_ident()]


def test_callbacks_run_in_the_hub():
    seen = []
    loop.run_callback(lambda: seen.append(bine.getcurrent()))
    turns()
    assert seen == [bine.get_hub()]


def test_a_callback_that_would_wait_is_told_so():
    errors = errors_seen()
    event, lock = bine.event.Event(), bine.lock.Semaphore(0)
    waits = [lambda: bine.sleep(0.01), lambda: bine.sleep(0), event.wait, lock.acquire,
             lambda: bine.spawn(int).join(), lambda: bine.queue.Queue().get()]
    for wait in waits:
        loop.run_callback(wait)
    turns()
    assert [error[1] for error in errors] == [BlockingSwitchOutError] * len(waits)
    assert issubclass(BlockingSwitchOutError, AssertionError)
    del errors[:]
    event.set()
    lock.release()
    loop.run_callback(event.wait)
    loop.run_callback(lock.acquire)
    turns()
    assert errors == []


def test_a_callback_that_was_refused_one_wait_goes_on():
    errors = errors_seen()
    seen = []

    def careless():
        for _ in range(3):
            try:
                bine.event.Event().wait()
            except BlockingSwitchOutError:
                seen.append(1)

    loop.run_callback(careless)
    turns()
    assert seen == [1, 1, 1] and errors == []


def test_a_call_of_libc_in_a_callback_may_not_wait_either():
    monkey.patch_all()
    seen = []
    bine.get_hub().handle_error = lambda context, kind, value, tb: seen.append(kind)
    one, other = socket.socketpair()
    loop.run_callback(one.recv, 1)
    loop.run_callback(time.sleep, 0.1)
    bine.sleep(0.01)
    assert seen == [BlockingSwitchOutError] * 2, seen
    other.send(b"x")
    loop.run_callback(lambda: seen.append(one.recv(1)))
    bine.sleep(0.01)
    assert seen[2:] == [b"x"], seen


def test_what_a_callback_raises_goes_to_handle_error_and_the_watcher_lives():
    errors = errors_seen()
    def fail():
        raise ValueError("wrong")

    timer = loop.timer(0.001, repeat=0.001)
    timer.start(fail)
    until(lambda: len(errors) >= 2)
    timer.stop()
    context, kind, value, tb = errors[0]
    assert context is timer and kind is ValueError and str(value) == "wrong" and tb is not None
    del errors[:]
    callback = loop.run_callback(fail)
    turns()
    assert errors[0][0] is callback


def test_a_failing_callback_is_printed():
    sys.stderr, stderr = io.StringIO(), sys.stderr
    loop.run_callback(lambda: 1 / 0)
    turns()
    sys.stderr, text = stderr, sys.stderr.getvalue()
    assert "ZeroDivisionError" in text and "callback" in text


def test_an_error_handler_may_be_anybody():
    class Handler:
        def handle_error(self, context, kind, value, tb):
            seen.append(kind)

    seen, before = [], loop.error_handler
    loop.error_handler = Handler()
    try:
        loop.run_callback(lambda: 1 / 0)
        turns()
    finally:
        loop.error_handler = before
    assert seen == [ZeroDivisionError]


# ---- what keeps the loop -------------------------------------------------------------------------


def test_ref_decides_whether_join_waits():
    ignored = hub.loop.timer(60, ref=False)
    ignored.start(print)
    assert hub.join() is True and ignored.active
    seen = []
    hub.loop.timer(0.02).start(seen.append, 1)
    assert bine.wait() is True and seen == [1]
    hub.loop.run_callback(seen.append, 2)
    assert hub.join() is True and seen == [1, 2]
    timer = hub.loop.timer(60)
    timer.start(print)
    assert hub.join(timeout=0.01) is False
    timer.ref = False
    assert hub.join() is True and timer.active


def test_waiting_for_ever_is_a_loop_exit_unless_a_watcher_has_ref():
    one, other = socket.socketpair()
    watcher = hub.loop.io(one.fileno(), 1, ref=False)
    watcher.start(print)
    kept = bine.signal_handler(10, print)  # noqa: F841 (it is there, and does not have ref)
    for wait in (bine.event.Event().wait, hub.switch):
        try:
            wait()
        except bine.hub.LoopExit:
            pass
        else:
            raise AssertionError
    async_ = hub.loop.async_()
    async_.start(print)
    with bine.Timeout(0.01, False):
        bine.event.Event().wait()
        raise AssertionError


def test_destroy_stops_everything():
    loop, seen = core.loop(), []
    timer = loop.timer(0.001)
    timer.start(seen.append, 1)
    kept = loop.run_callback(seen.append, 2)  # noqa: F841
    loop.destroy()
    loop.destroy()
    bine.sleep(0.01)
    assert seen == [] and not timer.active and loop.destroyed and "destroyed" in repr(loop)
    for use in (lambda: loop.timer(1), lambda: loop.run_callback(print),
                lambda: timer.start(print)):
        try:
            use()
        except ValueError:
            continue
        raise AssertionError


# ---- threads and fork ----------------------------------------------------------------------------


def test_each_thread_has_a_hub_and_a_loop_of_its_own():
    seen = []

    def work():
        hub, mine = bine.get_hub(), []
        assert hub is bine.get_hub() and hub.loop is not loop and not hub.loop.default
        hub.loop.timer(0.001).start(mine.append, threading.get_ident())
        one, other = socket.socketpair()
        watcher = hub.loop.io(one.fileno(), 1)
        watcher.start(lambda: (mine.append(one.recv(1)), watcher.stop()))
        other.send(b"x")
        hub.join()
        seen.append((hub, threading.get_ident(), mine))
        hub.loop.timer(60).start(print)  # it ends with the thread
        one.close()
        other.close()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    hub, ident, mine = seen[0]
    assert (hub is not bine.get_hub() and
            sorted(map(str, mine)) == sorted(map(str, [ident, b"x"])) and hub.thread_ident == ident)


def test_a_watcher_may_be_started_and_stopped_by_another_thread():
    seen = []
    timer = loop.timer(0.001)
    thread = threading.Thread(target=timer.start,
                              args=(lambda: seen.append(threading.get_ident()),))
    thread.start()
    thread.join()
    until(lambda: seen)
    assert seen == [threading.get_ident()]
    timer = loop.timer(0.001, repeat=0.001)
    timer.start(seen.append, 1)
    thread = threading.Thread(target=timer.stop)
    thread.start()
    thread.join()
    until(lambda: not timer.active)


def test_a_child_process_has_the_watchers_of_its_parent():
    seen = []
    one, other = socket.socketpair()
    watcher = loop.io(one.fileno(), 1)
    watcher.start(lambda: (seen.append(one.recv(1)), watcher.stop()))
    loop.timer(0.02).start(seen.append, "timer")
    fork = loop.fork()
    fork.start(seen.append, "fork")
    loop.run_callback(seen.append, "callback")
    pid = os.fork()
    if pid == 0:
        other.send(b"x")
        with bine.Timeout(5):
            while len(seen) < 4:
                bine.sleep(0.01)
        os._exit(0 if sorted(map(str, seen)) ==
                 sorted(map(str, ["fork", "callback", b"x", "timer"])) else 1)
    watcher.stop()  # the byte is the child's
    assert os.waitpid(pid, 0)[1] == 0
    until(lambda: len(seen) == 2)
    assert sorted(seen) == ["callback", "timer"]


def test_a_callback_may_fork():
    pids = []
    def child():
        pid = os.fork()
        if pid == 0:
            os._exit(4)
        pids.append(pid)
    bine.get_hub().loop.run_callback(child)
    bine.sleep(0.01)
    assert os.WEXITSTATUS(os.waitpid(pids[0], 0)[1]) == 4


def test_a_callback_on_its_way_to_a_loop_that_is_destroyed_is_not_pending():
    callbacks, other = [], core.loop()
    thread = threading.Thread(target=lambda: callbacks.append(other.run_callback_threadsafe(print)))
    thread.start()
    thread.join()
    assert callbacks[0].pending
    other.destroy()
    turns()
    assert not callbacks[0].pending and callbacks[0].args is None


def test_a_subclass_of_loop_may_do_without_its_init():
    class Plain(core.loop):
        def __init__(self):
            pass

    seen = []
    plain = Plain()
    plain.run_callback(seen.append, 1)
    plain.timer(0.001).start(seen.append, 2)
    until(lambda: len(seen) == 2)
    assert seen == [1, 2] and plain._here
    plain.destroy()
    assert plain.destroyed


# ---- gevent.core ---------------------------------------------------------------------------------


def test_core_has_the_names_of_gevents():
    assert core.READ == 1 and core.WRITE == 2 and (core.MINPRI, core.MAXPRI) == (-2, 2)
    assert "epoll" in core.supported_backends() and core.recommended_backends()
    assert (isinstance(loop, core.loop) and isinstance(loop.timer(1), core.timer) and
            isinstance(loop.timer(1), core.watcher))
    assert (isinstance(loop.run_callback(int), core.callback) and
            getattr(core, "async") is core.async_)
    assert (ILoop.providedBy(loop) and isinstance(loop.io(0, 1), IWatcher) and
            isinstance(loop.run_callback(int), ICallback))
    before = loop.now()
    loop.update_now()
    assert 0 <= loop.now() - before < 5 and loop.fileno() is None and loop.default
