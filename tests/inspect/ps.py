#!/usr/bin/env python3
"""bine ps: ps.py BINE SUBJECT STATIC_SUBJECT."""

import os
import subprocess
import tempfile
import time

import looking
from looking import SUBJECT, STATIC_SUBJECT, by_name, bine, core, ps, subject, test


def check_kinds(look: dict) -> None:
    found = by_name(look)
    assert [hub["complete"] for hub in look["hubs"]] == [True, True]
    assert len(look["greenlets"]) == 15, look["greenlets"]
    sleeping = found["sleeper(5)"]
    assert (sleeping["state"], sleeping["verb"]) == ("parked", "sleep")
    assert found["receiver"]["verb"] == "recv fd"
    assert found["joiner"]["holders"] == [{"greenlet": sleeping["id"]}]
    assert found["locker"]["verb"] == "acquire rlock"
    assert found["locker"]["holders"] == [{"greenlet": found["holder"]["id"]}]
    assert "0 items" in found["getter"]["object_text"]
    assert "(0 permits)" in found["taker"]["object_text"]
    assert found["taker"]["holders"] == [], "nobody owns a semaphore"
    assert found["waiter of several"]["holders"] == [{"greenlet": sleeping["id"]}]
    assert "event" in found["waiter of several"]["object_text"]
    assert found["on the second hub"]["hub"] != sleeping["hub"]
    assert found["sleeper(6)"]["spawner"] == found["parent"]["id"]
    assert "spawner" not in found["sleeper(7)"], "its spawner has ended"
    assert "subject.c:" in sleeping["spawned_at"]
    for greenlet in look["greenlets"]:
        if "stack_used" in greenlet:
            assert 0 < greenlet["stack_used"] <= greenlet["stack_size"]


@test
def each_kind_of_wait_is_described() -> None:
    with subject() as pid:
        look = ps(pid)
        check_kinds(look)
        found = by_name(look)
        assert "unix" in found["receiver"]["object_text"]
        assert 400 < found["waiter of several"]["until_seconds"] <= 500
        assert found["later?[2J"]["state"] == "new"
        assert found["sleeper(5)"]["stack_used"] <= found["sleeper(5)"]["stack_high_water"]
        looking.continues(pid)


@test
def what_is_asked_for_is_named() -> None:
    with subject("asks", settings={"BINE_OFFLOAD_THREADS": "1"}) as pid:
        found = by_name(ps(pid))
        asked = {name: f"{found[name]['verb']} {found[name].get('object_text')}"
                 for name in found if name not in ("root", "fills the pool")}
        child = open(f"/proc/{pid}/task/{pid}/children").read().strip()
        fd = found["polls one"]["object"]
        pidfd = found["reaper"]["object"]
        assert asked == {
            "user": 'getpwnam "a user"',
            "host": 'gethostbyname "a.host"',
            "groups": 'getgrouplist "a member"',
            "address": "getnameinfo of 192.0.2.7",
            "reaper": f"wait pidfd {pidfd} (process {child})",
            "polls one": f"poll fd {fd} (pipe)",
            "polls two": "poll of 2 descriptors",
            "selects": f"select fd {fd} (pipe)",
        }, asked


@test
def a_program_with_the_static_library_is_the_same() -> None:
    with subject(program=STATIC_SUBJECT) as pid:
        check_kinds(ps(pid))


@test
def a_stripped_program_is_the_same() -> None:
    with tempfile.TemporaryDirectory() as folder:
        stripped = folder + "/stripped"
        subprocess.run(["strip", "-o", stripped, STATIC_SUBJECT], check=True)
        with subject(program=stripped) as pid:
            os.unlink(stripped)
            check_kinds(ps(pid))


@test
def a_pages_memory_is_not_made_by_looking() -> None:
    with subject() as pid:
        first = ps(pid)
        second = ps(pid)
        water = [[greenlet.get("stack_high_water") for greenlet in look["greenlets"]]
                 for look in (first, second)]
        assert water[0] == water[1]
        assert max(size for size in water[0] if size) < 65536


@test
def the_table_has_no_control_characters() -> None:
    with subject() as pid:
        table = bine("ps", pid)
        assert "\033" not in table
        assert "held by" in table
        assert "acquire rlock" in table


