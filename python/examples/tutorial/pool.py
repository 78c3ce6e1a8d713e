"""Twenty jobs, three at a time."""

import bine
from bine.pool import Pool

running = most = 0


def work(job: int) -> int:
    global running, most
    running += 1  # no lock: greenlets of one thread take turns, and only where they wait
    most = max(most, running)
    bine.sleep(0.01)  # a request, say
    running -= 1
    return job * job


print(*Pool(3).map(work, range(20)))
print("at most", most, "at a time")
