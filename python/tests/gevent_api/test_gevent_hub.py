"""gevent.hub: the Hub of each thread, Waiter, and switching by hand."""

import io
import os
import signal
import socket
import sys
import threading

import bine
import bine.gevent.hub
from bine.gevent import core
from bine.gevent.exceptions import InvalidSwitchError
from bine.gevent.hub import (Hub, LoopExit, Waiter, get_hub, set_default_hub_class, set_hub,
                             signal_handler)
from helpers import at_once, raises, raising, until


# ---- switching by hand ---------------------------------------------------------------------------


def test_a_watcher_that_switches_to_a_greenlet_passes_what_it_was_given():
    hub, current = get_hub(), bine.getcurrent()
    timer = hub.loop.timer(0.001)
    timer.start(current.switch, timer)
    assert hub.switch() is timer
    # Two watchers, of which the faster one counts: as uWSGI waits with a limit.
    one, other = socket.socketpair()
    watcher, limit = hub.loop.io(one.fileno(), core.READ), hub.loop.timer(0.01)
    for it in (watcher, limit):
        it.start(current.switch, it)
    assert hub.switch() is limit
    limit.start(current.switch, limit)
    other.send(b"x")
    assert hub.switch() is watcher
    watcher.stop()
    limit.stop()


def test_what_switch_passes_depends_on_its_arguments():
    hub, current, loop = get_hub(), bine.getcurrent(), get_hub().loop
    for args, kwargs, value in (((), {}, ()), ((1,), {}, 1), ((1, 2), {}, (1, 2)),
                                ((), {"a": 1}, {"a": 1}), ((1,), {"a": 1}, ((1,), {"a": 1}))):
        loop.run_callback(lambda args=args, kwargs=kwargs: current.switch(*args, **kwargs))
        assert hub.switch() == value
    assert current.switch("itself") == "itself"


def test_greenlets_switch_to_each_other():
    seen = []
    main = bine.getcurrent()

    def other(first):
        seen.append(first)
        seen.append(main.switch("to main"))
        main.switch("end")

    greenlet = bine.Greenlet(other)
    assert greenlet.switch("begin") == "to main"
    assert greenlet.switch("again") == "end"
    assert seen == ["begin", "again"]
    greenlet.kill()
    assert greenlet.switch("it has ended") == "it has ended"


def test_an_exception_is_thrown_into_a_greenlet_that_waits_in_the_hub():
    greenlet = bine.spawn(raises, KeyError, get_hub().switch)
    bine.sleep(0.001)
    greenlet.throw(KeyError("thrown"))
    assert isinstance(greenlet.get(timeout=5), KeyError)
    with raising(bine.Timeout), bine.Timeout(0.01):
        get_hub().switch()
    # What was passed to one that an exception was faster for is not kept.
    greenlet = bine.spawn(get_hub().switch)
    bine.sleep(0)
    greenlet.kill(block=False)
    greenlet._hand(1)
    assert isinstance(greenlet.get(timeout=5), bine.GreenletExit)


def test_nobody_who_could_switch_is_a_loop_exit():
    with raising(LoopExit):
        get_hub().switch()


# ---- Waiter --------------------------------------------------------------------------------------


def test_a_waiter_gives_what_was_passed_before_or_comes_later():
    waiter = Waiter()
    assert not waiter.ready() and not waiter.successful() and waiter.exc_info is None
    waiter.switch("before")
    assert (waiter.ready() and waiter.successful() and waiter.value == "before" and
            waiter.get() == "before")
    waiter = Waiter(get_hub())
    bine.spawn(waiter.switch, "later")
    assert waiter.get() == "later"
    waiter = Waiter()
    get_hub().loop.timer(0.001).start(waiter.switch, "by a timer")
    assert waiter.get() == "by a timer" and waiter.greenlet is None
    waiter.switch_args(1, 2)
    assert waiter.get() == (1, 2)
    waiter.clear()
    assert not waiter.ready()