@test
def filters_choose_and_sort_orders() -> None:
    with subject() as pid:
        assert {greenlet["state"] for greenlet in ps("--state", "new", pid)["greenlets"]} == {"new"}
        assert {greenlet["verb"]
                for greenlet in ps("--verb", "recv", pid)["greenlets"]} == {"recv fd"}
        names = [greenlet["name"] for greenlet in ps("--sort", "name", pid)["greenlets"]]
        assert names == sorted(names)
        until = [greenlet.get("until_seconds", 1e9)
                 for greenlet in ps("--sort", "until", pid)["greenlets"]]
        assert until == sorted(until)


@test
def ages_are_known_where_they_are_recorded() -> None:
    with subject(settings={"BINE_PARK_TIMES": "1"}) as pid:
        look = ps(pid)
        check_kinds(look)
        for greenlet in look["greenlets"]:
            assert (greenlet["state"] == "parked") == ("since_seconds" in greenlet), greenlet
            assert greenlet.get("since_seconds", 0) >= 0
        assert not ps("--older", "1h", pid)["greenlets"]
        assert len(ps("--older", "0.000001s", pid)["greenlets"]) == 14
        ages = [greenlet["since_seconds"]
                for greenlet in ps("--sort", "age", "--state", "parked", pid)["greenlets"]]
        assert ages == sorted(ages, reverse=True)
    with subject() as pid:
        assert not ps("--older", "1us", pid)["greenlets"]


@test
def a_hundred_thousand_greenlets_are_shown() -> None:
    with subject("many", "100000") as pid:
        look = ps(pid)
        assert len(look["greenlets"]) == 100001
        assert len({greenlet["id"] for greenlet in look["greenlets"]}) == 100001


@test
def greenlets_that_come_and_go_leave_a_whole_list() -> None:
    with subject("busy") as pid:
        for _ in range(10):
            look = ps(pid)
            assert look["hubs"][0]["complete"]
            assert "asleep" in by_name(look)
            looking.continues(pid)


@test
def a_process_that_computes_is_shown() -> None:
    with subject("spin") as pid:
        found = by_name(ps(pid))
        assert found["spinner"]["state"] == "running"
        assert found["starved"]["state"] == "new"


@test
def a_core_is_the_same() -> None:
    with core() as file:
        found = by_name(ps(file))
        assert found["asleep"]["verb"] == "sleep"
        assert found["root"]["state"] == "running"
        assert "asleep" in bine("ps", file)
        assert "A core does not say" not in bine("ps", "--verb", "sleep", file)


@test
def a_core_says_of_descriptors_what_libbine_knew() -> None:
    with core() as file:
        assert by_name(ps(file))["receiver"]["object_text"].endswith(" (a socket)")
        assert "A core does not say which files and peers" in bine("ps", file)


@test
def what_cannot_be_looked_into_is_refused_in_a_sentence() -> None:
    with tempfile.TemporaryDirectory() as folder:
        empty = folder + "/empty"
        open(empty, "w").close()
        assert "there is no process" in bine("ps", 2**30, status=1)
        assert "no libbine" in bine("ps", os.getpid(), status=1)
        assert "neither" in bine("ps", empty, status=1)
        assert "a program or a library" in bine("ps", SUBJECT, status=1)
        assert "No such file" in bine("ps", folder + "/none", status=1)
        assert "usage" in bine("ps", status=2)
        assert "no option" in bine("ps", "--colour", "1", status=2)
        assert "no state" in bine("ps", "--state", "asleep", "1", status=2)
        assert "not a duration" in bine("ps", "--older", "soon", "1", status=2)


@test
def a_process_that_ends_meanwhile_has_no_empty_list() -> None:
    for delay in range(0, 40, 2):
        with subprocess.Popen([SUBJECT, "many", "20000"], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) as process:
            assert process.stdout
            process.stdout.readline()
            with subprocess.Popen([looking.BINE, "ps", str(process.pid)], text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE) as command:
                time.sleep(delay / 1000)
                process.kill()
                output, errors = command.communicate(timeout=looking.LIMIT)
        assert "hub 1" in output if command.returncode == 0 else errors, (delay, output, errors)


@test
def another_users_process_is_not_permitted() -> None:
    if os.getuid() != 0:
        raise looking.Skip("this takes root")
    with subject() as pid, tempfile.TemporaryDirectory() as folder:
        command = folder + "/bine"
        os.chmod(folder, 0o755)
        subprocess.run(["cp", looking.BINE, command], check=True)
        done = subprocess.run([command, "ps", str(pid)], user=65534, group=65534, extra_groups=[],
                              capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert "not permitted" in done.stderr, done.stderr


looking.main()
