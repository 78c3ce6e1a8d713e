#!/usr/bin/env python3
"""bine top, as text and in a terminal, which is tmux:   top.py BINE SUBJECT STATIC_SUBJECT."""

import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator

import looking
from looking import BINE, STATIC_SUBJECT, SUBJECT, bine, core, eventually, subject, test

HUB = re.compile(
    r" *(?P<hub>\d+) (?P<thread>\d+) +(?P<cpu>\S+) +(?P<busy>\S+) +(?P<ready>\d+) +(?P<median>\S+) "
    r"+(?P<most>\S+)"
    r" +(?P<switches>\d+) +(?P<turns>\d+) +(?P<greenlets>\d+) (?P<longest>.*)"
)
GREENLET = re.compile(
    r"(?P<id>\S+) +(?P<state>new|running|ready|parked|ended) +(?P<runs>\S+) +(?P<cpu>\S+) "
    r"+(?P<since>\S+) (?P<name>.{25}) (?P<wait>.+)"
)
UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1}


class Look:
    """What --once prints, taken apart."""

    def __init__(self, text: str) -> None:
        lines = text.splitlines()
        self.text = text
        self.hubs = [found.groupdict() for found in map(HUB.fullmatch, lines) if found]
        self.rows = [found.groupdict() for found in map(GREENLET.fullmatch, lines) if found]
        for row in self.rows:
            row["name"] = row["name"].strip()

    def row(self, name: str) -> dict[str, str]:
        (found,) = (row for row in self.rows if row["name"] == name)
        return found


def once(*arguments: object) -> Look:
    return Look(bine("top", "--once", *arguments))


def percent(text: str) -> float:
    return 0 if text == "-" else 0.5 if text == "<1%" else float(text.rstrip("%"))


def seconds(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)(\D+)", text).groups()
    return float(number) * UNITS[unit]


# ---- as text -------------------------------------------------------------------------------------


@test
def hubs_and_greenlets_are_shown() -> None:
    for program in (SUBJECT, STATIC_SUBJECT):
        with subject(program=program) as pid:
            look = once("--interval", "200ms", pid)
            assert f"process {pid}: 2 hubs" in look.text, look.text
            assert [hub["greenlets"] for hub in look.hubs] == ["12", "1"], look.text
            assert {hub["ready"] for hub in look.hubs} == {"0"}, look.text
            assert all(percent(hub["busy"]) < 100 for hub in look.hubs), look.text
            assert look.row("locker")["wait"].startswith("acquire rlock"), look.text
            assert "(holder)" in look.row("locker")["wait"], look.text
            assert re.search(r"14 wait: 7 in sleep", look.text), look.text
            assert "\033" not in look.text
            looking.continues(pid)


@test
def a_greenlet_that_computes_is_seen_running_with_the_processor() -> None:
    with subject("spin") as pid:
        look = once("--interval", "500ms", pid)
        first = look.rows[0]
        assert (first["name"], first["state"],
                first["runs"]) == ("spinner", "running", "100%"), look.text
        assert percent(first["cpu"]) > 50, look.text
        (hub,) = look.hubs
        assert hub["busy"] == "100%" and hub["switches"] == "0", look.text
        assert hub["longest"].endswith("by 1.2 spinner"), look.text
        assert look.row("starved")["state"] == "new"
        # It is ready all the time, and so it is delayed for as long as is looked.
        assert seconds(hub["median"]) >= 0.25 and hub["ready"] == "1", look.text


@test
def a_greenlet_that_blocks_its_thread_is_seen_running_without_the_processor() -> None:
    with subject("block") as pid:
        look = once("--interval", "500ms", pid)
        assert (look.rows[0]["name"], look.rows[0]["runs"]) == ("blocker", "100%"), look.text
        assert percent(look.rows[0]["cpu"]) < 50, look.text
        assert look.hubs[0]["longest"].endswith("by 1.1 blocker"), look.text


