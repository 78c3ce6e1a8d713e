"""sentry and ddtrace watch a program of greenlets: each keeps its own context across waits."""

import http.server
import threading

import pytest

from programs import Program, free_port

SENTRY = '''
from gevent import monkey; monkey.patch_all()
import gevent, sentry_sdk, sys, time

events = []
sentry_sdk.init(dsn="http://key@127.0.0.1:%s/1" % sys.argv[1], traces_sample_rate=1.0,
                default_integrations=True,
                before_send=lambda event, hint: events.append(event) or event)

def work(number):
    with sentry_sdk.new_scope() as scope:
        scope.set_tag("number", str(number))
        with sentry_sdk.start_transaction(op="task", name="work %d" % number):
            time.sleep(0.01 * (number % 7))
            try:
                raise ValueError("of %d" % number)
            except ValueError:
                sentry_sdk.capture_exception()

gevent.joinall([gevent.spawn(work, number) for number in range(50)], raise_error=True)
sentry_sdk.flush(10)
seen = sorted((event["tags"]["number"], event["exception"]["values"][0]["value"])
              for event in events)
assert seen == sorted((str(number), "of %d" % number) for number in range(50)), seen
print("fine", flush=True)
'''


@pytest.mark.seconds(60)
def test_sentry_keeps_each_greenlets_scope_and_sends_in_the_background():
    arrived = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            arrived.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *unused):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with Program("python", "watched.py", server.server_port,
                 files={"watched.py": SENTRY}) as program:
        assert program.wait(40) == 0, program.output()
        assert "fine" in program.output()
    assert len(arrived) >= 50 and set(arrived) == {"/api/1/envelope/"}, arrived[:3]


DDTRACE = '''
from gevent import monkey; monkey.patch_all()
import ddtrace.auto
import gevent, time
from ddtrace.trace import tracer

def work(number):
    with tracer.trace("outer", resource=str(number)) as outer:
        time.sleep(0.01 * (number % 5))
        assert tracer.current_span() is outer
        with tracer.trace("inner") as inner:
            time.sleep(0.01)
            assert inner.parent_id == outer.span_id and inner.trace_id == outer.trace_id
            child = gevent.spawn(lambda: tracer.current_span())
            assert child.get() is inner, child.value
        assert tracer.current_span() is outer
    assert tracer.current_span() is None
    return outer.trace_id

ids = [job.get() for job in [gevent.spawn(work, number) for number in range(50)]]
assert len(set(ids)) == 50
print("fine", flush=True)
'''


@pytest.mark.seconds(60)
def test_ddtrace_keeps_each_greenlets_spans():
    settings = {"DD_TRACE_AGENT_URL": "http://127.0.0.1:%d" % free_port(),
                "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false",
                "DD_REMOTE_CONFIGURATION_ENABLED": "false"}
    with Program("ddtrace-run", "python", "traced.py", files={"traced.py": DDTRACE},
                 env=settings) as program:
        assert program.wait(50) == 0, program.output()
        assert "fine" in program.output()
