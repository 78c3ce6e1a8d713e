#!/usr/bin/env python3
"""bine leaks: leaks.py BINE SUBJECT STATIC_SUBJECT."""

import looking
from looking import bine, by_name, ps, subject, test


@test
def only_what_nothing_can_reach_is_a_leak() -> None:
    with subject("leak") as pid:
        found = by_name(ps(pid))
        text = bine("leaks", pid)
        assert text.startswith(f"{found['lost']['id']} lost  in wait for event"), text
        assert "kept" not in text, "a global variable leads to it"
        assert "1 of 2 greenlets" in text, text
        looking.continues(pid)


@test
def what_a_greenlet_holds_that_will_run_is_no_leak() -> None:
    with subject() as pid:
        text = bine("leaks", pid)
        assert text.startswith("0 of "), text


@test
def looking_for_leaks_gives_no_page_memory() -> None:
    with subject("leak") as pid:
        def resident() -> str:
            return next(line for line in open(f"/proc/{pid}/status") if line.startswith("RssAnon"))

        before = resident()
        bine("leaks", pid)
        assert resident() == before


looking.main()
