"""The works of whole HTTP servers, for bench/run: libbine-http, nginx and Go's net/http answer with
a greeting and with a file of 100 KB, plain and by HTTPS, to 100 connections of wrk that stay. Each
has one thread, on the first CPU."""

import contextlib
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

WORKS = {f"web_{kind}{'_tls' if tls else ''}": (kind, tls) for kind in ("hello", "file")
         for tls in (False, True)}
SERVERS = {
    "Bine io_uring": ("bine-http", {"BINE_POLLER": "uring"}),
    "Bine epoll": ("bine-http", {"BINE_POLLER": "epoll"}),
    "nginx": ("nginx", {}),
    "Go": ("go-http", {"GOMAXPROCS": "1"}),
}
SIZE = 100 * 1024

NGINX = """daemon off; master_process off; pid {directory}/pid; error_log stderr error;
events {{ worker_connections 10000; }}
http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000;
  default_type text/plain;
  client_body_temp_path {directory}; proxy_temp_path {directory}; fastcgi_temp_path {directory};
  uwsgi_temp_path {directory}; scgi_temp_path {directory};
  server {{ listen 127.0.0.1:{port} {ssl} backlog=4096; {certificate} root {directory}/www;
    location = / {{ return 200 "Hello, world!"; }} }} }}
"""


class Place:
    """A directory, empty so far, gets a file to serve, a certificate, and nginx's configuration."""

    def __init__(self, directory: str) -> None:
        self.directory = directory
        os.mkdir(f"{self.directory}/www")
        with open(f"{self.directory}/www/file", "wb") as file:
            file.write(os.urandom(SIZE))
        self.certificate = f"{self.directory}/certificate"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                        "-keyout", self.certificate + ".key", "-out", self.certificate],
                       check=True, capture_output=True)
        with open(self.certificate, "a") as both, open(self.certificate + ".key") as key:
            both.write(key.read())

    def configure_nginx(self, port: int, tls: bool) -> str:
        path = f"{self.directory}/nginx.conf"
        certificate = (f"ssl_certificate {self.certificate}; ssl_certificate_key "
                       f"{self.certificate}; ssl_protocols TLSv1.2 TLSv1.3;" if tls else "")
        with open(path, "w") as file:
            file.write(NGINX.format(directory=self.directory, port=port, ssl="ssl" if tls else "",
                                    certificate=certificate))
        return path


@contextlib.contextmanager
def serving(program: str, place: Place, work: str, environment: dict[str, str], port: int,
            preexec: Callable[[], None]) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A block in which the server runs: its process and its port."""
    kind, tls = WORKS[work]
    if os.path.basename(program) == "nginx":
        command = [program, "-p", place.directory, "-c", place.configure_nginx(port, tls)]
    else:
        command = [program, kind] + ([place.certificate] if tls else [])
    process: Any = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                               text=True, preexec_fn=preexec,
                               env={**os.environ, **environment,
                                    "BENCH_FILES": f"{place.directory}/www"})
    try:
        if os.path.basename(program) == "nginx":
            time.sleep(0.3)
        else:
            line = process.stdout.readline().split()
            port = int(line[1]) if len(line) == 2 else 0
        yield process, port
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def measure(program: str, work: str, environment: dict[str, str], seconds: int, port: int,
            server_cpu: int, load_cpu: int) -> dict[str, float]:
    """One round: {metric: value}; {} if the server or the load did not work."""
    with tempfile.TemporaryDirectory() as directory, \
            serving(program, Place(directory), work, environment, port,
                    lambda: os.sched_setaffinity(0, {server_cpu})) as (process, port):
        return load_server(process, WORKS[work], port, seconds, load_cpu)


def load_server(process: subprocess.Popen[str], work: tuple[str, bool], port: int, seconds: int,
                load_cpu: int) -> dict[str, float]:
    kind, tls = work
    url = f"http{'s' if tls else ''}://127.0.0.1:{port}/{'file' if kind == 'file' else ''}"

    def load(duration: int) -> str:
        return subprocess.run(["wrk", "-t1", "-c100", f"-d{duration}s", url], capture_output=True,
                              text=True, timeout=60 + duration,
                              preexec_fn=lambda: os.sched_setaffinity(0, {load_cpu})).stdout

    def clock() -> float:
        return time.clock_gettime_ns((~process.pid << 3) | 2) / 1e9

    load(1)
    before = clock()
    text = load(seconds)
    spent = clock() - before
    requests = re.search(r"(\d+) requests in", text)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    if not requests or not rate or "Non-2xx" in text or int(requests[1]) == 0:
        return {}
    return {"cpu": spent / int(requests[1]) * 1e6, "rate": float(rate[1])}
