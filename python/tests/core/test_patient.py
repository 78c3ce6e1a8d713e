"""Libraries that end the process at an error that they do not know."""

import ctypes
import ctypes.util

import bine
import bine.monkey
import pytest

PATCHED = True

TIMER = 13


class Loop:
    """A loop of libuv with a timer, whose call returns when the timer has fired."""

    def __init__(self, milliseconds):
        name = ctypes.util.find_library("uv")
        if not name:
            pytest.skip("no libuv")
        self.uv = ctypes.CDLL(name)
        self.loop = ctypes.create_string_buffer(self.uv.uv_loop_size())
        self.timer = ctypes.create_string_buffer(self.uv.uv_handle_size(TIMER))
        assert (self.uv.uv_loop_init(self.loop) == 0 and
                self.uv.uv_timer_init(self.loop, self.timer) == 0)
        # A callback in C: ctypes drops what is raised in one of Python.
        assert self.uv.uv_timer_start(self.timer, self.uv.uv_timer_stop,
                                      ctypes.c_uint64(milliseconds), ctypes.c_uint64(0)) == 0

    @property
    def fired(self):
        return not self.uv.uv_is_active(self.timer)

    def run(self):
        assert self.uv.uv_run(self.loop, 0) == 0
        assert self.fired
        bine.sleep(0)
        return "never seen"


def test_hazard_99_a_kill_waits_until_the_library_has_returned():
    loop = Loop(200)
    g = bine.spawn(loop.run)
    bine.sleep(0.05)
    g.kill(timeout=10)
    assert loop.fired and isinstance(g.value, bine.GreenletExit)


def test_hazard_99_a_timeout_waits_until_the_library_has_returned():
    loop = Loop(200)
    with pytest.raises(bine.Timeout):
        with bine.Timeout(0.05):
            loop.run()
    assert loop.fired


def test_hazard_99_what_is_thrown_twice_waits_twice():
    loop = Loop(300)
    g = bine.spawn(loop.run)
    for _ in range(3):
        bine.sleep(0.05)
        g.kill(KeyError("thrown"), block=False)
    g.join(10)
    assert loop.fired and isinstance(g.exception, KeyError)


def test_hazard_99_a_library_can_be_named():
    bine.monkey.patient("libfoo.so*")
    with pytest.raises(TypeError):
        bine.monkey.patient(None)
