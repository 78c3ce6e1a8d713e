"""Greenlets, Timeout, kill: gevent's semantics."""

import sys
import threading
import time

import bine
import bine.event
from bine.event import AsyncResult
from helpers import raises


def test_in_turn_and_alternating():
    lines = []

    def turns(name, n, pause):
        for i in range(n):
            lines.append((name, i))
            if pause:
                bine.sleep(0)

    bine.joinall([bine.spawn(turns, name, 3, False) for name in "abc"])
    assert lines == [(name, i) for name in "abc" for i in range(3)]
    del lines[:]
    bine.joinall([bine.spawn(turns, name, 3, True) for name in "abc"])
    assert lines == [(name, i) for i in range(3) for name in "abc"]


def test_names_show_function_and_arguments():
    def f(n, key=None):
        pass

    g = bine.spawn(f, 5)
    assert repr(g) == "<Greenlet at 0x%x: f(5)>" % id(g)
    h = bine.spawn(f, 5, key="x")
    assert repr(h).endswith(": f(5, key='x')>")
    bine.joinall([g, h])


def test_value_exception_and_states():
    g = bine.Greenlet(lambda x: x + 1, 4)
    assert not g.started and not g.dead and not g and g.value is None
    g.start()
    assert g.started and g and not g.ready()
    g.start()  # no effect
    assert g.get() == 5 and g.value == 5 and g.dead and g.ready() and g.successful() and not g
    assert g.exc_info is None

    def fail():
        raise ValueError("wrong")

    g = bine.spawn(fail)
    assert str(raises(ValueError, g.get)) == "wrong"
    assert (not g.successful() and isinstance(g.exception, ValueError) and
            g.exc_info[0] is ValueError)
    assert g.exc_info[2] is not None


def test_a_failure_prints_a_traceback_and_the_rest_goes_on():
    import io

    sys.stderr = text = io.StringIO()
    g = bine.spawn(lambda: 1 / 0)
    h = bine.spawn(lambda: 7)
    bine.joinall([g, h])
    sys.stderr = sys.__stderr__
    assert h.value == 7
    assert ("ZeroDivisionError" in text.getvalue() and
            "failed with ZeroDivisionError" in text.getvalue())


def test_subclass_with_run():
    class Mine(bine.Greenlet):
        def __init__(self, n):
            bine.Greenlet.__init__(self)
            self.n = n

        def _run(self):
            bine.sleep(0)
            return self.n * 2

    g = Mine.spawn(21)
    assert g.get() == 42
    g = Mine(4)
    g.start_later(0.01)
    assert g.get() == 8


def test_spawn_later_and_its_cancellation():
    begin = time.monotonic()
    assert bine.spawn_later(0.02, lambda: 5).get() == 5
    assert time.monotonic() - begin >= 0.02
    ran = []
    g = bine.spawn_later(0.02, ran.append, 1)
    g.kill()
    bine.sleep(0.04)
    assert not ran and g.dead and isinstance(g.value, bine.GreenletExit)


def test_kill_before_start():
    ran = []
    g = bine.spawn(ran.append, 1)
    g.kill(block=False)
    assert g.dead
    bine.sleep(0)
    assert not ran and isinstance(g.get(), bine.GreenletExit) and g.successful()


def test_kill_raises_where_it_waits_and_waits_for_the_end():
    seen = []

    def stubborn():
        try:
            bine.sleep(100)
        except bine.GreenletExit:
            bine.sleep(0.01)
            seen.append("cleaned up")
            raise

    g = bine.spawn(stubborn)
    bine.sleep(0)
    g.kill()
    assert seen == ["cleaned up"] and isinstance(g.value, bine.GreenletExit)


def test_kill_with_another_exception_and_a_greenlet_that_survives():
    def survives():
        try:
            bine.sleep(100)
        except KeyError:
            return "survived"

    g = bine.spawn(survives)
    bine.sleep(0)
    g.kill(KeyError)
    assert g.value == "survived"

    def dies():
        bine.sleep(100)

    g = bine.spawn(dies)
    bine.sleep(0)
    g.kill(KeyError("k"), block=False)
    assert isinstance(raises(KeyError, g.get), KeyError)


