#!/usr/bin/env python3
"""Programs with threads as Debian ships them, under `bine run`, with real clients on loopback:
programs.py BINE SERVERS [NAME...]

A program that is not installed is skipped. Each prints a line "ok NAME", "FAIL NAME: why" or "skip
NAME: why". docs/run.md has the table.
"""
import concurrent.futures
import os
import pwd
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request

BINE, SERVERS = os.path.realpath(sys.argv[1]), os.path.realpath(sys.argv[2])
PYTHON = "/usr/bin/python3"


class Skip(Exception):
    pass


def program(name):
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if not found:
        raise Skip(name + " is not installed")
    return found


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def bine(*command, options=()):
    return [BINE, "run", *options, *command]


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def output_of(command, timeout=60, **more):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=timeout, errors="replace", **more)
    if done.returncode != 0:
        raise AssertionError("%s: exit status %d: %s" % (" ".join(command[:6]), done.returncode,
                                                         done.stdout[-400:]))
    return done.stdout


class Place:
    """A directory and what was started in it, until the end."""

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="bine-programs-")
        os.chmod(self.folder, 0o755)
        self.started = []
        return self

    def __exit__(self, *error):
        for process in self.started:
            process.send_signal(signal.SIGTERM)
        for process in self.started:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w" if isinstance(text, str) else "wb") as file:
            file.write(text)
        return path

    def start(self, command, port, **more):
        """Starts a server, and waits until it accepts."""
        log = os.path.join(self.folder, "log%d" % len(self.started))
        with open(log, "wb") as file:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file,
                                       cwd=self.folder, start_new_session=True, **more)
        self.started.append(process)
        until = time.monotonic() + 30
        while time.monotonic() < until and process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return process
            except OSError:
                time.sleep(0.05)
        with open(log, errors="replace") as file:
            raise AssertionError("%s does not accept: %s" % (command[3:5], file.read()[-400:]))

    def http_server(self):
        """Python's own, plainly: something to stand behind others. It serves the folder."""
        port = free_port()
        self.start([PYTHON, "-m", "http.server", "--bind", "127.0.0.1", str(port)], port)
        return port


def threads_of(process):
    with open("/proc/%d/status" % process.pid) as status:
        return next(int(line.split()[1]) for line in status if line.startswith("Threads"))


def get_many(url, count, wanted, at_once=20):
    def get(number):
        with urllib.request.urlopen(url, timeout=30) as answer:
            return answer.read()

    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        good = sum(body == wanted for body in pool.map(get, range(count)))
    check(good == count, "%d of %d answers are right" % (good, count))


# ---- servers ----

def memcached(place):
    port = free_port()
    server = place.start(bine(program("memcached"), "-t", "4", "-p", str(port), "-U", "0", "-l",
                              "127.0.0.1", "-u", "root"), port)

    def store(number):
        with socket.create_connection(("127.0.0.1", port), 30) as client:
            client.sendall(b"set k%d 0 0 5\r\n%05d\r\nget k%d\r\n" % (number, number, number))
            got = b""
            while not got.endswith(b"END\r\n"):
                got += client.recv(100)
            return b"%05d" % number in got

    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        check(all(pool.map(store, range(200))), "a value is lost")
    check(threads_of(server) <= 2, "%d threads" % threads_of(server))


def redis(place, *options):
    port = free_port()
    place.start(bine(program("redis-server"), "--port", str(port), "--save", "", "--bind",
                     "127.0.0.1", *options[1:], options=options[:1]), port)
    said = output_of([program("redis-benchmark"), "-p", str(port), "-c", "20", "-n", "2000", "-t",
                      "set,get", "-q"], timeout=120)
    check("SET" in said and "GET" in said and "rror" not in said, said[-200:])


def redis_without_io_threads(place):
    redis(place)


def redis_with_io_threads(place):
    redis(place, "--preempt=1", "--io-threads", "4", "--io-threads-do-reads", "yes")


def haproxy(place):
    place.write("file", "behind haproxy\n")
    behind, port = place.http_server(), free_port()
    path = place.write("haproxy.cfg", """global
 nbthread 4
defaults
 mode http
 timeout connect 5s
 timeout client 30s
 timeout server 30s
frontend f
 bind 127.0.0.1:%d
 default_backend b
backend b
 server s 127.0.0.1:%d
""" % (port, behind))
    place.start(bine(program("haproxy"), "-f", path), port)
    get_many("http://127.0.0.1:%d/file" % port, 100, b"behind haproxy\n")


