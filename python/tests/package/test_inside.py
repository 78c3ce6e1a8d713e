"""python -m bine: the command that looks inside, and what it says of Python's greenlets."""

import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import pytest

COMMAND = pathlib.Path(__file__).resolve().parents[3] / "build/src/cli/bine"
PROGRAM = """
import sys, bine, bine.event
class Worker:
    def wait(self, event):
        event.wait()
def sleep():
    bine.sleep(1000)
event = bine.event.Event()
bine.spawn(sleep)
waiter = bine.spawn(Worker().wait, event)
named = bine.spawn(len, [])
bine.spawn(waiter.join)
bine.sleep(0.01)
print("ready", flush=True)
bine.sleep(1000)
"""


def look(*arguments, **settings):
    return subprocess.run([sys.executable, "-m", "bine", *arguments], capture_output=True,
                          text=True, timeout=60, env={**os.environ, **settings})


@contextlib.contextmanager
def running(text=PROGRAM):
    with subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"ready\n"
        yield process.pid
        process.kill()


@pytest.mark.skipif(not COMMAND.exists(), reason="the command is not built")
def test_greenlets_have_their_functions_names():
    with running() as program:
        done = look("ps", "--json", str(program), BINE_COMMAND=str(COMMAND))
    assert done.returncode == 0, done.stderr
    found = {greenlet["name"]: greenlet for greenlet in json.loads(done.stdout)["greenlets"]}
    waiter = found["Worker.wait at <string>:4"]
    assert found["sleep at <string>:6"]["verb"] == "sleep"
    assert waiter["verb"] == "wait for event"
    assert not any("spawned_at" in greenlet for greenlet in found.values())
    (joiner,) = (greenlet for greenlet in found.values() if greenlet.get("verb") == "join")
    assert joiner["holders"] == [{"greenlet": waiter["id"]}]


OBJECTS = """
import bine, bine.lock, bine.queue
one, other = bine.lock.RLock(), bine.lock.RLock()
full, empty, none = bine.queue.Queue(1), bine.queue.PriorityQueue(), bine.lock.Semaphore(0)
full.put(1)
def both(first, second):
    with first:
        bine.sleep(0.01)
        with second:
            pass
def forth():
    both(one, other)
def back():
    both(other, one)
def put():
    full.put(2)
def get():
    empty.get()
def acquire():
    none.acquire()
for function in (forth, back, put, get, acquire):
    bine.spawn(function)
bine.sleep(0.1)
print("ready", flush=True)
bine.sleep(1000)
"""


@pytest.mark.skipif(not COMMAND.exists(), reason="the command is not built")
def test_holders_and_lengths_of_pythons_objects_are_shown():
    with running(OBJECTS) as program:
        listed = look("ps", "--json", str(program), BINE_COMMAND=str(COMMAND))
        waits = look("waits", str(program), BINE_COMMAND=str(COMMAND))
    found = {greenlet["name"].partition(" ")[0]: greenlet
             for greenlet in json.loads(listed.stdout)["greenlets"]}
    for waiter, holder in (("forth", "back"), ("back", "forth")):
        assert found[waiter]["verb"] == "acquire rlock"
        assert found[waiter]["holders"] == [{"greenlet": found[holder]["id"]}]
    assert found["put"]["object_text"].endswith(" (1 items)")
    assert found["get"]["object_text"].endswith(" (0 items)")
    assert found["acquire"]["object_text"].endswith(" (0 permits)")
    assert "deadlock: 2 wait for each other in a circle" in waits.stdout, waits.stdout


@pytest.mark.skipif(not COMMAND.exists(), reason="the command is not built")
def test_stacks_of_greenlets_are_shown():
    with running() as program:
        done = look("stack", str(program), BINE_COMMAND=str(COMMAND))
    assert done.returncode == 0, done.stderr
    assert "bine_greenlet_enter" in done.stdout and "event_wait" in done.stdout


NESTED = """
import bine, bine.event
def inner(seconds):
    if seconds:
        bine.sleep(
            seconds)

def generate():
    for each in (0, 1000):
        yield inner(each)

def outer():
    sorted([1], key=lambda item:
           list(generate()))

bine.spawn(outer)
bine.sleep(0.01)
def main():
    print("ready", flush=True)
    bine.sleep(1000)

main()
"""
NESTED_FRAMES = [("inner", 5), ("generate", 10), ("outer.<locals>.<lambda>", 14), ("outer", 13)]


@pytest.mark.skipif(not COMMAND.exists(), reason="the command is not built")
@pytest.mark.skipif(sys.version_info < (3, 13),
                    reason="CPython says from 3.13 on where its frames are")
