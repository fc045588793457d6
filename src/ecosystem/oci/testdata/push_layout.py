#!/usr/bin/env python3
"""Tests only: pushes a whole OCI layout folder: push_layout.py FOLDER PORT REPOSITORY

Entries with a reference name become tags; all other manifests are pushed by digest."""
import http.client
import json
import pathlib
import sys

folder, port, repository = pathlib.Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
done = set()


def call(method, path, body=b"", **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    text = answer.read()
    if answer.status >= 300:
        sys.exit(f"{method} {path}: {answer.status} {text[:500]!r}")
    return answer


def blob_file(digest):
    return folder / "blobs/sha256" / digest.removeprefix("sha256:")


def push_blob(descriptor):
    digest = descriptor["digest"]
    if digest in done:
        return
    location = call("POST", f"/v2/{repository}/blobs/uploads/").headers["Location"]
    path = location.split("://", 1)[-1]
    path = path[path.index("/"):]
    call("PUT", f"{path}{'&' if '?' in path else '?'}digest={digest}", blob_file(digest).read_bytes(),
         Content_Type="application/octet-stream")
    done.add(digest)


def push_manifest(descriptor, tag=None):
    data = blob_file(descriptor["digest"]).read_bytes()
    manifest = json.loads(data)
    for child in manifest.get("manifests", []):
        push_manifest(child)
    for blob in manifest.get("layers", []) + ([manifest["config"]] if "config" in manifest else []):
        push_blob(blob)
    call("PUT", f"/v2/{repository}/manifests/{tag or descriptor['digest']}", data, Content_Type=descriptor["mediaType"])


for entry in json.loads((folder / "index.json").read_text())["manifests"]:
    name = entry.get("annotations", {}).get("org.opencontainers.image.ref.name", "")
    push_manifest(entry, name.rsplit(":", 1)[-1] or None)