def nginx(place):
    body = os.urandom(300000)
    place.write("file", body)
    port = free_port()
    path = place.write("nginx.conf", """daemon off; user root; worker_processes 2;
thread_pool default threads=8;
error_log stderr error; pid {0}/pid;
events {{ worker_connections 512; }}
http {{ access_log off; aio threads; sendfile off; output_buffers 1 64k;
 client_body_temp_path {0}; proxy_temp_path {0}; fastcgi_temp_path {0};
 uwsgi_temp_path {0}; scgi_temp_path {0}; server {{ listen 127.0.0.1:{1}; root {0}; }} }}
""".format(place.folder, port))
    place.start(bine(program("nginx"), "-c", path, "-p", place.folder), port)
    get_many("http://127.0.0.1:%d/file" % port, 100, body)


def lighttpd(place):
    place.write("file", "by lighttpd\n")
    port = free_port()
    path = place.write("lighttpd.conf",
                       'server.document-root = "%s"\nserver.port = %d\n'
                       'server.bind = "127.0.0.1"\n' % (place.folder, port))
    place.start(bine(program("lighttpd"), "-D", "-f", path), port)
    get_many("http://127.0.0.1:%d/file" % port, 100, b"by lighttpd\n")


def stunnel(place):
    place.write("file", "by TLS\n")
    behind, port = place.http_server(), free_port()
    key, certificate = os.path.join(place.folder, "key"), os.path.join(place.folder, "certificate")
    output_of([program("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj",
               "/CN=localhost", "-keyout", key, "-out", certificate])
    path = place.write("stunnel.conf",
                       "foreground = yes\npid =\n[http]\naccept = 127.0.0.1:%d\nconnect = "
                       "127.0.0.1:%d\ncert = %s\nkey = %s\n" % (port, behind, certificate, key))
    place.start(bine(program("stunnel4"), path), port)
    context = ssl.create_default_context(cafile=certificate)
    context.check_hostname = False

    def get(number):
        with urllib.request.urlopen("https://127.0.0.1:%d/file" % port, timeout=30,
                                    context=context) as answer:
            return answer.read()

    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        check(list(pool.map(get, range(60))) == [b"by TLS\n"] * 60, "an answer is wrong")


def slapd(place):
    slapd_program, port = program("slapd"), free_port()
    os.mkdir(os.path.join(place.folder, "data"))
    path = place.write("slapd.conf", """include /etc/ldap/schema/core.schema
pidfile {0}/pid
modulepath /usr/lib/ldap
moduleload back_mdb
threads 8
database mdb
suffix "dc=test"
rootdn "cn=admin,dc=test"
rootpw secret
directory {0}/data
""".format(place.folder))
    url = "ldap://127.0.0.1:%d" % port
    place.start(bine(slapd_program, "-f", path, "-h", url, "-d", "0"), port)
    entries = place.write("entries",
                          "dn: dc=test\nobjectClass: dcObject\nobjectClass: organization\no: test\n"
                          "dc: test\n\n" + "".join(
                              "dn: cn=p%d,dc=test\nobjectClass: person\ncn: p%d\nsn: s%d\n\n" %
                              (n, n, n) for n in range(50)))
    output_of([program("ldapadd"), "-x", "-H", url, "-D", "cn=admin,dc=test", "-w", "secret",
               "-f", entries])

    def search(number):
        return output_of([program("ldapsearch"), "-x", "-LLL", "-H", url, "-b", "dc=test",
                          "(cn=p%d)" % number, "sn"])

    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        for number, found in enumerate(pool.map(search, range(50))):
            check("sn: s%d\n" % number in found, found)


def mariadb(place):
    server, slap, port = program("mariadbd"), program("mariadb-slap"), free_port()
    data, user = os.path.join(place.folder, "data"), pwd.getpwuid(os.getuid()).pw_name
    os.mkdir(data)
    output_of([program("mariadb-install-db"), "--no-defaults", "--datadir=" + data,
               "--user=" + user, "--auth-root-authentication-method=normal", "--skip-test-db"])
    # It writes by threads of its own, not by an io_uring beside Bine's.
    process = place.start(
        bine(server, "--no-defaults", "--datadir=" + data, "--port=%d" % port,
             "--bind-address=127.0.0.1", "--socket=" + os.path.join(data, "socket"),
             "--user=" + user, "--skip-grant-tables", "--skip-networking=0",
             "--innodb-use-native-aio=0", "--innodb-flush-log-at-trx-commit=0",
             "--max-connections=500"), port)
    output_of([slap, "--no-defaults", "--host=127.0.0.1", "--port=%d" % port, "--user=root",
               "--concurrency=200", "--iterations=1", "--number-of-queries=4000",
               "--auto-generate-sql", "--auto-generate-sql-load-type=mixed"], timeout=120)
    check(threads_of(process) <= 4, "%d threads" % threads_of(process))
    process.send_signal(signal.SIGTERM)
    check(process.wait(60) == 0, "exit status %s" % process.returncode)
    place.started.remove(process)


def mosquitto(place):
    port = free_port()
    path = place.write("mosquitto.conf", "listener %d 127.0.0.1\nallow_anonymous true\n" % port)
    place.start(bine(program("mosquitto"), "-c", path), port)
    publish, subscribe = program("mosquitto_pub"), program("mosquitto_sub")
    there = ["-h", "127.0.0.1", "-p", str(port), "-t", "topic", "-q", "1"]
    # The clients have threads of their own.
    listening = [subprocess.Popen(bine(subscribe, *there, "-C", "20"), stdout=subprocess.PIPE,
                                  text=True) for _ in range(5)]
    time.sleep(1.5)
    sender = subprocess.run(bine(publish, *there, "-l"),
                            input="".join("message %d\n" % n for n in range(20)),
                            text=True, timeout=60)
    check(sender.returncode == 0, "mosquitto_pub: %d" % sender.returncode)
    for client in listening:
        check(client.communicate(timeout=60)[0].split("\n")[:20] ==
              ["message %d" % n for n in range(20)], "a message is lost")


def tinyproxy(place):
    place.write("file", "by a proxy\n")
    behind, port = place.http_server(), free_port()
    path = place.write("tinyproxy.conf",
                       "Port %d\nListen 127.0.0.1\nAllow 127.0.0.1\nMaxClients 100\n" % port)
    place.start(bine(program("tinyproxy"), "-d", "-c", path), port)
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({"http": "http://127.0.0.1:%d" % port}))
    for _ in range(20):
        check(opener.open("http://127.0.0.1:%d/file" % behind,
                          timeout=30).read() == b"by a proxy\n", "an answer is wrong")


