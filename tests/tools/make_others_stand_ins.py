#!/usr/bin/env python3
"""A Zarf package and a Hauler haul by hand, each with an image, a chart and files, whole and cut into parts, in the layouts that the
sources of Zarf 0.84 and Hauler 2.0.3 write. make_others_samples.sh makes the same with the real programs.

usage: make_others_stand_ins.py FOLDER IMAGE_LAYOUT

IMAGE_LAYOUT is an OCI layout of one image.
"""
import gzip
import hashlib
import io
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile

OCI = "application/vnd.oci.image."
REFERENCE = "127.0.0.1:5000/site/app:1.0"
TOOL = b"a tool of the sample\n"


def tar(members):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as file:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))
    return out.getvalue()


def chart():
    return gzip.compress(tar({"demo/Chart.yaml": b"apiVersion: v2\nname: demo\nversion: 1.2.3\n", "demo/values.yaml": b"word: hello\n"}), mtime=0)


def pack(folder, to):
    subprocess.run(["tar", "-C", str(folder), "--zstd", "-cf", str(to), "."], check=True)


def parts_of(file, size):
    data = file.read_bytes()
    return [data[i:i + size] for i in range(0, len(data), size)]


def make_haul(image, folder, out):
    """Charts and files have the kind of images, and a signature has the name of its image."""
    shutil.copytree(folder, out / "haul")

    def blob(data, kind):
        digest = hashlib.sha256(data).hexdigest()
        (out / "haul/blobs/sha256" / digest).write_bytes(data)
        return {"mediaType": kind, "digest": f"sha256:{digest}", "size": len(data)}

    def entry(reference, config, layer, title=None, kind="dev.hauler/image"):
        if title:
            layer["annotations"] = {"org.opencontainers.image.title": title}
        manifest = {"schemaVersion": 2, "mediaType": OCI + "manifest.v1+json", "config": config, "layers": [layer]}
        return {**blob(json.dumps(manifest).encode(), OCI + "manifest.v1+json"),
                "annotations": {"kind": kind, "org.opencontainers.image.ref.name": reference}}

    entries = [{**image, "annotations": {"kind": "dev.hauler/image", "org.opencontainers.image.ref.name": REFERENCE.partition("/")[2],
                                         "io.containerd.image.name": REFERENCE}},
               entry("hauler/demo:1.2.3", blob(b'{"name": "demo"}', "application/vnd.cncf.helm.config.v1+json"),
                     blob(chart(), "application/vnd.cncf.helm.chart.content.v1.tar+gzip"), "demo-1.2.3.tgz")]
    for name, data in (("tool.txt", TOOL), ("filler.bin", os.urandom(6000))):
        entries.append(entry(f"hauler/{name}:latest", blob(b"{}", "application/vnd.content.hauler.file.local.config.v1+json"),
                             blob(data, "application/vnd.content.hauler.file.layer.v1"), name))
    entries.append(entry("site/app:1.0", blob(b'{"rootfs": {"type": "layers", "diff_ids": []}}', OCI + "config.v1+json"),
                         blob(b"made up", "application/vnd.dev.cosign.simplesigning.v1+json"), kind="dev.hauler/sigs"))
    (out / "haul/index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": entries}))
    return out / "haul"


def make_package(image, folder, out):
    package = out / "package"
    shutil.copytree(folder, package / "images")
    (package / "images/index.json").write_text(json.dumps(
        {"schemaVersion": 2, "manifests": [{**image, "annotations": {"org.opencontainers.image.base.name": REFERENCE}}]}))
    (package / "components").mkdir()
    (package / "components/app.tar").write_bytes(tar(
        {"app/charts/demo-1.2.3.tgz": chart(), "app/files/0/tool.txt": TOOL, "app/files/1/filler.bin": os.urandom(1500000)}))
    paths = sorted(str(path.relative_to(package)) for path in package.rglob("*") if path.is_file())
    checksums = "".join(f"{hashlib.sha256((package / path).read_bytes()).hexdigest()} {path}\n" for path in paths)
    (package / "checksums.txt").write_text(checksums)
    (package / "zarf.yaml").write_text("kind: ZarfPackageConfig\nmetadata:\n  name: sample\n  version: 0.1.0\n  aggregateChecksum: "
                                       f"{hashlib.sha256(checksums.encode()).hexdigest()}\ncomponents:\n- name: app\n")
    return package


def main():
    out, folder = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    image = json.loads((folder / "index.json").read_text())["manifests"][0]
    with tempfile.TemporaryDirectory() as work:
        haul = out / "haul.tar.zst"
        pack(make_haul(image, folder, pathlib.Path(work)), haul)
        (out / "chunks").mkdir()
        for i, part in enumerate(parts_of(haul, 4096)):
            (out / f"chunks/haul_{i}.tar.zst").write_bytes(part)
        (out / "hauler.version").write_text("(by hand)")
        package = out / "zarf-package-sample-amd64-0.1.0.tar.zst"
        pack(make_package(image, folder, pathlib.Path(work)), package)
        parts = parts_of(package, 1000000)
        for i, part in enumerate(parts):
            pathlib.Path(f"{package}.part{i + 1:03}").write_bytes(part)
        pathlib.Path(f"{package}.part000").write_text(json.dumps(
            {"Sha256Sum": hashlib.sha256(package.read_bytes()).hexdigest(), "Bytes": package.stat().st_size, "Count": len(parts)}))
        (out / "zarf.version").write_text("(by hand)")


if __name__ == "__main__":
    main()
