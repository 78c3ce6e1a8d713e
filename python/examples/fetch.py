"""Fetching: urllib knows nothing of greenlets, yet the pages come at the same time, in one thread.

    fetch.py [URL...]     without URLs: three pages of a server in this process, over http and https
"""

from bine import monkey

monkey.patch_all()

import os
import sys
import time
import urllib.request
from typing import List

import bine


def fetch(url: str) -> None:
    print("GET: %s" % url, flush=True)
    try:
        data = urllib.request.urlopen(url).read()
    except OSError as error:
        print("%s: %s" % (url, error), flush=True)
        raise SystemExit(1) from None
    print("%d bytes received from %s" % (len(data), url), flush=True)


def run(urls: List[str]) -> int:
    failures: List[str] = []

    def tried(url: str) -> None:
        try:
            fetch(url)
        except SystemExit:
            failures.append(url)

    begin = time.monotonic()
    bine.joinall([bine.spawn(tried, url) for url in urls])
    print("wall time: %.2f s" % (time.monotonic() - begin))
    with open("/proc/self/status") as status:
        print(next(line
                   for line in status if line.startswith("Threads:")).strip().replace("\t", " "))
    return 1 if failures else 0


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.exit(run(sys.argv[1:]))
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    from pages import Pages

    status = 0
    for secure in (False, True):
        with Pages(secure, delays=(0.3, 0.1, 0.2)) as pages:
            status |= run(pages.urls)
            print("sum of the delays: %.2f s" % sum(pages.delays))
    sys.exit(status)
