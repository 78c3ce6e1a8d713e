"""Greenlets for gdb: `bine greenlets`, `bine bt N|all`, `bine switch N`, `bine back`.

gdb loads this file by itself with libbine where it is installed. Otherwise:
(gdb) source bine-gdb.py

It needs no debug symbols: libbine's layout table (src/libc/layout.h) says where everything lies.
Registers are never written, so core files work, too. A greenlet's frames are shown by an unwinder
that leaves the newest frame of the thread into the saved context of the greenlet.
"""

from __future__ import annotations

import re
import struct

import gdb
import gdb.unwinder

MOST_GREENLETS = 1_000_000
MOST_HUBS = 1000
VERSION = 1
# By DWARF's numbers.
X86_64 = {3: "rbx", 6: "rbp", 7: "rsp", 12: "r12", 13: "r13", 14: "r14", 15: "r15"}
STATES = ("new", "ready", "parked")


def read(address: int, size: int) -> bytes:
    return bytes(gdb.selected_inferior().read_memory(address, size))


def word(address: int) -> int:
    return int.from_bytes(read(address, 8), "little")


def text(address: int, most: int = 200) -> str:
    """A text of C. Control characters are not for the terminal."""
    found = b""
    try:
        while len(found) < most and b"\0" not in found:
            size = min(32, 4096 - (address + len(found)) % 4096)
            found += read(address + len(found), size)
    except gdb.MemoryError:
        pass
    return "".join(c if c.isprintable() else "?"
                   for c in found.split(b"\0")[0].decode("utf-8", "replace"))


class Table:
    """The rows of one copy of libbine, by name."""

    def __init__(self, address: int) -> None:
        magic, version, _, row_size, _, first, end = struct.unpack("<8sIIIIQQ", read(address, 40))
        if magic != b"BineLook":
            raise gdb.GdbError("libbine's layout table is damaged")
        if version > VERSION:
            raise gdb.GdbError(f"libbine's layout table has the version {version}, and this script "
                               f"knows {VERSION}")
        self.rows: dict[str, tuple[int, int]] = {}
        content = read(first, min(end - first, row_size * 4096))
        for at in range(0, len(content), row_size):
            name, value, size, kind = struct.unpack_from("<48sQII", content, at)
            if kind:
                self.rows[name.split(b"\0")[0].decode("ascii", "replace")] = (value, size)

    def number(self, name: str) -> int:
        return self.rows[name][0]

    def get(self, record: int, name: str) -> int:
        offset, size = self.rows[name]
        return int.from_bytes(read(record + offset, min(size or 8, 8)), "little")


def note_of(base: int) -> int | None:
    """The layout table of the object that is mapped from `base` on."""
    header = read(base, 64)
    if header[:5] != b"\x7fELF\x02":
        return None
    (programs,) = struct.unpack_from("<Q", header, 32)
    size, count = struct.unpack_from("<HH", header, 54)
    entries = [struct.unpack_from("<IIQQQQQQ", read(base + programs + i * size, 56))
               for i in range(count)]
    bias = next((base - (entry[3] - entry[2]) for entry in entries if entry[0] == 1), base)
    for kind, _, _, address, _, _, memory, _ in entries:
        if kind != 4 or memory > 65536:
            continue
        notes, at = read(bias + address, memory), 0
        while at + 12 <= len(notes):
            names, contents, number = struct.unpack_from("<III", notes, at)
            content = at + 12 + (names + 3) // 4 * 4
            if number == 1 and contents == 4 and notes[at + 12 : at + 12 + names] == b"Bine\0":
                (distance,) = struct.unpack_from("<i", notes, content)
                return bias + address + content + distance
            at = content + (contents + 3) // 4 * 4
    return None


def tables() -> list[Table]:
    found = []
    for line in gdb.execute("info proc mappings", to_string=True).splitlines():
        match = re.match(r"\s*(0x[0-9a-f]+)\s+0x[0-9a-f]+\s+0x[0-9a-f]+\s+0x0\s+.*?(/.*)$", line)
        if not match:
            continue
        try:
            address = note_of(int(match.group(1), 16))
        except (gdb.MemoryError, struct.error):
            continue
        if address:
            found.append(Table(address))
    if not found:
        raise gdb.GdbError("there is no libbine here")
    return found


