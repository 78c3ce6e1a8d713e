"""A threading HTTP server that knows nothing of Bine. Prints its port as
bench/server.h's servers do."""

import http.server
import socket


class Hello(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def do_GET(self) -> None:
        body = b"Hello, world!"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 4096


server = Server(("127.0.0.1", 0), Hello)
print("port", server.server_address[1], flush=True)
server.serve_forever()
