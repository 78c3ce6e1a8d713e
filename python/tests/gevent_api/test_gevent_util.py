"""gevent.util and the monitor thread."""

import gc
import io
import os
import subprocess
import sys
import threading
import time
import weakref

import bine
import bine.event
import bine.hub
import bine.threadpool
from bine.gevent import _monitor, config, events, util
from helpers import raises, raising


# -- trees


def family():
    """A greenlet called "parent" with two children that sleep."""
    def child():
        bine.sleep(60)

    def parent():
        bine.getcurrent().spawn_tree_locals["key"] = "value of the tree"
        bine.joinall([bine.spawn(child) for _ in range(2)])

    greenlet = bine.spawn(parent)
    greenlet.name = "parent"
    bine.sleep(0.01)
    return greenlet


def test_a_tree_shows_who_spawned_whom():
    parent = family()
    tree = util.GreenletTree.current_tree()
    assert tree.is_current_tree and tree.greenlet is tree.root is bine.getcurrent()
    (below,) = [t for t in tree.child_trees if t.greenlet is parent]
    assert len(below.child_trees) == 2 and not below.child_trees[0].child_trees
    lines = str(tree).splitlines()
    assert (lines[0] == repr(bine.getcurrent()) and sum("child" in line for line in lines) == 2 and
            "parent" in lines[1] and len(lines) == 4)
    assert lines[1].startswith(" +--- ") and lines[2].startswith("      +--- ")
    full = tree.format()
    assert ("value of the tree" in full and full.count("Spawn Tree Locals") >= 1 and
            "in parent" in full and "Waits: sleep" in full)
    assert tree.format(details={"running_stacks": False, "locals": False}).count("in parent") == 0
    below.add_child(below.child_trees[0])
    below.add_child(below)
    assert len(below.child_trees) == 2


def test_a_forest_has_a_tree_for_each_that_has_no_spawner_any_more():
    def short():
        return bine.spawn(bine.sleep, 60)

    orphan = bine.spawn(short).get()
    gc.collect()
    bine.sleep(0)
    forest = util.GreenletTree.forest()
    assert (orphan in [tree.greenlet for tree in forest] and
            bine.getcurrent() in [tree.greenlet for tree in forest])
    assert [tree.is_current_tree for tree in forest].count(True) == 1


def test_run_info_tells_threads_greenlets_and_waits():
    family()
    r, w = os.pipe()
    os.write(w, b"x")
    blocked = threading.Event()
    thread = threading.Thread(target=blocked.wait, name="a thread of mine")
    thread.start()
    lines = util.format_run_info()
    text = "\n".join(lines)
    assert ("* Threads" in lines and "* Greenlets" in lines and "* Who waits for what" in lines and
            "a thread of mine" in text)
    assert ("(CURRENT)" in text and "in child" in text and
            "test_run_info_tells_threads_greenlets_and_waits" in text and "parked in sleep" in text)
    short = "\n".join(util.format_run_info(thread_stacks=False, greenlet_stacks=False))
    assert "in child" not in short and '"parent"' in short and len(short) < len(text)
    out = io.StringIO()
    util.print_run_info(file=out, limit=1)
    assert "* Greenlets" in out.getvalue() and util.dump_stacks(False)
    blocked.set()
    thread.join()


# -- assert_switches and others


def test_assert_switches_wants_a_switch():
    with util.assert_switches():
        bine.sleep(0)
    error = raises(AssertionError, lambda: util.assert_switches()(lambda: None)())
    assert "did not let others run" in str(error)
    with raising(KeyError):
        with util.assert_switches():
            raise KeyError

    @util.assert_switches(max_blocking_time=30)
    def quick(x):
        """Says x."""
        return x

    assert quick(3) == 3 and quick.__doc__ == "Says x."


def test_assert_switches_with_a_limit_wants_short_pieces():
    with util.assert_switches(max_blocking_time=10):
        pass
    with util.assert_switches(max_blocking_time=0.5):
        bine.sleep(0.8), bine.sleep(0)
    for block in (lambda: time.sleep(0.3), lambda: burn(0.3),
                  lambda: (bine.sleep(0), burn(0.3), bine.sleep(0))):
        with raising_assertion() as caught:
            with util.assert_switches(max_blocking_time=0.05):
                block()
        assert "let nobody run for" in str(caught[0])