class Interpreter:
    """Where Python's objects keep what the name of a greenlet is made of: struct bine_interpreter
    (src/core/hub/interpreter.h)."""

    FORM = "<5Q13I4x"

    def __init__(self, table: Table) -> None:
        address, size = table.rows["interpreter"]
        if size != struct.calcsize(self.FORM):
            raise gdb.MemoryError
        (_, self.function_type, self.method_type, self.code_type, self.text_type, _, self.name,
         self.run, self.type, self.type_name, self.method_function, self.function_code,
         self.function_name, self.code_name, self.code_file, self.code_line, self.text_length,
         self.text_head) = struct.unpack(self.FORM, read(address, size))

    def text(self, string: int) -> str:
        """A str of printable ASCII; else ""."""
        if not string or word(string + self.type) != self.text_type:
            return ""
        found = read(string + self.text_head, min(word(string + self.text_length), 200))
        return found.decode() if found.isascii() and found.decode().isprintable() else ""

    def function(self, function: int) -> str:
        code = word(function + self.function_code)
        if not code or word(code + self.type) != self.code_type:
            return ""
        name = (self.text(word(function + self.function_name)) or
                self.text(word(code + self.code_name)))
        file = self.text(word(code + self.code_file)).rpartition("/")[2]
        line = int.from_bytes(read(code + self.code_line, 4), "little")
        return f"{name} at {file}:{line}" if name and file else name

    def name_of(self, greenlet: int) -> str:
        """What the greenlet's object was named, or "Server.handle at app.py:7"; else ""."""
        given = self.text(word(greenlet + self.name))
        called = word(greenlet + self.run) or greenlet
        if word(called + self.type) == self.method_type:
            called = word(called + self.method_function)
        type = word(called + self.type)
        return given or (self.function(called) if type == self.function_type
                         else text(word(type + self.type_name)) + " object")


class Greenlet:
    def __init__(self, table: Table, hub: int, tid: int, current: bool, address: int,
                 hub_number: int) -> None:
        self.table, self.hub, self.tid, self.current, self.address = (table, hub, tid,
                                                                      current, address)
        self.number = f"{hub_number}.{self.get('timer') // 2}"
        self.state = ("running" if current and self.get("state") != table.number("state.parked")
                      else STATES[self.get("state")])

    def get(self, name: str) -> int:
        return self.table.get(self.address, "greenlet." + name)

    @property
    def name(self) -> str:
        flags, name = self.get("flags"), self.get("name")
        if flags & self.table.number("flag.root"):
            return "root"
        if name:
            given = text(name)
            match = re.match(r"<Greenlet at 0x[0-9a-f]+: (.*)>$", given)
            return (match.group(1) if match and not flags & self.table.number("flag.named")
                    else given)
        argument = self.get("arg")
        number = argument if argument < 65536 else hex(argument)
        return self.python_name or f"{text(self.get('site'))}({number})"

    @property
    def python_name(self) -> str:
        """Of a greenlet that runs a function of Python's; else ""."""
        rows = self.table.rows
        if not {"interpreter", "slot.python", "carrier.running"} <= rows.keys():
            return ""
        try:
            slot = self.table.number("slot.python")
            carrier = word(self.address + rows["greenlet.slots"][0] + slot * 8)
            running = self.table.get(carrier, "carrier.running") if carrier else 0
            return Interpreter(self.table).name_of(running) if running else ""
        except gdb.MemoryError:
            return ""

    @property
    def place(self) -> str:
        site = self.get("site")
        function = text(site)
        return text(site + len(function.encode()) + 1)

    @property
    def wait(self) -> str:
        if self.state != "parked":
            return ""
        thing = self.get("object")
        return f"{text(self.get('verb'))} {thing if thing < 65536 else hex(thing)}"

    def registers(self) -> dict[str, int] | None:
        """Those of its saved context. None if it runs, or has not begun."""
        sp = self.get("sp")
        if self.current or self.state == "new" or not sp:
            return None
        numbers = {int(name[8:]): row[0]
                   for name, row in self.table.rows.items() if re.match(r"context\.\d+$", name)}
        intel = 30 not in numbers
        found = {X86_64[n] if intel else f"x{n}": word(sp + offset)
                 for n, offset in numbers.items()}
        found["rsp" if intel else "sp"] = sp + self.table.number("context.size")
        found["rip" if intel else "pc"] = word(sp + self.table.number("context.pc"))
        return found


def greenlets(hidden: bool = False) -> list[Greenlet]:
    """Those of all hubs. Hidden ones, as the one that waits for Python's next function, only if
    asked for."""
    found: list[Greenlet] = []
    for table in tables():
        hubs, hub = [], word(table.number("hubs"))
        while hub and len(hubs) < MOST_HUBS:
            if table.get(hub, "hub.inbox") != table.number("inbox.closed"):
                hubs.insert(0, hub)
            hub = table.get(hub, "hub.next_record")
        for number, hub in enumerate(hubs, 1):
            tid, current, of_hub = table.get(hub, "hub.tid"), table.get(hub, "hub.current"), []
            address, previous = table.get(hub, "hub.all"), 0
            while address and len(of_hub) < MOST_GREENLETS:
                if table.get(address, "greenlet.all_previous") != previous:
                    print(f"the list of hub {number} is damaged: not all greenlets are shown")
                    break
                greenlet = Greenlet(table, hub, tid, address == current, address, number)
                if hidden or not greenlet.get("flags") & table.number("flag.hidden"):
                    of_hub.insert(0, greenlet)
                previous, address = address, table.get(address, "greenlet.all_next")
            found += of_hub
    return found


def chosen(argument: str) -> Greenlet:
    for greenlet in greenlets(hidden=True):
        if argument in (greenlet.number, hex(greenlet.address)):
            return greenlet
    raise gdb.GdbError(f"there is no greenlet {argument}: see `bine greenlets`")


