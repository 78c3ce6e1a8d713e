"""Three greenlets, one after another, since nothing in their loop waits.
alternate.py has one line more."""

import bine


def f(n: int) -> None:
    for i in range(n):
        print(bine.getcurrent(), i)


bine.joinall([bine.spawn(f, 5), bine.spawn(f, 5), bine.spawn(f, 5)])
