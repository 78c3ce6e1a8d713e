#!/usr/bin/env python3
"""The tutorial's and the cookbook's pages show programs and sessions at a shell. Both are true:
sessions.py PAGES BUILD CC...
sessions.py PAGES python

 - A program that follows a link to a file in an examples/ folder is the text of that
   file, or a piece of it.
 - A ```console block happens as it is shown: a shell gets each command (a line that begins with
   "$ ") once all that is shown above it has been printed, and prints what is shown below it.
   Each command succeeds.

PAGES: the pages or folders of pages, with commas between. The files that a page links lie in the
session's folder, and `cc` and `pkg-config bine` find the library of BUILD. Sessions in which
`python` is called are for the second form alone, which runs them by its own interpreter; the first
form does the others, and looks at the programs. What differs from one run to the next is compared
by its pattern: addresses of greenlets by their order, and ports from 7000 to 7999 stand for free
ones. Nothing leaves the machine: an HTTP proxy answers for all hosts (see Web). Sessions with a
database are done when libraries/servers.py has started PostgreSQL, and no others then."""
import contextlib
import os
import pathlib
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
SLOWER = int(os.environ.get("BINE_TEST_SLOWER", "1"))
LIMIT = 30 * SLOWER  # seconds after which something hangs
LINK = re.compile(r"\]\(([^)#]*\bexamples/[^)#]*\.\w+)\)")
BLOCK = re.compile(r"^```(c|cpp|python|console)\n(.*?)^```$", re.S | re.M)
# A shell that is not interactive reports what a signal has ended, in its own words.
REPORT = re.compile(r"^bash: line \d+: +\d+ (Terminated|Killed).*\n", re.M)
NC = """#!{python}
import socket, sys
sys.argv.remove("-N")
with socket.create_connection((sys.argv[1], sys.argv[2]), {limit}) as peer:
    peer.sendall(sys.stdin.buffer.read())
    peer.shutdown(socket.SHUT_WR)
    while got := peer.recv(65536):
        sys.stdout.buffer.write(got)
"""


class Web:
    """All hosts there are, as an HTTP proxy. Of each URL that a session shows together with "N
    bytes" it has a page of N bytes. The pages come in the order of the page's lines, and the first
    when all have been asked for: so they are asked for at the same time."""

    def __init__(self, shown):
        self.pages = {}
        for line in shown.splitlines():
            url, size = re.search(r"http://[^\s:]+", line), re.search(r"\b(\d+) bytes", line)
            if url and size:
                self.pages[url[0]] = int(size[1])
        self.order, self.asked, self.served = list(self.pages), set(), 0
        self.changed = threading.Condition()

    def __enter__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        threading.Thread(target=self.accept, daemon=True).start()
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def __exit__(self, *exception):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self.answer, args=(self.listener.accept()[0],),
                                 daemon=True).start()

    def answer(self, connection):
        with connection, contextlib.suppress(OSError):
            url = connection.recv(65536).decode().split()[1]
            if url not in self.pages:
                connection.sendall(b"HTTP/1.1 404 Not Here\r\nContent-Length: 0\r\n"
                                   b"Connection: close\r\n\r\n")
                return
            with self.changed:
                self.asked.add(url)
                self.changed.notify_all()
                self.changed.wait_for(lambda: len(self.asked) == len(self.pages) and
                                      self.order[self.served] == url)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n"
                               b"\r\n" % self.pages[url])
            connection.sendall(b"x" * self.pages[url])
            connection.recv(1)  # until the reader has it all and closes
            with self.changed:
                self.served += 1
                self.changed.notify_all()


def free_ports(text):
    """The text with a free port in the place of each stand-in."""
    ports = {}
    with contextlib.ExitStack() as stack:
        for number in set(re.findall(r"\b7\d\d\d\b", text)):
            probe = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            ports[number] = str(probe.getsockname()[1])
    return re.sub(r"\b7\d\d\d\b", lambda match: ports[match[0]], text)


def comparable(text):
    """Letters for addresses, in the order in which they appear; no spaces at line ends."""
    letters = {}
    text = re.sub(r"0x[0-9a-f]+", lambda match: letters.setdefault(match[0], f"@{len(letters)}"),
                  REPORT.sub("", text))
    return [line.rstrip() for line in text.splitlines()]


def lacks(block, environment):
    """The packages of pkg-config's that it uses and that are not here. A shell splits
    pkg-config's answer at spaces."""
    wanted = " ".join(re.findall(r"pkg-config --cflags --libs ([\w -]+)", block)).split()
    if wanted and " " in environment.get("PKG_CONFIG_PATH", ""):
        return ["path without spaces"]
    return [name for name in wanted
            if subprocess.run(["pkg-config", "--exists", name], env=environment).returncode]


def steps(block):
    """Pairs of a command and what it prints."""
    found = []
    for line in block.splitlines():
        if line.startswith("$ "):
            found.append([line[2:], ""])
        elif line.startswith("> "):
            found[-1][0] += "\n" + line[2:]
        else:
            found[-1][1] += line + "\n"
    return found


