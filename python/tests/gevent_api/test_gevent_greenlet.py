"""What gevent's greenlets have beside waiting and ending: their text, frame, context,
spawner, callbacks, tracing."""

import contextlib
import contextvars
import io
import re
import socket
import time
import traceback
import weakref

import bine
from bine import _spawning

from helpers import raises

PATCHED = True


def text(greenlet):
    return re.sub("0x[0-9a-f]+", "0x", repr(greenlet))


def nothing(*args, **kwargs):
    pass


class Own(bine.Greenlet):
    def _run(self, *args):
        return args


def test_the_text_names_the_call():
    assert text(bine.spawn(nothing)) == "<Greenlet at 0x: nothing>"
    assert text(bine.spawn(nothing, 1, x="2")) == "<Greenlet at 0x: nothing(1, x='2')>"
    assert text(bine.Greenlet()) == text(bine.Greenlet(None)) == "<Greenlet at 0x: _run>"
    assert text(Own()) == "<Own at 0x: _run>" and text(Own(None, 3)) == "<Own at 0x: _run(3)>"
    assert text(bine.getcurrent()) == "<Greenlet at 0x>"
    g = bine.spawn(nothing)
    g.join()
    assert text(g) == "<Greenlet at 0x: _run>"


def test_the_text_has_the_name_once_it_was_asked_for():
    g = bine.spawn(nothing, 5)
    assert text(g) == "<Greenlet at 0x: nothing(5)>"
    assert (g.name == "Greenlet-%d" % g.minimal_ident and
            text(g) == '<Greenlet "%s" at 0x: nothing(5)>' % g.name)
    g.name = "its own"
    assert text(g) == '<Greenlet "its own" at 0x: nothing(5)>'


def test_arguments_of_a_greenlet():
    g = bine.spawn(nothing, 1, 2)
    assert g.args == (1, 2) and g.kwargs == {} and g.exc_info is None
    assert bine.Greenlet(nothing, x=3).kwargs == {"x": 3}
    g.join()
    assert g.args == () and g.kwargs == {} and g.exc_info is None
    late = bine.Greenlet(lambda *args, **kwargs: (args, kwargs))
    late.args, late.kwargs = (1,), {"x": 2}
    late.kwargs["y"] = 3
    late.start()
    assert late.get() == ((1,), {"x": 2, "y": 3})
    raises(TypeError, setattr, late, "args", [1])
    raises(TypeError, setattr, late, "kwargs", 1)


def test_a_greenlet_without_a_function_does_nothing():
    g = bine.Greenlet()
    g.start()
    g.join()
    assert g.successful() and g.value is None
    g = bine.spawn()
    g.join()
    assert g.successful()
    given = bine.Greenlet(None, 3)
    given.start()
    given.join()
    assert isinstance(given.exception, TypeError)


def test_has_links_is_true_or_false():
    g = bine.spawn(nothing)
    assert g.has_links() is False
    g.rawlink(nothing)
    g.rawlink(nothing)
    assert g.has_links() is True
    g.join()
    assert g.has_links() is False


def test_a_callback_of_a_link_may_unlink_the_next():
    called = []
    for link in ("link", "rawlink"):
        g = bine.spawn(nothing)

        def second(source):
            called.append("second")

        def first(source):
            called.append("first")
            source.unlink(second)

        g.rawlink(first)
        getattr(g, link)(second)
        g.join()
        bine.sleep(0.01)
    assert called == ["first", "first"]


def test_the_parent_is_the_hub():
    assert bine.spawn(nothing).parent is bine.get_hub() and bine.getcurrent().parent is None
    assert bine.spawn(lambda: bine.getcurrent().parent).get() is bine.get_hub()


def test_the_frame_in_which_a_greenlet_waits():
    def outer():
        inner()

    def inner():
        time.sleep(100)

    g = bine.Greenlet(outer)
    assert g.gr_frame is None
    g.start()
    assert g.gr_frame is None
    bine.sleep(0)
    assert g.gr_frame.f_code.co_name == "inner" and g.gr_frame.f_back.f_code.co_name == "outer"
    assert "in outer" in "".join(traceback.format_stack(g.gr_frame))
    assert (bine.getcurrent().gr_frame is None and
            bine.spawn(lambda: bine.getcurrent().gr_frame).get() is None)
    g.kill()
    assert g.gr_frame is None


