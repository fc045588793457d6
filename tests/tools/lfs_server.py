#!/usr/bin/env python3
"""A small git server with Git LFS on loopback, for tests: a stand-in, for no real LFS server is in Debian. Python standard library only.

  lfs_server.py ROOT [--login USER:PASSWORD] [--log FILE] [--good-for SECONDS]

ROOT/NAME.git are bare repositories, served over smart HTTP by git's own upload-pack, and ROOT/NAME.git/lfs/objects/ab/cd/OID their
files, as git-lfs keeps them. POST /NAME.git/info/lfs/objects/batch answers downloads of at most 100 files; each lies on another
origin (a second port), which wants the header that the answer gives and no login. --login: what the first port wants.
--good-for: how long the answer of where a file is is good, 3600 by default; git-lfs itself wants more than 5. The first port stands on the first line of the output, the second on the next; it
ends when its standard input is closed, or after ten minutes.

The file ROOT/evil says how to lie, in one word: bytes, size (of the file), other-size (of the answer), redirect, file (href), fewer,
more, twice, error, batch-redirect, html, and no-lfs (404 of the batch itself). Empty: not at all.
"""
import argparse
import base64
import gzip
import hashlib
import http.server
import json
import os
import pathlib
import re
import subprocess
import sys
import threading
import urllib.parse

from fake_server import Handler

TYPE = "application/vnd.git-lfs+json"


class GitAndLfs(Handler):
    options = None

    @property
    def evil(self):
        return (self.options.root / "evil").read_text().strip()

    def log(self):
        if self.options.log:
            with open(self.options.log, "a") as out:
                out.write(f"{self.command} {self.path} {self.headers.get('Authorization', '-')} {self.server.server_port}\n")

    def come(self):
        self.log()
        body = self.body()
        url = urllib.parse.urlsplit(self.path)
        if self.options.login and self.headers.get("Authorization") != "Basic " + self.options.login:
            return self.answer(401, b"", [("WWW-Authenticate", 'Basic realm="test"')])
        match = re.fullmatch(r"/([\w.-]+\.git)/(info/refs|git-upload-pack|info/lfs/objects/batch)", url.path)
        if not match or not (self.options.root / match[1]).is_dir():
            return self.answer(404)
        if match[2] == "info/lfs/objects/batch":
            return self.batch(match[1], json.loads(body))
        self.git(self.options.root / match[1], match[2], body)

    def git(self, repository, what, body):
        command = ["git", "-c", "safe.directory=*", "upload-pack", "--stateless-rpc"]
        if what == "info/refs":
            command.append("--advertise-refs")
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        environment = {**os.environ, "GIT_PROTOCOL": self.headers.get("Git-Protocol", "")}
        out = subprocess.run([*command, str(repository)], input=body, env=environment, stdout=subprocess.PIPE, check=False).stdout
        kind = "result"
        if what == "info/refs":
            out, kind = b"001e# service=git-upload-pack\n0000" + out, "advertisement"
        self.answer(200, out, [("Content-Type", f"application/x-git-upload-pack-{kind}")])

    def batch(self, name, question):
        evil = self.evil
        if evil == "batch-redirect":
            return self.answer(307, b"", [("Location", f"http://127.0.0.1:{self.server.files_port}/batch")])
        if evil == "no-lfs":
            return self.answer(404)
        if evil == "html":
            return self.answer(200, b"<html>log in here</html>", [("Content-Type", "text/html")])
        if question["operation"] != "download" or len(question["objects"]) > 100:
            return self.answer(422)
        objects = [self.where(name, one["oid"], one["size"], evil) for one in question["objects"]]
        if evil == "fewer":
            objects.pop()
        if evil == "twice":
            objects.append(objects[0])
        if evil == "more":
            objects.append(self.where(name, "0" * 64, 1, "found"))
        answer = {"transfer": "basic", "objects": objects, "hash_algo": "sha256"}
        self.answer(200, json.dumps(answer).encode(), [("Content-Type", TYPE)])

    def where(self, name, oid, size, evil):
        if evil == "error":
            return {"oid": oid, "size": size, "error": {"code": 500, "message": "it is a bad day"}}
        if evil != "found" and not place_of(self.options.root / name, oid).is_file():
            return {"oid": oid, "size": size, "error": {"code": 404, "message": "Object does not exist"}}
        href = f"http://127.0.0.1:{self.server.files_port}/{name}/{oid}?signature=x"
        if evil == "file":
            href = "file:///etc/hostname"
        download = {"href": href, "header": {"X-Ticket": ticket_of(oid)}, "expires_in": self.options.good_for}
        return {"oid": oid, "size": size + (evil == "other-size"), "actions": {"download": download}}


class Files(GitAndLfs):
    def come(self):
        self.log()
        self.body()
        match = re.fullmatch(r"/([\w.-]+\.git)/([0-9a-f]{64})", urllib.parse.urlsplit(self.path).path)
        if not match or self.command not in ("GET", "HEAD"):
            return self.answer(404)
        name, oid = match.groups()
        if self.headers.get("X-Ticket") != ticket_of(oid):
            return self.answer(403)
        data = place_of(self.options.root / name, oid).read_bytes()
        evil = self.evil
        if evil == "redirect":  # to another origin, where the ticket must not go: it is refused there
            return self.answer(302, b"", [("Location", f"http://localhost:{self.server.server_port}/{name}/{oid}")])
        if evil == "bytes":
            data = data[:-1] + bytes([data[-1] ^ 1])
        if evil == "size":
            data += b"more"
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if asked and int(asked[1]) < len(data):
            first = int(asked[1])
            return self.answer(206, data[first:], [("Content-Range", f"bytes {first}-{len(data) - 1}/{len(data)}")])
        self.answer(200, data)


def ticket_of(oid):
    return hashlib.sha256(b"ticket " + oid.encode()).hexdigest()


def place_of(repository, oid):
    return repository / "lfs" / "objects" / oid[:2] / oid[2:4] / oid


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=pathlib.Path)
    parser.add_argument("--login")
    parser.add_argument("--log")
    parser.add_argument("--good-for", type=int, default=3600)
    options = parser.parse_args()
    if options.login:
        options.login = base64.b64encode(options.login.encode()).decode()
    GitAndLfs.options = options
    servers = [http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) for handler in (GitAndLfs, Files)]
    for server in servers:
        server.files_port = servers[1].server_port
        threading.Thread(target=server.serve_forever, daemon=True).start()
    threading.Timer(600, lambda: os._exit(1)).start()
    print(servers[0].server_port, servers[1].server_port, sep="\n", flush=True)
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
