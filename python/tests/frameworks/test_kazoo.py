"""kazoo's handler for gevent. No ZooKeeper is asked: Debian's needs Java; a server of the test's
own speaks the handshake and pings."""

from loops import run

PROGRAM = '''
from gevent import monkey
monkey.patch_all()
import gevent, gevent.event, gevent.server, struct
from kazoo.client import KazooClient, KazooState
from kazoo.handlers.gevent import SequentialGeventHandler
from kazoo.protocol.states import Callback

# The handler by itself.
handler = SequentialGeventHandler()
handler.start()
result, seen = handler.async_result(), []
gevent.spawn_later(0.02, result.set, 5)
assert result.get(timeout=5) == 5
for number in range(5):
    handler.dispatch_callback(Callback("watch", seen.append, (number,)))
event = handler.event_object()
gevent.spawn_later(0.02, event.set)
assert event.wait(5)
gevent.sleep(0.05)
assert seen == [0, 1, 2, 3, 4]
failed = handler.async_result()
failed.set_exception(KeyError("x"))
try:
    failed.get()
    raise AssertionError
except KeyError:
    pass
handler.stop()

# A session: the handshake, then pings, one data request.
pings = []

def read(socket, count):
    data = b""
    while len(data) < count:
        more = socket.recv(count - len(data))
        if not more:
            raise EOFError
        data += more
    return data

def packet(socket):
    return read(socket, struct.unpack("!i", read(socket, 4))[0])

def send(socket, data):
    socket.sendall(struct.pack("!i", len(data)) + data)

def session(socket, address):
    try:
        packet(socket)
        send(socket, struct.pack("!iiqi16s?", 0, 2000, 77, 16, b"p" * 16, False))
        while True:
            request = packet(socket)
            xid, kind = struct.unpack("!ii", request[:8])
            if xid == -2:
                pings.append(1)
            body = b""
            if kind == 4:  # getData: "value" and a stat
                body = struct.pack("!i", 5) + b"value" + struct.pack("!qqqqiiiqiiq", *[0] * 11)
            send(socket, struct.pack("!iqi", xid, 1, 0) + body)
            if kind == -11:
                return
    except (EOFError, OSError):
        pass

server = gevent.server.StreamServer(("127.0.0.1", 0), session)
server.start()
client = KazooClient(hosts="127.0.0.1:%d" % server.server_port,
                     handler=SequentialGeventHandler(), timeout=2)
states = []
client.add_listener(states.append)
client.start(timeout=10)
assert client.connected and client.get("/some")[0] == b"value"
gevent.sleep(3)
assert pings and client.connected
waits = [gevent.spawn(client.get, "/some") for _ in range(20)]
assert [g.get(timeout=10)[0] for g in waits] == [b"value"] * 20
client.stop()
client.close()
server.stop()
assert states[0] == KazooState.CONNECTED and KazooState.LOST in states
print("done")
'''


def test_the_handler_and_a_session():
    run(PROGRAM)
