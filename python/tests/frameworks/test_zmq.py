"""zmq.green (pyzmq): sockets that wait by a watcher of hub.loop."""

from loops import run

PROGRAM = '''
import gevent, time
import zmq.green as zmq

context, address = zmq.Context(), "tcp://127.0.0.1"
beats = []
beat = gevent.spawn(lambda: [gevent.sleep(0.002) or beats.append(1) for _ in range(100000)])

def linked(one, other, url=address):
    one, other = context.socket(one), context.socket(other)
    if url == address:
        other.connect("%s:%d" % (address, one.bind_to_random_port(address)))
    else:
        one.bind(url)
        other.connect(url)
    return one, other

for url in (address, "inproc://here"):
    # Requests and answers.
    server, client = linked(zmq.REP, zmq.REQ, url)
    answers = gevent.spawn(lambda: [server.send(server.recv() + b"!") for _ in range(300)])
    for number in range(300):
        client.send(b"%d" % number)
        assert client.recv() == b"%d!" % number
    answers.get()

    # More than the high-water mark holds: the sender waits for room.
    push, pull = linked(zmq.PUSH, zmq.PULL, url + "2" if url != address else url)
    sender = gevent.spawn(lambda: [push.send(b"%d" % number) for number in range(5000)])
    assert [int(pull.recv()) for _ in range(5000)] == list(range(5000))
    sender.get()

# Several greenlets, one poller.
publisher, subscriber = linked(zmq.PUB, zmq.SUB)
subscriber.setsockopt(zmq.SUBSCRIBE, b"")
poller = zmq.Poller()
poller.register(subscriber, zmq.POLLIN)
assert poller.poll(50) == []
gevent.spawn_later(0.05, publisher.send, b"news")
assert poller.poll(5000) and subscriber.recv() == b"news"

# A timeout ends a wait, and the socket is as it was.
with gevent.Timeout(0.05, False):
    subscriber.recv()
    raise AssertionError
gevent.spawn_later(0.02, publisher.send, b"more")
assert subscriber.recv() == b"more"

# A greenlet that waits is killed.
waits = gevent.spawn(subscriber.recv)
gevent.sleep(0.02)
waits.kill()
assert len(beats) > 10
for socket in (server, client, push, pull, publisher, subscriber):
    socket.close(0)
beat.kill()
print("done")
'''


def test_sockets_of_every_kind_wait_while_others_run():
    run(PROGRAM)