def test_a_waiter_raises_what_was_thrown():
    for throw in (lambda w: w.throw(KeyError("x")), lambda w: w.throw(KeyError),
                  lambda w: w.throw(KeyError, "x"),
                  lambda w: w.throw(KeyError, KeyError("x"), None)):
        waiter = Waiter()
        throw(waiter)
        assert waiter.ready() and not waiter.successful() and waiter.exc_info[0] is KeyError
        raises(KeyError, waiter.get)
        waiter = Waiter()
        bine.spawn(throw, waiter)
        raises(KeyError, waiter.get)


def test_a_waiter_is_a_link_and_one_greenlets():
    for run, outcome in ((lambda: 5, 5), (lambda: list()[1], IndexError)):
        sys.stderr = io.StringIO()
        waiter = Waiter()
        bine.spawn(run).rawlink(waiter)
        if outcome == 5:
            assert waiter.get() == 5
        else:
            raises(IndexError, waiter.get)
    sys.stderr = sys.__stderr__
    waiter = Waiter()
    first = bine.spawn(waiter.get)
    bine.sleep(0.001)
    raises(AssertionError, waiter.get)
    waiter.switch(3)
    assert first.get() == 3


def test_a_waiter_may_be_passed_something_by_another_thread():
    waiter = Waiter()
    thread = threading.Thread(target=waiter.switch, args=(7,))
    bine.spawn_later(0.01, thread.start)
    assert waiter.get() == 7


# ---- hub.wait ------------------------------------------------------------------------------------


def test_wait_waits_for_a_watcher_and_stops_it():
    hub = get_hub()
    one, other = socket.socketpair()
    watcher = hub.loop.io(one.fileno(), core.READ)
    bine.spawn_later(0.005, other.send, b"x")
    hub.wait(watcher)
    assert not watcher.active and one.recv(1) == b"x"
    for _ in range(100):
        hub.wait(hub.loop.timer(0))
    with bine.Timeout(0.01, False):
        hub.wait(watcher)
        raise AssertionError
    assert not watcher.active


def test_cancel_wait_raises_in_the_greenlet_that_waits():
    hub = get_hub()
    one, other = socket.socketpair()
    for close in (False, True):
        watcher = hub.loop.io(one.fileno(), core.READ)
        greenlet = bine.spawn(raises, KeyError, hub.wait, watcher)
        bine.sleep(0.001)
        hub.cancel_wait(watcher, KeyError("cancelled"), close)
        assert str(greenlet.get(timeout=5)) == "'cancelled'"
        assert not watcher.active
    raises(ValueError, watcher.start, print)  # closed
    hub.cancel_wait(None, KeyError("nobody"))
    hub.cancel_wait(hub.loop.timer(1), KeyError("nobody"))
    watchers = [hub.loop.io(one.fileno(), core.READ) for _ in range(2)]
    greenlets = [bine.spawn(raises, OSError, hub.wait, watcher) for watcher in watchers]
    bine.sleep(0.001)
    seen = []
    hub.cancel_waits_close_and_then(watchers + [None], OSError, 9, seen.append, "then")
    assert [g.get(timeout=5).args for g in greenlets] == [(9,), (9,)] and seen == ["then"]


def test_somebody_elses_switch_does_not_pass_for_the_event():
    hub = get_hub()
    greenlet = bine.spawn(raises, InvalidSwitchError, hub.wait, hub.loop.timer(60))
    bine.sleep(0.001)
    bine.spawn(greenlet.switch, "not the waiter")
    assert "expected" in str(greenlet.get(timeout=5))


# ---- errors --------------------------------------------------------------------------------------


def test_a_system_error_of_a_callback_or_a_greenlet_is_raised_in_the_main_one():
    hub = get_hub()
    sys.stderr = io.StringIO()

    def fail(kind):
        raise kind("wrong")

    for kind in (SystemExit, KeyboardInterrupt, SystemError):
        hub.loop.run_callback(fail, kind)
        raises(kind, bine.sleep, 5)
        bine.spawn(fail, kind)
        raises(kind, bine.sleep, 5)
    hub.throw(KeyError("into the hub"))
    raises(KeyError, bine.sleep, 5)
    printed, sys.stderr = sys.stderr.getvalue(), sys.__stderr__
    assert "SystemError" in printed and "SystemExit" not in printed
    assert SystemError in hub.SYSTEM_ERROR and bine.GreenletExit in hub.NOT_ERROR


