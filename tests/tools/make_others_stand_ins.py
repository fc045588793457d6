#!/usr/bin/env python3
"""A Zarf package and a Hauler haul by hand, each with an image, a chart and files, whole and cut into parts, and one of each with more
in it (below more/), in the layouts that the sources of Zarf 0.84 and Hauler 2.0.3 write. make_others_samples.sh makes the same with the
real programs.

usage: make_others_stand_ins.py FOLDER IMAGE_LAYOUT

IMAGE_LAYOUT is an OCI layout of one image.
"""
import base64
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


def chart(mtime=0):
    return gzip.compress(tar({"demo/Chart.yaml": b"apiVersion: v2\nname: demo\nversion: 1.2.3\n", "demo/values.yaml": b"word: hello\n"}), mtime=mtime)


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


def seal(package, name, version):
    paths = sorted(str(path.relative_to(package)) for path in package.rglob("*") if path.is_file())
    checksums = "".join(f"{hashlib.sha256((package / path).read_bytes()).hexdigest()} {path}\n" for path in paths)
    (package / "checksums.txt").write_text(checksums)
    (package / "zarf.yaml").write_text(f"kind: ZarfPackageConfig\nmetadata:\n  name: {name}\n  version: {version}\n  aggregateChecksum: "
                                       f"{hashlib.sha256(checksums.encode()).hexdigest()}\ncomponents:\n- name: app\n")


def make_package(image, folder, out):
    package = out / "package"
    shutil.copytree(folder, package / "images")
    (package / "images/index.json").write_text(json.dumps(
        {"schemaVersion": 2, "manifests": [{**image, "annotations": {"org.opencontainers.image.base.name": REFERENCE}}]}))
    (package / "components").mkdir()
    (package / "components/app.tar").write_bytes(tar(
        {"app/charts/demo-1.2.3.tgz": chart(), "app/files/0/tool.txt": TOOL, "app/files/1/filler.bin": os.urandom(1500000)}))
    seal(package, "sample", "0.1.0")
    return package


class Blobs:
    """The blobs of a layout, and another image and an index of two platforms, made of the one that it has."""

    def __init__(self, layout, image):
        self.folder = layout / "blobs/sha256"
        manifest = json.loads(self.read(image))
        config = json.loads(self.read(manifest["config"]))
        other = {**manifest, "config": {**manifest["config"], **self.add({**config, "architecture": "arm64"})}}
        self.image = {key: image[key] for key in ("mediaType", "digest", "size")}
        self.other = {**self.image, **self.add(other)}
        self.index = {"mediaType": OCI + "index.v1+json", **self.add({
            "schemaVersion": 2, "mediaType": OCI + "index.v1+json",
            "manifests": [{**one, "platform": {"os": "linux", "architecture": arch}} for one, arch in ((self.image, "amd64"), (self.other, "arm64"))]})}

    def read(self, descriptor):
        return (self.folder / descriptor["digest"].partition(":")[2]).read_bytes()

    def add(self, document):
        data = document if isinstance(document, bytes) else json.dumps(document).encode()
        digest = hashlib.sha256(data).hexdigest()
        (self.folder / digest).write_bytes(data)
        return {"digest": f"sha256:{digest}", "size": len(data)}


ELSEWHERE = "127.0.0.1:5001/site/app:1.0"


