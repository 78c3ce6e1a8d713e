#!/usr/bin/env python3
"""examples/https_client against Python's TLS server: pages, and certificates that are refused
for one reason each."""
import http.server
import os
import ssl
import subprocess
import sys
import tempfile
import threading

EXAMPLES = sys.argv[1]
SLOWER = int(os.environ.get("BINE_TEST_SLOWER", "1"))
passed = failed = 0


def check(name, condition, shown):
    global passed, failed
    passed, failed = passed + bool(condition), failed + (not condition)
    print(f"ok {name}" if condition else f"FAIL {name}: {shown!r}")


def certificate(name):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                    f"{name}.key", "-out", name, "-days", "2", "-subj", f"/CN={name}", "-addext",
                    "subjectAltName=DNS:localhost"], check=True, capture_output=True)
    with open(f"{name}.key") as key, open(name, "a") as both:
        both.write(key.read())
    return os.path.abspath(name)


class Pages(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b"x" * 100000 if self.path == "/large" else b"hello\n"
        self.send_response(200)
        if self.path != "/endless":
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


def serve(own, clients=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own)
    context.set_alpn_protocols(["http/1.1"])
    if clients:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(clients)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    server.handle_error = lambda *arguments: None
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


def fetch(*arguments):
    wrapper = os.environ.get("BINE_TEST_WRAPPER", "").split()
    return subprocess.run([*wrapper, os.path.join(EXAMPLES, "https_client"), *arguments],
                          capture_output=True, text=True, timeout=60 * SLOWER)


def main():
    own, other = certificate("own"), certificate("other")
    port = serve(own)
    ran = fetch(f"localhost:{port}", "/", own)
    check("a_page_is_fetched",
          ran.returncode == 0 and ran.stdout == "HTTP/1.0 200 OK\n6 bytes\n", ran)
    ran = fetch(f"localhost:{port}", "/large", own)
    check("a_large_page_is_fetched",
          ran.returncode == 0 and ran.stdout.endswith("100000 bytes\n"), ran)
    ran = fetch(f"localhost:{port}", "/endless", own)
    # Python's server does not always announce the end.
    check("a_page_may_end_with_the_connection",
          ran.stdout.endswith("6 bytes\n") or "ended" in ran.stderr or "reset" in ran.stderr, ran)
    ran = fetch(f"localhost:{port}", "/", other)
    check("another_authority_is_refused", ran.returncode == 1 and "self" in ran.stderr, ran)
    ran = fetch(f"127.0.0.1:{port}", "/", own)
    check("another_name_is_refused", ran.returncode == 1 and "mismatch" in ran.stderr, ran)
    port = serve(own, other)
    ran = fetch(f"localhost:{port}", "/", own, other)
    check("a_client_shows_its_certificate",
          ran.returncode == 0 and ran.stdout.endswith("6 bytes\n"), ran)
    ran = fetch(f"localhost:{port}", "/", own)
    check("a_client_without_one_is_told",
          ran.returncode == 1 and "certificate required" in ran.stderr, ran)
    ran = fetch("localhost")
    check("a_malformed_address_is_explained", ran.returncode == 2 and "no port" in ran.stderr, ran)
    print(f"# {passed} passed, {failed} failed, 0 skipped")
    return failed != 0


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        EXAMPLES = os.path.abspath(EXAMPLES)
        os.chdir(folder)
        sys.exit(main())
