"""What the stand-ins for servers of this folder share. A program of theirs is started by its path, so that this stands beside it."""
import http.server
import pathlib
import threading


class Handler(http.server.BaseHTTPRequestHandler):
    """Whatever the method, come() is called."""

    protocol_version = "HTTP/1.1"

    def answer(self, status, body=b"", headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def handle_any(self):
        return self.come()

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

    def log_message(self, *_):
        pass


def serve(handler, port, host="127.0.0.1", trap_file=None):
    """For ever. With trap_file, self.server.elsewhere is the port of another server, and who comes there leaves trap_file."""

    class Elsewhere(Handler):
        def come(self):
            self.body()
            pathlib.Path(trap_file).write_text(self.path)
            self.answer(200)

    server = http.server.ThreadingHTTPServer((host, port), handler)
    if trap_file:
        trap = http.server.ThreadingHTTPServer((host, 0), Elsewhere)
        threading.Thread(target=trap.serve_forever, daemon=True).start()
        server.elsewhere = trap.server_address[1]
    server.serve_forever()
