#!/usr/bin/env python3
"""bine waits and bine tree: waits.py BINE SUBJECT STATIC_SUBJECT."""

from __future__ import annotations

import json

import looking
from looking import bine, by_name, ps, subject, test


def waits(*arguments: object) -> dict:
    return json.loads(bine("waits", "--json", *arguments))


def edges(look: dict) -> set[tuple[str, str]]:
    return {(edge["from"]["greenlet"], edge["to"]["greenlet"]) for edge in look["waits"]
            if "greenlet" in edge["from"] and "greenlet" in edge["to"]}


@test
def a_waiter_has_an_edge_to_the_holder() -> None:
    with subject() as pid:
        found = {name: greenlet["id"] for name, greenlet in by_name(ps(pid)).items()}
        look = waits(pid)
        assert (found["locker"], found["holder"]) in edges(look)
        assert (found["joiner"], found["sleeper(5)"]) in edges(look)
        assert found["waiter of several"] not in {one for one, _ in edges(look)}, (
            "any of several ends its wait")
        assert look["deadlocks"] == []
        text = bine("waits", pid)
        assert "deadlock" not in text
        holder = text.splitlines().index(next(line for line in text.splitlines()
                                              if line.startswith(found["holder"])))
        assert text.splitlines()[holder + 1].startswith("    " + found["locker"] + " locker")


@test
def a_circle_is_a_deadlock() -> None:
    with subject("deadlock") as pid:
        found = {name: greenlet["id"] for name, greenlet in by_name(ps(pid)).items()}
        (circle,) = waits(pid)["deadlocks"]
        assert {node["greenlet"] for node in circle} == {found["one way"], found["other way"]}
        assert "deadlock: 2 wait for each other" in bine("waits", pid)


def check_mutexes(mode: str, words: str, settings: dict[str, str] | None = None) -> None:
    with subject(mode, settings=settings) as pid:
        looking.eventually(lambda: len(waits(pid)["deadlocks"]) == 1)
        (circle,) = waits(pid)["deadlocks"]
        assert len(circle) == 2, circle
        assert words in bine("waits", pid), bine("waits", pid)


@test
def mutexes_of_pthreads_make_a_deadlock_of_two_greenlets() -> None:
    check_mutexes("mutexes", "deadlock: 2 wait", {"BINE_DEBUG_LOCKS": "1"})


@test
def where_a_mutex_does_not_record_its_holder_the_deadlock_is_probable() -> None:
    check_mutexes("mutexes", "probably a deadlock: 2 wait")


@test
def a_deadlock_across_two_hubs_is_found() -> None:
    check_mutexes("hubs", "deadlock: 2 wait", {"BINE_DEBUG_LOCKS": "1"})


@test
def the_greenlet_that_a_hub_waits_in_may_be_the_likely_holder() -> None:
    check_mutexes("hubs", "probably a deadlock: 2 wait")
    check_mutexes("thread", "probably a deadlock: 2 wait")


@test
def a_deadlock_with_a_thread_without_a_hub_is_found() -> None:
    check_mutexes("thread", "deadlock: 2 wait", {"BINE_DEBUG_LOCKS": "1"})


@test
def the_tree_shows_who_spawned_whom() -> None:
    with subject() as pid:
        lines = bine("tree", pid).splitlines()
        indents = {line.split()[1]: len(line) - len(line.lstrip()) for line in lines}
        assert indents["parent"] == 4
        assert indents["sleeper(6)"] == 8, lines
        assert indents["sleeper(7)"] == 0, "its spawner has ended"
    with subject("many", "1000") as pid:
        assert "and 999 more like it" in bine("tree", pid)


looking.main()
