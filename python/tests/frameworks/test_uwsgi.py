"""uWSGI --gevent: its plugin is C, and knows gevent by the names in its modules."""

import concurrent.futures
import json
import signal
import time
import urllib.request

from programs import Program, free_port, wait_for

APPLICATION = '''
import collections, gevent, json, os, time
from gevent import monkey

running, most = collections.Counter(), collections.Counter()

def application(environ, start):
    path = environ["PATH_INFO"]
    running[path] += 1
    most[path] = max(most[path], running[path])
    if path == "/sleep":
        gevent.sleep(0.3)
    elif path == "/time":
        time.sleep(0.3)
    body = environ["wsgi.input"].read() if environ["REQUEST_METHOD"] == "POST" else b""
    if path == "/fail":
        running[path] -= 1
        raise ValueError("wrong")
    start("200 OK", [("Content-Type", "application/json")])
    running[path] -= 1
    answer = json.dumps({"pid": os.getpid(), "size": len(body), "most": most[path],
                         "greenlet": hex(id(gevent.getcurrent())), "gevent": gevent.__file__})
    return [answer.encode()]
'''


def start(number, *options):
    return Program("uwsgi", "--http-socket", "127.0.0.1:%d" % number, "--gevent", "50", "--module",
                   "app", "--master", "--die-on-term", "--disable-logging", "--worker-reload-mercy",
                   "5", *options, files={"app.py": APPLICATION}, port=number)


def ask(number, path="/", data=None):
    with urllib.request.urlopen("http://127.0.0.1:%d%s" % (number, path), data=data,
                                timeout=20) as answer:
        return json.load(answer)


def at_once(number, path, count):
    with concurrent.futures.ThreadPoolExecutor(count) as threads:
        return list(threads.map(lambda _: ask(number, path), range(count)))


def test_requests_wait_beside_each_other_and_bodies_arrive():
    number = free_port()
    with start(number, "--gevent-monkey-patch") as program:
        assert "bine" in ask(number)["gevent"]
        for path in ("/sleep", "/time"):
            answers = at_once(number, path, 30)
            assert (max(answer["most"] for answer in answers) >= 10 and
                    len({answer["greenlet"] for answer in answers}) > 1), (path, answers)
        assert ask(number, data=b"x" * 300000)["size"] == 300000
        try:
            ask(number, "/fail")
        except Exception:
            pass
        for _ in range(300):
            ask(number)
        program.signal(signal.SIGTERM)
        assert program.wait(30) == 0
        assert "goodbye to uWSGI" in program.output() and "ValueError: wrong" in program.output()


def test_a_reload_takes_new_workers_and_loses_no_request():
    number = free_port()
    with start(number, "--processes", "2") as program:
        before = {ask(number)["pid"] for _ in range(20)}
        with concurrent.futures.ThreadPoolExecutor(4) as threads:
            slow = [threads.submit(ask, number, "/sleep") for _ in range(4)]
            time.sleep(0.1)
            program.signal(signal.SIGHUP)
            assert all(future.result()["size"] == 0 for future in slow)
        wait_for(lambda: program.listens(number) and ask(number)["pid"] not in before, 30)
