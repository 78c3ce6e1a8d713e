"""gevent.pywsgi on Bine beside other HTTP servers for Python, under wrk: interleaved
rounds, medians, ratios.

    pywsgi.py [--rounds N] [--seconds S] [--connections N] [--json FILE] [SERVER...]

Each server runs one process. Figures are requests per second, and microseconds of the server's
processor time for each request, which other load on the machine changes less. "close" is without
keep-alive: gevent sends headers and body apart there, too, but Nagle's algorithm does not hold the
body back. Servers that are not installed are left out.
"""

import argparse
import importlib.util
import os
import shutil
import statistics
import sys
from collections.abc import Callable
from typing import Any

from measuring import Program, free_port, on, processor_time, save, wrk


Command = Callable[[int, str], "list[str]"]  # of a port and an application


def bare(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "5")])
    return [b"hello"]


async def bare_asgi(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200,
                    "headers": [(b"content-type", b"text/plain"), (b"content-length", b"5")]})
        await send({"type": "http.response.body", "body": b"hello"})


def __getattr__(name: str) -> Any:
    if name != "flask":
        raise AttributeError(name)
    import flask

    application = flask.Flask("bench")
    application.add_url_rule("/", "hello", lambda: "hello")
    return application


def _gunicorn(runtime: str, kind: str, *arguments: str) -> Command:
    return (lambda port, application: on(runtime, "gunicorn", "-k", kind, "-b",
                                         "127.0.0.1:%d" % port, "--no-control-socket",
                                         "--keep-alive", "60", "--worker-connections", "1000",
                                         *arguments, "pywsgi:" + application))


def _own(runtime: str) -> Command:
    return lambda port, application: [sys.executable, os.path.abspath(__file__), "--serve", runtime,
                                      application, str(port)]


# name, whose first word is "bine" if it runs on Bine: (what has to be installed,
# command, applications)
SERVERS: dict[str, tuple[str, Command, tuple[str, ...]]] = {
    "bine pywsgi": ("httptools", _own("bine"), ("bare", "flask")),
    "gevent pywsgi": ("gevent", _own("gevent"), ("bare", "flask")),
    "bine gunicorn gevent": ("gunicorn httptools", _gunicorn("bine", "gevent"), ("bare", "flask")),
    "gevent gunicorn gevent": ("gunicorn gevent", _gunicorn("gevent", "gevent"), ("bare", "flask")),
    "gunicorn gthread": ("gunicorn", _gunicorn("threads", "gthread", "--threads", "50"),
                         ("bare", "flask")),
    "granian": ("granian",
                lambda port, application: on("granian", "granian", "--interface", "wsgi", "--host",
                                             "127.0.0.1", "--port", str(port), "--workers", "1",
                                             "--no-access-log", "pywsgi:" + application),
                ("bare", "flask")),
    "uvicorn": ("uvicorn uvloop httptools",
                lambda port, application: on("uvicorn", "uvicorn", "--host", "127.0.0.1", "--port",
                                             str(port), "--no-access-log", "--log-level", "error",
                                             "pywsgi:bare_asgi"), ("bare",)),
    "waitress": ("waitress", lambda port, application: on("waitress", "waitress-serve", "--listen",
                                                          "127.0.0.1:%d" % port, "--threads", "8",
                                                          "pywsgi:" + application),
                 ("bare", "flask")),
}


def serve(runtime: str, application: str, port: int) -> None:
    if runtime == "bine":
        import bine.gevent

        bine.gevent.install()
    from gevent import monkey

    monkey.patch_all()
    from gevent.pywsgi import WSGIServer

    called = bare if application == "bare" else __getattr__("flask")
    WSGIServer(("127.0.0.1", port), called, log=None, error_log=None).serve_forever()


def measure(name: str, application: str, close: bool,
            options: argparse.Namespace) -> tuple[float, float]:
    """(requests per second, microseconds of processor time for each)."""
    port, extra = free_port(), ("-H", "Connection: close") if close else ()
    with Program(SERVERS[name][1](port, application), name.split()[0], port) as server:
        wrk(port, 1, options.connections, *extra)
        before = processor_time(server.pid)
        requests, rate = wrk(port, options.seconds, options.connections, *extra)
        return rate, (processor_time(server.pid) - before) / requests * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
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
        missing = [package for package in SERVERS[name][0].split()
                   if importlib.util.find_spec(package) is None]
        if missing:
            print("%s is left out: %s is not installed" % (name, ", ".join(missing)))
        else:
            names.append(name)
    works = [("bare", False), ("bare", True)]
    if importlib.util.find_spec("flask") is not None:
        works.append(("flask", False))
    figures: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for _ in range(options.rounds):
        for application, close in works:
            for name in names:
                if application in SERVERS[name][2]:
                    label = application + (", close" if close else "")
                    figures.setdefault((label, name),
                                       []).append(measure(name, application, close, options))
    report(figures)
    if options.json:
        save(options.json,
             {(work, name, unit): [value[column] for value in values]
              for column, unit in enumerate(("requests/s", "us of processor a request"))
              for (work, name), values in figures.items()})


def report(figures: dict[tuple[str, str], list[tuple[float, float]]]) -> None:
    medians = {key: tuple(statistics.median(column) for column in zip(*values))
               for key, values in figures.items()}
    print("| work | server | requests/s | us of processor a request | Bine's pywsgi over it |\n"
          "| --- | --- | --- | --- | --- |")
    for (work, name), (rate, taken) in medians.items():
        ours = medians.get((work, "bine pywsgi"))
        print("| %s | %s | %s | %.1f | %s |" %
              (work, name, "{:,.0f}".format(rate), taken,
               "%.2f" % (ours[0] / rate) if ours and ours[0] != rate else ""))


if __name__ == "__main__":
    main()
