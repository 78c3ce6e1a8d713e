"""Flask-SocketIO, python-socketio and python-engineio on gevent.pywsgi, with real clients over
polling and websockets."""

import pytest
from programs import Program, free_port, wait_for

pytestmark = pytest.mark.seconds(240)

FLASK = """
import sys
from gevent import monkey
monkey.patch_all()
if sys.argv[2] == "simple":
    # As where it is not installed.
    sys.modules["geventwebsocket"] = sys.modules["geventwebsocket.handler"] = None
import flask, flask_socketio, gevent

application = flask.Flask(__name__)
socketio = flask_socketio.SocketIO(application, async_mode="gevent")

@application.route("/")
def index():
    return "plain"

@socketio.on("echo")
def echo(data):
    return data

@socketio.on("later")
def later(seconds):
    gevent.sleep(seconds)
    flask_socketio.emit("done", seconds)

@socketio.on("everybody")
def everybody(data):
    socketio.emit("news", data)

@socketio.on("stop")
def stop():
    socketio.start_background_task(socketio.stop)

socketio.run(application, "127.0.0.1", int(sys.argv[1]))
print("stopped")
"""

ENGINE = """
import sys
from gevent import monkey
monkey.patch_all()
import engineio
from gevent import pywsgi
from geventwebsocket.handler import WebSocketHandler

engine = engineio.Server(async_mode="gevent")

@engine.on("message")
def message(sid, data):
    engine.send(sid, data)

pywsgi.WSGIServer(("127.0.0.1", int(sys.argv[1])), engineio.WSGIApp(engine),
                  handler_class=WebSocketHandler, log=None).serve_forever()
"""


def served(source, *arguments):
    port = free_port()
    program = Program("python", "app.py", port, *arguments, files={"app.py": source}, port=port)
    program.url = "http://127.0.0.1:%d" % port
    return program


def talk(url, transport):
    """What a client of Socket.IO does, over this transport only."""
    import socketio

    clients = [socketio.SimpleClient() for _ in range(4)]
    try:
        for client in clients:
            client.connect(url, transports=[transport], wait_timeout=30)
            assert client.transport == transport
        for data in ("text", b"\0\1bytes", {"nested": ["a", 1, None]}, "x" * 200_000):
            for client in clients:
                assert client.call("echo", data, timeout=60) == data
        for client in clients:
            client.emit("later", 0.3)
        for client in clients:
            assert client.receive(timeout=60) == ["done", 0.3]
        clients[0].emit("everybody", "hello all")
        for client in clients:
            assert client.receive(timeout=60) == ["news", "hello all"]
    finally:
        for client in clients:
            client.disconnect()


def flask_socketio(kind, transport):
    import socketio
    import urllib.request

    with served(FLASK, kind) as program:
        talk(program.url, transport)
        assert urllib.request.urlopen(program.url, timeout=60).read() == b"plain"
        with socketio.SimpleClient() as client:
            client.connect(program.url, transports=["websocket"], wait_timeout=30)
            client.emit("stop")
            wait_for(lambda: "stopped" in program.output(), 60)
        assert program.wait(60) == 0
        assert "Traceback" not in program.output()


def test_flask_socketio_by_websocket_with_gevent_websocket():
    flask_socketio("gevent-websocket", "websocket")


def test_flask_socketio_by_polling():
    flask_socketio("gevent-websocket", "polling")


def test_flask_socketio_by_websocket_with_simple_websocket():
    flask_socketio("simple", "websocket")


def test_engineio_begins_by_polling_and_goes_over_to_a_websocket():
    import engineio

    with served(ENGINE) as program:
        got = []
        clients = [engineio.Client() for _ in range(4)]
        for client in clients:
            client.on("message", got.append)
            client.connect(program.url)
            wait_for(lambda: client.transport() == "websocket", 60)
            for i in range(20):
                client.send("%d" % i)
            client.send(b"binary")
        wait_for(lambda: len(got) == 84, 60)
        assert sorted(map(str,
                          got)) == sorted([str(i) for i in range(20)] * 4 + [str(b"binary")] * 4)
        for client in clients:
            client.disconnect()
        assert "Traceback" not in program.output()


def test_flask_socketio_under_gunicorn():
    source = FLASK[:FLASK.index("socketio.run")].replace("sys.argv[2]", '"gevent"')
    for worker in ("geventwebsocket.gunicorn.workers.GeventWebSocketWorker", "gevent"):
        port = free_port()
        with Program("gunicorn", "-k", worker, "-b", "127.0.0.1:%d" % port, "--no-control-socket",
                     "app:application", files={"app.py": source}, port=port) as program:
            # gunicorn's own HTTP of the plain gevent worker has no websockets for gevent-websocket.
            talk("http://127.0.0.1:%d" % port, "polling" if worker == "gevent" else "websocket")
            assert "Traceback" not in program.output()
