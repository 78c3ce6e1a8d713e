"""In turn: nothing in the loop waits, so the greenlets run one after another."""

import bine


def f(n: int) -> None:
    for i in range(n):
        print(bine.getcurrent(), i)


bine.joinall([bine.spawn(f, 5), bine.spawn(f, 5), bine.spawn(f, 5)])