class raising_assertion(list):
    def __enter__(self):
        return self

    def __exit__(self, kind, value, traceback):
        assert kind is not None and issubclass(kind, AssertionError), kind
        self.append(value)
        return True


def burn(seconds):
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


def test_wrap_errors_returns_what_it_is_told():
    def divide(x):
        """1 / x"""
        return 1 / x

    wrapped = util.wrap_errors((ZeroDivisionError,), divide)
    assert (wrapped(1) == 1 and isinstance(wrapped(0), ZeroDivisionError) and
            raises(TypeError, wrapped, "x"))
    assert (wrapped.__name__ == "divide" and wrapped.__doc__ == "1 / x" and
            repr(wrapped) == repr(divide) and str(wrapped) == str(divide))
    assert isinstance(util.wrap_errors(TypeError, divide)("x"), TypeError)


def test_clear_stack_frames_lets_go_of_locals():
    class Thing:
        pass

    seen = []

    def keeps():
        thing = Thing()
        seen.append(weakref.ref(thing))
        raise KeyError

    try:
        keeps()
    except KeyError as error:
        frames = error.__traceback__.tb_next.tb_frame
        util.clear_stack_frames(frames)
        assert seen[0]() is None
    util.clear_stack_frames(None)


# -- the monitor thread


class Heard(list):
    def __init__(self):
        events.subscribers.append(self.append)

    def of(self, kind, seconds=20):
        """The first event of the kind, when it has come. The thread waits really."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for event in list(self):
                if isinstance(event, kind):
                    return event
            burn(0.01)
        raise AssertionError("no %s in %r" % (kind, self))


def watched():
    hub = bine.hub.get_hub()
    sys.stderr = io.StringIO()
    monitor = hub.start_periodic_monitoring_thread()
    assert hub.start_periodic_monitoring_thread() is monitor is hub.periodic_monitoring_thread
    return hub, monitor


def blocks(stop):
    while not stop:
        burn(0.01)


def test_a_greenlet_that_blocks_is_reported_once_with_its_stack():
    config.max_blocking_time = 0.1
    heard, stop = Heard(), []
    hub, monitor = watched()
    greenlet = bine.spawn(blocks, stop)
    greenlet.name = "culprit"
    threading.Thread(target=lambda: (heard.of(events.EventLoopBlocked), time.sleep(0.4),
                                     stop.append(1))).start()
    greenlet.join()
    (event,) = [e for e in heard if isinstance(e, events.EventLoopBlocked)]
    assert event.greenlet is greenlet and event.blocking_time >= 0.1 and event.hub is hub
    assert (any("in blocks" in line for line in event.info) and
            any("culprit" in line for line in event.info)), event.info
    text = sys.stderr.getvalue()
    assert ("appears to be blocked" in text and "in blocks" in text and
            text.count("appears to be blocked") == 1)
    monitor.kill()


def test_a_call_that_blocks_the_thread_is_reported_too():
    config.max_blocking_time = 0.05
    config.print_blocking_reports = False
    heard = Heard()
    hub, monitor = watched()
    time.sleep(0.5)  # nothing is patched
    event = heard.of(events.EventLoopBlocked)
    assert event.greenlet is bine.getcurrent() and sys.stderr.getvalue() == ""
    assert any("test_a_call_that_blocks" in line for line in event.info), event.info
    monitor.kill()


def test_greenlets_that_wait_or_are_ignored_are_not_reported():
    config.max_blocking_time = 0.05
    heard = Heard()
    hub, monitor = watched()
    bine.sleep(0.3)
    monitor.ignore_current_greenlet_blocking()
    burn(0.3)
    assert not [e for e in heard if isinstance(e, events.EventLoopBlocked)]
    monitor.monitor_current_greenlet_blocking()
    assert heard.of(events.PeriodicMonitorThreadStartedEvent).monitor is monitor
    assert events.IPeriodicMonitorThread.providedBy(monitor) and repr(hub) in repr(monitor)


def test_functions_of_the_programs_own():
    config.max_blocking_time = 0
    hub, monitor = watched()
    calls = []

    def fails(hub):
        calls.append(hub)
        raise KeyError("told, and called again")

    assert (monitor.monitoring_functions() == [] and
            monitor.calculate_sleep_time() == monitor.inactive_sleep_time)
    monitor.inactive_sleep_time = 0.01
    monitor.add_monitoring_function(fails, 0.01)
    end = time.monotonic() + 20
    while len(calls) < 3 and time.monotonic() < end:
        bine.sleep(0.01)
    assert calls[:3] == [hub] * 3 and "told, and called again" in sys.stderr.getvalue()
    monitor.add_monitoring_function(fails, None)
    assert monitor.monitoring_functions() == []
    assert (raises(ValueError, monitor.add_monitoring_function, fails, 0) and
            raises(ValueError, monitor.add_monitoring_function, 3, 1))


def test_memory_above_and_below_the_limit():
    heard = Heard()
    hub, monitor = watched()
    used = [50]
    _monitor._memory = lambda: (used[-1], "info")
    assert (monitor.can_monitor_memory_usage() and
            monitor.monitor_memory_usage(hub) is None), "no limit is set"
    config.max_memory_usage = 100
    for amount, kind in ((50, None), (150, events.MemoryUsageThresholdExceeded), (150, None),
                         (200, events.MemoryUsageThresholdExceeded),
                         (120, None), (90, events.MemoryUsageUnderThreshold), (80, None)):
        used.append(amount)
        event = monitor.monitor_memory_usage(hub)
        assert (type(event) if event else None) is kind, amount
        if kind is events.MemoryUsageUnderThreshold:
            assert (event.mem_usage, event.max_allowed, event.max_memory_usage) == (90, 100, 200)
    assert len([e for e in heard if isinstance(e, events._MemoryEvent)]) == 3
    monitor.kill()


def test_the_memory_of_the_process_is_known():
    amount, info = _monitor._memory()
    assert 1 << 20 < amount <= info.rss


def test_it_ends_with_its_thread_and_goes_on_in_a_child():
    config.max_blocking_time = 0.02
    found = []

    def other():
        found.append(bine.hub.get_hub().start_periodic_monitoring_thread())
        bine.sleep(0.1)

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    end = time.monotonic() + 20
    while found[0].should_run and time.monotonic() < end:
        time.sleep(0.01)
    assert not found[0].should_run
    hub, monitor = watched()
    pid = os.fork()
    if pid == 0:
        heard = Heard()
        event = heard.of(events.EventLoopBlocked)
        os._exit(0 if monitor.pid == os.getpid() and event.hub is hub else 1)
    assert os.waitpid(pid, 0)[1] == 0
    monitor.kill()


def test_it_stays_a_real_thread_when_everything_is_patched():
    from bine import monkey

    monkey.patch_all()
    config.max_blocking_time = 0.05
    config.print_blocking_reports = False
    heard = Heard()
    hub, monitor = watched()
    burn(0.3)
    assert heard.of(events.EventLoopBlocked).hub is hub
    monitor.kill()


def test_the_setting_starts_it_for_each_hub():
    code = ("import os, threading\n%s\nimport bine\nfrom bine.gevent import config, get_hub\n%s\n"
            "found = [get_hub().periodic_monitoring_thread]\n"
            "t = threading.Thread(target=lambda: "
            "found.append(get_hub().periodic_monitoring_thread))\nt.start(); t.join()\n"
            "print([one is not None for one in found], found[0] is not found[1])\n")
    for before, after, expected in (("os.environ['GEVENT_MONITOR_THREAD_ENABLE'] = '1'", "",
                                     "[True, True] True"),
                                    ("", "config.monitor_thread = True", "[True, True] True"),
                                    ("", "", "[False, False] False")):
        done = subprocess.run([sys.executable, "-c", code % (before, after)],
                              stdout=subprocess.PIPE, universal_newlines=True)
        assert done.stdout.strip() == expected, done


def test_config_chooses_the_hubs_pool_and_resolver():
    from bine.gevent.resolver.blocking import Resolver

    class Pool(bine.threadpool.ThreadPool):
        pass

    config.threadpool, config.resolver = Pool, "block"
    hub = bine.hub.get_hub()
    assert (type(hub.threadpool) is Pool and hub.threadpool.maxsize == 10 and
            type(hub.resolver) is Resolver)