def test_the_context_of_a_greenlet():
    var = contextvars.ContextVar("var", default="none")
    var.set("spawner's")

    def run():
        before = var.get()
        var.set("its own")
        bine.sleep(0.01)
        return before, bine.getcurrent().gr_context[var]

    g = bine.spawn(run)
    assert g.gr_context[var] == "spawner's"
    bine.sleep(0)
    assert g.gr_context[var] == "its own" and bine.getcurrent().gr_context[var] == "spawner's"
    raises(ValueError, setattr, g, "gr_context", contextvars.Context())
    assert g.get() == ("spawner's", "its own")
    given = bine.Greenlet(run)
    context = contextvars.Context()
    context.run(var.set, "given")
    given.gr_context = context
    given.start()
    assert given.get()[0] == "given" and context[var] == "its own"
    empty = bine.Greenlet(run)
    empty.gr_context = None
    empty.start()
    assert empty.get()[0] == "none"
    raises(TypeError, setattr, empty, "gr_context", 5)


def test_the_spawner_is_a_weak_reference():
    g = bine.spawn(nothing)
    assert (isinstance(g.spawning_greenlet, weakref.ref) and
            g.spawning_greenlet() is bine.getcurrent())
    spawner = bine.spawn(lambda: bine.spawn(nothing))
    child = spawner.get()
    assert child.spawning_greenlet() is spawner
    del spawner
    bine.sleep(0)
    assert child.spawning_greenlet() is None


def test_greenlets_have_attributes_of_a_programs_own():
    for g in (bine.getcurrent(), bine.spawn(nothing), bine.spawn_raw(nothing), Own()):
        g.anything = [1]
        assert g.anything == [1] and vars(g)["anything"] == [1]


def test_callbacks_when_greenlets_are_started():
    started, also = [], []
    bine.Greenlet.add_spawn_callback(started.append)
    bine.Greenlet.add_spawn_callback(started.append)  # once all the same
    bine.Greenlet.add_spawn_callback(also.append)
    g, late = bine.spawn(nothing), bine.Greenlet(nothing)
    assert started == also == [g]
    late.start()
    late.start()
    later = bine.spawn_later(10, nothing)
    own = Own.spawn()
    assert started == also == [g, late, later, own]
    bine.Greenlet.remove_spawn_callback(also.append)
    bine.Greenlet.remove_spawn_callback(also.append)
    bine.spawn(nothing)
    assert len(started) == 5 and len(also) == 4
    bine.Greenlet.remove_spawn_callback(started.append)
    bine.spawn(nothing)
    assert len(started) == 5
    raises(TypeError, bine.Greenlet.add_spawn_callback, 5)


def test_a_spawn_callback_that_fails_fails_the_spawn():
    def fails(greenlet):
        raise KeyError("of the callback")

    bine.Greenlet.add_spawn_callback(fails)
    raises(KeyError, bine.spawn, nothing)
    raises(KeyError, bine.Greenlet(nothing).start)
    bine.Greenlet.remove_spawn_callback(fails)
    bine.spawn(nothing).get()


def test_the_stack_of_the_spawner_is_noted_when_asked_for():
    assert bine.spawn(nothing).spawning_stack is None
    _spawning.track(True)

    def spawns():
        return bine.spawn(nothing)

    def outer():
        return spawns()

    outer_greenlet = bine.spawn(outer)
    g = outer_greenlet.get()
    names, frame = [], g.spawning_stack
    while frame is not None:
        names.append(frame.f_code.co_name)
        frame = frame.f_back
    assert names == ["spawns", "outer"], names
    out = io.StringIO()
    traceback.print_stack(g.spawning_stack, file=out)
    assert "return bine.spawn(nothing)" in out.getvalue()
    _spawning.track(False)
    assert bine.spawn(nothing).spawning_stack is None


