"""The watchdog's report names what blocks, with the Python stack."""

import subprocess
import sys

import bine
import pytest

# `release` is called when the report is there, so nothing depends on how long something takes.
PROGRAM = """
import ctypes, os, sys, threading, time
import bine

report, writing = os.pipe()
errors = os.dup(2)
os.dup2(writing, 2)

def seen():
    global text
    text = os.read(report, 100000).decode()
    while "stack" not in text:
        text += os.read(report, 100000).decode()

def compute():
    os.set_blocking(report, False)
    while True:
        try:
            return seen()
        except BlockingIOError:
            pass

inside, outside = os.pipe()

def wait_in_c_with_the_gil():
    # libc's own read, which nobody has patched, by a call that keeps the GIL
    ctypes.PyDLL(None).read(inside, ctypes.create_string_buffer(1), 1)

def release():
    # a process, because no other thread of this one has the GIL
    if os.fork() == 0:
        os.close(inside)
        seen()
        os.write(outside, text[:1].encode())
        os.write(errors, text.encode())
        os._exit(0)

if %(prepare)r:
    globals()[%(prepare)r]()
bine.watchdog(0.05)
greenlet = bine.spawn(%(function)s)
other = bine.spawn(lambda: None)
bine.joinall([greenlet, other])
bine.watchdog(None)
os.dup2(errors, 2)
if not %(prepare)r:
    sys.stderr.write(text)
else:
    os.wait()
"""


def run(function, prepare=""):
    program = PROGRAM % {"function": function, "prepare": prepare}
    # A busy machine may keep the greenlet from blocking for longer than the limit.
    for _ in range(5):
        text = subprocess.run([sys.executable, "-c", program], stderr=subprocess.PIPE, timeout=60,
                              check=True).stderr.decode()
        if "in " + function in text:
            break
    return text


def check(text, words, function):
    assert "has let no other greenlet run for 0." in text
    assert ": %s at <string>:" % function in text.partition("has let")[0], text
    assert words in text
    assert "in " + function in text.partition("the interpreter's stack:")[2], text


def test_python_code_that_computes_is_shown():
    check(run("compute"), "it computes in", "compute")


def test_a_call_of_c_that_keeps_the_gil_is_shown():
    check(run("wait_in_c_with_the_gil", "release"), "read()", "wait_in_c_with_the_gil")


def test_a_bad_number_of_seconds_is_refused():
    for seconds in (0, 0.0005, -1, float("nan"), float("inf")):
        with pytest.raises(ValueError):
            bine.watchdog(seconds)
    with pytest.raises(TypeError):
        bine.watchdog("1")
