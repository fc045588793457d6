#!/usr/bin/env python3
"""A small Hugging Face Hub on loopback, for tests; Python standard library only.

  hub_server.py ROOT [--page 2] [--gated ORG/NAME=TOKEN] [--log FILE] [--evil KIND]

ROOT/ORG/NAME/… are repositories of models, ROOT/datasets/ORG/NAME/… of data sets (/api/datasets/, /datasets/REPO/resolve/). It
follows the protocol of huggingface_hub: /api/models/REPO[/revision/REV], /refs, /tree/REV?recursive=true with Link pagination, HEAD and GET of /REPO/resolve/REV/FILE with X-Repo-Commit, ETag,
X-Linked-ETag and X-Linked-Size, redirects of LFS files to another origin that wants no token, Range, X-Error-Code.
Weights (.gguf, .safetensors, .onnx) and .parquet are LFS files. The port stands on the first line of its output; it ends when its
standard input is closed, or after five minutes.

--evil oid: lists wrong git names; --evil next: pagination leads to another host; --evil path: lists ../x
"""
import argparse
import hashlib
import http.server
import json
import os
import pathlib
import re
import sys
import threading
import urllib.parse

LFS = (".gguf", ".safetensors", ".onnx", ".parquet")


def git_oid(data):
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


class Repository:
    def __init__(self, folder, evil):
        self.files = {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
        joined = "".join(name + git_oid(data) for name, data in self.files.items())
        self.commit = hashlib.sha1(joined.encode()).hexdigest()
        self.evil = evil

    def tree(self):
        entries = [{"type": "directory", "path": folder, "size": 0, "oid": git_oid(folder.encode())}
                   for folder in sorted({str(pathlib.PurePath(name).parent) for name in self.files} - {"."})]
        for name, data in self.files.items():
            entry = {"type": "file", "path": name, "size": len(data), "oid": git_oid(data)}
            if name.endswith(LFS):
                sha256 = hashlib.sha256(data).hexdigest()
                pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {len(data)}\n".encode()
                entry |= {"oid": git_oid(pointer), "lfs": {"oid": sha256, "size": len(data), "pointerSize": len(pointer)},
                          "xetHash": "0" * 64}
            elif self.evil == "oid":
                entry["oid"] = "0" * 40
            entries.append(entry)
        if self.evil == "path":
            entries.append({"type": "file", "path": "../x", "size": 1, "oid": "0" * 40})
        return entries


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    options = None

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def refuse(self, status, code):
        self.answer(status, b"{}", X_Error_Code=code)

    def document(self, value, **headers):
        self.answer(200, json.dumps(value).encode(), Content_Type="application/json", **headers)

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        path = urllib.parse.unquote(url.path)
        query = urllib.parse.parse_qs(url.query)
        if self.options.log:
            with open(self.options.log, "a") as log:
                log.write(f"{self.command} {self.path} {self.headers.get('Authorization', '-')} {self.server.server_port}\n")
        if path.startswith("/cdn/"):
            return self.content(path[5:], None)
        match = re.fullmatch(r"/api/(?:models|(datasets))/([^/]+/[^/]+?)(?:/(revision|tree|refs)(?:/([^/]+))?)?", url.path)
        resolve = re.fullmatch(r"/((?:datasets/)?[^/]+/[^/]+)/resolve/([^/]+)/(.+)", path)
        if not match and not resolve:
            return self.refuse(404, "RepoNotFound")
        name = resolve.group(1) if resolve else f"datasets/{match.group(2)}" if match.group(1) else match.group(2)
        folder = pathlib.Path(self.options.root) / name
        if not folder.is_dir():
            return self.refuse(401, "RepoNotFound")
        repository = Repository(folder, self.options.evil)
        if resolve:
            return self.resolve(name, repository, resolve.group(2), resolve.group(3))
        what, revision = match.group(3), urllib.parse.unquote(match.group(4) or "main")
        if what == "refs":
            return self.document({"branches": [{"name": "main", "ref": "refs/heads/main", "targetCommit": repository.commit}], "tags": []})
        if revision not in ("main", "v1", repository.commit):
            return self.refuse(404, "RevisionNotFound")
        if what == "tree":
            return self.tree(name, repository, query)
        self.document({"id": name.removeprefix("datasets/"), "sha": repository.commit, "private": False, "gated": "manual" if name in self.options.gated else False,
                       "cardData": {"license": "apache-2.0"}, "tags": ["license:apache-2.0"],
                       "siblings": [{"rfilename": file} for file in repository.files]})

    def tree(self, name, repository, query):
        entries = repository.tree()
        start = int(query.get("cursor", ["0"])[0])
        end = start + self.options.page
        headers = {}
        if end < len(entries):
            host = f"http://127.0.0.1:{self.server.server_port}" if self.options.evil != "next" else "http://elsewhere.invalid"
            api = name if name.startswith("datasets/") else f"models/{name}"
            headers["Link"] = f'<{host}/api/{api}/tree/{repository.commit}?recursive=true&cursor={end}>; rel="next"'
        self.document(entries[start:end], **headers)

    def resolve(self, name, repository, revision, file):
        token = self.options.gated.get(name)
        if token and self.headers.get("Authorization") != f"Bearer {token}":
            return self.refuse(403 if self.headers.get("Authorization") else 401, "GatedRepo")
        if revision not in ("main", "v1", repository.commit):
            return self.refuse(404, "RevisionNotFound")
        if file not in repository.files:
            return self.refuse(404, "EntryNotFound")
        data = repository.files[file]
        headers = {"X_Repo_Commit": repository.commit, "ETag": f'"{git_oid(data)}"'}
        if file.endswith(LFS):
            headers |= {"X_Linked_ETag": f'"{hashlib.sha256(data).hexdigest()}"', "X_Linked_Size": str(len(data))}
            port = self.server.cdn_port
            return self.answer(302, Location=f"http://127.0.0.1:{port}/cdn/{urllib.parse.quote(name)}/{urllib.parse.quote(file)}?signature=x", **headers)
        self.content(f"{name}/{file}", headers)

    def content(self, at, headers):
        data = (pathlib.Path(self.options.root) / at).read_bytes()
        headers = headers or {"ETag": f'"{hashlib.sha256(data).hexdigest()}"'}
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if asked and int(asked.group(1)) < len(data):
            first, last = int(asked.group(1)), int(asked.group(2) or len(data) - 1)
            return self.answer(206, data[first:last + 1], Content_Range=f"bytes {first}-{last}/{len(data)}", **headers)
        self.answer(200, data, Accept_Ranges="bytes", **headers)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root")
    parser.add_argument("--page", type=int, default=2)
    parser.add_argument("--gated", action="append", default=[])
    parser.add_argument("--log")
    parser.add_argument("--evil")
    options = parser.parse_args()
    options.gated = dict(each.split("=", 1) for each in options.gated)
    Handler.options = options
    servers = [http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) for _ in range(2)]
    servers[0].cdn_port = servers[1].cdn_port = servers[1].server_port
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    threading.Timer(300, lambda: os._exit(1)).start()
    print(servers[0].server_port, flush=True)
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
