"""The same program as gevent's users write it.
Run it with:   python -m bine.gevent gevent_fetch.py URL..."""

from gevent import monkey

monkey.patch_all()

import sys
import urllib.request

import gevent


def fetch(url):
    print("GET: %s" % url, flush=True)
    data = urllib.request.urlopen(url).read()
    print("%d bytes received from %s" % (len(data), url), flush=True)


if len(sys.argv) > 1:
    gevent.joinall([gevent.spawn(fetch, url) for url in sys.argv[1:]])
else:
    from pages import Pages

    with Pages(False, delays=(0.3, 0.1, 0.2)) as pages:
        gevent.joinall([gevent.spawn(fetch, url) for url in pages.urls])
