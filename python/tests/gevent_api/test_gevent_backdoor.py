"""gevent.backdoor, talked to as telnet and nc do."""

import io
import socket
import sys

import bine
from bine.gevent import backdoor

PATCHED = True


class Client:
    def __init__(self, server, newline=b"\n"):
        self.socket = socket.create_connection(("127.0.0.1", server.server_port))
        self.socket.settimeout(20)
        self.newline = newline

    def until(self, end):
        got = b""
        while not got.endswith(end):
            part = self.socket.recv(1)
            if not part:
                break
            got += part
        return got.decode()

    def ask(self, line, prompt=b">>> "):
        self.socket.sendall(line.encode() + self.newline)
        return self.until(prompt)


def serve(**arguments):
    server = backdoor.BackdoorServer(("127.0.0.1", 0), **arguments)
    server.start()
    return server


def test_a_prompt_with_the_programs_objects():
    server = serve(banner="Hello", locals={"app": {"answer": 42}})
    for newline in (b"\n", b"\r\n"):
        client = Client(server, newline)
        assert client.until(b">>> ") == "Hello\n>>> "
        assert (client.ask("app['answer']") == "42\n>>> " and
                client.ask("print('ä', 1)") == "ä 1\n>>> ")
        assert "ZeroDivisionError" in client.ask("1 / 0")
        assert (client.ask("if 1:", b"... ") == "... " and
                client.ask("    5", b"... ") == "... " and client.ask("") == "5\n>>> ")
        assert (client.ask("x = 7") == ">>> " and
                client.ask("import bine; bine.sleep(0.01); x") == "7\n>>> ")
        assert client.ask("__name__") == "'__console__'\n>>> "
        client.socket.close()


def test_quit_exit_and_the_end_of_input_end_the_connection_only():
    server = serve()
    for line in ("quit()", "exit()", "raise SystemExit(3)", "import sys; sys.exit()", None):
        client = Client(server)
        assert "Python" in client.until(b">>> ")
        if line is None:
            client.socket.shutdown(socket.SHUT_WR)
        else:
            client.socket.sendall(line.encode() + b"\n")
        assert client.until(b"never").strip() == "", line
    assert not backdoor._clients and not sys.stdin.closed


def test_each_client_sees_its_own_output_and_others_print_where_they_did():
    server = serve(banner="")
    real = sys.stdout = io.StringIO()
    one, other = Client(server), Client(server)
    one.until(b">>> "), other.until(b">>> ")
    one.ask("x = 1")
    assert "NameError" in other.ask("x")
    one.socket.sendall(b"bine = __import__('bine'); bine.sleep(0.1); print('one')\n")
    assert other.ask("print('other')") == "other\n>>> "
    print("program")
    bine.spawn(print, "greenlet").join()
    assert one.until(b">>> ") == "one\n>>> " and real.getvalue() == "program\ngreenlet\n"
    assert sys.stdout is not real
    one.socket.close()
    assert other.ask("input('name? ')", b"? ") == "name? "
    assert other.ask("me") == "'me'\n>>> "
    other.socket.close()
    while backdoor._clients:
        bine.sleep(0.01)
    assert sys.stdout is real


def test_a_client_that_goes_while_it_is_written_to_harms_nobody():
    server = serve(banner="")
    client = Client(server)
    client.until(b">>> ")
    client.socket.sendall(b"import bine; bine.sleep(0.05); print('x' * 100000)\n"
                          b"print('y' * 100000)\n")
    client.socket.close()
    while backdoor._clients:
        bine.sleep(0.01)
    assert Client(server).until(b">>> ").endswith(">>> ")
    assert server.started
    server.stop()