def gunicorn(place):
    place.write("application.py",
                "import threading\ndef app(environ, start):\n"
                "    start('200 OK', [('Content-Type', 'text/plain')])\n"
                "    return [threading.current_thread().name.encode()[:16]]\n")
    port = free_port()
    place.start(bine(program("gunicorn"), "-k", "gthread", "--threads", "20", "-w", "2", "-b",
                     "127.0.0.1:%d" % port, "application:app"), port)

    def get(number):
        with urllib.request.urlopen("http://127.0.0.1:%d/" % port, timeout=30) as answer:
            return answer.read()

    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        check(all(body.startswith(b"ThreadPoolExecut") for body in pool.map(get, range(100))),
              "an answer is wrong")


def ruby_webrick(place):
    place.write("file", "by Ruby\n")
    port = free_port()
    if subprocess.run([program("ruby"), "-e", "require 'webrick'"],
                      stderr=subprocess.DEVNULL).returncode:
        raise Skip("ruby-webrick is not installed")
    place.start(bine(program("ruby"), "-e",
                     "require 'webrick'; WEBrick::HTTPServer.new(BindAddress: '127.0.0.1', "
                     "Port: %d, DocumentRoot: '.', "
                     "AccessLog: []).start" % port), port)
    get_many("http://127.0.0.1:%d/file" % port, 60, b"by Ruby\n")


# ---- clients ----

def pgbench(place):
    program("pgbench")
    said = output_of([SERVERS, "postgres", "sh", "-c",
                      'export PGHOST=127.0.0.1 PGPORT=$BINE_POSTGRES_PORT PGUSER=bine\n'
                      '%s && %s' % ("pgbench -i -q postgres",
                                    " ".join(bine("pgbench", "-j", "4", "-c", "8", "-t", "50",
                                                  "postgres")))], timeout=120)
    check("400/400" in said, said[-300:])


def siege(place):
    place.write("file", "besieged\n")
    port = place.http_server()
    said = output_of(bine(program("siege"), "-c", "15", "-r", "4", "-b",
                          "http://127.0.0.1:%d/file" % port),
                     env={**os.environ, "HOME": place.folder})
    found = re.search(r'"successful_transactions":\s*(\d+)', said)
    check(found and found.group(1) == "60", said[-300:])


def aria2(place):
    body = os.urandom(6 << 20)
    place.write("file", body)
    port = place.http_server()
    output_of(bine(program("aria2c"), "-q", "-x", "4", "-s", "4", "-d", place.folder, "-o", "copy",
                   "http://127.0.0.1:%d/file" % port))
    with open(os.path.join(place.folder, "copy"), "rb") as file:
        check(file.read() == body, "the file is not the same")


# ---- languages ----

def python(place, text, wanted, timeout=120):
    program(PYTHON)
    said = output_of(bine(PYTHON, place.write("program.py", text)), timeout=timeout)
    check(said.strip() == wanted, said[-400:])