def test_as_many_frames_of_the_spawner_are_noted_as_the_class_wants():
    class Three(bine.Greenlet):
        spawning_stack_limit = 3

    class Wrong(bine.Greenlet):
        spawning_stack_limit = "many"

    def deep(kind, calls):
        return deep(kind, calls - 1) if calls else kind(nothing)

    def depth(greenlet):
        frames, frame = 0, greenlet.spawning_stack
        while frame is not None:
            assert (frame.f_code is deep.__code__ and
                    frame.f_lineno == deep.__code__.co_firstlineno + 1)
            frames, frame = frames + 1, frame.f_back
        return frames

    assert bine.Greenlet.spawning_stack_limit == 10
    _spawning.track(True)
    assert depth(deep(bine.Greenlet, 20)) == 10 and depth(deep(Three, 20)) == 3
    Three.spawning_stack_limit = 15
    assert depth(deep(Three, 20)) == 15
    Three.spawning_stack_limit = 0
    assert depth(deep(Three, 20)) == 0
    raises(TypeError, Wrong)
    Three.spawning_stack_limit = 10 ** 6
    assert bine.spawn(lambda: deep(Three, 400)).get().spawning_stack is not None


def test_the_class_has_the_names_of_the_package_greenlet():
    assert (bine.Greenlet.GreenletExit is bine.GreenletExit and
            issubclass(bine.Greenlet.error, Exception))
    assert bine.Greenlet.getcurrent() is bine.spawn(nothing).getcurrent() is bine.getcurrent()


class Wrapped(bine.Greenlet):
    """As tracers make them: run() does something before and after."""

    def __init__(self, *args):
        bine.Greenlet.__init__(self, *args)
        self.heard = []

    def run(self):
        self.heard.append((bine.getcurrent() is self, self.value, self.exception))
        assert bine.Greenlet.run(self) is None
        self.heard.append((bine.getcurrent() is self, self.value, self.exception))


def test_a_greenlet_calls_the_run_that_a_subclass_overrides():
    g = Wrapped(lambda a: a + 1, 2)
    g.start()
    assert g.get() == 3 and g.heard == [(True, None, None), (True, 3, None)]
    failure = KeyError("its own")

    def fails():
        raise failure

    failed = Wrapped(fails)
    failed.start()
    assert raises(KeyError, failed.get) is failure and failed.heard[1] == (True, None, failure)
    killed = Wrapped(bine.sleep, 100)
    killed.start()
    bine.sleep(0)
    killed.kill()
    assert (isinstance(killed.value, bine.GreenletExit) and killed.successful() and
            len(killed.heard) == 2)

    class Alone(bine.Greenlet):
        def run(self):
            return "nobody is told"

    alone = Alone()
    alone.start()
    alone.join()
    assert alone.successful() and alone.value is None


def test_what_an_overriding_run_fails_with_is_told_and_the_outcome_of_the_function_stays():
    class Fails(bine.Greenlet):
        def run(self):
            bine.Greenlet.run(self)
            raise ValueError("after the end")

    told = io.StringIO()
    with contextlib.redirect_stderr(told):
        g = Fails(lambda: 4)
        g.start()
        assert g.get() == 4
    assert "ValueError: after the end" in told.getvalue()

    class Never(bine.Greenlet):
        def run(self):
            raise ValueError("before it")

    with contextlib.redirect_stderr(told):
        g = Never(lambda: 4)
        g.start()
        assert raises(ValueError, g.get).args == ("before it",)


def test_run_of_one_that_has_not_begun_runs_it_in_the_caller_once():
    calls, ended = [], []

    def function():
        calls.append(bine.getcurrent())
        bine.sleep(0.01)
        return 5

    for started in (False, True):
        g = bine.Greenlet(function)
        g.rawlink(ended.append)
        if started:
            g.start()
        assert g.run() is None and g.value == 5 and g.dead and ended.pop() is g
        assert g.run() is None
        bine.sleep(0.01)
        assert calls.pop() is bine.getcurrent() and not calls
    failed = bine.Greenlet(lambda: [].pop())
    assert failed.run() is None and isinstance(failed.exception, IndexError)
    waits = bine.spawn(bine.sleep, 0.01)
    bine.sleep(0)
    raises(AssertionError, waits.run)
    waits.join()


