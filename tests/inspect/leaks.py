#!/usr/bin/env python3
"""bine leaks: leaks.py BINE SUBJECT STATIC_SUBJECT."""

import looking
from looking import bine, core, ps, subject, test


@test
def only_what_nothing_can_reach_is_a_leak() -> None:
    with subject("leak") as pid:
        lost = [greenlet["id"]
                for greenlet in ps(pid)["greenlets"] if greenlet.get("name") == "lost"]
        text = bine("leaks", pid)
        told = [id for id in lost if f"{id} lost  in wait for event" in text]
        assert len(lost) == 8
        # A word that a function has left behind on a stack may lead to one of them.
        assert len(told) >= 7, text
        assert "kept" not in text, "a global variable leads to it"
        assert f"{len(told)} of 9 greenlets" in text, text
        looking.continues(pid)


@test
def what_a_greenlet_holds_that_will_run_is_no_leak() -> None:
    with subject() as pid:
        text = bine("leaks", pid)
        assert text.startswith("0 of "), text


@test
def memory_that_nobody_touched_is_passed_over() -> None:
    """64 GiB in a core are a hole of the file."""
    with core("leak", killed=True) as file:
        text = bine("leaks", file)
        assert "lost  in wait for event" in text, text
        assert "kept" not in text, text


def pages_with_memory(pid: int) -> int:
    count = 0
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/pagemap", "rb") as pagemap:
        for line in maps:
            start, end = (int(address, 16) for address in line.split()[0].split("-"))
            if line.split()[1].startswith("rw") and len(line.split()) == 5:
                pagemap.seek(start // 4096 * 8)
                entries = pagemap.read((end - start) // 4096 * 8)
                count += sum(entry >> 7 for entry in entries[7::8])
    return count


@test
def looking_for_leaks_gives_no_page_memory() -> None:
    with subject("leak") as pid:
        before = pages_with_memory(pid)
        bine("leaks", pid)
        assert pages_with_memory(pid) == before


looking.main(needs_plain_memory=True)
