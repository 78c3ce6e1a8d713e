"""Fetch many pages, 20 at a time, all within a limit:   fetch_all.py SECONDS URL..."""

from bine import monkey

monkey.patch_all()

import sys
import urllib.request
from typing import List, Tuple

import bine
from bine.pool import Pool

MOST = 10 << 20  # bytes of a page: a server may send without end


def fetch(url: str) -> Tuple[str, str]:
    try:
        with urllib.request.urlopen(url, timeout=10) as page:
            return url, "%d bytes" % len(page.read(MOST))
    except (OSError, ValueError) as error:
        return url, str(error)


pool = Pool(20)
came: List[str] = []
try:
    with bine.Timeout(float(sys.argv[1])):
        for url, outcome in pool.imap_unordered(fetch, sys.argv[2:]):
            print("%s: %s" % (url, outcome), flush=True)
            came.append(url)
except bine.Timeout:
    print("out of time")
    pool.kill()
print(len(came), "of", len(sys.argv) - 2)