def test_errors_of_callbacks_are_printed_with_their_context():
    hub = get_hub()
    sys.stderr = io.StringIO()
    timer = hub.loop.timer(0)
    timer.start(lambda: {}["missing"])
    hub.loop.run_callback(bine.getcurrent().throw, bine.GreenletExit)
    raises(bine.GreenletExit, bine.sleep, 0.1)
    bine.sleep(0.001)
    printed, sys.stderr = sys.stderr.getvalue(), sys.__stderr__
    assert ("KeyError: 'missing'" in printed and "<timer at" in printed and
            "GreenletExit" not in printed)


# ---- the hub itself ------------------------------------------------------------------------------


def test_each_thread_has_its_own_hub():
    hub, seen = get_hub(), []
    assert (hub is get_hub() and bine.spawn(get_hub).get() is hub and
            isinstance(hub, Hub) and hub.main_hub)
    assert (hub.thread_ident == threading.get_ident() and hub.name == "" and not hub.dead and
            hub and hub.parent is bine.getcurrent())
    assert (bine.spawn(lambda: bine.getcurrent().parent).get() is hub and
            bine.spawn(int).loop is hub.loop)

    def work():
        mine = get_hub()
        mine.name = "mine"
        seen.append((mine, mine.main_hub, mine.thread_ident == threading.get_ident(), repr(mine),
                     mine.parent is bine.getcurrent()))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    mine, is_main, own, text, parent = seen[0]
    assert mine is not hub and not is_main and own and "mine" in text and parent
    assert "thread_ident" in repr(hub) and "default" in repr(hub)


def test_destroy_ends_a_hub_and_the_next_one_takes_over_the_loop():
    hub, seen = get_hub(), []
    loop = hub.loop
    hub.threadpool.apply(int)
    loop.timer(0.001).start(lambda: seen.append(bine.getcurrent()))
    hub.destroy()
    assert hub.dead and hub.loop is None and "destroyed" in repr(hub)
    new = get_hub()
    assert new is not hub and new.loop is loop
    until(lambda: seen)
    assert seen == [new]
    new.destroy(destroy_loop=True)
    assert loop.destroyed and get_hub().loop is not loop
    get_hub().loop.run_callback(seen.append, "works")
    bine.sleep(0.001)
    assert seen[1:] == ["works"]
    last = get_hub()
    last.destroy()
    bine.sleep(0.001)
    assert last.ready() and last.exception is None and hub.exception is None


def test_a_loop_that_was_left_for_a_next_hub_is_not_taken_by_another_thread():
    left, found = [], []

    def leave():
        left.append(threading.get_ident())
        get_hub().destroy(destroy_loop=False)

    def look():
        found.append((threading.get_ident(), get_hub().loop.destroyed))

    for _ in range(20):
        for function in (leave, look):
            thread = threading.Thread(target=function)
            thread.start()
            thread.join()
    assert not any(destroyed for _, destroyed in found), found
    assert set(left) & {ident for ident, _ in found}, (
        "no thread had the identity of another: this test shows nothing")


def test_hubs_may_be_of_another_class_and_set_by_hand():
    class Special(Hub):
        def handle_error(self, context, kind, value, tb):
            seen.append((context, kind))

    seen = []
    get_hub().destroy(destroy_loop=True)
    set_default_hub_class(Special)
    assert type(get_hub()) is Special
    greenlet = bine.spawn(lambda: 1 / 0)
    callback = get_hub().loop.run_callback(lambda: {}[0])
    bine.sleep(0.001)
    assert sorted(map(str, seen)) == sorted(map(str, [(greenlet, ZeroDivisionError),
                                                      (callback, KeyError)]))
    set_default_hub_class(Hub)
    other = Hub()
    set_hub(other)
    assert get_hub() is other
    set_hub(None)
    assert type(get_hub()) is Hub and get_hub() is not other


