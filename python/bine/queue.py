"""Queues (gevent.queue's names)."""

from queue import Empty, Full

from ._bine import JoinableQueue, LifoQueue, PriorityQueue, Queue, ShutDown

SimpleQueue = UnboundQueue = Queue

__all__ = [
    "Channel", "Empty", "Full", "JoinableQueue", "LifoQueue", "PriorityQueue", "Queue", "ShutDown", "SimpleQueue",
    "UnboundQueue",
]


class Channel:
    """A rendezvous: put() waits until somebody gets the item."""

    def __init__(self, maxsize=1):
        if maxsize != 1:
            raise ValueError("Channel() has no maxsize")
        self._items = JoinableQueue(1)

    balance = property(lambda self: self._items.qsize())
    maxsize = property(lambda self: 0)

    def qsize(self):
        return 0

    def empty(self):
        return True

    def full(self):
        return True

    def put(self, item, block=True, timeout=None):
        from ._bine import Timeout

        ticket = [item]
        timer = Timeout.start_new(timeout if block else 0)
        try:
            try:
                self._items.put(ticket)
                # Taken when the taker says so: wait for it, and take the item back if nobody came in time.
                while ticket:
                    self._items.join()
            except BaseException as reason:
                if reason is not timer or ticket:
                    ticket.append(None)
                    if reason is timer and timer is not timeout:
                        raise Full from None
                    raise
        finally:
            timer.cancel()

    def put_nowait(self, item):
        self.put(item, False)

    def get(self, block=True, timeout=None):
        while True:
            ticket = self._items.get(block, timeout)
            taken = len(ticket) == 1
            item = ticket[0]
            ticket.clear()
            self._items.task_done()
            if taken:
                return item

    def get_nowait(self):
        return self.get(False)

    def __iter__(self):
        return self

    def __next__(self):
        item = self.get()
        if item is StopIteration:
            raise StopIteration
        return item
