from queue import Empty as Empty, Full as Full

from ._bine import (Channel as Channel, JoinableQueue as JoinableQueue, LifoQueue as LifoQueue,
                    PriorityQueue as PriorityQueue, Queue as Queue, ShutDown as ShutDown)

SimpleQueue = Queue
UnboundQueue = Queue
