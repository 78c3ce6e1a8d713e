"""zerorpc: calls, streams, errors and heartbeats over zmq.green."""

from loops import run
from programs import free_port

PROGRAM = '''
import gevent, sys
import zerorpc

address = "tcp://127.0.0.1:" + sys.argv[1]

running = most = 0

class Service:
    def hello(self, name):
        return "hello %s" % name

    @zerorpc.stream
    def count(self, n):
        for number in range(n):
            yield number
            gevent.sleep(0)

    def slow(self):
        global running, most
        running += 1
        most = max(most, running)
        gevent.sleep(0.3)
        running -= 1
        return "slow"

server = zerorpc.Server(Service(), heartbeat=1)
server.bind(address)
runs = gevent.spawn(server.run)

def client():
    made = zerorpc.Client(timeout=10, heartbeat=1)
    made.connect(address)
    return made

one = client()
assert one.hello("there") == "hello there"
assert list(one.count(500)) == list(range(500))
try:
    one.nothing()
    raise AssertionError
except zerorpc.RemoteError as error:
    assert error.name == "NameError", error.name

def several(number):
    mine = client()
    answers = mine.hello(number), mine.slow()
    mine.close()
    return answers

greenlets = [gevent.spawn(several, number) for number in range(30)]
gevent.joinall(greenlets, timeout=20)
assert [g.value for g in greenlets] == [("hello %d" % number, "slow") for number in range(30)]
assert most >= 10, most
impatient = zerorpc.Client(timeout=0.1)
impatient.connect(address)
try:
    impatient.slow()
    raise AssertionError
except zerorpc.TimeoutExpired:
    pass
gevent.sleep(2.5)  # heartbeats go on
assert one.hello("again") == "hello again"
for it in (one, impatient, server):
    it.close()
print("done")
'''


def test_calls_streams_errors_and_heartbeats():
    run(PROGRAM, free_port())