class Shell:
    def __init__(self, folder, environment):
        ends, self.told = os.pipe()
        self.ends = os.fdopen(ends, "rb", buffering=0)
        self.output = b""
        self.process = subprocess.Popen(["bash"], cwd=folder, env=environment,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, pass_fds=[self.told],
                                        start_new_session=True)
        os.close(self.told)
        self.reading = threading.Thread(target=self.read, daemon=True)
        self.reading.start()

    def read(self):
        while got := os.read(self.process.stdout.fileno(), 65536):
            self.output += got

    def shows(self, wanted):
        """Has exactly that been printed, now or before the limit is over?"""
        deadline = time.monotonic() + LIMIT
        while comparable(self.output.decode()) != comparable(wanted):
            if time.monotonic() > deadline or not self.reading.is_alive():
                return comparable(self.output.decode()) == comparable(wanted)
            time.sleep(0.01)
        return True

    def do(self, command):
        """Its exit status; that of a command in the background is 0."""
        self.process.stdin.write(f"{command}\nprintf '%d\\n' $? >&{self.told}\n".encode())
        self.process.stdin.flush()
        killer = threading.Timer(LIMIT, self.end)
        killer.start()
        status = self.ends.readline()
        killer.cancel()
        return int(status or -1)

    def end(self):
        """Whatever still runs."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, 9)

    def close(self):
        self.process.stdin.close()
        self.reading.join(LIMIT)  # until nobody has its output any more
        self.end()
        self.process.wait()
        return self.output.decode()


def happens(block, folder, environment):
    """None, or what happens instead."""
    block = free_ports(block)
    wanted = ""
    with Web(block) as proxy:
        shell = Shell(folder, dict(environment, http_proxy=proxy, no_proxy=""))
        trouble = None
        for command, printed in steps(block):
            wanted += printed
            status = shell.do(command)
            if status != 0 or not shell.shows(wanted):
                trouble = f"$ {command}\nexit status {status}"
                break
        output = shell.close()
    if not trouble and comparable(output) != comparable(wanted):
        trouble = "after the end"
    return trouble and f"{trouble}\n{output}"


def install(folder, name, text):
    path = pathlib.Path(folder, name)
    path.write_text(text)
    path.chmod(0o755)


def tools(folder, build, compiler):
    """The environment of a session in C: a compiler like the build's and the
    library of the build."""
    wrapper = os.environ.get("BINE_TEST_WRAPPER", "")
    compile = (f"PATH={shlex.quote(os.environ['PATH'])} " + shlex.join(compiler) +
               ' -Wall -Wextra -Wno-unused-parameter -Werror "$@"')
    wrap = f"""
for program; do :; done
mv "$program" ".$program" && printf '#!/bin/sh\\nexec {wrapper} ./.%s "$@"\\n' "$program" \
> "$program" && chmod +x "$program"
""" if wrapper else ""
    install(folder, "cc", f"#!/bin/sh\n{compile} || exit\n{wrap}")
    places = ":".join([build, f"{build}/src/tls", f"{build}/src/http"])
    return dict(PKG_CONFIG_PATH=f"{build}/meson-uninstalled", LD_LIBRARY_PATH=places)


def differs(source, text):
    """A block that begins as the file does is the whole of it, another one is a piece."""
    return source != text if source[:10] == text[:10] else source not in text


def look_at(page, environment, in_python, count):
    text = page.read_text()
    name = str(page.relative_to(ROOT).with_suffix(""))
    with tempfile.TemporaryDirectory() as folder:
        for link in LINK.findall(text):
            file = (page.parent / link).resolve()
            if file.is_file():
                for beside in [file, *file.parent.glob("*.h")]:
                    shutil.copy(beside, folder)
            else:
                count(f"{name}_{link}", "no such file")
        for number, block in enumerate(BLOCK.finditer(text)):
            language, source = block.groups()
            above = LINK.findall(text[:block.start()].rstrip().rpartition("\n")[2])
            if language == "console":
                if bool(re.search(r"^\$ .*\bpython ", source, re.M)) != in_python:
                    continue
                if ("dbname=" in source) != ("PGPORT" in environment):
                    continue  # of a page whose sessions are for those with PostgreSQL, or without
                missing = lacks(source, environment)
                count(f"{name}_{number}",
                      None if missing else happens(source, folder, environment), missing)
            elif above and not in_python:
                count(f"{name}_{number}", differs(source, (page.parent / above[-1]).read_text()) and
                      f"is not the text of {above[-1]}")


def main(pages, build, *compiler):
    in_python = build == "python"
    passed = failed = skipped = 0

    def count(name, trouble, missing=()):
        nonlocal passed, failed, skipped
        passed, failed, skipped = (passed + (not trouble and not missing), failed + bool(trouble),
                                   skipped + bool(missing))
        print(f"FAIL {name}: {trouble}" if trouble else f"skip {name}: no {missing}" if missing
              else f"ok {name}", flush=True)

    with tempfile.TemporaryDirectory() as folder:
        if "BINE_POSTGRES_PORT" in os.environ:
            os.environ.update(PGHOST="127.0.0.1", PGPORT=os.environ["BINE_POSTGRES_PORT"],
                              PGUSER="bine")
        environment = dict(os.environ, PATH=f"{folder}:{os.environ['PATH']}")
        install(folder, "nc", NC.format(python=sys.executable, limit=LIMIT))
        if in_python:
            install(folder, "python", f'#!/bin/sh\nexec {sys.executable} "$@"\n')
        else:
            environment.update(tools(folder, os.path.abspath(build), compiler))
        for place in map(pathlib.Path, pages.split(",")):
            for page in sorted(place.glob("*.md")) if place.is_dir() else [place]:
                look_at(page.resolve(), environment, in_python, count)
    print(f"# {passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
