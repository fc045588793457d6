#!/usr/bin/env python3
"""make_modelkit.py FOLDER OUT [--compression none|gzip|raw]: packs FOLDER as KitOps' `kit pack` does; Python standard library only.

FOLDER has model/ (the first weights file is the model, all else parts of it), and perhaps data/, src/ and README.md. OUT becomes
an OCI layout with one ModelKit, as kit keeps it in its storage folder: a tar for each part, named in the Kitfile in the order of
the layers (kitops: pkg/artifact/spec.md, pkg/artifact/kitfile.go). It stands in for kit where that is not installed; where it
is, tests/interop/modelkit_test.sh uses kit itself.
"""
import argparse
import gzip
import hashlib
import io
import json
import pathlib
import tarfile

parser = argparse.ArgumentParser()
parser.add_argument("folder", type=pathlib.Path)
parser.add_argument("out", type=pathlib.Path)
parser.add_argument("--compression", default="none")
options = parser.parse_args()
blobs = options.out / "blobs" / "sha256"
blobs.mkdir(parents=True, exist_ok=True)
TYPE = "application/vnd.kitops.modelkit"


def blob(data, media_type):
    digest = hashlib.sha256(data).hexdigest()
    (blobs / digest).write_bytes(data)
    return {"mediaType": media_type, "digest": "sha256:" + digest, "size": len(data)}


def layer(kind, path):
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as tar:
        parents = list(path.relative_to(options.folder).parents)[:-1]
        for parent in reversed(parents):
            tar.add(options.folder / parent, str(parent), recursive=False)
        tar.add(path, str(path.relative_to(options.folder)))
    data, ending = plain.getvalue(), "tar"
    if options.compression == "gzip":
        data, ending = gzip.compress(data, mtime=0), "tar+gzip"
    if options.compression == "raw":
        ending = "raw"
    made = blob(data, f"{TYPE}.{kind}.v1.{ending}")
    layers.append(made)
    return {"path": "./" + str(path.relative_to(options.folder)), "digest": made["digest"]}


layers = []
files = sorted(path for path in (options.folder / "model").rglob("*") if path.is_file())
weights = next(path for path in files if path.suffix in (".gguf", ".safetensors"))
kitfile = {"manifestVersion": "1.0.0", "package": {"name": "tiny-kit", "version": "1.2.0", "license": "Apache-2.0"}}
kitfile["model"] = {"name": "tiny", "license": "MIT"} | layer("model", weights)
kitfile["model"]["parts"] = [layer("modelpart", path) for path in files if path != weights]
if (options.folder / "src").is_dir():
    kitfile["code"] = [layer("code", options.folder / "src")]
if (options.folder / "data").is_dir():
    kitfile["datasets"] = [{"name": "words"} | layer("dataset", options.folder / "data")]
if (options.folder / "README.md").is_file():
    kitfile["docs"] = [layer("docs", options.folder / "README.md")]
config = blob(json.dumps(kitfile).encode(), TYPE + ".config.v1+json")
manifest = blob(json.dumps({"schemaVersion": 2, "config": config, "layers": layers}).encode(), "application/vnd.oci.image.manifest.v1+json")
(options.out / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
(options.out / "index.json").write_text(json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [manifest]}))