def test_stacks_have_python_frames_where_the_interpreter_ran_them():
    with running(NESTED) as program:
        done = look("stack", "--json", str(program), BINE_COMMAND=str(COMMAND))
        text = look("stack", str(program), BINE_COMMAND=str(COMMAND)).stdout
    assert done.returncode == 0, done.stderr
    stacks = [group["frames"] for group in json.loads(done.stdout)]
    pythons = [[(frame["function"], frame["line"])
                for frame in frames if frame.get("language") == "python"] for frames in stacks]
    assert NESTED_FRAMES in pythons
    assert [("main", 20), ("<module>", 22)] in pythons
    names = [frame.get("function") for frame in stacks[pythons.index(NESTED_FRAMES)]]
    assert "_PyEval_EvalFrameDefault" not in names
    order = [names.index(name)
             for name in ("bine_park", "inner", "generate", "list_extend",
                          "outer.<locals>.<lambda>", "outer", "bine_greenlet_enter")
             if name in names]
    assert order == sorted(order) and len(order) >= 5, names
    assert "Python             inner at <string>:5" in text


# Each of `first` and `second` runs in the same C greenlet.
TRACED = """
import functools, bine
def first():
    bine.sleep(0.001)
class Second:
    def run(self):
        bine.sleep(0)
def named():
    bine.sleep(0.001)
print("ready", flush=True)
while True:
    bine.spawn(first).join()
    bine.spawn(Second().run).join()
    bine.spawn(functools.partial(first)).join()
    greenlet = bine.spawn(named)
    greenlet.name = "a name"
    greenlet.join()
"""


@pytest.mark.skipif(not COMMAND.exists(), reason="the command is not built")
def test_a_trace_names_each_greenlet_by_its_function():
    with running(TRACED) as program, tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "trace.json"
        done = look("trace", str(program), "-t", "0.3", "-o", str(file), BINE_COMMAND=str(COMMAND))
        assert done.returncode == 0, done.stderr
        events = json.loads(file.read_text())["traceEvents"]
    names = {event["tid"]: event["args"]["name"] for event in events if event["ph"] == "M"}
    function = "Second.run" if sys.version_info >= (3, 11) else "run"
    wanted = {"first at <string>:3", function + " at <string>:6", "functools.partial object",
              "a name", "root"}
    found = {name for name in names.values() if not name.startswith("hub of thread")}
    assert found == wanted
    # Each is a greenlet of its own: it ends once, and does not run afterwards.
    for track in (tid for tid, name in names.items() if name.startswith("first")):
        ends = [event["ts"] for event in events if event["tid"] == track and event["ph"] == "i"]
        runs = [event["ts"] for event in events
                if event["tid"] == track and event.get("cat") == "run"]
        assert len(ends) <= 1 and all(run <= end for run in runs for end in ends)


def test_a_dump_names_them_by_the_functions_of_now():
    dump = """
import bine
def first():
    bine.sleep(0.001)
def second():
    bine.sleep(1000)
greenlet = bine.spawn(first)
bine.sleep(0)
print(bine._bine.dump())
greenlet.join()
bine.spawn(second)
bine.sleep(0)
print(bine._bine.dump())
"""
    text = subprocess.run([sys.executable, "-c", dump], capture_output=True, text=True,
                          timeout=60, check=True).stdout
    assert text.count(": first at <string>:3>") == 1 and text.count(": second at <string>:5>") == 1
    assert "spawned at" not in text


def test_another_command_of_that_name_is_not_called():
    with tempfile.TemporaryDirectory() as folder:
        other = pathlib.Path(folder) / "bine"
        other.write_text("#!/bin/sh\necho other\n")
        other.chmod(0o755)
        done = look("ps", "1", BINE_COMMAND=str(other))
    assert done.returncode == 2
    assert "not installed" in done.stderr
    assert "other" not in done.stdout


@pytest.mark.skipif(not COMMAND.exists(), reason="the command is not built")
def test_top_shows_them_too():
    with running() as program:
        done = look("top", "--once", "--interval", "50ms", str(program), BINE_COMMAND=str(COMMAND))
    assert done.returncode == 0, done.stderr
    assert "Worker.wait" in done.stdout and "wait for event" in done.stdout, done.stdout


GDB_SCRIPT = COMMAND.parents[3] / "tools/gdb/bine-gdb.py"


@pytest.mark.skipif(not shutil.which("gdb"), reason="there is no gdb")
def test_gdb_names_greenlets_by_their_functions():
    with running() as program:
        done = subprocess.run(
            ["gdb", "-nx", "-batch", "-p", str(program), "-ex", "set debuginfod enabled off",
             "-ex", f"source {GDB_SCRIPT}", "-ex", "bine greenlets"],
            capture_output=True, text=True, timeout=60)
    if "ptrace: Operation not permitted" in done.stderr:
        pytest.skip("this machine lets no process trace another one")
    assert "sleep at <string>:6" in done.stdout, done
    assert "Worker.wait at <string>:4" in done.stdout
    assert "Python greenlet" not in done.stdout
