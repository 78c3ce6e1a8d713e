"""gevent.pywsgi on Bine beside other HTTP servers for Python, under wrk: interleaved rounds, medians, ratios.

    pywsgi.py [--rounds N] [--seconds S] [--connections N] [--json FILE] [SERVER...]

Each server runs one process. Figures are requests per second, and microseconds of the server's processor time for each request, which other
load on the machine changes less. "close" is without keep-alive: gevent sends headers and body apart there, too, but Nagle's algorithm does not hold the body
back. Servers that are not installed are left out.
"""

import argparse
import importlib.util
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
BIN = os.path.dirname(sys.executable)


def bare(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "5")])
    return [b"hello"]


async def bare_asgi(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain"), (b"content-length", b"5")]})
        await send({"type": "http.response.body", "body": b"hello"})


def __getattr__(name):
    if name != "flask":
        raise AttributeError(name)
    import flask

    application = flask.Flask("bench")
    application.add_url_rule("/", "hello", lambda: "hello")
    return application


def _gunicorn(kind, *arguments):
    def command(port, application):
        return [os.path.join(BIN, "gunicorn"), "-k", kind, "-b", "127.0.0.1:%d" % port, "--no-control-socket", "--keep-alive", "60", "--worker-connections", "1000",
                *arguments, "pywsgi:" + application]

    return command


def _own(runtime):
    return lambda port, application: [sys.executable, os.path.join(HERE, "pywsgi.py"), "--serve", runtime, application, str(port)]


# name: (what has to be installed, command, variables of the environment, applications)
SERVERS = {
    "bine pywsgi": ("httptools", _own("bine"), {}, ("bare", "flask")),
    "gevent pywsgi": ("gevent", _own("gevent"), {}, ("bare", "flask")),
    "bine gunicorn gevent": ("gunicorn", lambda port, application: [sys.executable, "-m", "bine.gevent", "-m"] + ["gunicorn"] + _gunicorn("gevent")(
        port, application)[1:], {}, ("bare", "flask")),
    "gevent gunicorn gevent": ("gunicorn gevent", _gunicorn("gevent"), {}, ("bare", "flask")),
    "gunicorn gthread": ("gunicorn", _gunicorn("gthread", "--threads", "50"), {}, ("bare", "flask")),
    "granian": ("granian", lambda port, application: [os.path.join(BIN, "granian"), "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port),
                                                      "--workers", "1", "--no-access-log", "pywsgi:" + application], {}, ("bare", "flask")),
    "uvicorn": ("uvicorn uvloop httptools", lambda port, application: [os.path.join(BIN, "uvicorn"), "--host", "127.0.0.1", "--port", str(port),
                                                                     "--no-access-log", "--log-level", "error", "pywsgi:bare_asgi"], {}, ("bare",)),
    "waitress": ("waitress", lambda port, application: [os.path.join(BIN, "waitress-serve"), "--listen", "127.0.0.1:%d" % port, "--threads", "8",
                                                        "pywsgi:" + application], {}, ("bare", "flask")),
}


def serve(runtime, application, port):
    if runtime == "bine":
        import bine.gevent

        bine.gevent.install()
    from gevent import monkey

    monkey.patch_all()
    from gevent.pywsgi import WSGIServer

    application = bare if application == "bare" else __getattr__("flask")
    WSGIServer(("127.0.0.1", port), application, log=None, error_log=None).serve_forever()


def _processes(pid):
    found = [pid]
    for task in os.listdir("/proc/%d/task" % pid):
        try:
            with open("/proc/%d/task/%s/children" % (pid, task)) as children:
                for child in children.read().split():
                    found += _processes(int(child))
        except OSError:
            pass
    return found


def _processor_time(pid):
    ticks = 0
    for process in _processes(pid):
        with open("/proc/%d/stat" % process) as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _wrk(url, seconds, connections, close):
    command = ["wrk", "-t1", "-c%d" % connections, "-d%d" % seconds] + (["-H", "Connection: close"] if close else []) + [url]
    out = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout.decode()
    if "Non-2xx" in out:
        raise RuntimeError(out)
    return int(re.search(r"(\d+) requests in", out).group(1)), float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1))


def measure(name, application, close, options):
    """(requests per second, microseconds of processor time for each)."""
    _, command, variables, _ = SERVERS[name]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join([HERE] + os.environ.get("PYTHONPATH", "").split(os.pathsep)), **variables)
    if not name.startswith("bine"):
        environment["BINE_GEVENT"] = "off"
    server = subprocess.Popen(command(port, application), cwd=HERE, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        for _ in range(300):
            if server.poll() is not None:
                raise RuntimeError("%s ended with %d" % (name, server.returncode))
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.1)
        url = "http://127.0.0.1:%d/" % port
        _wrk(url, 1, options.connections, close)
        before = _processor_time(server.pid)
        requests, rate = _wrk(url, options.seconds, options.connections, close)
        return rate, (_processor_time(server.pid) - before) / requests * 1e6
    finally:
        try:
            os.killpg(server.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        server.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("servers", nargs="*", help="some of: " + ", ".join(SERVERS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=50)
    parser.add_argument("--json")
    parser.add_argument("--serve", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve[0], options.serve[1], int(options.serve[2]))
        return
    if shutil.which("wrk") is None:
        sys.exit("wrk is needed: apt-get install wrk")
    names = []
    for name in options.servers or SERVERS:
        missing = [package for package in SERVERS[name][0].split() if importlib.util.find_spec(package) is None]
        if missing:
            print("%s is left out: %s is not installed" % (name, ", ".join(missing)))
        else:
            names.append(name)
    works = [("bare", False), ("bare", True)]
    if importlib.util.find_spec("flask") is not None:
        works.append(("flask", False))
    figures = {}
    for _ in range(options.rounds):
        for application, close in works:
            for name in names:
                if application in SERVERS[name][3]:
                    label = application + (", close" if close else "")
                    figures.setdefault((label, name), []).append(measure(name, application, close, options))
    report(figures)
    if options.json:
        with open(options.json, "w") as file:
            json.dump([{"work": work, "server": name, "requests": [rate for rate, _ in values], "microseconds": [taken for _, taken in values]}
                       for (work, name), values in figures.items()], file, indent=1)


def report(figures):
    medians = {key: tuple(statistics.median(column) for column in zip(*values)) for key, values in figures.items()}
    print("| work | server | requests/s | us of processor a request | Bine's pywsgi over it |\n| --- | --- | --- | --- | --- |")
    for (work, name), (rate, taken) in medians.items():
        ours = medians.get((work, "bine pywsgi"))
        print("| %s | %s | %s | %.1f | %s |" % (work, name, "{:,.0f}".format(rate), taken, "%.2f" % (ours[0] / rate) if ours and ours[0] != rate else ""))


if __name__ == "__main__":
    main()
