"""What a greenlet leaves in its thread state, its C greenlet or its keys never reaches the next
one, although both run on the same carrier."""

import asyncio
import ctypes
import decimal
import signal
import sys
import threading
import warnings

import bine

PATCHED = True
api = ctypes.pythonapi


def left_by(leave, look):
    """What `look` sees in three greenlets, each right after one that called
    `leave`, on its carrier."""
    seen = []
    for _ in range(3):
        first = bine.spawn(lambda: (leave(), threading.get_ident())[1])
        first.join()
        second = bine.spawn(lambda: (look(), threading.get_ident()))
        seen.append(second.get()[0])
        assert second.value[1] == first.get(), "not the same carrier: this test shows nothing"
    return seen


def test_hazard_65_trace_and_profile_functions_end_with_their_greenlet():
    assert left_by(lambda: sys.settrace(lambda *unused: None), sys.gettrace) == [None] * 3
    assert left_by(lambda: sys.setprofile(lambda *unused: None), sys.getprofile) == [None] * 3


def test_hazard_65_hooks_of_generators_and_coroutines_end_with_their_greenlet():
    hooks = tuple(sys.get_asyncgen_hooks())
    assert left_by(lambda: sys.set_asyncgen_hooks(print, print),
                   lambda: tuple(sys.get_asyncgen_hooks())) == [hooks] * 3
    assert left_by(lambda: sys.set_coroutine_origin_tracking_depth(3),
                   sys.get_coroutine_origin_tracking_depth) == [0] * 3


def test_hazard_65_event_loops_end_with_their_greenlet():
    loop = asyncio.new_event_loop()
    assert left_by(lambda: asyncio._set_running_loop(loop), asyncio._get_running_loop) == [None] * 3

    def get_loop():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                return asyncio.get_event_loop_policy().get_event_loop()
            except RuntimeError:
                return None

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert left_by(lambda: asyncio.set_event_loop(loop), get_loop) == [None] * 3
    loop.close()


def test_hazard_65_a_loop_that_was_left_running_is_gone_and_another_can_run():
    # asyncio remembers the running loop by the thread state's id.
    async def answer():
        return asyncio.get_running_loop()

    def runs():
        loop = asyncio.new_event_loop()
        try:
            assert loop.run_until_complete(answer()) is loop
        finally:
            loop.close()

    for _ in range(5):
        loop = asyncio.new_event_loop()
        bine.spawn(asyncio._set_running_loop, loop).get()
        loop.close()
        del loop
        bine.spawn(runs).get()


def test_hazard_65_the_signal_mask_ends_with_its_greenlet():
    def mask():
        return signal.pthread_sigmask(signal.SIG_BLOCK, [])

    assert left_by(lambda: signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2]),
                   mask) == [set()] * 3
    assert mask() == set()


def test_hazard_65_current_thread_is_not_a_dead_greenlets():
    before = len(threading._active)
    names = left_by(lambda: setattr(threading.current_thread(), "name", "mine"),
                    lambda: threading.current_thread().name)
    assert "mine" not in names, names
    # All of a carrier's greenlets have ended: nothing of them is left.
    assert len(threading._active) == before and threading.active_count() == before
    a, b = bine.spawn(threading.current_thread), bine.spawn(threading.current_thread)
    assert a.get() is not b.get()
    assert threading.current_thread() is threading.main_thread()


def test_hazard_65_threads_of_threading_stay_known():
    inside = []
    thread = threading.Thread(target=lambda: (bine.spawn(threading.current_thread).join(),
                                              inside.append(threading.current_thread())))
    thread.start()
    bine.spawn(threading.current_thread).join()
    thread.join()
    assert inside == [thread] and threading.active_count() == 1


def test_hazard_65_an_exception_for_an_ended_greenlet_is_not_the_next_ones():
    def later(ident):
        return api.PyThreadState_SetAsyncExc(ctypes.c_ulong(ident),
                                             ctypes.py_object(ZeroDivisionError))

    def steps():
        total = 0
        for i in range(1000):
            total += i
        return total

    first = bine.spawn(threading.get_ident)
    ident = first.get()
    later(ident)  # it has ended: its carrier is idle
    again = bine.spawn(lambda: (steps(), threading.get_ident()))
    assert again.get() == (499500, ident)
    # In a greenlet that runs it is raised.
    g = bine.spawn(lambda: (later(threading.get_ident()), steps()))
    g.join()
    assert isinstance(g.exception, ZeroDivisionError), g


def test_hazard_65_values_of_thread_specific_storage_end_with_their_greenlet():
    key = (ctypes.c_char * 16)()
    ctypes.c_int.from_buffer(key).value = 0
    for function, result, arguments in (
            ("create", ctypes.c_int, [ctypes.c_void_p]),
            ("set", ctypes.c_int, [ctypes.c_void_p, ctypes.c_void_p]),
            ("get", ctypes.c_void_p, [ctypes.c_void_p])):
        f = getattr(api, "PyThread_tss_" + function)
        f.restype, f.argtypes = result, arguments
    assert api.PyThread_tss_create(key) == 0
    assert left_by(lambda: api.PyThread_tss_set(key, 4711),
                   lambda: api.PyThread_tss_get(key)) == [None] * 3

    def keeps():
        api.PyThread_tss_set(key, 4712)
        bine.sleep(0)
        return api.PyThread_tss_get(key)

    gs = [bine.spawn(keeps) for _ in range(3)]
    assert [g.get() for g in gs] == [4712] * 3
    # PyGILState still finds the greenlet's own state.
    callback = ctypes.CFUNCTYPE(ctypes.c_int)(lambda: 5)
    assert bine.spawn(callback).get() == 5


def test_hazard_65_errno_and_rounding_end_with_their_greenlet():
    math = ctypes.CDLL("libm.so.6")
    down = 0x400 if math.fesetround(0x400) == 0 else 1 << 23  # x86, else aarch64
    math.fesetround(0)
    assert left_by(lambda: ctypes.set_errno(77), ctypes.get_errno) == [0] * 3
    assert left_by(lambda: math.fesetround(down), math.fegetround) == [0] * 3


def test_hazard_65_contexts_and_decimals_end_with_their_greenlet():
    import contextvars

    variable = contextvars.ContextVar("variable", default=0)
    precision = decimal.DefaultContext.prec
    assert left_by(lambda: variable.set(1), variable.get) == [0] * 3
    assert left_by(lambda: setattr(decimal.getcontext(), "prec", 3),
                   lambda: decimal.getcontext().prec) == [precision] * 3
    # The root's is not theirs, either, once it has one.
    decimal.getcontext().prec = precision + 1
    assert left_by(lambda: setattr(decimal.getcontext(), "prec", 3),
                   lambda: decimal.getcontext().prec) == [precision + 1] * 3
    assert decimal.getcontext().prec == precision + 1
    # Links run outside the greenlet's context: what one sets there is gone as well.
    seen = []

    def link(source):
        seen.append(variable.get())
        variable.set(2)

    for _ in range(3):
        g = bine.Greenlet(int)
        g.rawlink(link)
        g.start()
        g.join()
    assert seen == [0] * 3, seen


def test_hazard_65_destructors_of_what_was_left_run_at_the_end_and_may_switch():
    local, order = threading.local(), []

    class Slow:
        def __del__(self):
            bine.sleep(0)
            order.append("gone")

    def leaves():
        local.value = Slow()

    g = bine.spawn(leaves)
    g.join()
    bine.sleep(0.01)
    assert order == ["gone"]
    assert bine.spawn(lambda: getattr(local, "value", None)).get() is None