def test_kill_of_oneself():
    def suicide():
        bine.getcurrent().kill()
        raise AssertionError("not reached")

    g = bine.spawn(suicide)
    assert isinstance(g.get(), bine.GreenletExit)


def test_killall_with_timeout():
    def never(n):
        while True:
            try:
                bine.sleep(100)
            except bine.GreenletExit:
                n[0] += 1
                if n[0] > 3:
                    return

    count = [0]
    g = bine.spawn(never, count)
    bine.sleep(0)
    raises(bine.Timeout, bine.killall, [g], timeout=0.01)
    while not g.dead:
        g.kill(block=False)
        bine.sleep(0)


def test_links():
    seen = []
    g = bine.spawn(lambda: 3)
    g.link(lambda source: seen.append(("link", source.value)))
    g.link_value(lambda source: seen.append("value"))
    g.link_exception(lambda source: seen.append("exception"))
    g.rawlink(lambda source: seen.append("raw"))

    def unwanted(source):
        seen.append("unwanted")

    g.link(unwanted)
    g.unlink(unwanted)
    g.join()
    bine.sleep(0.01)
    assert sorted(map(str, seen)) == sorted(["('link', 3)", "value", "raw"])
    g.link(lambda source: seen.append("late"))
    bine.sleep(0.01)
    assert seen[-1] == "late"
    result = (bine.event.AsyncResult() if hasattr(bine, "event")
              else __import__("bine.event").event.AsyncResult())
    bine.spawn(lambda: 9).link(result)
    assert result.get() == 9


def test_timeouts_nest_and_are_told_apart():
    with bine.Timeout(1) as outer:
        try:
            with bine.Timeout(0.01) as inner:
                bine.sleep(5)
        except bine.Timeout as expired:
            assert expired is inner
    with bine.Timeout(0.01, False):
        bine.sleep(5)
        raise AssertionError("not reached")
    raises(KeyError, lambda: [bine.Timeout.start_new(0.01, KeyError), bine.sleep(5)])
    assert bine.with_timeout(0.01, bine.sleep, 5, timeout_value="late") == "late"
    assert bine.with_timeout(5, lambda: "in time") == "in time"
    timeout = bine.Timeout(0.01)
    timeout.start()
    assert timeout.pending
    timeout.cancel()
    assert not timeout.pending
    bine.sleep(0.02)
    assert str(bine.Timeout(1)) == "1 second" and str(bine.Timeout(2)) == "2 seconds"
    outer.cancel()


def test_get_and_join_time_out():
    g = bine.spawn(bine.sleep, 5)
    assert g.join(0.01) is None and not g.dead
    raises(bine.Timeout, g.get, timeout=0.01)
    raises(bine.Timeout, g.get, block=False)
    g.kill()


def test_joinall_counts_and_raises():
    gs = [bine.spawn(bine.sleep, x) for x in (0.03, 0.001, 5)]
    done = bine.joinall(gs, count=2)
    assert done == [gs[1], gs[0]]
    assert (bine.joinall(gs, timeout=0.01) == [gs[0], gs[1]] or
            len(bine.joinall(gs, timeout=0.01)) == 2)
    gs[2].kill()
    sys.stderr = open("/dev/null", "w")
    raises(ZeroDivisionError, bine.joinall, [bine.spawn(lambda: 1 / 0)], raise_error=True)


def test_wait_and_iwait_over_a_mixture():
    from bine.event import Event
    from bine.lock import Semaphore
    from bine.queue import Queue

    event, semaphore, queue = Event(), Semaphore(0), Queue()
    g = bine.spawn(bine.sleep, 0.03)
    bine.spawn_later(0.02, queue.put, 1)
    bine.spawn_later(0.01, event.set)
    bine.spawn_later(0.04, semaphore.release)
    assert list(bine.iwait([g, event, semaphore, queue])) == [event, queue, g, semaphore]
    assert bine.wait([Event()], timeout=0.01) == []
    bine.spawn(bine.sleep, 0.01)
    assert bine.wait() is True