def make_larger_haul(image, folder, out):
    """Saved for containerd: one name in two registries, an index, a signature, and a chart that is listed with other bytes."""
    haul = out / "larger-haul"
    shutil.copytree(folder, haul)
    (haul / "oci-layout").unlink()
    blobs = Blobs(haul, image)

    def entry(descriptor, reference, kind):
        return {**descriptor, "annotations": {"kind": kind, "org.opencontainers.image.ref.name": reference.partition("/")[2],
                                              "io.containerd.image.name": reference}}

    def manifest(config_type, config, layer_type, layer, title=None):
        layer = {"mediaType": layer_type, **blobs.add(layer), **({"annotations": {"org.opencontainers.image.title": title}} if title else {})}
        return {"mediaType": OCI + "manifest.v1+json", **blobs.add({
            "schemaVersion": 2, "mediaType": OCI + "manifest.v1+json", "config": {"mediaType": config_type, **blobs.add(config)}, "layers": [layer]})}

    signature = manifest(OCI + "config.v1+json", {"rootfs": {"type": "layers", "diff_ids": []}},
                         "application/vnd.dev.cosign.simplesigning.v1+json", b"made up")
    entries = [entry(blobs.image, REFERENCE, "dev.hauler/image"), entry(blobs.other, ELSEWHERE, "dev.hauler/image"),
               entry(blobs.index, "127.0.0.1:5000/site/multi:1.0", "dev.hauler/imageIndex"), entry(signature, REFERENCE, "dev.hauler/sigs")]
    for mtime in (0, 7):
        made = manifest("application/vnd.cncf.helm.config.v1+json", {"name": "demo"},
                        "application/vnd.cncf.helm.chart.content.v1.tar+gzip", chart(mtime), "demo-1.2.3.tgz")
        made["annotations"] = {"kind": "dev.hauler/image", "org.opencontainers.image.ref.name": f"hauler/demo{mtime}:1.2.3"}
        entries.append(made)
    (haul / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": entries}))
    return haul


def make_larger_package(image, folder, out, key):
    """Two components with one chart, packed at two times; one name in two registries, an index by its digest; signed."""
    package = out / "larger-package"
    shutil.copytree(folder, package / "images")
    blobs = Blobs(package / "images", image)
    names = ((blobs.image, REFERENCE), (blobs.other, ELSEWHERE), (blobs.index, f"127.0.0.1:5000/site/multi@{blobs.index['digest']}"))
    (package / "images/index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [
        {**one, "annotations": {"org.opencontainers.image.base.name": name, "org.opencontainers.image.ref.name": name}} for one, name in names]}))
    (package / "components").mkdir()
    (package / "components/app.tar").write_bytes(tar({"app/charts/demo-1.2.3.tgz": chart(), "app/files/0/tool.txt": TOOL}))
    (package / "components/web.tar").write_bytes(tar({"web/charts/demo-1.2.3.tgz": chart(7), "web/files/0/tool.txt": TOOL}))
    (package / "sboms.tar").write_bytes(tar({"zarf-component-app.json": b"{}"}))
    seal(package, "several", "0.2.0")
    signed = (package / "zarf.yaml").read_bytes()
    (out / "key.pem").write_bytes(key)
    signature = subprocess.run(["openssl", "dgst", "-sha256", "-sign", out / "key.pem"], input=signed, capture_output=True, check=True).stdout
    public = subprocess.run(["openssl", "ec", "-pubout", "-outform", "DER", "-in", out / "key.pem"], capture_output=True, check=True).stdout
    hint, digest, signature = (base64.b64encode(data).decode() for data in (hashlib.sha256(public).digest(), hashlib.sha256(signed).digest(), signature))
    (package / "zarf.bundle.sig").write_text(json.dumps({
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json", "verificationMaterial": {"publicKey": {"hint": hint}},
        "messageSignature": {"messageDigest": {"algorithm": "SHA2_256", "digest": digest}, "signature": signature}}))
    return package


def make_more(image, folder, out, work):
    key = subprocess.run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout"], capture_output=True, check=True).stdout
    (out / "builder.pub").write_bytes(subprocess.run(["openssl", "ec", "-pubout"], input=key, capture_output=True, check=True).stdout)
    pack(make_larger_haul(image, folder, work), out / "haul.tar.zst")
    pack(make_larger_package(image, folder, work, key), out / "zarf-package-several-amd64-0.2.0.tar.zst")


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
        (out / "more").mkdir()
        make_more(image, folder, out / "more", pathlib.Path(work))


if __name__ == "__main__":
    main()
