"""What the benchmarks have in common: programs in process groups of their own, wrk, and
the files of figures."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Optional

HERE = os.path.dirname(os.path.abspath(__file__))
BIN = os.path.dirname(sys.executable)


def on(runtime: str, program: str, *arguments: str) -> list[str]:
    """The command line of a program of the environment: on Bine, or as it is."""
    path = os.path.join(BIN, program)
    return ([sys.executable, "-m", "bine.gevent", path] if runtime == "bine"
            else [path]) + list(arguments)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def processor_time(pid: int) -> float:
    """Seconds of processor time of the process and its living descendants."""
    with open("/proc/%d/stat" % pid) as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    seconds = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    for task in os.listdir("/proc/%d/task" % pid):
        try:
            with open("/proc/%d/task/%s/children" % (pid, task)) as children:
                seconds += sum(processor_time(int(child)) for child in children.read().split())
        except OSError:  # it has ended meanwhile
            pass
    return seconds


class Program:
    """A command that runs in this folder until the `with` block ends; it finds the runtime's name
    in BENCH_RUNTIME. With a port, the block begins when the command listens there."""

    def __init__(self, command: list[str], runtime: str, port: Optional[int] = None) -> None:
        environment = dict(
            os.environ,
            PYTHONPATH=os.pathsep.join([HERE] + os.environ.get("PYTHONPATH", "").split(os.pathsep)),
            BENCH_RUNTIME=runtime)
        if runtime != "bine":
            environment["BINE_GEVENT"] = "off"
        self._process = subprocess.Popen(command, cwd=HERE, env=environment,
                                         stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                         stderr=subprocess.DEVNULL, start_new_session=True)
        self.pid = self._process.pid
        if port is not None:
            try:
                self._wait_for(port)
            except BaseException:
                self._end()
                raise

    def _wait_for(self, port: int) -> None:
        for _ in range(300):
            if self._process.poll() is not None:
                break
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                time.sleep(0.1)
        raise RuntimeError("%r does not listen (status %s)" % (self._process.args,
                                                               self._process.returncode))

    def _end(self) -> None:
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._process.wait()

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *unused: object) -> None:
        self._end()


def wrk(port: int, seconds: int, connections: int, *options: str) -> tuple[int, float]:
    """Load of wrk on the port: (requests, requests per second). RuntimeError: not every
    answer was a good one."""
    command = ["wrk", "-t1", "-c%d" % connections, "-d%d" % seconds, "--timeout", "20s", *options,
               "http://127.0.0.1:%d/" % port]
    out = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout.decode()
    if "Non-2xx" in out:
        raise RuntimeError(out)
    requests, rate = re.search(r"(\d+) requests in",
                               out), re.search(r"Requests/sec:\s+([\d.]+)", out)
    assert requests and rate, out
    return int(requests.group(1)), float(rate.group(1))


def save(path: str, figures: Mapping[tuple[str, str, str], Sequence[float]]) -> None:
    """Write the figures of all rounds, {(work, name, unit): values}, for bench/plot.py."""
    with open(path, "w") as file:
        json.dump({"python": sys.version,
                   "rows": [{"work": work, "name": name, "unit": unit, "values": values}
                            for (work, name, unit), values in figures.items()]}, file, indent=1)
