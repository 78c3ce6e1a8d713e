#!/usr/bin/env bash
# Python from the wheels in /dist: the tutorial, a program of gevent's, gunicorn's gevent worker
# with Flask. There is no compiler.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/steps.sh"
source=$PWD
apt-get update >/dev/null
# What a machine with Python has.
apt-get install -y --no-install-recommends python3 python3-venv openssl >/dev/null 2>&1
if command -v cc gcc; then
    echo "FAIL this root has a compiler"
    exit 1
fi
mkdir -p /tmp/project
cd /tmp/project || exit 1
cp "$source"/python/examples/*.py .
begin

step "python3 -m venv env"
step 'env/bin/pip install --find-links /dist "pybine[gevent]"'
step "env/bin/python alternate.py"
takes_turns
finished "Python from a wheel, the first program"

step "env/bin/python count.py"
shows "Threads: 1"
step "env/bin/python fetch.py"
shows "bytes received"
step "env/bin/python -m bine.gevent gevent_fetch.py"
shows "bytes received"
finished "Python from a wheel, the tutorial and a program of gevent's"

cat >site.py <<'END'
import flask
import gevent

app = flask.Flask(__name__)


@app.route("/")
def hello():
    gevent.sleep(0.01)
    return "hello from %s" % gevent.__name__
END
mv site.py hello.py
step "env/bin/pip install gunicorn flask"
step "env/bin/python -m bine.gevent --enable"
step "env/bin/gunicorn -k gevent -b 127.0.0.1:8000 --daemon --pid pid hello:app"
step "env/bin/python -c 'import time, urllib.request
for _ in range(100):
    try:
        print(urllib.request.urlopen(\"http://127.0.0.1:8000/\").read())
        break
    except OSError:
        time.sleep(0.1)'"
shows "hello from (bine\.)?gevent"
kill "$(cat pid)"
finished "Python from a wheel, gunicorn -k gevent with Flask"