class IntoGreenlet(gdb.unwinder.Unwinder):
    """Leaves the newest frame of the selected thread into a greenlet's context."""

    def __init__(self) -> None:
        super().__init__("bine")
        self.saved: dict[str, int] | None = None
        self.at: tuple[int, int] | None = None

    def __call__(self, pending: gdb.PendingFrame) -> gdb.UnwindInfo | None:
        if not self.saved or not self.at:
            return None
        intel = "rip" in self.saved
        sp = pending.read_register("rsp" if intel else "sp")
        pc = pending.read_register("rip" if intel else "pc")
        if (int(sp), int(pc)) != self.at:
            return None
        # The frame counts as one of the greenlet's stack, or gdb would take the stack for damaged.
        below = gdb.Value(self.saved["rsp" if intel else "sp"] - 64).cast(sp.type)
        info = pending.create_unwind_info(Frame(below, pc))
        for name, value in self.saved.items():
            kind = pending.read_register(name).type
            info.add_saved_register(
                name, gdb.Value(value).cast(gdb.lookup_type("unsigned long")).cast(kind))
        return info

    def enter(self, saved: dict[str, int]) -> None:
        self.leave()
        intel = "rip" in saved
        frame = gdb.newest_frame()
        self.at = (int(frame.read_register("rsp" if intel else "sp")),
                   int(frame.read_register("rip" if intel else "pc")))
        self.saved = saved
        gdb.invalidate_cached_frames()

    def leave(self) -> None:
        self.saved = self.at = None
        gdb.invalidate_cached_frames()


class Frame:
    def __init__(self, sp: gdb.Value, pc: gdb.Value) -> None:
        self.sp, self.pc = sp, pc


UNWINDER = IntoGreenlet()
gdb.unwinder.register_unwinder(None, UNWINDER, replace=True)


def select_thread(tid: int) -> None:
    for thread in gdb.selected_inferior().threads():
        if tid in thread.ptid[1:]:
            thread.switch()
            return
    raise gdb.GdbError(f"gdb has no thread {tid}")


def backtrace(greenlet: Greenlet) -> None:
    print(f"{greenlet.number} {greenlet.name}: {greenlet.state} {greenlet.wait}".rstrip())
    if greenlet.state == "new":
        print("  (it has not begun)")
        return
    before = gdb.selected_thread()
    try:
        if greenlet.current:
            select_thread(greenlet.tid)
            gdb.execute("bt")
            return
        UNWINDER.enter(greenlet.registers() or {})
        lines = gdb.execute("bt", to_string=True).splitlines()
        print("\n".join(lines[1:] if lines and lines[0].startswith("#0") else lines))
    finally:
        UNWINDER.leave()
        if before and before.is_valid():
            before.switch()


class Bine(gdb.Command):
    """Greenlets of libbine."""

    def __init__(self) -> None:
        super().__init__("bine", gdb.COMMAND_STACK, gdb.COMPLETE_NONE, True)


class Greenlets(gdb.Command):
    """bine greenlets: list all greenlets, with what each waits for and where it was spawned."""

    def __init__(self) -> None:
        super().__init__("bine greenlets", gdb.COMMAND_STACK)

    def invoke(self, argument: str, from_tty: bool) -> None:
        for greenlet in greenlets():
            print(f"{greenlet.number:7} {greenlet.state:8} {greenlet.wait:32} {greenlet.name:24} "
                  f"{greenlet.place}")


class Backtrace(gdb.Command):
    """bine bt N|all: show the frames of the greenlet with this number or address, or of all."""

    def __init__(self) -> None:
        super().__init__("bine bt", gdb.COMMAND_STACK)

    def invoke(self, argument: str, from_tty: bool) -> None:
        if not argument:
            raise gdb.GdbError("it takes the number of a greenlet, or all")
        for greenlet in greenlets() if argument == "all" else [chosen(argument)]:
            backtrace(greenlet)


class Switch(gdb.Command):
    """bine switch N: the frames of this greenlet are shown by bt, up and down until `bine back`.

    Frame 0 stays that of the thread; those of the greenlet begin at 1. Nothing is written to the
    process, and when it continues the switch is over."""

    def __init__(self) -> None:
        super().__init__("bine switch", gdb.COMMAND_STACK)

    def invoke(self, argument: str, from_tty: bool) -> None:
        greenlet = chosen(argument)
        UNWINDER.leave()
        if greenlet.current:
            select_thread(greenlet.tid)
            return
        saved = greenlet.registers()
        if not saved:
            raise gdb.GdbError("this greenlet has not begun")
        UNWINDER.enter(saved)
        gdb.execute("frame 1")


class Back(gdb.Command):
    """bine back: the frames of the thread are shown again."""

    def __init__(self) -> None:
        super().__init__("bine back", gdb.COMMAND_STACK)

    def invoke(self, argument: str, from_tty: bool) -> None:
        UNWINDER.leave()
        gdb.execute("frame 0")


Bine(), Greenlets(), Backtrace(), Switch(), Back()
gdb.events.cont.connect(lambda event: UNWINDER.leave())
