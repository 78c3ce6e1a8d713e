"""Queues and channels (gevent.queue)."""

from ..queue import (Channel, Empty, Full, JoinableQueue, LifoQueue, PriorityQueue, Queue, ShutDown,
                     SimpleQueue, UnboundQueue)

__all__ = [
    "Channel", "Empty", "Full", "JoinableQueue", "LifoQueue", "PriorityQueue", "Queue", "ShutDown",
    "SimpleQueue", "UnboundQueue",
]
