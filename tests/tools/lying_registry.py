"""A registry that sends its clients elsewhere.   lying_registry.py PORT MODE_FILE

MODE_FILE holds what it does: `location` (uploads go on at another address), `realm` (the token server is at one), `redirect`, `garbage`.
Elsewhere is another port where this program listens, too; who comes there leaves MODE_FILE.elsewhere.
"""
import http.server
import pathlib
import sys
import threading

port, mode_file = int(sys.argv[1]), pathlib.Path(sys.argv[2])


class Registry(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, headers=(), body=b""):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def lie(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        mode = mode_file.read_text().strip() if mode_file.exists() else ""
        elsewhere = f"http://127.0.0.1:{self.server.elsewhere}"
        if mode == "realm":
            return self.answer(401, [("WWW-Authenticate", f'Bearer realm="{elsewhere}/token",service="x"')])
        if mode == "redirect":
            return self.answer(307, [("Location", elsewhere + self.path)])
        if self.command == "HEAD":
            return self.answer(404)
        if mode == "garbage":
            return self.answer(418, body=b'{"errors": [{"code": 7}]}')
        return self.answer(202, [("Location", elsewhere + "/upload")])

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = lie

    def log_message(self, *_):
        pass


class Elsewhere(Registry):
    def lie(self):
        pathlib.Path(f"{mode_file}.elsewhere").write_text(self.path)
        self.answer(200)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = lie


trap = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere)
threading.Thread(target=trap.serve_forever, daemon=True).start()
server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Registry)
server.elsewhere = trap.server_address[1]
server.serve_forever()
