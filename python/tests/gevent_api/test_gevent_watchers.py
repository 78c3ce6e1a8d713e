"""The watchers of hub.loop, as gevent documents them."""

import gc
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import weakref

import bine
from bine.gevent import core
from helpers import raising, turns, until


loop = bine.get_hub().loop


# ---- timers --------------------------------------------------------------------------------------


def test_a_timer_calls_its_callback_once():
    seen = []
    timer = loop.timer(0.005)
    assert not timer.active
    timer.start(seen.append, 1)
    assert timer.active and timer.callback == seen.append and timer.args == (1,)
    until(lambda: seen)
    bine.sleep(0.02)
    assert seen == [1] and not timer.active and timer.callback is None and timer.args is None


def test_a_timer_repeats_until_it_is_stopped():
    seen = []
    timer = loop.timer(0.001, repeat=0.001)

    def tick():
        seen.append(timer.active)
        if len(seen) == 4:
            timer.stop()

    timer.start(tick)
    until(lambda: len(seen) >= 4)
    bine.sleep(0.01)
    assert seen == [True] * 4 and not timer.active


def test_a_timer_of_zero_seconds_is_due_at_once_but_not_inside_start():
    seen = []
    loop.timer(0).start(seen.append, 1)
    assert seen == []
    bine.sleep(0.001)
    assert seen == [1]


def test_timers_fire_in_the_order_of_their_times():
    seen = []
    timers = [loop.timer(seconds) for seconds in (0.006, 0.002, 0.004)]
    for number, timer in enumerate(timers):
        timer.start(seen.append, number)
    until(lambda: len(seen) == 3)
    assert seen == [1, 2, 0]


def test_a_stopped_timer_is_not_called_even_if_it_was_due():
    seen = []
    first, second = loop.timer(0.001), loop.timer(0.001)
    first.start(lambda: (seen.append("first"), second.stop()))
    second.start(seen.append, "second")
    bine.sleep(0.02)
    assert seen == ["first"]


def test_again_starts_anew_with_repeat():
    seen = []
    timer = loop.timer(10, repeat=0.003)
    timer.start(seen.append, "late")
    timer.again(seen.append, "again")
    until(lambda: len(seen) >= 2)
    timer.stop()
    assert set(seen) == {"again"}
    once = loop.timer(0.001)
    once.start(seen.append, "never")
    once.again(seen.append, "never")
    assert not once.active


def test_thousands_of_timers():
    seen = []
    timers = [loop.timer(0.001 * (n % 20)) for n in range(5000)]
    for timer in timers:
        timer.start(seen.append, 1)
    for timer in timers[::2]:
        timer.stop()
    until(lambda: len(seen) == 2500)
    bine.sleep(0.03)
    assert len(seen) == 2500 and not any(timer.active for timer in timers)


def test_repeat_is_never_negative():
    with raising(ValueError):
        loop.timer(1, repeat=-1)


# ---- descriptors ---------------------------------------------------------------------------------


def test_an_io_watcher_is_called_while_its_descriptor_is_ready():
    pair = socket.socketpair()
    seen = []
    watcher = loop.io(pair[0].fileno(), core.READ)
    watcher.start(lambda events: seen.append((events, pair[0].recv(1))), pass_events=True)
    turns()
    assert seen == []
    pair[1].send(b"abc")
    until(lambda: len(seen) == 3)
    assert seen == [(core.READ, b"a"), (core.READ, b"b"), (core.READ, b"c")]
    turns()
    assert len(seen) == 3
    watcher.stop()
    pair[1].send(b"d")
    turns()
    assert len(seen) == 3
    watcher.start(lambda: seen.append(pair[0].recv(1)))
    until(lambda: len(seen) == 4)
    watcher.close()
    with raising(ValueError):
        watcher.start(print)


def test_an_io_watcher_of_both_directions_says_which():
    pair = socket.socketpair()
    seen = []
    watcher = loop.io(pair[0].fileno(), core.READ | core.WRITE)
    watcher.start(lambda events: (seen.append(events), watcher.stop()), pass_events=True)
    until(lambda: seen)
    assert seen == [core.WRITE]
    pair[1].send(b"x")
    watcher.start(lambda events: (seen.append(events), watcher.stop()), pass_events=True)
    until(lambda: len(seen) == 2)
    assert seen[1] == core.READ | core.WRITE