def test_spawn_tree_locals_and_identities():
    def child():
        return bine.getcurrent().spawn_tree_locals.get("key"), bine.getcurrent().spawning_greenlet

    def parent():
        bine.getcurrent().spawn_tree_locals["key"] = "value"
        return bine.spawn(child).get()

    g = bine.spawn(parent)
    value, spawner = g.get()
    assert value == "value" and spawner() is g
    assert bine.spawn(child).minimal_ident != bine.spawn(child).minimal_ident


def test_context_manager():
    with bine.spawn(lambda: 5) as g:
        pass
    assert g.value == 5

    def leave():
        with bine.spawn(bine.sleep, 100) as h:
            bine.sleep(0)
            leave.h = h
            raise KeyError("out")

    raises(KeyError, leave)
    assert leave.h.dead


def test_threading_local_and_contextvars_belong_to_the_greenlet():
    import contextvars

    local = threading.local()
    variable = contextvars.ContextVar("variable", default=0)
    local.x = "root"
    variable.set(1)

    def work(n):
        assert not hasattr(local, "x")
        assert variable.get() == 1  # a copy of the spawner's
        local.x = n
        variable.set(n)
        bine.sleep(0)
        assert local.x == n and variable.get() == n

    for _ in range(2):  # the second round runs in carriers that have been used
        bine.joinall([bine.spawn(work, n) for n in range(10)], raise_error=True)
    assert local.x == "root" and variable.get() == 1


def test_exceptions_being_handled_belong_to_the_greenlet():
    def work(n):
        try:
            raise ValueError(n)
        except ValueError:
            bine.sleep(0)
            assert sys.exc_info()[1].args == (n,)
            try:
                raise KeyError(n)
            except KeyError as error:
                bine.sleep(0)
                assert error.__context__.args == (n,)

    bine.joinall([bine.spawn(work, n) for n in range(10)], raise_error=True)


def test_generators_may_be_resumed_in_other_greenlets():
    def numbers():
        for i in range(5):
            bine.sleep(0)
            yield i

    generator = numbers()
    seen = [bine.spawn(next, generator).get() for _ in range(5)]
    assert seen == list(range(5))


def test_loop_exit_says_who_waits():
    import os

    if len(os.listdir("/proc/self/task")) > 1:
        import pytest

        pytest.skip("an emulator has threads of its own here, which might wake somebody")
    os.environ["BINE_DEADLOCK_DUMP"] = "0"
    from bine.event import Event
    from bine.exceptions import LoopExit

    g = bine.spawn(Event().wait)
    error = raises(LoopExit, Event().wait)
    assert "event" in str(error)
    g.kill()


def test_system_exit_in_a_greenlet_reaches_the_main_greenlet():
    bine.spawn(sys.exit, 5)
    error = raises(SystemExit, bine.sleep, 1)
    assert error.code == 5


def test_many_greenlets():
    n = 20000
    gs = [bine.spawn(bine.sleep, 0.001 * (i % 10)) for i in range(n)]
    assert len(bine.joinall(gs)) == n


def test_garbage_collection_during_switches():
    import gc
    import weakref

    gc.set_threshold(50)

    class Node:
        pass

    def work(n):
        nodes = []
        for i in range(50):
            node = Node()
            node.self = node
            nodes.append(node)
            if i % 10 == 0:
                bine.sleep(0)
        gc.collect()
        return weakref.ref(nodes[0])

    gs = [bine.spawn(work, i) for i in range(50)]
    bine.joinall(gs, raise_error=True)
    references = [g.value for g in gs]
    gc.collect()
    assert not any(reference() for reference in references)


def test_a_finished_greenlet_is_freed():
    import gc
    import weakref

    g = bine.spawn(lambda: 5)
    g.join()
    reference = weakref.ref(g)
    del g
    gc.collect()
    assert reference() is None


def test_tracemalloc_and_profilers():
    import tracemalloc

    tracemalloc.start()
    calls = []
    sys.setprofile(lambda *event: calls.append(event[1]))
    bine.joinall([bine.spawn(bine.sleep, 0.001) for _ in range(10)])
    sys.setprofile(None)
    assert tracemalloc.get_traced_memory()[1] > 0 and calls


