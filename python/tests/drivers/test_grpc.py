"""grpcio from PyPI is cooperative by greenlets with threads of their own, without its support for
gevent. The server is another process, without Bine."""

import os
import subprocess
import sys

import bine
import bine.monkey
import pytest

PATCHED = True

SERVER = """
import concurrent.futures, sys, time
import grpc

def double(request, context):
    time.sleep(0.2)
    return request * 2

def count(request, context):
    for number in range(5):
        time.sleep(0.01)
        yield request + b"%d" % number

def fail(request, context):
    context.abort(grpc.StatusCode.NOT_FOUND, "no such thing")

handlers = {"double": grpc.unary_unary_rpc_method_handler(double),
            "count": grpc.unary_stream_rpc_method_handler(count),
            "fail": grpc.unary_unary_rpc_method_handler(fail)}
server = grpc.server(concurrent.futures.ThreadPoolExecutor(60))
server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test", handlers),))
print(server.add_insecure_port("127.0.0.1:0"), flush=True)
server.start()
sys.stdin.read()
"""


class OwnThread(bine.Greenlet):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.own_thread = True


def test_calls_at_once_on_one_os_thread():
    if bine.own_thread_refusal():
        pytest.skip(bine.own_thread_refusal())
    bine.monkey.own_threads("cygrpc*")
    grpc = pytest.importorskip("grpc")
    with subprocess.Popen([sys.executable, "-c", SERVER], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as server:
        address = "127.0.0.1:%d" % int(server.stdout.readline())
        with grpc.insecure_channel(address) as channel:
            check(grpc, channel)
        server.stdin.close()


def check(grpc, channel):
    double, fail = channel.unary_unary("/test/double"), channel.unary_unary("/test/fail")
    count = channel.unary_stream("/test/count")
    assert OwnThread.spawn(double, b"x").get(timeout=30) == b"xx"  # the connection is made
    beats = []

    def beat():
        while True:
            bine.sleep(0.005)
            beats.append(len(running))

    running, most = [], []

    def call(number):
        text = b"%d" % number
        running.append(number)
        most.append(len(running))
        reply = double(text, timeout=30)
        running.remove(number)
        return reply == text * 2 and list(count(text)) == [text + b"%d" % i for i in range(5)]

    heart = bine.spawn(beat)
    greenlets = [OwnThread.spawn(call, number) for number in range(40)]
    assert all(g.get(timeout=60) for g in greenlets)
    heart.kill()
    assert max(most) == 40  # all waited at once
    assert 40 in beats  # an ordinary greenlet ran meanwhile
    assert len(os.listdir("/proc/self/task")) == 1
    failed = OwnThread.spawn(fail, b"")
    failed.join(timeout=30)
    assert failed.exception.code() == grpc.StatusCode.NOT_FOUND
