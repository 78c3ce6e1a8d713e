"""pika's GeventConnection on RabbitMQ: its loop is hub.loop's watchers."""

from loops import run
from programs import port

PROGRAM = '''
import sys, threading
from gevent import monkey
monkey.patch_all()
import gevent, gevent.event
import pika
from pika.adapters.gevent_connection import GeventConnection

MESSAGES = 500
seen, finished, closed = [], gevent.event.Event(), gevent.event.Event()

def opened(connection):
    connection.channel(on_open_callback=on_channel)

def on_channel(channel):
    def declared(frame):
        queue = frame.method.queue
        channel.basic_consume(queue, received)
        for number in range(MESSAGES):
            channel.basic_publish("", queue, b"%d" % number + b"x" * 2000)

    def received(channel, method, properties, body):
        seen.append(int(body.rstrip(b"x")))
        channel.basic_ack(method.delivery_tag)
        if len(seen) == MESSAGES:
            finished.set()

    channel.queue_declare("", exclusive=True, callback=declared)

connection = GeventConnection(pika.ConnectionParameters("127.0.0.1", int(sys.argv[1]), heartbeat=2),
                              on_open_callback=opened,
                              on_close_callback=lambda *why: closed.set())
beats = []
beat = gevent.spawn(lambda: [gevent.sleep(0.001) or beats.append(1) for _ in range(100000)])
assert finished.wait(30) and seen == list(range(MESSAGES)), len(seen)
gevent.sleep(5)  # longer than the broker would wait without heartbeats
assert connection.is_open
later = gevent.event.Event()
connection.ioloop.add_callback_threadsafe(later.set) if hasattr(
    connection.ioloop, "add_callback_threadsafe") else connection.ioloop.add_callback(later.set)
assert later.wait(5)
connection.close()
assert closed.wait(10) and len(beats) > 10
beat.kill()
print("done")
'''


def test_messages_and_heartbeats_of_a_gevent_connection():
    run(PROGRAM, port("rabbitmq"))
