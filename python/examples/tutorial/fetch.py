"""Fetch each URL of the command line, all at the same time, by urllib's calls that block."""

from bine import monkey

monkey.patch_all()

import sys
import urllib.request

import bine


def fetch(url: str) -> None:
    print("GET:", url)
    data = urllib.request.urlopen(url).read()  # blocks this greenlet, and no other
    print(len(data), "bytes received from", url)


bine.joinall([bine.spawn(fetch, url) for url in sys.argv[1:]])
