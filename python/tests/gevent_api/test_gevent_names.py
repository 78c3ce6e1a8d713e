"""Names of gevent's that programs find by looking: each does what it does in gevent."""

import contextlib
import importlib
import io
import os
import sys
import threading
import time

import pytest

import bine
from bine.gevent import config, core, exceptions, hub, pool, queue, threadpool, timeout
from bine.gevent.event import AsyncResult, Event
from bine.hub import get_hub
from helpers import raises, until


def test_a_subclass_of_timeout_is_asked_when_it_is_due():
    asked = []

    class Asks(timeout.Timeout):
        def _on_expiration(self, greenlet, exception):
            asked.append((greenlet, exception, bine.getcurrent()))
            return timeout.Timeout._on_expiration(self, greenlet, exception)

    def wait(exception=None):
        with Asks(0.01, exception) as own:
            assert own.pending and "pending" in repr(own)
            bine.sleep(5)

    expired = raises(Asks, wait)
    greenlet, exception, caller = asked.pop()
    assert (greenlet is bine.getcurrent() and exception is expired and caller is get_hub() and
            not expired.pending)
    wait(False)  # the block ends silently
    assert asked.pop()[1].exception is False
    raises(ValueError, wait, ValueError)
    assert asked.pop()[1] is ValueError
    assert raises(KeyError, wait, KeyError(4)).args == (4,) and len(asked) == 1
    own = Asks.start_new(0.01)
    raises(AssertionError, own.start)
    assert Asks.start_new(own) is own
    own.cancel()
    bine.sleep(0.03)
    assert len(asked) == 1 and not own.pending
    own.start()
    raises(Asks, bine.sleep, 5)


def test_a_timeout_that_lets_its_expiration_pass_raises_nothing():
    class Passes(timeout.Timeout):
        def _on_expiration(self, greenlet, exception):
            passed.append(exception)

    class Fails(timeout.Timeout):
        def _on_expiration(self, greenlet, exception):
            raise KeyError("of the callback")

    passed, told = [], io.StringIO()
    with Passes(0.01) as own:
        bine.sleep(0.05)
    assert passed == [own]
    with contextlib.redirect_stderr(told), Fails(0.01):
        bine.sleep(0.05)
    assert "KeyError: 'of the callback'" in told.getvalue()
    Passes(None).start()


def test_break_ends_run_and_join_of_the_main_greenlet():
    loop = get_hub().loop
    bine.spawn_later(0.01, loop.break_)
    waits = bine.spawn(bine.sleep, 100)
    assert get_hub().join() is True and not waits.dead
    bine.spawn_later(0.01, loop.break_)
    loop.run()
    loop.break_(0)  # EVBREAK_CANCEL
    bine.sleep(0.01)
    bine.spawn_later(0.01, loop.break_)
    error = raises(exceptions.LoopExit, waits.join)
    assert error.hub is get_hub()
    waits.kill()


def test_a_loop_tells_its_depth_and_io_its_events():
    loop = get_hub().loop
    seen = []
    loop.run_callback(lambda: seen.append(loop.depth))
    until(lambda: seen)
    assert seen == [1] and loop.depth == 1
    r, w = os.pipe()
    assert (loop.io(r, 1).events_str == "READ" and loop.io(w, 2).events_str == "WRITE" and
            loop.io(w, 3).events_str == "READ|WRITE")
    assert getattr(loop, "async")().active is False and abs(core.time() - time.time()) < 60
    os.close(r), os.close(w)


def test_loop_exit_names_the_hub():
    assert raises(exceptions.LoopExit, Event().wait).hub is get_hub()
    assert (exceptions.LoopExit("made by hand").hub is None and
            exceptions.LoopExit("text", 7, []).hub == 7)
    assert Event().hub is AsyncResult().hub is queue.Channel().hub is get_hub()


def test_imap_has_next_and_says_when_it_has_taken_all():
    for imap in pool.Pool(2).imap, pool.Pool(2).imap_unordered:
        assert pool.IMap.finished is False
        lengths = imap(len, ["a", "a"])
        assert lengths.next() == 1 and lengths.finished and lengths.next() == 1
        raises(StopIteration, lengths.next)


def test_a_thread_pools_results_are_async_results():
    threads, release = threadpool.ThreadPool(2), threading.Event()
    result = threads.spawn(lambda: 5)
    assert (isinstance(result, AsyncResult) and
            result.wait() == result.get() == result.get_nowait() == result.result() == 5)
    assert result.done() and result.successful() and not result.cancel() and not result.cancelled()
    told = io.StringIO()
    with contextlib.redirect_stderr(told):
        failed = threads.spawn(lambda: [].pop())
        assert (failed.wait() is None and isinstance(failed.exception, IndexError) and
                not failed.successful())
        raises(IndexError, failed.get)
    assert "IndexError" in told.getvalue()
    slow = threads.spawn(release.wait)
    raises(bine.Timeout, slow.get, timeout=0.01)
    raises(bine.Timeout, slow.get_nowait)
    assert slow.wait(timeout=0.01) is None and len(threads) == 1
    release.set()
    linked = []
    slow.rawlink(linked.append)
    assert threads.join() and slow.get() is True and bine.wait([slow], timeout=5) == [slow]
    until(lambda: linked)
    assert (threads.apply_async(len, ("ab",)).get() == 2 and
            threads.map(len, ["a", "bb"]) == [1, 2] and threads.manager is None)
    calls = []
    threads.apply_async(len, ("abc",), callback=calls.append).get()
    until(lambda: calls == [3])


