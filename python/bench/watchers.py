"""hub.loop's watchers and zmq.green on Bine beside gevent: interleaved rounds, medians, ratios.

    watchers.py [--rounds N] [--json FILE]          all of it
    watchers.py RUNTIME WORK                        one measurement: RUNTIME bine or gevent;
                                                    prints seconds by the clock and of
                                                    processor time for each operation

WORK: timer (start and stop one), io (the same of a descriptor), fire (a timer of 0 s, from start to
callback), ready (a descriptor that is ready, again and again), wait (hub.wait for one), callback
(run_callback), async (send from another greenlet), requests and messages over TCP on loopback and
inproc (zmq.green REQ and REP, PUSH and PULL).
"""

import argparse
import os
import socket
import statistics
import subprocess
import sys
import time
from typing import Any

from measuring import save

WORKS = ("timer", "io", "fire", "ready", "wait", "callback", "async", "requests_tcp",
         "requests_inproc", "messages_tcp", "messages_inproc")


def count_of(work: str) -> int:
    return {"timer": 500000, "io": 500000, "callback": 500000, "requests_tcp": 10000,
            "requests_inproc": 10000}.get(work, 50000)


def repeated(work: str, n: int, gevent: Any) -> None:
    """Have a callback called n times."""
    hub = gevent.get_hub()
    done, left = gevent.event.Event(), [n]
    one, other = socket.socketpair()
    watcher = {"fire": lambda: hub.loop.timer(0), "ready": lambda: hub.loop.io(one.fileno(), 2),
               "async": hub.loop.async_, "callback": lambda: None}[work]()

    def called() -> None:
        left[0] -= 1
        if left[0] == 0:
            done.set()
            if watcher:
                watcher.stop()
        elif work == "fire":
            watcher.start(called)
        elif work == "async":
            watcher.send()
        elif work == "callback":
            hub.loop.run_callback(called)

    if watcher:
        watcher.start(called)
    if work == "async":
        watcher.send()
    if work == "callback":
        hub.loop.run_callback(called)
    done.wait()


def starts(work: str, n: int, gevent: Any) -> None:
    one, other = socket.socketpair()
    loop = gevent.get_hub().loop
    watcher = loop.timer(100) if work == "timer" else loop.io(one.fileno(), 1)
    for _ in range(n):
        watcher.start(len)
        watcher.stop()


def waits(n: int, gevent: Any) -> None:
    one, other = socket.socketpair()
    hub = gevent.get_hub()
    watcher = hub.loop.io(one.fileno(), 2)
    for _ in range(n):
        hub.wait(watcher)


def zmq(work: str, n: int, gevent: Any) -> None:
    import zmq.green

    context = zmq.green.Context()
    one, other = (context.socket(zmq.green.REQ if "requests" in work else zmq.green.PUSH),
                  context.socket(zmq.green.REP if "requests" in work else zmq.green.PULL))
    if "tcp" in work:
        other.connect("tcp://127.0.0.1:%d" % one.bind_to_random_port("tcp://127.0.0.1"))
    else:
        one.bind("inproc://bench")
        other.connect("inproc://bench")

    def send() -> None:
        for _ in range(n):
            one.send(b"x" * 64)
            if "requests" in work:
                one.recv()

    def receive() -> None:
        for _ in range(n):
            message = other.recv()
            if "requests" in work:
                other.send(message)

    for greenlet in [gevent.spawn(send), gevent.spawn(receive)]:
        greenlet.get()


def run(runtime: str, work: str) -> None:
    if runtime == "bine":
        import bine.gevent

        bine.gevent.install()
    import gevent
    import gevent.event

    n = count_of(work)
    begin, cpu = time.perf_counter(), time.process_time()
    if work in ("timer", "io"):
        starts(work, n, gevent)
    elif work == "wait":
        waits(n, gevent)
    elif "_" in work:
        zmq(work, n, gevent)
    else:
        repeated(work, n, gevent)
    print((time.perf_counter() - begin) / n, (time.process_time() - cpu) / n)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json")
    options = parser.parse_args()
    figures: dict[tuple[str, str, str], list[float]] = {}
    for _ in range(options.rounds):
        for work in WORKS:
            for runtime in ("bine", "gevent"):
                out = subprocess.run([sys.executable, os.path.abspath(__file__), runtime, work],
                                     stdout=subprocess.PIPE, timeout=120, check=True,
                                     env=dict(os.environ, BINE_GEVENT="off"))
                for kind, figure in zip(("clock", "processor"), out.stdout.split()):
                    figures.setdefault((work, kind, runtime), []).append(float(figure) * 1e6)
    print("CPython %s, %d interleaved rounds: medians in microseconds an operation, and how many "
          "times as fast Bine is" % (sys.version.split()[0], options.rounds))
    for work in WORKS:
        for kind in ("clock", "processor"):
            mine, theirs = (statistics.median(figures[work, kind, runtime])
                            for runtime in ("bine", "gevent"))
            print("%-16s %-9s  bine %8.2f   gevent %8.2f   %.2f" %
                  (work, kind, mine, theirs, theirs / mine))
    if options.json:
        save(options.json, {("%s %s" % (work, kind), runtime, "microseconds"): values
                            for (work, kind, runtime), values in figures.items()})


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] in ("bine", "gevent"):
        run(*sys.argv[1:])
    else:
        main()
