#!/usr/bin/env python3
"""bine stack: stack.py BINE SUBJECT STATIC_SUBJECT."""

import json
import os
import subprocess
import tempfile

import looking
from looking import STATIC_SUBJECT, bine, by_name, core, ps, subject, test


def stacks(*arguments: object) -> list[dict]:
    return json.loads(bine("stack", "--json", *arguments))


def functions(group: dict) -> list[str]:
    return [frame.get("function", "?").split(".")[0] for frame in group["frames"]]


def stack_of(name: str, target: object) -> dict:
    (group,) = stacks(target, by_name(ps(target))[name]["id"])
    return group


def stack_of_static() -> dict:
    with subject(program=STATIC_SUBJECT) as pid:
        return stack_of("sleeper(5)", pid)


def in_order(names: list[str], wanted: list[str]) -> bool:
    rest = iter(names)
    return all(name in rest for name in wanted)


def check_sleeper(group: dict) -> None:
    assert group["complete"], group
    assert group["verb"] == "sleep"
    # The compiler may join the two.
    assert {"bine_park", "park_with_care"} & set(functions(group)), functions(group)
    assert in_order(functions(group), ["sleeper", "bine_greenlet_enter"]), functions(group)
    (frame,) = (frame for frame in group["frames"] if frame.get("function") == "sleeper")
    assert frame["file"].endswith("subject.c"), frame
    source = open(os.path.dirname(__file__) + "/subject.c").read().splitlines()
    assert "bine_sleep(1000" in source[frame["line"] - 1], frame


@test
def a_parked_greenlets_stack_has_functions_and_lines() -> None:
    with subject() as pid:
        check_sleeper(stack_of("sleeper(5)", pid))
        receiver = stack_of("receiver", pid)
        assert in_order(functions(receiver), ["bine_recv", "receiver"]), functions(receiver)
        looking.continues(pid)


@test
def all_stacks_are_whole_and_each_greenlet_is_in_one_group() -> None:
    with subject() as pid:
        groups = stacks(pid)
        ids = sorted(greenlet for group in groups for greenlet in group["greenlets"])
        assert ids == sorted(greenlet["id"] for greenlet in ps(pid)["greenlets"])
        for group in groups:
            assert group["complete"] or group["state"] == "new", group
        text = bine("stack", pid)
        assert "greenlets parked in sleep" in text
        assert "sleeper" in text
        looking.continues(pid)


@test
def the_greenlet_whose_thread_waits_for_events_has_a_stack() -> None:
    with subject() as pid:
        (group,) = stacks(pid, "1.0")
        assert in_order(functions(group), ["bine_read", "stay", "main"]), functions(group)


@test
def a_greenlet_that_computes_has_a_stack() -> None:
    with subject("spin") as pid:
        names = functions(stack_of("spinner", pid))
        assert in_order(names, ["compute_for_ever", "spinner", "bine_greenlet_enter"]), names
        looking.continues(pid)


@test
def equal_stacks_are_grouped() -> None:
    with subject("many", "100000") as pid:
        groups = stacks(pid)
        # The one in whose turn the hub waits has a stack of its own.
        assert max(len(group["greenlets"]) for group in groups) >= 99999
        assert len(groups) <= 4
        text = bine("stack", pid)
        assert "99999 greenlets parked in sleep: " in text
        assert "and 99991 more" in text


@test
def a_core_is_the_same() -> None:
    with core() as file:
        check_sleeper(stack_of("asleep", file))
        names = functions(stack_of("root", file))
        assert in_order(names, ["abort", "main"]), names


@test
def without_symbols_the_frames_are_the_same() -> None:
    with tempfile.TemporaryDirectory() as folder:
        stripped = folder + "/stripped"
        subprocess.run(["strip", "-o", stripped, STATIC_SUBJECT], check=True)
        with subject(program=stripped) as pid:
            group = stack_of("sleeper(5)", pid)
            assert group["complete"]
            assert len(group["frames"]) == len(stack_of_static()["frames"])
            assert set(functions(group)) == {"?"}


@test
def a_program_that_was_deleted_is_read_all_the_same() -> None:
    if os.getuid() != 0:
        raise looking.Skip("the kernel shows deleted files to root only")
    with tempfile.TemporaryDirectory() as folder:
        copy = folder + "/copy"
        subprocess.run(["cp", STATIC_SUBJECT, copy], check=True)
        with subject(program=copy) as pid:
            os.unlink(copy)
            check_sleeper(stack_of("sleeper(5)", pid))


@test
def a_stopped_process_stays_stopped() -> None:
    with subject() as pid:
        os.kill(pid, 19)
        looking.eventually(lambda: open(f"/proc/{pid}/stat").read().split(") ")[1][0] == "T")
        check_sleeper(stack_of("sleeper(5)", pid))
        assert open(f"/proc/{pid}/stat").read().split(") ")[1][0] == "T"
        os.kill(pid, 18)


@test
def a_greenlet_that_is_not_there_is_said() -> None:
    with subject() as pid:
        assert "no greenlet 9.9" in bine("stack", pid, "9.9", status=1)


looking.main()