def test_a_thread_result_crosses_to_the_hubs_thread():
    got, here = [], threading.get_ident()

    def receive(result):
        got.append((result.value, result.exception, result.successful(), threading.get_ident()))

    result = threadpool.ThreadResult(receive, get_hub(), lambda: got.append("ready"))
    assert result.successful() and result.exc_info == () and result.value is None
    threading.Thread(target=result.set, args=(5,)).start()
    until(lambda: len(got) == 2)
    assert (got == ["ready", (5, None, True, got[1][3])] and result.value is None and
            result.receiver is None)
    del got[:]
    result, told = threadpool.ThreadResult(receive, get_hub(),
                                           lambda: got.append("ready")), io.StringIO()

    def fail():
        try:
            raise KeyError("over there")
        except KeyError:
            result.handle_error("its task", sys.exc_info())

    with contextlib.redirect_stderr(told):
        threading.Thread(target=fail).start()
        until(lambda: len(got) == 2)
    assert (got[0] == "ready" and isinstance(got[1][1], KeyError) and not got[1][2] and
            "its task failed with KeyError" in told.getvalue())
    threadpool.ThreadResult(receive, get_hub(), int).destroy_in_main_thread()
    assert here == threading.get_ident()


def test_a_signal_handler_is_called_in_a_greenlet_of_the_class_that_it_names():
    import signal

    class Own(bine.Greenlet):
        pass

    class Handles(hub.signal_handler):
        greenlet_class = Own

    assert hub.signal_handler.greenlet_class is None
    kinds = []
    handler = Handles(signal.SIGUSR1, lambda: kinds.append(type(bine.getcurrent())))
    os.kill(os.getpid(), signal.SIGUSR1)
    until(lambda: kinds)
    assert kinds == [Own]
    handler.cancel()


def test_servers_and_selectors_name_the_hub_of_their_thread():
    from bine.gevent.selectors import GeventSelector
    from bine.gevent.server import StreamServer

    with GeventSelector() as selector:
        assert selector.hub is get_hub()
    assert StreamServer(("127.0.0.1", 0), print).loop is get_hub().loop


def test_next_of_a_channel_gets_until_the_item_is_stopiteration():
    channel = queue.Channel()
    puts = bine.spawn(lambda: [channel.put(item) for item in ("one", StopIteration, "two")])
    assert channel.next() == "one"
    raises(StopIteration, channel.next)
    assert channel.next() == "two"
    puts.get()


def test_modules_are_found_where_gevent_had_them():
    assert (importlib.import_module("bine.gevent.resolver_thread").Resolver is
            importlib.import_module("bine.gevent.resolver.thread").Resolver)
    names = ("bine.gevent.ares", "bine.gevent.resolver_ares", "bine.gevent.resolver.cares",
             "bine.gevent.resolver.ares")
    try:
        import pycares  # noqa: F401
    except ImportError:
        for name in names:
            assert 'pip install "pycares>=5"' in str(raises(ImportError,
                                                            importlib.import_module, name))
    else:
        for name in names:
            importlib.import_module(name)


def test_the_channel_of_c_ares_calls_back():
    pytest.importorskip("pycares")
    ares, cares = (importlib.import_module("bine.gevent.ares"),
                   importlib.import_module("bine.gevent.resolver.cares"))
    channel, got = ares.channel(get_hub().loop, timeout=2), []

    def ask(method, *args):
        del got[:]
        assert getattr(channel, method)(got.append, *args) is None
        until(lambda: got)
        return got[0]

    name, aliases, addresses = ask("gethostbyname", b"localhost").get()
    assert addresses == ["127.0.0.1"] and got[0].value.family == 2 and got[0].successful()
    assert any(entry[4] == ("127.0.0.1", 80)
               for entry in ask("getaddrinfo", b"localhost", b"80").get())
    assert "127.0.0.1" in ask("gethostbyaddr", b"127.0.0.1").get()[2]
    assert ask("getnameinfo", ("127.0.0.1", 80), 0).get()[1] == "http"
    raises(cares.InvalidIP, channel.gethostbyaddr, got.append, b"xx")
    raises(TypeError, channel.gethostbyname, None, b"localhost")
    channel.set_servers(["127.0.0.1"])
    channel.destroy()
    raises(OSError, channel.gethostbyname, got.append, b"localhost")
    failed = cares.Result(None, KeyError(4))
    assert (not failed.successful() and repr(failed) == "Result(exception=KeyError(4))" and
            repr(cares.Result(5)) == "Result(5)")
    raises(KeyError, failed.get)
    assert config.resolver is not None
