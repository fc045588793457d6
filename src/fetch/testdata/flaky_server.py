#!/usr/bin/env python3
"""A small HTTP/1.1 file server that keeps to RFC 9110 (Range, If-Range, ETag) and misbehaves on demand.

    flaky_server.py FOLDER LOG

Prints its port, serves FOLDER on 127.0.0.1 until it is killed, and appends one JSON line per request to LOG.
The query of the URL says how to misbehave; what counts is kept per path:
    cut=N&times=K   the first K answers close the connection after N bytes of the body
    hold=1          with cut: not before the client does
    status=S&times=K[&retry_after=R]   the first K answers have status S
    noranges=1      ranges are ignored
    noetag=1        no ETag and no Last-Modified
    slow=BYTES      that many bytes per 20 ms
    lie=N           Content-Length says N more than there is
    to=URL[&as=S]   302, or S, to URL (percent-encoded)
    hops=N          302 to itself with N-1, 200 at 0
    together=N      the answer comes once N such requests wait; 500 where that does not happen within ten seconds
The file FOLDER/NAME.etag, where it is, holds the ETag of NAME. POST is answered as GET; its body is in the log.
"""
import http.server
import json
import os
import re
import socketserver
import sys
import threading
import time
import urllib.parse

FOLDER, LOG = sys.argv[1], sys.argv[2]
seen = {}
barrier = {}
lock = threading.Lock()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.do_GET()

    def do_POST(self):
        self.posted = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        self.do_GET()

    posted = None

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        options = dict(urllib.parse.parse_qsl(url.query))
        with lock:
            seen[url.path] = seen.get(url.path, 0) + 1
            count = seen[url.path]
            with open(LOG, "a") as log:
                log.write(json.dumps({"method": self.command, "path": self.path, "body": self.posted,
                                      "headers": {k.lower(): v for k, v in self.headers.items()}}) + "\n")
        self.posted = None
        if "to" in options:
            return self.empty(int(options.get("as", 302)), {"Location": options["to"]})
        if "hops" in options and int(options["hops"]) > 0:
            return self.empty(302, {"Location": f"{url.path}?hops={int(options['hops']) - 1}"})
        if "together" in options:
            try:
                barrier.setdefault(options["together"], threading.Barrier(int(options["together"]))).wait(10)
            except threading.BrokenBarrierError:
                return self.empty(500, {})
        misbehave = count <= int(options.get("times", 1 << 30))
        if "status" in options and misbehave:
            extra = {"Retry-After": options["retry_after"]} if "retry_after" in options else {}
            return self.empty(int(options["status"]), extra, b"<html>an error page</html>")
        if "zeros" in options:
            return self.zeros(int(options["zeros"]), "unsaid" in options)
        self.file(os.path.join(FOLDER, url.path.lstrip("/")), options, misbehave)

    def empty(self, status, headers, body=b""):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def zeros(self, size, unsaid):
        """So many, without memory for them; unsaid: the answer does not say how many."""
        self.send_response(200)
        if unsaid:
            self.close_connection = True
        else:
            self.send_header("Content-Length", str(size))
        self.end_headers()
        block = bytes(1 << 20)
        while size > 0:
            self.wfile.write(block[:size])
            size -= len(block)

    def file(self, path, options, misbehave):
        try:
            with open(path, "rb") as file:
                content = file.read()
        except OSError:
            return self.empty(404, {}, b"<html>no such file</html>")
        etag = '"v1"'
        if os.path.exists(path + ".etag"):
            with open(path + ".etag") as file:
                etag = file.read().strip()
        start, status = 0, 200
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if wanted and "noranges" not in options and self.headers.get("If-Range", etag) == etag:
            start, status = int(wanted[1]), 206
            if start >= len(content):
                return self.empty(416, {"Content-Range": f"bytes */{len(content)}"})
        body = content[start:]
        self.send_response(status)
        if status == 206:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        if "noetag" not in options:
            self.send_header("ETag", etag)
        self.send_header("Content-Length", str(len(body) + int(options.get("lie", 0))))
        self.end_headers()
        if self.command == "HEAD":
            return
        cut = int(options["cut"]) if "cut" in options and misbehave else len(body)
        step = int(options.get("slow", len(body) or 1))
        for at in range(0, min(cut, len(body)), step):
            self.wfile.write(body[at:min(at + step, cut)])
            self.wfile.flush()
            if "slow" in options:
                time.sleep(0.02)
        if cut < len(body) and "hold" in options:
            self.rfile.read(1)
        if cut < len(body) or "lie" in options:
            self.close_connection = True


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *_):  # clients that go away are part of the tests
        pass


server = Server(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