def test_the_end_of_a_stream_is_something_to_read():
    pair = socket.socketpair()
    seen = []
    watcher = loop.io(pair[0].fileno(), core.READ)
    watcher.start(lambda: (seen.append(pair[0].recv(1)), watcher.stop()))
    pair[1].close()
    until(lambda: seen)
    assert seen == [b""]


def test_descriptor_and_events_can_be_changed_while_it_is_inactive():
    pair = socket.socketpair()
    seen = []
    watcher = loop.io(pair[0].fileno(), core.READ)
    watcher.fd, watcher.events = pair[1].fileno(), core.WRITE
    assert (watcher.fd, watcher.events) == (pair[1].fileno(), core.WRITE)
    watcher.start(lambda: (seen.append(1), watcher.stop()))
    with raising(AttributeError):
        watcher.fd = 0
    until(lambda: seen)


def test_what_is_no_descriptor_is_refused():
    with raising(ValueError):
        loop.io(-1, core.READ)
    with raising(ValueError):
        loop.io(0, 1024)


def test_a_regular_file_is_always_ready():
    tmp_path = pathlib.Path(tempfile.mkdtemp())
    seen = []
    with open(tmp_path / "file", "w") as file:
        watcher = loop.io(file.fileno(), core.WRITE)
        watcher.start(lambda: (seen.append(1), len(seen) == 3 and watcher.stop()))
        until(lambda: len(seen) == 3)


def test_a_watcher_whose_descriptor_is_closed_is_called_and_over():
    one, other = socket.socketpair()
    seen = []
    watcher = loop.io(one.fileno(), core.READ)
    watcher.start(seen.append, 1)
    turns()
    one.close()
    until(lambda: seen, 10)
    turns()
    assert seen == [1] and not watcher.active
    other.close()


def test_closing_fd_calls_the_watchers_of_it():
    pair = socket.socketpair()
    seen = []
    watcher = loop.io(pair[0].fileno(), core.READ)
    watcher.start(seen.append, 1)
    assert loop.closing_fd(pair[0].fileno()) is True
    assert loop.closing_fd(pair[1].fileno()) is False
    turns()
    assert seen == [1] and not watcher.active


def test_two_watchers_of_one_descriptor_are_both_called():
    pair = socket.socketpair()
    seen = []
    watchers = [loop.io(pair[0].fileno(), core.READ) for _ in range(2)]
    for number, watcher in enumerate(watchers):
        watcher.start(lambda number=number, watcher=watcher: (seen.append(number), watcher.stop()))
    pair[1].send(b"x")
    until(lambda: len(seen) == 2)
    assert sorted(seen) == [0, 1]


def test_a_stopped_watcher_may_be_freed_before_its_descriptor_is_ready():
    seen = []
    one, other = socket.socketpair()
    with one, other:
        watcher = loop.io(one.fileno(), 1)
        gone = weakref.ref(watcher)
        watcher.start(seen.append, 1)
        bine.sleep(0.001)
        watcher.stop()
        del watcher
        assert gone() is None
        other.send(b"x")
        turns()
        assert seen == []


def test_a_watcher_that_starts_again_is_not_told_of_what_was_read_before():
    seen = []
    one, other = socket.socketpair()
    with one, other:
        watcher = loop.io(one.fileno(), 1)
        for _ in range(20):
            watcher.start(seen.append, 1)
            bine.sleep(0.001)
            other.send(b"x")
            watcher.stop()
            one.recv(1)
            watcher.start(seen.append, 2)
            turns(2)
            watcher.stop()
        assert seen == []


def test_starting_and_stopping_many_times_leaves_nothing():
    pair = socket.socketpair()
    watcher = loop.io(pair[0].fileno(), core.READ)
    active = loop.activecnt
    for _ in range(3000):
        watcher.start(print)
        watcher.stop()
    turns()
    assert loop.activecnt == active and loop.pendingcnt == 0


# ---- watchers in general -------------------------------------------------------------------------


def test_a_watcher_may_be_stopped_and_closed_in_its_callback():
    pair = socket.socketpair()
    seen = []
    watcher = loop.io(pair[0].fileno(), core.READ)
    watcher.start(lambda: (seen.append(1), watcher.close()))
    pair[1].send(b"x")
    turns()
    timer = loop.timer(0.001, repeat=0.001)
    timer.start(lambda: (seen.append(2), timer.close()))
    bine.sleep(0.02)
    assert seen == [1, 2]


