"""A question with a time limit. A second greenlet counts the seconds meanwhile."""

from bine import monkey

monkey.patch_all()

import sys

import bine


def count_seconds() -> None:
    for i in range(1, 100):
        bine.sleep(1)
        print(i, "s")


print("Your name? You have 2.5 seconds.")
counter = bine.spawn(count_seconds)
try:
    with bine.Timeout(2.5):
        print("Hello,", sys.stdin.readline().strip() or "nobody")
except bine.Timeout:
    print("Too late.")
counter.kill()