def python_thread_pool(place):
    python(place, """import concurrent.futures, threading, time
barrier = threading.Barrier(5000)
def work(number):
    barrier.wait()
    time.sleep(0.001)
    return number * 2
with concurrent.futures.ThreadPoolExecutor(5000) as pool:
    print(sum(pool.map(work, range(5000))))
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("Threads")))
""", "24995000\n1")


def python_http_server(place):
    python(place, """import concurrent.futures, http.server, threading, urllib.request
class Hello(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.path.encode())
    def log_message(self, *args):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hello)
threading.Thread(target=server.serve_forever).start()
def get(number):
    url = "http://127.0.0.1:%d/%d" % (server.server_address[1], number)
    return urllib.request.urlopen(url).read() == b"/%d" % number
with concurrent.futures.ThreadPoolExecutor(50) as pool:
    print(sum(pool.map(get, range(300))))
server.shutdown()
""", "300")


def python_grpc(place):
    interpreter = os.environ.get("BINE_GRPC_PYTHON", PYTHON)
    if subprocess.run([interpreter, "-c", "import grpc"], stderr=subprocess.DEVNULL).returncode:
        raise Skip("grpcio is not installed (BINE_GRPC_PYTHON names a Python that has it)")
    path = place.write("program.py", """import concurrent.futures, threading, time
import grpc

def double(request, context):
    time.sleep(0.01)
    return request * 2

def count(request, context):
    for number in range(5):
        yield request + b"%d" % number

handlers = {"double": grpc.unary_unary_rpc_method_handler(double),
            "count": grpc.unary_stream_rpc_method_handler(count)}
server = grpc.server(concurrent.futures.ThreadPoolExecutor(40))
server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Test", handlers),))
port = server.add_insecure_port("127.0.0.1:0")
server.start()
with grpc.insecure_channel("127.0.0.1:%d" % port) as channel:
    one, many = channel.unary_unary("/test.Test/double"), channel.unary_stream("/test.Test/count")
    def call(number):
        text = b"%d" % number
        return (one(text, timeout=30) == text * 2 and
                b"".join(many(text, timeout=30)) == b"".join(text + b"%d" % i for i in range(5)))
    with concurrent.futures.ThreadPoolExecutor(30) as pool:
        print(sum(pool.map(call, range(150))))
server.stop(None).wait()
""")
    said = output_of(bine(interpreter, path), timeout=120)
    check(said.strip() == "150", said[-400:])


def perl(place):
    if subprocess.run([program("perl"), "-Mthreads", "-e", "1"],
                      stderr=subprocess.DEVNULL).returncode:
        raise Skip("perl has no threads")
    said = output_of(bine(program("perl"), "-Mthreads", "-MThread::Queue", "-e", """
my $queue = Thread::Queue->new(1 .. 200);
$queue->end;
my @threads = map { threads->create(sub {
    my $sum = 0;
    while (defined(my $n = $queue->dequeue)) { $sum += $n; select(undef, undef, undef, 0.001) }
    $sum
}) } 1 .. 20;
my $total = 0;
$total += $_->join for @threads;
print $total;
"""))
    check(said == "20100", said)


def ruby_threads(place):
    said = output_of(bine(program("ruby"), "-e", """
queue, done = Queue.new, Queue.new
threads = 50.times.map { Thread.new {
  while (n = queue.pop) != :end; sleep 0.001; done << n * 2; end
} }
200.times { |n| queue << n }
50.times { queue << :end }
threads.each(&:join)
sum = 0
sum += done.pop until done.empty?
print sum
"""))
    check(said == "39800", said)


ALL = [memcached, redis_without_io_threads, redis_with_io_threads, haproxy, nginx, lighttpd,
       stunnel, slapd, mariadb, mosquitto, tinyproxy, gunicorn, ruby_webrick, pgbench, siege,
       aria2, python_thread_pool, python_http_server, python_grpc, perl, ruby_threads]


def main():
    refusal = subprocess.run(bine("true"), stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True)
    if refusal.returncode == 126:
        print("skip everything:", refusal.stdout)
        return 77
    counts = {"ok": 0, "FAIL": 0, "skip": 0}
    for one in ALL:
        if sys.argv[3:] and one.__name__ not in sys.argv[3:]:
            continue
        verdict, why = "ok", ""
        try:
            with Place() as place:
                one(place)
        except Skip as reason:
            verdict, why = "skip", ": %s" % reason
        except (AssertionError, OSError, subprocess.SubprocessError) as reason:
            verdict, why = "FAIL", ": %s" % reason
        counts[verdict] += 1
        print(verdict, one.__name__ + why, flush=True)
    print("# %(ok)d passed, %(FAIL)d failed, %(skip)d skipped" % counts)
    return 1 if counts["FAIL"] else 0


if __name__ == "__main__":
    sys.exit(main())
