"""gevent.fileobject: nothing is patched here but what importing gevent's modules does."""

import io
import os
import pty
import socket
import tempfile
import tty
import warnings

import bine
from bine.gevent import config, fileobject
from helpers import raises

KINDS = (fileobject.FileObjectPosix, fileobject.FileObjectThread, fileobject.FileObjectBlock)


def temporary(data=b""):
    fd, path = tempfile.mkstemp()
    os.write(fd, data)
    os.close(fd)
    return path


def test_a_reader_of_a_pipe_lets_others_run():
    for kind in KINDS[:2]:
        r, w = os.pipe()
        reader, steps = kind(r, "rb"), []
        g = bine.spawn(lambda: steps.append(reader.read(5)))
        bine.sleep(0.02)
        steps.append("others ran")
        os.write(w, b"hello")
        g.get(timeout=10)
        assert steps == ["others ran", b"hello"], kind
        os.close(w)
        assert reader.read() == b""
        reader.close()


def test_a_writer_of_a_full_pipe_lets_others_run():
    for kind in KINDS[:2]:
        for blocking in (True, False):
            r, w = os.pipe()
            os.set_blocking(w, blocking or kind is not fileobject.FileObjectPosix)
            writer = kind(w, "wb")
            g = bine.spawn(lambda: (writer.write(b"x" * 300000), writer.close()))
            bine.sleep(0.02)
            reader, count = fileobject.FileObjectPosix(r, "rb"), 0
            while True:
                data = reader.read(70000)
                if not data:
                    break
                count += len(data)
            g.get(timeout=10)
            assert count == 300000
            reader.close()


def test_terminals_and_sockets():
    master, slave = pty.openpty()
    tty.setraw(slave)
    a, b = socket.socketpair()
    for inner, outer in ((slave, master), (a.detach(), b.detach())):
        file = fileobject.FileObject(inner, "rwb", buffering=0)
        g = bine.spawn(file.read, 3)
        bine.sleep(0.01)
        os.write(outer, b"abc")
        assert g.get(timeout=10) == b"abc"
        file.write(b"xyz")
        assert os.read(outer, 10) == b"xyz"
        file.close()


def test_regular_files_as_io_open_reads_and_writes_them():
    for kind in KINDS:
        path = temporary()
        with kind(path, "w", encoding="utf-8", newline="\r\n") as file:
            assert file.write("eins\n") == 5 and file.writable() and not file.readable()
            file.writelines(["zwei ä\n", "drei"])
        assert open(path, "rb").read() == "eins\r\nzwei ä\r\ndrei".encode("utf-8")
        with kind(path, "r", encoding="utf-8") as file:
            assert (file.readline() == "eins\n" and list(file) == ["zwei ä\n", "drei"] and
                    file.seek(0) == 0)
            assert file.read() == open(path, encoding="utf-8").read()
        with kind(path, "r+b") as file:
            file.seek(2)
            assert file.tell() == 2 and file.read(2) == b"ns" and file.seekable()
            file.seek(0)
            file.truncate(4)
            file.write(b"EI")
        assert open(path, "rb").read() == b"EIns"
        with kind(path, "ab") as file:
            file.write(b"!")
        assert raises(FileExistsError, kind, path, "xb")
        file = kind(path, "rb", buffering=0)
        assert file.read(2) == b"EI" and isinstance(file.io, io.RawIOBase) and file.name == path
        file.close()
        os.unlink(path)


def test_close_flushes_and_what_is_closed_says_so():
    for kind in KINDS:
        r, w = os.pipe()
        file = kind(w, "w")
        file.write("late")
        assert not file.closed and "closed" not in repr(file)
        file.close()
        file.close()
        assert file.closed and os.read(r, 10) == b"late" and "closed" in repr(file)
        for call in (lambda: file.write("x"), file.__next__, lambda: file.fileno(),
                     lambda: file.flush()):
            assert raises(OSError, call).errno == 9
        assert raises(OSError, os.fstat, w)
        os.close(r)


def test_closefd_false_leaves_the_descriptor():
    for kind in KINDS:
        r, w = os.pipe()
        with kind(w, "wb", closefd=False) as file:
            file.write(b"x")
        with kind(w, "wb", 10, False) as file:
            file.write(b"y")
        assert os.read(r, 2) == b"xy" and os.fstat(w)
        os.close(w)
        os.close(r)


def test_closing_a_file_under_a_reader_wakes_it():
    r, w = os.pipe()
    file = fileobject.FileObjectPosix(r, "rb")
    g = bine.spawn(file.read, 3)
    bine.sleep(0.01)
    file.close()
    g.join(10)
    assert isinstance(g.exception, OSError) and g.exception.errno == 9 and file.closed


def test_a_kill_or_a_timeout_ends_a_read():
    r, w = os.pipe()
    for kind in KINDS[:1]:
        file = kind(r, "rb", closefd=False)
        with bine.Timeout(0.02, False):
            file.read(3)
            raise AssertionError("nobody wrote")
        g = bine.spawn(file.read, 3)
        bine.sleep(0.01)
        g.kill()
        assert isinstance(g.value, bine.GreenletExit)
        os.write(w, b"abc")
        assert file.read(3) == b"abc"


def test_file_objects_are_taken_as_they_are():
    path = temporary(b"line\n")
    opened = open(path, "rb")
    file = fileobject.FileObjectPosix(opened, "r")
    assert file.read() == "line\n"
    file.close()
    assert opened.closed
    for kind in KINDS[1:]:
        assert (kind(io.BytesIO(b"x\n"), "r").read() == "x\n" and
                kind(io.BytesIO(b"x"), "rb").read() == b"x")
        assert kind(io.StringIO("y")).read() == "y"
    assert raises(io.UnsupportedOperation, fileobject.FileObjectPosix, io.BytesIO(b"x"))


def test_wrong_arguments():
    path = temporary(b"x")
    for kind in KINDS:
        for mode in ("q", "rw+a", "", "rbt", "rr"):
            assert raises(ValueError, kind, path, mode)
        assert (raises(ValueError, kind, path, "rb", encoding="utf-8") and
                raises(TypeError, kind, 3.5) and raises(TypeError, kind, path, nothing=1))
        assert (raises(OSError, kind, 10000, "rb").errno == 9 and
                raises(FileNotFoundError, kind, path + "-"))
        assert (kind(path, "rU").read() == "x" and kind(path, "r", buffering=0).read() == "x" and
                kind(path, "rb", bufsize=10).read() == b"x")
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            kind(path, "rb", buffering=1).close()
        assert [w.category for w in seen if w.category is not ResourceWarning] == [RuntimeWarning]
    assert raises(IsADirectoryError, fileobject.FileObjectPosix, os.open("/tmp", os.O_RDONLY), "rb")


def test_calls_of_a_thread_file_come_one_after_the_other_and_in_its_pool():
    pool = bine.hub.get_hub().threadpool
    r, w = os.pipe()
    reader, writer = (fileobject.FileObjectThread(r, "rb", threadpool=pool),
                      fileobject.FileObjectThread(w, "wb", 0, lock=False))
    assert reader.threadpool is pool and writer.threadpool is pool
    gs = [bine.spawn(reader.read, 1) for _ in range(3)]
    bine.sleep(0.01)
    writer.write(b"abc")
    assert [g.get(timeout=10) for g in gs] == [b"a", b"b", b"c"]


def test_config_chooses_the_kind():
    assert fileobject.FileObject is fileobject.FileObjectPosix is config.fileobject
    for name, kind in zip(("posix", "thread", "block"), KINDS):
        config.fileobject = name
        assert config.fileobject is kind
