"""Three greenlets take turns, since sleep(0) yields. turns.py lacks that one line."""

import bine


def f(n: int) -> None:
    for i in range(n):
        print(bine.getcurrent(), i)
        bine.sleep(0)


bine.joinall([bine.spawn(f, 5), bine.spawn(f, 5), bine.spawn(f, 5)])
