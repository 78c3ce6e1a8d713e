#!/usr/bin/env python3
"""bine leaks: leaks.py BINE SUBJECT STATIC_SUBJECT."""

import pathlib
import struct
import subprocess
from collections.abc import Iterator

import looking
from looking import BINE, bine, core, ps, subject, test


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


@test
def a_core_that_lies_about_its_sizes_is_searched_or_refused() -> None:
    """Of each writable segment in turn one field of the program header is too large."""
    offset_at, memory_at, file_at = 8, 40, 32
    with core("leak", killed=True) as file:
        (table,) = struct.unpack_from("<Q", head := pathlib.Path(file).read_bytes()[:64], 32)
        (count,) = struct.unpack_from("<H", head, 56)
        outcomes = set()
        with open(file, "r+b") as whole:
            for header in range(table, table + count * 56, 56):
                whole.seek(header)
                right = whole.read(56)
                if struct.unpack_from("<II", right) != (1, 6):  # PT_LOAD, writable
                    continue
                for field, value in ((offset_at, 1 << 62), (file_at, 1 << 62), (memory_at, 1 << 46),
                                     (memory_at, (1 << 63) - 4096)):
                    wrong = bytearray(right)
                    struct.pack_into("<Q", wrong, field, value)
                    whole.seek(header)
                    whole.write(wrong)
                    whole.flush()
                    done = subprocess.run([BINE, "leaks", file], capture_output=True, text=True,
                                          timeout=looking.LIMIT, check=False)
                    assert done.returncode in (0, 1), done
                    assert done.returncode == 0 or done.stderr.startswith("bine: "), done
                    outcomes.add(done.returncode)
                whole.seek(header)
                whole.write(right)
        assert 0 in outcomes


def notes_of(core_file: bytes) -> Iterator[tuple[int, int]]:
    """The kind and the place of each note."""
    (table,) = struct.unpack_from("<Q", core_file, 32)
    (count,) = struct.unpack_from("<H", core_file, 56)
    for header in range(table, table + count * 56, 56):
        kind, _, at, _, _, size = struct.unpack_from("<IIQQQQ", core_file, header)
        end = at + size
        while kind == 4 and at + 12 <= end:  # PT_NOTE
            name, content, note = struct.unpack_from("<III", core_file, at)
            at += 12 + (name + 3 & ~3)
            yield note, at
            at += content + 3 & ~3


@test
def a_core_that_lies_about_its_files_is_searched() -> None:
    """The last mapping of a file claims 64 GiB of it. The file has a few pages."""
    with core("leak", killed=True) as file:
        head = pathlib.Path(file).read_bytes()[:1 << 20]
        (at,) = (at for kind, at in notes_of(head) if kind == 0x46494C45)  # NT_FILE
        (count,) = struct.unpack_from("<Q", head, at)
        entry = at + 16 + (count - 1) * 24
        start, _ = struct.unpack_from("<QQ", head, entry)
        with open(file, "r+b") as whole:
            whole.seek(entry + 8)
            whole.write(struct.pack("<Q", start + (64 << 30)))
        text = bine("leaks", file)
        assert "lost  in wait for event" in text, text


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