def test_get_loop_and_set_loop():
    from bine.gevent.hub import get_loop, set_loop

    seen = []
    before = get_loop()
    set_loop(core.loop())
    assert get_hub().loop is get_loop() is not before
    get_loop().run_callback(lambda: seen.append(bine.getcurrent()))
    bine.sleep(0.001)
    assert seen == [get_hub()]
    own = get_hub().loop = core.loop()
    assert get_loop() is own
    own.run_callback(lambda: seen.append(own))
    bine.sleep(0.001)
    assert seen == [get_hub(), own]
    raises(AttributeError, setattr, get_hub(), "loop", "no loop")
    assert get_loop() is own


def test_join_with_a_timeout_and_without():
    hub = get_hub()
    bine.spawn(bine.sleep, 0.01)
    assert hub.join(timeout=0.001) is False and hub.join() is True
    timer = hub.loop.timer(0.01)
    timer.start(print)
    assert hub.join() is True and not timer.active


def test_a_signal_handler_keeps_join_waiting_by_ref_only():
    seen = []
    handler = signal_handler(signal.SIGUSR1, seen.append, 1)
    assert handler.ref is False and get_hub().join() is True
    handler.ref = True
    assert get_hub().join(timeout=0.01) is False
    os.kill(os.getpid(), signal.SIGUSR1)
    until(lambda: seen)
    handler.cancel()
    assert get_hub().join() is True and signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL
    # Its handler runs in a greenlet, which may wait.
    handler = signal_handler(signal.SIGUSR1, lambda: (bine.sleep(0.001), seen.append(2)))
    os.kill(os.getpid(), signal.SIGUSR1)
    until(lambda: len(seen) == 2)
    handler.cancel()


def test_a_hub_in_a_child_process_works_on():
    seen = []
    get_hub().loop.run_callback(seen.append, 0)
    bine.sleep(0.001)
    pid = os.fork()
    if pid == 0:
        bine.gevent.hub.reinit()
        hub = get_hub()
        hub.wait(hub.loop.timer(0.001))
        hub.destroy(destroy_loop=True)
        get_hub().loop.run_callback(lambda: seen.append(bine.getcurrent() is get_hub()))
        bine.sleep(0.01)
        os._exit(0 if seen == [0, True] else 1)
    assert os.waitpid(pid, 0)[1] == 0


def test_many_greenlets_wait_for_watchers_at_once():
    hub = get_hub()
    assert at_once([lambda: hub.wait(hub.loop.timer(0.5))] * 300)


def test_a_report_formats_its_context_as_the_hub_says():
    import io
    import sys

    import bine.gevent

    hub, stream = bine.gevent.get_hub(), io.StringIO()
    before, sys.stderr = sys.stderr, stream
    try:
        assert hub.format_context is bine.gevent.config.format_context
        hub.format_context = lambda context: "a context of %d" % context
        for context in (7, "a text", object):
            hub.print_exception(context, ValueError, None, None)
    finally:
        sys.stderr = before
        del hub._format_context
    lines = [line.split(" ", 1)[1] for line in stream.getvalue().splitlines() if "failed" in line]
    assert lines == ["a context of 7 failed with ValueError", "a text failed with ValueError",
                     "<class 'object'> failed with ValueError"]


def test_a_hub_takes_the_classes_that_the_config_or_its_type_names():
    import bine.gevent
    from bine.gevent.threadpool import ThreadPool
    from bine.hub import Hub

    hub = bine.gevent.get_hub()
    assert (hub.threadpool_class is bine.gevent.config.threadpool and
            hub.resolver_class is bine.gevent.config.resolver)

    class Pool(ThreadPool):
        pass

    class Named(Hub):
        threadpool_class = Pool

        def __init__(self):
            self._threadpool = None

    assert type(Named().threadpool) is Pool
