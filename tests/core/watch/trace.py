#!/usr/bin/env python3
"""The trace is JSON as Perfetto reads it, and says what happened:   trace.py TRACED [BINE]

TRACED is traced.c. It is traced by itself, by `bine trace`, on a signal, and with a
report of the watchdog.
"""

import collections
import json
import os
import signal
import subprocess
import sys
import tempfile
import time

REQUIRED = {
    "X": {"ts", "dur", "cat", "name"},
    "M": {"name", "args"},
    "s": {"ts", "id", "cat", "name"},
    "f": {"ts", "id", "cat", "name", "bp"},
    "i": {"ts", "s", "name"},
    "b": {"ts", "id", "cat", "name"},
    "e": {"ts", "id", "cat", "name"},
}


def check_form(trace, pid):
    """The members that the format wants, of the types that it wants."""
    assert (set(trace) == {"displayTimeUnit", "traceEvents"} and
            trace["displayTimeUnit"] == "ns"), trace.keys()
    for event in trace["traceEvents"]:
        assert REQUIRED[event["ph"]] <= set(event), event
        assert event["pid"] == pid and event["tid"] > 0, event
        assert isinstance(event["ts"], (int, float)) and event.get("dur", 0) >= 0, event


def check_spans(events):
    """A greenlet does one thing at a time, and one greenlet of a hub runs at a time."""
    spans = collections.defaultdict(list)
    for event in events:
        if event["ph"] == "X" and event["cat"] in ("run", "ready", "park"):
            spans[event["tid"]].append(event)
            if event["cat"] == "run":
                spans["running"].append(event)
    assert spans["running"]
    for track in spans.values():
        track.sort(key=lambda event: (event["ts"], event["dur"]))
        for before, after in zip(track, track[1:]):
            assert before["ts"] + before["dur"] <= after["ts"] + 0.01, (before, after)


def check_arrows(events):
    """Each arrow ends where a greenlet begins to run, and has begun before."""
    begun = {event["id"]: event["ts"] for event in events if event["ph"] == "s"}
    running = {(event["tid"], event["ts"])
               for event in events if event["ph"] == "X" and event["cat"] == "run"}
    ends = [event for event in events if event["ph"] == "f"]
    assert ends
    for event in ends:
        assert begun[event["id"]] <= event["ts"], event
        assert (event["tid"], event["ts"]) in running, event


def check(path, pid, whole):
    with open(path) as file:
        trace = json.load(file)
    check_form(trace, pid)
    events = trace["traceEvents"]
    check_spans(events)
    check_arrows(events)
    names = [event["args"]["name"] for event in events if event["ph"] == "M"]
    assert any(name.startswith("hub of thread") for name in names), names
    parks = {event["name"] for event in events if event["ph"] == "X" and event["cat"] == "park"}
    assert any(park.startswith("read fd") for park in parks) and "sleep 0" in parks, parks
    reader = 'the "reader" with a long name'
    assert reader in names or "<Greenlet at" in " ".join(names), names
    assert any("writer(" in name for name in names), names
    if whole:  # from the first spawn to the last end
        assert reader in names and "killed(7)" in names, names
        marks = collections.Counter(event["name"] for event in events if event["ph"] == "i")
        assert marks == {"killed": 1, "end": 3}, marks
        phases = [event["ph"]
                  for event in events if event["ph"] in "be" and event["cat"] == "offload"]
        assert phases == ["b", "e"], phases
        check_waker(events)


def check_waker(events):
    """The root is woken from its join by a greenlet, and sleeps end by a timer."""
    tracks = {event["args"]["name"]: event["tid"] for event in events if event["ph"] == "M"}
    hub = min(tracks.values())
    begins = {event["id"]: event["tid"] for event in events if event["ph"] == "s"}
    wakers = {begins[event["id"]]
              for event in events if event["ph"] == "f" and event["tid"] == tracks["root"]}
    assert hub in wakers and len(wakers) > 1, wakers


def check_block(path):
    """The trace of a report has the run that blocks, as long as it is by then, and its cause."""
    with open(path) as file:
        events = json.load(file)["traceEvents"]
    marks = [event for event in events if event.get("cat") == "block"]
    assert marks and marks[-1]["name"].startswith("blocks the hub for 0."), marks
    assert " block in " in marks[-1]["name"], marks
    runs = [event for event in events if event["ph"] == "X" and event["cat"] == "run" and
            event["tid"] == marks[-1]["tid"]]
    last = max(runs, key=lambda event: event["ts"])
    assert last["ts"] <= marks[-1]["ts"] <= last["ts"] + last["dur"] + 1, (last, marks)
    assert last["dur"] >= 50_000, last


def wait_until(condition):
    while not condition():
        time.sleep(0.01)


def is_whole(path):
    if not os.path.exists(path):
        return False
    with open(path) as file:
        return file.read().endswith("]}\n")


def make_older(pid):
    """The version of the control block becomes 1, as if an older libbine were there."""
    magic = b"bine trace \x01\x02\x03"
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "r+b", 0) as memory:
        for line in maps:
            begin, end = (int(part, 16) for part in line.split()[0].split("-"))
            if " rw-p " not in line or "/" not in line:
                continue
            memory.seek(begin)
            at = memory.read(end - begin).find(magic)
            if at >= 0:
                memory.seek(begin + at + 24)
                memory.write((1).to_bytes(4, sys.byteorder))
                return
    raise AssertionError("no control block")


def main():
    traced, bine = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "trace.json")

        process = subprocess.Popen([traced, "self", file])
        assert process.wait() == 0
        check(file, process.pid, True)
        print("ok traced by itself")

        environment = dict(os.environ, BINE_TRACE="ring", BINE_TRACE_FILE=file,
                           BINE_TRACE_SIGNAL="USR2")
        os.unlink(file)
        with subprocess.Popen([traced, "until-eof"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              env=environment) as process:
            process.stdout.readline()
            time.sleep(0.05)
            process.send_signal(signal.SIGUSR2)
            wait_until(lambda: is_whole(file))
            check(file, process.pid, False)
            process.stdin.close()
        assert process.returncode == 0
        print("ok on a signal")

        os.unlink(file)
        environment["BINE_WATCHDOG"] = "50ms"
        process = subprocess.run([traced, "block", file], env=environment,
                                 stderr=subprocess.PIPE, check=True)
        assert (b"the trace is in " + file.encode() in process.stderr or
                b"has let no other" in process.stderr), process.stderr
        check_block(file)
        print("ok with a report of the watchdog")

        if bine:
            os.unlink(file)
            with subprocess.Popen([traced, "until-eof"], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE) as process:
                process.stdout.readline()
                for _ in range(2):  # it can be done again
                    subprocess.run([bine, "trace", str(process.pid), "-o", file, "-t", "0.3"],
                                   check=True)
                    check(file, process.pid, False)
                make_older(process.pid)
                older = subprocess.run([bine, "trace", str(process.pid), "-o", file, "-t", "0"],
                                       stderr=subprocess.PIPE)
                assert older.returncode == 1 and b"another version" in older.stderr, older
                check(file, process.pid, False)  # it is still there
                process.stdin.close()
            assert process.returncode == 0
            refused = subprocess.run([bine, "trace", str(os.getpid()), "-o", file],
                                     stderr=subprocess.PIPE)
            assert refused.returncode == 1 and b"no libbine" in refused.stderr, refused
            for bad in (["x"], [], ["1", "-t", "-1"], ["0"]):
                assert subprocess.run([bine, "trace", *bad],
                                      stderr=subprocess.DEVNULL).returncode == 2, bad
            print("ok from outside")


main()
