#!/usr/bin/env python3
"""A small npm registry on loopback, for tests; Python standard library only.

  npm_registry.py FOLDER [--prefix /path/] [--log FILE] [--token TOKEN]

Serves the packages of FOLDER: each folder with a package.json below it is one version of a package, packed into a tarball
when it is asked for. A file `.swap` beside a package.json is served in the place of the right bytes. The registry's address
stands on the first line of the output; each request adds a line to the log; it ends with its standard input, or after ten
minutes."""
import argparse
import base64
import functools
import gzip
import hashlib
import http.server
import io
import json
import os
import pathlib
import sys
import tarfile
import threading
import urllib.parse


@functools.lru_cache(maxsize=None)
def tarball(folder):
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as tar:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.name != ".swap":
                info = tarfile.TarInfo("package/" + str(path.relative_to(folder)))
                info.size = path.stat().st_size
                info.mode = path.stat().st_mode & 0o777
                tar.addfile(info, io.BytesIO(path.read_bytes()))
    return gzip.compress(plain.getvalue(), mtime=0)


def integrity(data):
    return "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    options = None

    def versions(self, name):
        found = {}
        for file in sorted(self.options.folder.glob("*/package.json")):
            manifest = json.loads(file.read_bytes())
            if manifest["name"] == name:
                found[manifest["version"]] = (file.parent, manifest)
        return found

    def do_GET(self):
        self.note()
        options = self.options
        if options.token and self.headers.get("Authorization") != "Bearer " + options.token:
            return self.answer(401, {"error": "a token is needed"})
        path = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path)
        if not path.startswith(options.prefix):
            return self.answer(404, {"error": "not below " + options.prefix})
        path = path[len(options.prefix):]
        name, _, file = path.partition("/-/")
        versions = self.versions(name)
        if not versions:
            return self.answer(404, {"error": "no package " + name})
        base = name.rpartition("/")[2]
        if file:
            for version, (folder, _) in versions.items():
                if file == f"{base}-{version}.tgz":
                    swap = folder / ".swap"
                    return self.answer(200, swap.read_bytes() if swap.exists() else tarball(folder))
            return self.answer(404, {"error": "no tarball " + file})
        url = f"http://127.0.0.1:{self.server.server_address[1]}{options.prefix}{name}/-/{base}-"
        listed = {}
        for version, (folder, manifest) in versions.items():
            data = tarball(folder)
            dist = {"tarball": f"{url}{version}.tgz", "integrity": integrity(data), "shasum": hashlib.sha1(data).hexdigest()}
            listed[version] = {**manifest, "dist": dist}
        self.answer(200, {"name": name, "dist-tags": {"latest": max(listed)}, "versions": listed})

    def do_POST(self):
        self.note()
        self.answer(404, {"error": "nothing is taken here"})

    def answer(self, status, body):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/octet-stream" if isinstance(body, bytes) else "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def note(self):
        if self.options.log:
            with open(self.options.log, "a") as log:
                log.write(f"{self.command} {self.path}\n")

    def log_message(self, *_):
        pass


parser = argparse.ArgumentParser()
parser.add_argument("folder", type=lambda text: pathlib.Path(text).resolve())
parser.add_argument("--prefix", default="/")
parser.add_argument("--log")
parser.add_argument("--token")
Handler.options = parser.parse_args()
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
server.handle_error = lambda *_: None  # a client that went away
print(f"http://127.0.0.1:{server.server_address[1]}{Handler.options.prefix}", flush=True)
threading.Timer(600, lambda: os._exit(1)).start()
threading.Thread(target=server.serve_forever, daemon=True).start()
sys.stdin.read()
os._exit(0)
