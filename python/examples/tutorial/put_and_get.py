"""One greenlet puts numbers into a queue, a slower one takes them out."""

import bine
from bine.queue import Queue, ShutDown


def produce(queue: "Queue[int]") -> None:
    for i in range(1, 6):
        queue.put(i)  # waits while the queue is full
        print("put", i)
    queue.shutdown()  # no more will come


def consume(queue: "Queue[int]") -> None:
    try:
        while True:
            print("        got", queue.get())
            bine.sleep(0.01)
    except ShutDown:
        pass  # the queue is empty, and shut down


queue: "Queue[int]" = Queue(2)  # room for two items
bine.joinall([bine.spawn(produce, queue), bine.spawn(consume, queue)], raise_error=True)
