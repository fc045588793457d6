#!/usr/bin/env python3
"""A stand-in for docker, whose daemon cannot be had where the tests run: `docker load` and `docker image inspect`, with the image
store of Docker before 25, which reads manifest.json alone. $FAKE_DOCKER is the file of its images; $FAKE_DOCKER.mode, where it is
there, says how it fails: "refuse" reads nothing, "lie" calls the image by another id.
"""
import gzip
import hashlib
import json
import os
import pathlib
import sys
import tarfile


def sha256(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def load(images, mode):
    if mode == "refuse":
        sys.exit("Error response from daemon: a stand-in for docker refuses this")
    with tarfile.open(fileobj=sys.stdin.buffer, mode="r|") as archive:
        files = {member.name: archive.extractfile(member).read() for member in archive if member.isfile()}
    for image in json.loads(files["manifest.json"]):
        config = files[image["Config"]]
        diff_ids = json.loads(config)["rootfs"]["diff_ids"]
        assert len(diff_ids) == len(image["Layers"]), "the layers are not those of the config"
        for diff_id, name in zip(diff_ids, image["Layers"]):
            layer = files[name]
            assert sha256(gzip.decompress(layer) if layer[:2] == b"\x1f\x8b" else layer) == diff_id, name
        for tag in image["RepoTags"]:
            images[tag] = "sha256:" + "0" * 64 if mode == "lie" else sha256(config)
            print(f"Loaded image: {tag} (a stand-in for docker)")


def main():
    state = pathlib.Path(os.environ["FAKE_DOCKER"])
    how = pathlib.Path(f"{state}.mode")
    images = json.loads(state.read_text()) if state.exists() else {}
    if sys.argv[1:] == ["load", "-q"]:
        load(images, how.read_text().strip() if how.exists() else "")
        state.write_text(json.dumps(images))
    elif sys.argv[1:-1] == ["image", "inspect", "--format", "{{.Id}}"]:
        if sys.argv[-1] not in images:
            sys.exit(f"Error: No such image: {sys.argv[-1]}")
        print(images[sys.argv[-1]])
    else:
        sys.exit(f"a stand-in for docker knows no {sys.argv[1:]}")


main()