def test_a_watcher_may_be_started_again_in_its_callback():
    seen = []
    timer = loop.timer(0.001)

    def tick():
        seen.append(1)
        if len(seen) < 3:
            timer.start(tick)

    timer.start(tick)
    until(lambda: len(seen) == 3)
    bine.sleep(0.01)
    assert len(seen) == 3


def test_attributes_are_for_types_of_the_programs_own():
    class Named(type(loop.timer(0))):
        pass

    own = Named(loop, 1)
    own.name = "mine"
    assert own.name == "mine"
    with raising(AttributeError):
        loop.timer(0).name = "mine"


def test_a_callback_must_be_callable():
    for wrong in (None, 1):
        with raising(TypeError):
            loop.timer(1).start(wrong)
    with raising(TypeError):
        loop.timer(1).start()


def test_feed_calls_as_if_it_had_happened():
    pair = socket.socketpair()
    seen = []
    watcher = loop.io(pair[0].fileno(), core.READ)
    watcher.feed(core.WRITE, seen.append, 7)
    assert watcher.pending
    turns()
    assert seen == [7] and not watcher.pending and not watcher.active


def test_higher_priorities_are_called_first():
    seen = []
    watchers = [loop.async_(priority=priority) for priority in (core.MINPRI, 0, core.MAXPRI)]
    for watcher in watchers:
        watcher.start(seen.append, watcher.priority)
        watcher.send()
    turns()
    for watcher in watchers:
        watcher.close()
    assert seen == [core.MAXPRI, 0, core.MINPRI]


def test_an_active_watcher_lives_although_nobody_holds_it():
    seen = []
    loop.timer(0.005).start(seen.append, 1)
    gc.collect()
    until(lambda: seen)


def test_a_watcher_that_is_over_is_freed_with_its_arguments():
    pair = socket.socketpair()
    class Thing:
        pass

    thing = Thing()
    reference = weakref.ref(thing)
    timer, watcher = loop.timer(0.001), loop.io(pair[0].fileno(), core.READ)
    timer.start(lambda thing: None, thing)
    watcher.start(lambda thing: None, thing)
    watcher.stop()
    watchers = [weakref.ref(timer), weakref.ref(watcher)]
    del thing, timer, watcher
    bine.sleep(0.01)
    gc.collect()
    assert reference() is None and watchers[0]() is None and watchers[1]() is None


def test_repr_says_what_it_watches():
    timer = loop.timer(1.5, repeat=2.0)
    assert "timer" in repr(timer) and "repeat=2.0" in repr(timer) and "active" not in repr(timer)
    timer.start(print, "x")
    assert "active" in repr(timer) and "print" in repr(timer)
    timer.stop()
    assert "fd=0 events=READ|WRITE" in repr(loop.io(0, 3))
    assert "pid=12" in repr(loop.child(12)) and "signum=10" in repr(loop.signal(10))


def test_a_finaliser_may_stop_the_watcher_that_is_about_to_be_called():
    class Stops:
        def __del__(self):
            watcher.stop()

    class Callback:  # the watcher has the only reference
        def __call__(self, *args):
            seen.append(len(args))

    def collect_soon():  # where a tuple is made, up to 3.11
        gc.set_threshold(1)
        gc.enable()

    gc.disable()
    garbage, seen, watcher = Stops(), [], loop.timer(0)
    garbage.itself = garbage
    del garbage
    watcher.start(Callback(), *range(30), pass_events=True)
    loop.run_callback(collect_soon)
    turns()
    assert seen in ([], [31]) and not watcher.active


def test_start_raises_what_the_argument_pass_events_raises():
    class Neither:
        def __bool__(self):
            raise KeyError("neither")

    watcher = loop.timer(1)
    with raising(KeyError):
        watcher.start(print, pass_events=Neither())
    assert not watcher.active


# ---- async_ --------------------------------------------------------------------------------------


def test_async_is_called_once_for_what_was_sent_before():
    seen = []
    watcher = loop.async_()
    watcher.send()  # not active: no effect
    watcher.start(seen.append, 1)
    for _ in range(3):
        watcher.send()
    watcher.send_ignoring_arg("unused")
    assert watcher.pending
    turns()
    assert seen == [1]
    watcher.stop()