@test
def the_ready_delay_is_the_length_of_the_queue_over_its_rate() -> None:
    with subject("yield", "1000") as pid:
        look = once("--interval", "500ms", pid)
        (hub,) = look.hubs
        round_trip = int(hub["ready"]) / int(hub["switches"])
        assert int(hub["switches"]) > 0 and 900 <= int(hub["ready"]) <= 1001, look.text
        assert round_trip / 4 < seconds(hub["median"]) < round_trip * 4, look.text
        assert seconds(hub["median"]) <= seconds(hub["most"]), look.text


@test
def the_offload_pools_calls_are_counted() -> None:
    with subject("pool", "5", settings={"BINE_OFFLOAD_THREADS": "2"}) as pid:
        assert ("offload pool: 2 threads, 2 calls run, 3 wait for a thread\n" in
                once("--interval", "50ms", pid).text)


@test
def rows_are_sorted_chosen_and_counted() -> None:
    with subject("names") as pid:
        look = once("--interval", "50ms", "--sort", "name", pid)
        names = [row["name"] for row in look.rows]
        assert names == sorted(names) and len(names) == 7, look.text
        assert [row["name"]
                for row in once("--interval", "50ms", "--verb", "read", pid).rows] == ["root"]
        assert len(once("--interval", "50ms", "--state", "parked", "--rows", "2", pid).rows) == 2
        assert "and 5 more" in once("--interval", "50ms", "--rows", "2", pid).text
        waits = [row["wait"] for row in once("--interval", "50ms", "--sort", "waits", pid).rows]
        assert waits[:6] == ["sleep"] * 6 and waits[6].startswith("read fd"), waits
    with subject(settings={"BINE_PARK_TIMES": "1"}) as pid:
        since = [row["since"] for row in once("--interval", "50ms", "--sort", "age", pid).rows]
        ages = [seconds(text) for text in since if text != "-"]
        assert ages == sorted(ages, reverse=True) and len(ages) == 14, since
        assert since.index("-") == 14, since


@test
def a_hundred_thousand_greenlets_are_shown() -> None:
    with subject("many", "100000") as pid:
        look = once("--interval", "50ms", "--rows", "100000", "--sort", "id", pid)
        assert len({row["id"] for row in look.rows}) == 100000, len(look.rows)
        assert look.hubs[0]["greenlets"] == "100000" and "and 1 more" in look.text


@test
def greenlets_that_come_and_go_are_shown_while_the_process_runs() -> None:
    with subject("busy") as pid:
        look = once("--interval", "300ms", "--rows", "10000", pid)
        assert look.row("asleep") and look.row("root"), look.text
        assert any(row["name"] == "brief(0)" and percent(row["runs"]) > 0
                   for row in look.rows), look.text
        looking.continues(pid)


@test
def what_cannot_be_looked_at_is_refused_in_a_sentence() -> None:
    assert "no libbine" in bine("top", "--once", os.getpid(), status=1)
    assert "there is no process" in bine("top", "--once", 2**30, status=1)
    assert "cannot be sorted by" in bine("top", "--sort", "stack", "1", status=2)
    assert "not a number" in bine("top", "--rate", "0", "1", status=2)
    assert "not a number" in bine("top", "--rows", "-1", "1", status=2)
    assert "not a duration" in bine("top", "--interval", "soon", "1", status=2)
    assert "an argument is missing" in bine("top", "--interval", status=2)
    with core() as file:
        assert "bine ps shows a core" in bine("top", "--once", file, status=1)
    with subject() as pid:
        done = subprocess.run([BINE, "top", str(pid)], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, check=False)
        assert done.returncode == 2 and "--once" in done.stderr, done
        assert not done.stdout