def test_links_have_begun_when_join_returns():
    seen = []
    greenlet = bine.spawn(seen.append, 0)
    for i in range(1, 5):
        greenlet.link(lambda unused, i=i: seen.append(i))
    greenlet.join()
    assert seen == [0, 1, 2, 3, 4]


def test_wait_for_all_counts_greenlets_that_have_not_begun():
    bine.joinall([bine.spawn(bine.sleep, 0) for _ in range(3)])  # what carried them is used again
    seen = []
    bine.spawn(lambda: (bine.sleep(0), seen.append(1)))
    bine.spawn(lambda: (bine.sleep(0), seen.append(2)))
    assert bine.wait() and seen == [1, 2]


def test_raising_what_was_kept_again_does_not_grow_its_traceback():
    def fail():
        raise ValueError("kept")

    def depth(get):
        try:
            get()
        except ValueError as error:
            traceback, count = error.__traceback__, 0
            while traceback:
                traceback, count = traceback.tb_next, count + 1
            return count

    greenlet = bine.spawn(fail)
    greenlet.join()
    result = AsyncResult()
    result.set_exception(greenlet.exception)
    for get in (greenlet.get, result.get):
        assert len({depth(get) for _ in range(4)}) == 1


def test_a_timeout_of_ones_own_as_timeout():
    for exception in (None, KeyError("own")):
        timeout = bine.Timeout(0.01, exception)
        try:
            AsyncResult().get(timeout=timeout)
        except (bine.Timeout, KeyError) as raised:
            assert raised is (exception or timeout)
        else:
            raise AssertionError("nothing raised")
    assert bine.event.Event().wait(timeout=bine.Timeout(0.01)) is False


def test_timeout_with_a_remark_and_with_something_that_cannot_be_raised():
    timeout = bine.Timeout(0.01, "too slow")
    with timeout:
        assert raises(bine.Timeout, bine.sleep, 1) is timeout and str(timeout).endswith("too slow")
    assert (str(bine.Timeout(1, False)) == "1 second (silent)" and
            str(bine.Timeout(2)) == "2 seconds")
    with bine.Timeout(0.01, 42):
        raises(TypeError, bine.sleep, 1)


def test_the_hub_is_told_of_failures():
    hub, seen = bine.get_hub(), []
    hub.handle_error = lambda context, type, value, tb: seen.append((context, type))
    try:
        greenlet = bine.spawn(lambda: 1 / 0)
        greenlet.join()
    finally:
        del hub.handle_error
    assert seen == [(greenlet, ZeroDivisionError)]


def test_spawn_later_without_a_function():
    raises(TypeError, bine.spawn_later)
    raises(TypeError, bine.spawn_later, 1)

    class Own(bine.Greenlet):
        def _run(self):
            return 5

    assert Own.spawn_later(0.001).get() == 5


def test_sleep_and_join_take_what_gevents_do():
    for call in (lambda: bine.sleep(), lambda: bine.sleep(0), lambda: bine.sleep(0.001),
                 lambda: bine.sleep(0, False), lambda: bine.sleep(seconds=0.001),
                 lambda: bine.sleep(ref=True), lambda: bine.sleep(0, ref=False)):
        assert call() is None
    for call in (lambda: bine.sleep(0, True, 1), lambda: bine.sleep(0, seconds=0),
                 lambda: bine.sleep(wrong=1), lambda: bine.sleep(0, True, ref=1),
                 lambda: bine.sleep("long")):
        raises(TypeError, call)
    greenlet = bine.spawn(bine.sleep, 100)
    assert (greenlet.join(0.001) is None and greenlet.join(timeout=0.001) is None and
            not greenlet.dead)
    for call in (lambda: greenlet.join(1, 2), lambda: greenlet.join(1, timeout=2),
                 lambda: greenlet.join(wrong=1)):
        raises(TypeError, call)
    greenlet.kill()
    assert greenlet.join() is None
