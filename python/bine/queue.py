"""Queues (gevent.queue's names)."""

from queue import Empty, Full

from ._bine import Channel, JoinableQueue, LifoQueue, PriorityQueue, Queue, ShutDown

SimpleQueue = UnboundQueue = Queue

__all__ = [
    "Channel", "Empty", "Full", "JoinableQueue", "LifoQueue", "PriorityQueue", "Queue", "ShutDown",
    "SimpleQueue", "UnboundQueue",
]