@test
def a_process_that_ends_ends_it_with_a_sentence() -> None:
    with subprocess.Popen([SUBJECT, "spin"], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"ready\n"
        with subprocess.Popen([BINE, "top", "--once", "--interval", "10min", str(process.pid)],
                              stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as top:
            eventually(lambda: "pidfd" in str([os.readlink(f"/proc/{top.pid}/fd/{fd}")
                                               for fd in os.listdir(f"/proc/{top.pid}/fd")]))
            process.kill()
            process.wait()
            out, said = top.communicate(timeout=looking.LIMIT)
            assert (top.returncode, out, said) == (1, "",
                                                   f"bine: process {process.pid} has ended\n")


# ---- in a terminal -------------------------------------------------------------------------------


class Terminal:
    def __init__(self, socket: str) -> None:
        self.socket = socket

    def tmux(self, *arguments: object) -> str:
        done = subprocess.run(["tmux", "-u", "-f", "/dev/null", "-S", self.socket,
                               *map(str, arguments)], capture_output=True,
                              text=True, timeout=looking.LIMIT, check=False)
        assert done.returncode == 0, (arguments, done.stderr)
        return done.stdout

    def screen(self) -> str:
        return self.tmux("capture-pane", "-p", "-t", "top")

    def press(self, *keys: str) -> None:
        self.tmux("send-keys", "-t", "top", *keys)

    def type(self, text: str) -> None:
        self.tmux("send-keys", "-t", "top", "-l", text)

    def await_text(self, *texts: str) -> str:
        with contextlib.suppress(AssertionError):
            eventually(lambda: all(text in self.screen() for text in texts))
        screen = self.screen()
        assert all(text in screen for text in texts), (texts, screen)
        return screen

    def await_last_line(self, height: int, text: str) -> None:
        eventually(lambda: any(text in line
                               for line in self.screen().splitlines()[height - 1 : height]))

    def is_in_order(self) -> None:
        """The shell's screen is back, with its cursor, and the terminal echoes lines."""
        eventually(lambda: self.tmux("display-message", "-p", "-t", "top",
                                     "#{alternate_on}#{cursor_flag}") == "01\n")
        self.type("stty -a\n")
        settings = self.await_text("isig", "icanon", "echo ", "onlcr")
        assert not re.search("-(isig|icanon|echo|onlcr) ", settings), settings


@contextlib.contextmanager
def terminal(*arguments: object, width: int = 110, height: int = 30,
             term: str = "") -> Iterator[Terminal]:
    """A shell that has begun `bine top ARGUMENTS` in a terminal. It tells the exit
    status afterwards."""
    if not shutil.which("tmux"):
        raise looking.Skip("there is no tmux here")
    with tempfile.TemporaryDirectory() as folder:
        shown = Terminal(folder + "/tmux")
        # ncurses does not free what it has allocated for a terminal that it then does not know.
        unknown = f"TERM={term} LSAN_OPTIONS=exitcode=0 " if term else ""
        command = f"{unknown}{shlex.join([BINE, 'top', *map(str, arguments)])}; echo status $?"
        shown.tmux("new-session", "-d", "-s", "top", "-x", width, "-y", height, "env", "PS1=$ ",
                   "LC_ALL=C.UTF-8", "ENV=", "sh")
        try:
            shown.type(command + "\n")
            yield shown
        finally:
            subprocess.run(["tmux", "-S", shown.socket, "kill-server"], check=False,
                           stderr=subprocess.DEVNULL)


def top_process(shown: Terminal) -> int:
    shell = shown.tmux("display-message", "-p", "-t", "top", "#{pane_pid}").strip()
    (child,) = open(f"/proc/{shell}/task/{shell}/children").read().split()
    return int(child)


@test
def keys_sort_filter_pause_and_open_a_stack() -> None:
    with subject("spin") as pid, terminal(pid) as shown:
        screen = shown.await_text("LONGEST RUN", "spinner")
        assert screen.index(" spinner") < screen.index(" asleep"), screen
        shown.press("n")
        screen = shown.await_text("sorted by name")
        rows = [line for line in screen.splitlines() if re.match(r"1\.\d+ ", line)]
        assert [row.split()[5] for row in rows] == ["asleep", "root", "spinner", "starved"], screen
        shown.press("/")
        shown.type("starv")
        shown.await_text("filter: starv_")
        shown.press("Enter")
        eventually(lambda: "asleep" not in shown.screen() and "starved" in shown.screen())
        shown.press("Escape")
        shown.await_text("asleep", "starved")
        shown.press("c", "Enter")
        shown.await_text("compute_for_ever", "goes back")
        shown.press("q")
        shown.await_text("sorted by cpu")
        shown.press("h")
        shown.await_text("sorts by waits")
        shown.press("Escape")
        shown.press("Space")
        shown.await_text("space goes on")
        shown.press("q")
        shown.await_text("status 0")
        shown.is_in_order()
        looking.continues(pid)


@test
def the_screen_is_refreshed_and_resized() -> None:
    with subject() as pid, terminal("--interval", "100ms", pid, width=100, height=24) as shown:
        first = shown.await_text("looks in 0.1 s", "sorted by")
        eventually(lambda: shown.screen() != first)
        for width, height in ((200, 60), (40, 10), (3, 2), (1, 1), (80, 24)):
            shown.tmux("resize-window", "-t", "top", "-x", width, "-y", height)
            if width >= 40:
                shown.await_last_line(height, "sorted by")
                assert all(len(line) <= width
                           for line in shown.await_text("sorted by", "HUB").splitlines())
        shown.press("Down", "End", "PPage", "Home", "NPage", "q")
        shown.await_text("status 0")
        shown.is_in_order()


@test
def a_signal_ends_it_and_the_terminal_is_in_order() -> None:
    with subject() as pid:
        for number in (signal.SIGINT, signal.SIGTERM):
            with terminal(pid) as shown:
                shown.await_text("sorted by")
                if number == signal.SIGINT:
                    shown.press("C-c")
                else:
                    os.kill(top_process(shown), number)
                shown.is_in_order()
                shown.type("\necho after\n")
                shown.await_text("after")
        looking.continues(pid)


@test
def it_stops_and_goes_on_as_other_jobs_do() -> None:
    with subject() as pid, terminal(pid) as shown:
        shown.await_text("sorted by")
        shown.press("C-z")
        shown.is_in_order()
        shown.type("fg\n")
        shown.await_text("sorted by")
        shown.press("n")
        shown.await_text("sorted by name")
        shown.press("q")
        shown.is_in_order()


@test
def the_end_of_the_process_ends_it_and_is_told() -> None:
    with subprocess.Popen([SUBJECT, "spin"], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"ready\n"
        with terminal(process.pid) as shown:
            shown.await_text("spinner")
            process.kill()
            process.wait()
            shown.await_text(f"bine: process {process.pid} has ended", "status 0")
            shown.is_in_order()


@test
def a_process_that_becomes_another_program_ends_it_with_a_sentence() -> None:
    with subprocess.Popen([SUBJECT, "become"], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as process:
        assert process.stdin and process.stdout and process.stdout.readline() == b"ready\n"
        with terminal(process.pid) as shown:
            shown.await_text("asleep")
            process.stdin.write(b"x")
            process.stdin.flush()
            shown.await_text("no libbine", "status 1")
            shown.is_in_order()
        process.kill()


@test
def a_process_without_libbine_begins_no_screen() -> None:
    with terminal(os.getpid()) as shown:
        shown.await_text("no libbine", "status 1")
        shown.is_in_order()


@test
def a_terminal_that_goes_away_ends_it() -> None:
    with subject() as pid:
        with terminal(pid) as shown:
            shown.await_text("sorted by")
            top = top_process(shown)
        eventually(lambda: not os.path.exists(f"/proc/{top}"))
        looking.continues(pid)


@test
def an_unknown_terminal_is_refused_in_a_sentence() -> None:
    with subject() as pid, terminal(pid, term="none-such") as shown:
        shown.await_text("none-such", "is not known", "status 2")
        shown.is_in_order()


@test
def names_do_nothing_to_the_terminal() -> None:
    with subject("names") as pid, terminal(pid) as shown:
        screen = shown.await_text("clear?[2J?x", "c1 ??5m", "broken ??", "漢字")
        assert "turned ?round" in screen, screen
        assert "\u202e" not in screen


@test
def a_hundred_thousand_greenlets_fit_in_a_terminal() -> None:
    with subject("many", "100000") as pid, terminal(pid) as shown:
        shown.await_text("100001 wait", "sleeper(1)")
        shown.press("End")
        shown.await_text("sleeper(0x1869f)")
        shown.press("/")
        shown.type("0x18690")
        shown.press("Enter")
        eventually(lambda: "sleeper(0x18690)" in shown.screen() and
                   "sleeper(0x1868f)" not in shown.screen())
        shown.press("q")
        shown.await_text("status 0")


looking.main()
