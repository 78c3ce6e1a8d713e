"""gevent's names with types: type checkers know them as bine.gevent.
Run it with:   python gevent_typed.py"""

import time
from typing import List

import bine.gevent as gevent
from bine.gevent import monkey
from bine.gevent.event import AsyncResult, Event
from bine.gevent.lock import Semaphore
from bine.gevent.pool import Pool
from bine.gevent.queue import Queue
from bine.gevent.threadpool import ThreadPool


def work(n: int, done: "Queue[int]", limit: Semaphore) -> int:
    with limit:
        time.sleep(0.01)
    done.put(n)
    return n * n


def main() -> None:
    monkey.patch_all()
    done: "Queue[int]" = Queue()
    limit, started, result = Semaphore(2), Event(), AsyncResult()
    started.set()
    greenlets: List[gevent.Greenlet] = [gevent.spawn(work, n, done, limit) for n in range(5)]
    with gevent.Timeout(5):
        gevent.joinall(greenlets, raise_error=True)
    result.set(sum(greenlet.get() for greenlet in greenlets))
    print(sorted(done.get() for _ in greenlets), result.get(), started.wait(1))
    print(Pool(2).map(abs, [-1, -2]), ThreadPool(2).apply(abs, (-3,)), gevent.version_info.major,
          monkey.is_module_patched("socket"))


if __name__ == "__main__":
    main()
