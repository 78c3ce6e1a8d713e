"""500,000 loops in each of three greenlets: still one thread."""

import bine


def f(n: int) -> None:
    for _ in range(n):
        bine.sleep(0)


bine.joinall([bine.spawn(f, 500000), bine.spawn(f, 500000), bine.spawn(f, 500000)])
with open("/proc/self/status") as status:
    print(next(line for line in status if line.startswith("Threads:")).strip().replace("\t", " "))