def test_async_that_is_stopped_with_a_message_on_its_way_can_be_sent_in_a_child():
    def send():
        thread = threading.Thread(target=watcher.send)
        thread.start()
        thread.join()  # the loop has no turn: threads are not patched here

    watcher, seen = loop.async_(), []
    watcher.start(seen.append, 1)
    send()
    assert watcher.pending
    watcher.stop()
    pid = os.fork()
    watcher.start(seen.append, 2)
    if pid == 0:
        assert not watcher.pending
    send()
    turns()
    if pid == 0:
        os._exit(0 if seen == [2] and not watcher.pending else 1)
    assert seen == [2] and os.waitpid(pid, 0)[1] == 0


def test_async_from_many_threads():
    seen = []
    watcher = loop.async_()
    watcher.start(lambda: seen.append(threading.get_ident()))
    sent = [0]

    def send():
        for _ in range(50):
            watcher.send()
            sent[0] += 1
            time.sleep(0.0001)

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    until(lambda: not any(thread.is_alive() for thread in threads), 20)
    turns()
    watcher.close()
    assert 0 < len(seen) <= 200 and set(seen) == {threading.get_ident()}


# ---- signals and children ------------------------------------------------------------------------


def test_signal_watchers_are_all_called_and_give_the_handler_back():
    seen, before = [], signal.getsignal(signal.SIGUSR2)
    watchers = [loop.signal(signal.SIGUSR2) for _ in range(2)]
    for number, watcher in enumerate(watchers):
        watcher.start(seen.append, number)
    os.kill(os.getpid(), signal.SIGUSR2)
    until(lambda: len(seen) == 2)
    watchers[0].stop()
    os.kill(os.getpid(), signal.SIGUSR2)
    until(lambda: len(seen) == 3)
    watchers[1].close()
    assert seen == [0, 1, 1] and signal.getsignal(signal.SIGUSR2) == before
    with raising(ValueError):
        loop.signal(12345)


def test_a_child_watcher_has_the_status_of_the_child():
    for anybody in (False, True):
        child_status(anybody)


def child_status(anybody):
    process = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read(); sys.exit(7)"],
                               stdin=subprocess.PIPE)
    seen = []
    watcher = loop.child(0 if anybody else process.pid)
    watcher.start(lambda: seen.append((watcher.rpid, os.WEXITSTATUS(watcher.rstatus))))
    turns()
    assert seen == []
    process.stdin.close()
    until(lambda: seen, 20)
    watcher.stop()
    assert seen == [(process.pid, 7)]
    process.returncode = 7  # it was reaped


def test_a_child_that_has_ended_before_is_seen():
    pid = os.fork()
    if pid == 0:
        os._exit(3)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    seen = []
    watcher = loop.child(pid)
    watcher.start(lambda: seen.append(os.WEXITSTATUS(watcher.rstatus)))
    until(lambda: seen)
    watcher.stop()
    assert seen == [3]


# ---- the loop's own moments ----------------------------------------------------------------------


def test_prepare_and_check_are_called_around_a_wait():
    seen = []
    prepare, check = loop.prepare(), loop.check()
    prepare.start(lambda: seen.append("prepare"))
    check.start(lambda: seen.append("check"))
    bine.sleep(0.005)
    prepare.stop()
    check.stop()
    assert seen[:2] == ["prepare", "check"]
    count = len(seen)
    bine.sleep(0.005)
    assert len(seen) == count


def test_idle_is_called_when_nobody_else_has_anything_to_do():
    seen = []
    idle = loop.idle()
    idle.start(lambda: (seen.append(1), len(seen) == 3 and idle.stop()))
    until(lambda: len(seen) == 3)
    bine.sleep(0.005)
    assert len(seen) == 3


def test_stat_is_called_when_the_file_changes():
    tmp_path = pathlib.Path(tempfile.mkdtemp())
    path, seen = tmp_path / "file", []
    watcher = loop.stat(str(path), 0.1)
    watcher.start(lambda: seen.append((watcher.prev and watcher.prev.st_size,
                                       watcher.attr and watcher.attr.st_size)))
    bine.sleep(0.01)
    path.write_text("abc")
    until(lambda: seen, 10)
    path.unlink()
    until(lambda: len(seen) == 2, 10)
    watcher.stop()
    assert seen == [(None, 3), (3, None)]
