"""Trace and profile functions reach greenlets: threading's hooks, what traces the spawner, and
coverage.py with them."""

import collections
import json
import os
import select
import subprocess
import sys
import tempfile
import threading

import bine
import bine.event
import pytest

PATCHED = True


def work():
    x = 1
    bine.sleep(0.001)
    y = 2
    return x + y


def lines_of(function, seen):
    first = function.__code__.co_firstlineno

    def trace(frame, event, argument):
        if frame.f_code is function.__code__ and event == "line":
            seen.add(frame.f_lineno - first)
        return trace

    return trace


def calls_into(seen):
    def profile(frame, event, argument):
        if event == "call":
            seen.append(frame.f_code.co_name)

    return profile


def test_hazard_66_settrace_of_threading_reaches_greenlets():
    seen = set()
    threading.settrace(lines_of(work, seen))
    try:
        bine.joinall([bine.spawn(work) for _ in range(3)], raise_error=True)
    finally:
        threading.settrace(None)
    assert seen == {1, 2, 3, 4}, seen
    seen.clear()
    bine.spawn(work).get()
    assert not seen, "still traced"


def test_hazard_66_setprofile_of_threading_reaches_greenlets():
    seen = []
    threading.setprofile(calls_into(seen))
    try:
        bine.spawn(work).get()
    finally:
        threading.setprofile(None)
    assert seen == ["work"], seen
    bine.spawn(work).get()
    assert seen == ["work"], "still profiled"


def test_hazard_66_what_traces_the_spawner_traces_the_greenlet():
    # As in gevent, where the thread is traced, with all its greenlets.
    seen, calls = set(), []
    sys.settrace(lines_of(work, seen))
    sys.setprofile(calls_into(calls))
    try:
        bine.spawn(work).get()
        bine.spawn(lambda: bine.spawn(work).get()).get()
    finally:
        sys.settrace(None)
        sys.setprofile(None)
    assert seen == {1, 2, 3, 4} and calls.count("work") == 2, (seen, calls)
    bine.spawn(work).get()
    assert calls.count("work") == 2


def test_hazard_66_a_debugger_keeps_its_place_while_greenlets_run():
    seen = set()

    def body():
        g = bine.spawn(work)
        g.join()
        z = g.get()
        return z

    sys.settrace(lines_of(body, seen))
    try:
        body()
    finally:
        sys.settrace(None)
    assert seen == {1, 2, 3, 4}, seen


@pytest.mark.skipif(sys.version_info < (3, 12), reason="since CPython 3.12")
def test_hazard_66_functions_for_all_threads_reach_running_greenlets():
    seen, calls, go = set(), [], bine.event.Event()

    def waits():
        go.wait()
        work()

    g = bine.spawn(waits)
    bine.sleep(0)
    threading.settrace_all_threads(lines_of(work, seen))
    threading.setprofile_all_threads(calls_into(calls))
    try:
        go.set()
        g.get()
        bine.spawn(work).get()
    finally:
        threading.settrace_all_threads(None)
        threading.setprofile_all_threads(None)
    assert seen == {1, 2, 3, 4} and calls.count("work") == 2, (seen, calls)
    # Idle carriers were given them as well.
    seen.clear()
    assert bine.spawn(lambda: (work(), sys.gettrace(), sys.getprofile())).get() == (3, None, None)
    assert not seen and calls.count("work") == 2


def test_hazard_66_a_kill_of_a_driver_in_a_traced_greenlet():
    # The cut of a C extension is told by a trace function, too; spawned meanwhile, a greenlet must
    # not begin with that one.
    import socket

    a, b = socket.socketpair()

    def reads():
        try:
            a.recv(1)
        finally:
            children.append(bine.spawn(sys.gettrace))

    children = []
    g = bine.spawn(reads)
    bine.sleep(0)
    g.kill()
    assert children[0].get() is None
    b.close()


def test_hazard_66_a_tracer_written_in_c_hears_that_another_greenlet_goes_on():
    # coverage.py's looks which greenlet runs where a function is called or returns. The waits of
    # Bine are no Python functions.
    import ctypes
    import functools
    import socket

    wrong, counts, current, name = [], collections.Counter(), [None], None

    @ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.py_object, ctypes.c_int,
                       ctypes.c_void_p)
    def trace(argument, frame, what, unused):
        if what in (0, 3):  # PyTrace_CALL, PyTrace_RETURN
            current[0] = bine.getcurrent()
            counts[what] += 1
        elif what == 2 and frame.f_code is body.__code__:  # PyTrace_LINE
            counts["lines"] += 1
            if current[0] is not bine.getcurrent():
                wrong.append((name, frame.f_lineno - body.__code__.co_firstlineno))
        return 0

    def body(wait):
        wait()
        wait()
        return 1

    set_trace = ctypes.pythonapi.PyEval_SetTrace
    set_trace.argtypes, set_trace.restype = [ctypes.c_void_p, ctypes.py_object], None
    ours, theirs = socket.socketpair()

    def joins():
        bine.joinall([bine.spawn(body, functools.partial(bine.sleep, 0)) for _ in range(3)])

    waits = {
        "sleep": functools.partial(bine.sleep, 0.001),
        "yield": functools.partial(bine.sleep, 0),
        "event": functools.partial(bine.event.Event().wait, 0.001),
        "select": functools.partial(select.select, [ours], [], [], 0.001),
        "join": joins,
    }
    for name, wait in waits.items():
        set_trace(ctypes.cast(trace, ctypes.c_void_p), None)
        greenlets = [bine.spawn(body, wait) for _ in range(3)]
        body(wait)
        bine.joinall(greenlets)
        set_trace(None, None)
        assert all(g.value == 1 for g in greenlets)
    ours.close(), theirs.close()
    assert not wrong and counts["lines"] >= 3 * 4 * len(waits) and counts[0] and counts[3], (wrong,
                                                                                             counts)


_program = """
import {name}

def work(n):
    a = n
    {name}.sleep(0.001)
    b = a + 1
    return b

def main():
    gs = [{name}.spawn(work, i) for i in range(3)]
    {name}.joinall(gs)
    assert [g.value for g in gs] == [1, 2, 3]

main()
"""


def measured(concurrency, *options):
    """The lines of the program above that coverage.py misses."""
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "program.py"), "w") as file:
            file.write(_program.format(name="gevent"))
        runner = [sys.executable, "-m", "bine.gevent", "-m", "coverage"]
        environment = dict(os.environ, COVERAGE_CORE="ctrace")
        subprocess.run(runner + ["run", "--concurrency", concurrency, *options, "program.py"],
                       cwd=folder, check=True, env=environment)
        report = subprocess.run([sys.executable, "-m", "coverage", "json", "-o", "-"], cwd=folder,
                                check=True, stdout=subprocess.PIPE, universal_newlines=True)
    (result,) = json.loads(report.stdout)["files"].values()
    return result["missing_lines"]


@pytest.mark.seconds(120)
def test_hazard_66_coverage_sees_the_lines_of_greenlets():
    pytest.importorskip("coverage")
    for how in (("gevent",), ("gevent", "--branch"), ("thread",), ("thread", "--branch"),
                ("thread", "--timid")):
        missing = measured(*how)
        assert missing == [], (how, missing)
