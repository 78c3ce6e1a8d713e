"""What several test modules use."""

import os
import time

import bine

# The source tree.
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def raises(kind, function, *args, **kwargs):
    try:
        function(*args, **kwargs)
    except kind as exception:
        return exception
    raise AssertionError("%s was not raised" % kind)


class raising:
    """A block that has to end with an exception of this kind."""

    def __init__(self, kind):
        self.kind = kind

    def __enter__(self):
        return self

    def __exit__(self, kind, value, traceback):
        assert kind is self.kind, kind
        return True


def turns(count=5):
    """Let the others run a few times."""
    for _ in range(count):
        bine.sleep(0.001)


def until(condition, seconds=5):
    """Let the others run until the condition is true; Timeout after `seconds`."""
    with bine.Timeout(seconds):
        while not condition():
            bine.sleep(0.001)


class Overlap:
    """Counts who is inside at the same time; `most` is the highest count."""

    def __init__(self):
        self.now = self.most = 0

    def __enter__(self):
        self.now += 1
        self.most = max(self.most, self.now)

    def __exit__(self, *unused):
        self.now -= 1


def at_once(functions):
    """Run each in a greenlet: are all of them under way at the same time?"""
    overlap = Overlap()

    def run(function):
        with overlap:
            function()

    bine.joinall([bine.spawn(run, function) for function in functions], raise_error=True)
    return overlap.most == len(functions)


def longest_gap(wait):
    """The longest pause in seconds of a greenlet that ticks while `wait` runs, which takes
    half a second. The best of three: the whole machine may pause once, but a call that
    blocks does so each time."""
    best = 1e9
    for _ in range(3):
        gaps, last = [], time.monotonic()
        greenlet = bine.spawn(wait)
        while not greenlet.dead:
            bine.sleep(0.005)
            gaps.append(time.monotonic() - last)
            last = time.monotonic()
        greenlet.get()
        best = min(best, max(gaps))
        if best < 0.1:
            break
    return best