def test_the_function_of_a_greenlet_can_be_replaced_before_it_begins():
    g = bine.Greenlet(lambda: 1)
    g._run = lambda: 2
    g.start()
    assert g.get() == 2
    heard = []
    g = bine.Greenlet(lambda: 1)
    g.run = lambda: heard.append("run")
    g.start()
    g.join()
    assert heard == ["run"] and g.value is None and g.successful()


def test_settrace_hears_of_each_switch():
    main, heard = bine.getcurrent(), []

    def trace(event, greenlets):
        assert bine.getcurrent() is greenlets[1]
        heard.append((event,) + greenlets)

    assert bine.Greenlet.settrace(trace) is None and bine.Greenlet.gettrace() is trace
    one, two = bine.spawn(bine.sleep, 0), bine.spawn(bine.sleep, 0)
    bine.joinall([one, two])
    assert heard == [("switch", main, one), ("switch", one, two), ("switch", two, one),
                     ("switch", one, two), ("switch", two, main)]
    left, right = socket.socketpair()
    sender = bine.spawn_later(0.01, right.send, b"x")  # this wait gives the interpreter's lock away
    del heard[:]
    assert left.recv(1) == b"x"
    assert heard == [("switch", main, sender), ("switch", sender, main)]
    victim = bine.spawn(bine.sleep, 100)
    bine.sleep(0)
    del heard[:]
    victim.kill()
    assert heard == [("throw", main, victim), ("switch", victim, main)]
    assert bine.Greenlet.settrace(None) is trace and bine.Greenlet.gettrace() is None
    del heard[:]
    bine.spawn(nothing).get()
    assert heard == []
    raises(TypeError, bine.Greenlet.settrace, 5)


def test_a_trace_function_that_fails_is_set_aside():
    def fails(event, greenlets):
        raise KeyError("of the trace function")

    bine.Greenlet.settrace(fails)
    assert bine.spawn(lambda: 5).get() == 5
    assert bine.Greenlet.gettrace() is None


def test_the_greenlet_that_took_its_trace_function_back_is_not_kept():
    def traces():
        bine.Greenlet.settrace(lambda event, greenlets: None)
        bine.Greenlet.settrace(None)

    greenlet = bine.spawn(traces)
    greenlet.join()
    kept = weakref.ref(greenlet)
    del greenlet
    assert kept() is None


def test_a_trace_function_belongs_to_its_thread():
    from bine.threadpool import ThreadPool

    heard = []
    bine.Greenlet.settrace(lambda event, greenlets: heard.append(event))

    def elsewhere():
        assert bine.Greenlet.gettrace() is None
        bine.Greenlet.settrace(lambda event, greenlets: heard.append("elsewhere"))
        bine.spawn(nothing).get()
        return heard.count("elsewhere")

    assert ThreadPool(1).apply(elsewhere) == 2
    assert heard.count("elsewhere") == 2 and heard.count("switch") >= 2
    bine.Greenlet.settrace(None)


def test_the_smallest_ident_that_is_free_is_given():
    import gc

    import bine

    gc.collect()
    kept = [bine.Greenlet(int) for _ in range(200)]
    first = [greenlet.minimal_ident for greenlet in kept]
    assert len(set(first)) == 200 and first == sorted(first) and max(first) < 300
    # The first of them was gone.
    assert bine.Greenlet(int).minimal_ident == bine.Greenlet(int).minimal_ident
    free = sorted([first[3], first[150]])
    del kept[150], kept[3]
    assert [greenlet.minimal_ident for greenlet in [bine.Greenlet(int), bine.Greenlet(int)]] == free
    assert [greenlet.minimal_ident
            for greenlet in kept] == [ident for ident in first if ident not in free]


def test_a_report_names_the_function():
    import io
    import sys

    import bine

    def fails(word):
        raise ValueError(word)

    before, sys.stderr = sys.stderr, io.StringIO()
    try:
        greenlet = bine.spawn(fails, "a word")
        greenlet.join()
        said = sys.stderr.getvalue()
    finally:
        sys.stderr = before
    assert ": fails('a word')> failed with ValueError" in said and "_run" in repr(greenlet), said
