#!/usr/bin/env python3
"""Makes a project's package.json and package-lock.json, and a folder that holds its packages as a registry names them.

  make_npm_project.py PROJECT REGISTRY NAME@VERSION…

`resolved` stays away, as with npm's omit-lockfile-registry-resolved: the stack's `registry` says where the tarballs are."""
import base64
import gzip
import hashlib
import io
import json
import pathlib
import sys
import tarfile

project, registry = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
project.mkdir(parents=True, exist_ok=True)
wanted = dict(text.rsplit("@", 1) for text in sys.argv[3:])
root = {"name": "site", "version": "1.0.0", "dependencies": wanted}
packages = {"": root}
for name, version in sorted(wanted.items()):
    base = name.rpartition("/")[2]
    files = {
        "package.json": json.dumps({"name": name, "version": version, "license": "MIT", "bin": {base: "cli.js"}}),
        "cli.js": f"#!/usr/bin/env node\nconsole.log('{name} {version}')\n",
    }
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as tar:
        for path, text in files.items():
            info = tarfile.TarInfo("package/" + path)
            info.size, info.mode = len(text), 0o755
            tar.addfile(info, io.BytesIO(text.encode()))
    data = gzip.compress(plain.getvalue(), mtime=0)
    folder = registry / name / "-"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{base}-{version}.tgz").write_bytes(data)
    integrity = "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode()
    packages["node_modules/" + name] = {"version": version, "integrity": integrity, "license": "MIT", "bin": {base: "cli.js"}}
lock = {"name": "site", "version": "1.0.0", "lockfileVersion": 3, "requires": True, "packages": packages}
(project / "package.json").write_text(json.dumps(root, indent=2) + "\n")
(project / "package-lock.json").write_text(json.dumps(lock, indent=2) + "\n")
