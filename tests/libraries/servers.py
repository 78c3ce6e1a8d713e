#!/usr/bin/env python3
"""Start real servers on loopback, in a temporary folder, and run a command while they run.

    servers.py NAME[,NAME...] COMMAND [ARG...]      names: postgres, redis, mariadb, nginx, rabbitmq

The command finds their ports in BINE_POSTGRES_PORT, BINE_REDIS_PORT, BINE_MARIADB_PORT,
BINE_HTTP_PORT, BINE_HTTPS_PORT and BINE_RABBITMQ_PORT, and nginx's certificate in BINE_CERTIFICATE.
A server that is not installed: exit status 77, with the reason. Everything that was started is
ended, whatever happens.
"""
import glob
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time


def missing(what):
    print("skipped: %s is not installed" % what)
    sys.exit(77)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def program(name, *patterns):
    for pattern in patterns:
        found = sorted(glob.glob(pattern))
        if found:
            return found[-1]
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin") or missing(name)


def as_user(name):
    """PostgreSQL refuses to run as root: run as its own user then. Keyword arguments for
    subprocess, and the folder's owner."""
    if os.geteuid() != 0:
        return {}
    try:
        user = pwd.getpwnam(name)
    except KeyError:
        missing("user " + name)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


class Servers:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="bine-servers-")
        os.chmod(self.folder, 0o755)
        self.processes = []

    def place(self, name, user=None):
        path = os.path.join(self.folder, name)
        os.mkdir(path)
        if user and os.geteuid() == 0:
            os.chown(path, user["user"], user["group"])
        return path

    def start(self, command, port, log, seconds=30, **options):
        output = open(os.path.join(self.folder, log + ".log"), "wb")
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                   start_new_session=True, **options)
        self.processes.append(process)
        for _ in range(seconds * 20):
            if process.poll() is not None:
                break
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        with open(output.name, errors="replace") as text:
            sys.exit("%s did not start:\n%s" % (log, text.read()[-2000:]))

    def postgres(self):
        initdb = program("initdb", "/usr/lib/postgresql/*/bin/initdb")
        user = as_user("postgres")
        data, port = self.place("postgres", user), free_port()
        subprocess.run([initdb, "-D", data, "-A", "trust", "-U", "bine", "-N", "--no-locale", "-E",
                        "UTF8"], check=True, cwd=data, stdout=subprocess.DEVNULL, **user)
        self.start([os.path.join(os.path.dirname(initdb), "postgres"), "-D", data, "-p", str(port),
                    "-k", data, "-c", "fsync=off", "-c", "listen_addresses=127.0.0.1", "-c",
                    "max_connections=200"], port, "postgres-server", cwd=data, **user)
        for _ in range(200):  # it listens a little before it answers
            ready = subprocess.run([os.path.join(os.path.dirname(initdb), "pg_isready"), "-h",
                                    "127.0.0.1", "-p", str(port)], stdout=subprocess.DEVNULL)
            if ready.returncode == 0:
                break
            time.sleep(0.05)
        return {"BINE_POSTGRES_PORT": str(port)}

    def redis(self):
        data, port = self.place("redis"), free_port()
        self.start([program("redis-server"), "--port", str(port), "--bind", "127.0.0.1", "--save",
                    "", "--dir", data], port, "redis-server")
        return {"BINE_REDIS_PORT": str(port)}

    def mariadb(self):
        install, server = (program("mariadb-install-db", "/usr/bin/mariadb-install-db"),
                           program("mariadbd"))
        user = as_user("mysql")
        data, port = self.place("mariadb", user), free_port()
        name = pwd.getpwuid(user.get("user", os.getuid())).pw_name
        command = [install, "--no-defaults", "--datadir=" + data, "--user=" + name,
                   "--auth-root-authentication-method=normal", "--skip-test-db"]
        for attempt in (1, 2, 3):  # of two that run side by side one fails now and then
            made = subprocess.run(command, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True)
            if made.returncode == 0:
                break
            print("mariadb-install-db, attempt %d:\n%s" % (attempt, made.stdout[-600:]),
                  file=sys.stderr)
            for entry in os.listdir(data):
                path = os.path.join(data, entry)
                shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)
        made.check_returncode()
        self.start([server, "--no-defaults", "--datadir=" + data, "--port=%d" % port,
                    "--bind-address=127.0.0.1", "--user=" + name,
                    "--socket=" + os.path.join(data, "socket"),
                    "--pid-file=" + os.path.join(data, "pid"), "--skip-grant-tables",
                    "--skip-networking=0", "--innodb-flush-log-at-trx-commit=0",
                    "--max-connections=200"], port, "mariadb-server")
        return {"BINE_MARIADB_PORT": str(port)}

    def nginx(self):
        nginx = program("nginx")
        data, http, https = self.place("nginx"), free_port(), free_port()
        os.mkdir(os.path.join(data, "pages"))
        for number in range(10):
            with open(os.path.join(data, "pages", str(number)), "w") as page:
                page.write("page %d\n" % number * 1000)
        key, certificate = os.path.join(data, "key.pem"), os.path.join(data, "certificate.pem")
        subprocess.run([program("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes",
                        "-days", "2", "-subj", "/CN=localhost",
                        "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost,DNS:slow.test",
                        "-keyout", key, "-out", certificate], check=True,
                       stderr=subprocess.DEVNULL)
        os.chmod(data, 0o755)
        configuration = os.path.join(data, "nginx.conf")
        with open(configuration, "w") as file:
            file.write("""
daemon off; master_process off; pid %(data)s/pid; error_log %(data)s/error.log;
events { worker_connections 1000; }
http {
    access_log off; root %(data)s/pages; keepalive_requests 100000;
    client_body_temp_path %(data)s/body; proxy_temp_path %(data)s/proxy;
    fastcgi_temp_path %(data)s/fastcgi; uwsgi_temp_path %(data)s/uwsgi;
    scgi_temp_path %(data)s/scgi;
    server { listen 127.0.0.1:%(http)d; }
    server { listen 127.0.0.1:%(https)d ssl; ssl_certificate %(certificate)s;
             ssl_certificate_key %(key)s; }
}
""" % {"data": data, "http": http, "https": https, "certificate": certificate, "key": key})
        self.start([nginx, "-c", configuration, "-p", data], https, "nginx-server")
        return {"BINE_HTTP_PORT": str(http), "BINE_HTTPS_PORT": str(https),
                "BINE_CERTIFICATE": certificate}

    def rabbitmq(self):
        """A broker of its own with a port mapper of its own, so that one that runs on this
        machine is not touched."""
        server = program("rabbitmq-server", "/usr/lib/rabbitmq/bin/rabbitmq-server")
        user = as_user("rabbitmq")
        data, port, mapper, distribution = (
            self.place("rabbitmq", user), free_port(), free_port(), free_port())
        self.start([program("epmd"), "-port", str(mapper), "-address", "127.0.0.1"], mapper,
                   "epmd", **user)
        environment = dict(
            os.environ, HOME=data, ERL_EPMD_PORT=str(mapper), RABBITMQ_NODENAME="bine@localhost",
            RABBITMQ_NODE_IP_ADDRESS="127.0.0.1", RABBITMQ_NODE_PORT=str(port),
            RABBITMQ_DIST_PORT=str(distribution), RABBITMQ_MNESIA_BASE=data, RABBITMQ_LOG_BASE=data,
            RABBITMQ_LOGS="-", RABBITMQ_PID_FILE=os.path.join(data, "pid"),
            RABBITMQ_ENABLED_PLUGINS_FILE=os.path.join(data, "plugins"),
            RABBITMQ_CONFIG_FILE=os.path.join(data, "none"))
        self.start([server], port, "rabbitmq-server", seconds=180, cwd=data,
                   env=environment, **user)
        return {"BINE_RABBITMQ_PORT": str(port)}

    def stop(self):
        for process in self.processes:
            for number in (signal.SIGTERM, signal.SIGKILL):
                try:
                    os.killpg(process.pid, number)
                    process.wait(10)
                    break
                except (ProcessLookupError, subprocess.TimeoutExpired):
                    pass
        shutil.rmtree(self.folder, ignore_errors=True)


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    servers = Servers()
    signal.signal(signal.SIGTERM, lambda *unused: sys.exit(1))
    try:
        environment = dict(os.environ)
        for name in sys.argv[1].split(","):
            environment.update(getattr(servers, name)())
        return subprocess.run(sys.argv[2:], env=environment).returncode
    finally:
        servers.stop()


if __name__ == "__main__":
    sys.exit(main())
