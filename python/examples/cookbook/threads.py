"""Real threads beside greenlets: one reads the input, others compute."""

from bine import monkey

monkey.patch_all()

import hashlib
import sys
from typing import Optional

from bine.pool import Pool
from bine.queue import Queue
from bine.threadpool import ThreadPool

start_thread = monkey.get_original("_thread", "start_new_thread")  # a thread, not a greenlet
words: "Queue[Optional[bytes]]" = Queue(64)  # of any thread
threads = ThreadPool(4)


def read() -> None:
    """The thread. It waits for room in the queue as a greenlet would."""
    for line in sys.stdin.buffer:
        words.put(line.rstrip())
    words.put(None)


def compute(word: bytes) -> str:
    """On a thread of the pool. hashlib releases the GIL, so that cores share the work."""
    return hashlib.pbkdf2_hmac("sha256", word, b"salt", 100000).hex()[:8]


def answer(word: bytes) -> None:
    """A greenlet: it waits for a thread, and the others run."""
    print(word.decode(), threads.apply(compute, (word,)))


start_thread(read, ())
pool = Pool(8)
while (word := words.get()) is not None:
    pool.spawn(answer, word)
pool.join()
