"""The Python package beside gevent, asyncio and uvloop, in one run: interleaved
rounds, medians, ratios.

    run.py [--rounds N] [--json FILE]
"""

import argparse
import os
import selectors
import socket
import statistics
import subprocess
import sys
import time

from measuring import HERE, free_port, processor_time, save

PROGRAMS = os.path.join(HERE, "programs.py")
RUNTIMES = ("bine", "gevent", "asyncio", "uvloop")
UNITS = {"switch": "ns", "spawn": "ns", "queue": "ns", "memory": "bytes", "memory_deep": "bytes",
         "memory_queue": "bytes", "memory_recv": "bytes", "echo": "requests/s"}


def measure(runtime: str, work: str) -> float:
    out = subprocess.run([sys.executable, PROGRAMS, runtime, work], stdout=subprocess.PIPE,
                         timeout=120, check=True)
    return float(out.stdout.split()[-1])


def echo(runtime: str, connections: int = 100, requests: int = 40000) -> tuple[float, float]:
    """Requests per second of 100 connections, one 64-byte request in flight on each; the load
    runs in this process."""
    port = free_port()
    server = subprocess.Popen([sys.executable, PROGRAMS, runtime, "server", str(port)],
                              stdout=subprocess.PIPE, stdin=subprocess.PIPE)
    try:
        assert server.stdout
        if server.stdout.readline().strip() != b"ready":
            raise RuntimeError("%s's server did not start" % runtime)
        message, done = b"x" * 64, 0
        with selectors.EpollSelector() as selector:
            for _ in range(connections):
                client = socket.create_connection(("127.0.0.1", port))
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                selector.register(client, selectors.EVENT_READ, client)
                client.send(message)
            begin = time.perf_counter()
            while done < requests:
                for key, _ in selector.select(10):
                    ready = key.data
                    if ready.recv(4096):
                        done += 1
                        ready.send(message)
            taken = time.perf_counter() - begin
            cpu = processor_time(server.pid)
            for key in list(selector.get_map().values()):
                key.data.close()
        return requests / taken, cpu / requests * 1e6
    finally:
        server.kill()
        server.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json")
    options = parser.parse_args()
    runtimes = []
    for runtime in RUNTIMES:
        try:
            __import__(runtime)
            runtimes.append(runtime)
        except ImportError:
            print("%s is not installed, and left out" % runtime)
    figures: dict[tuple[str, str], list[float]] = {}
    for _ in range(options.rounds):
        for work in UNITS:
            for runtime in runtimes:
                if work == "echo":
                    rate, cpu = echo(runtime)
                    figures.setdefault(("echo", runtime), []).append(rate)
                    figures.setdefault(("echo cpu us/request", runtime), []).append(cpu)
                else:
                    figures.setdefault((work, runtime), []).append(measure(runtime, work))
    print("CPython %s, %d interleaved rounds: median (min - max), and Bine's ratio to it" %
          (sys.version.split()[0], options.rounds))
    for work in list(UNITS) + ["echo cpu us/request"]:
        print("%s %s" % (work, UNITS.get(work, "")))
        mine = statistics.median(figures[work, "bine"])
        for runtime in runtimes:
            all_figures = figures[work, runtime]
            median = statistics.median(all_figures)
            print("    %-8s %12.1f  (%.1f - %.1f)   %.2f" % (runtime, median, min(all_figures),
                                                             max(all_figures), mine / median))
    if options.json:
        save(options.json, {(work, runtime, UNITS.get(work, "")): values
                            for (work, runtime), values in figures.items()})


if __name__ == "__main__":
    main()
