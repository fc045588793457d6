"""A registry on the default port whose token server is named without it.   portless_registry.py HOST

It holds nothing.
"""
import http.server
import json
import sys

host = sys.argv[1]


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

    def do_GET(self):
        if self.path.startswith("/service/token?"):
            return self.answer(200, body=json.dumps({"token": "given"}).encode())
        if self.headers.get("Authorization") != "Bearer given":
            return self.answer(401, [("WWW-Authenticate", f'Bearer realm="http://{host}/service/token",service="x"')])
        return self.answer(404)

    do_HEAD = do_GET

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer((host, 80), Registry).serve_forever()
