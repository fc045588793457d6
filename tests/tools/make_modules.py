#!/usr/bin/env python3
"""make_modules.py FOLDER: a made-up Go module proxy in FOLDER, for GOPROXY=file://FOLDER. Python standard library only.

Capitals, a major version in a path, a pseudo-version, and a module of which a build needs two go.mod files but one zip. FOLDER/go.mod and
FOLDER/go.sum take all of them. It stands in for a proxy on the internet, which a test without a network cannot have.
"""
import base64
import hashlib
import json
import pathlib
import re
import sys
import zipfile

ROOT = pathlib.Path(sys.argv[1])
MODULES = [
    ("example.test/Acme/Base", "v1.0.0", [], "package base\n\nfunc Word() string { return \"old\" }\n"),
    ("example.test/Acme/Base", "v1.1.0", [], "package base\n\nfunc Word() string { return \"base\" }\n"),
    ("example.test/older", "v0.0.0-20200102030405-0123456789ab", [("example.test/Acme/Base", "v1.0.0")],
     "package older\n\nimport base \"example.test/Acme/Base\"\n\nfunc Word() string { return \"older \" + base.Word() }\n"),
    ("example.test/deep/v2", "v2.3.4", [("example.test/Acme/Base", "v1.1.0")],
     "package deep\n\nimport base \"example.test/Acme/Base\"\n\nfunc Word() string { return \"deep \" + base.Word() }\n"),
]


def escaped(text):
    return re.sub("[A-Z]", lambda match: "!" + match[0].lower(), text)


def h1(files):
    lines = "".join(f"{hashlib.sha256(text.encode()).hexdigest()}  {name}\n" for name, text in sorted(files.items()))
    return "h1:" + base64.b64encode(hashlib.sha256(lines.encode()).digest()).decode()


sums = ""
for path, version, needs, code in MODULES:
    mod = f"module {path}\n\ngo 1.19\n" + "".join(f"\nrequire {name} {at}\n" for name, at in needs)
    folder = ROOT / escaped(path) / "@v"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{version}.mod").write_text(mod)
    (folder / f"{version}.info").write_text(json.dumps({"Version": version, "Time": "2020-01-02T03:04:05Z"}))
    with zipfile.ZipFile(folder / f"{version}.zip", "w", zipfile.ZIP_DEFLATED) as out:
        files = {f"{path}@{version}/{name}": text for name, text in (("go.mod", mod), ("code.go", code), ("LICENSE", "made up\n"))}
        for name, text in files.items():
            out.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), text)
    sums += f"{path} {version} {h1(files)}\n{path} {version}/go.mod {h1({'go.mod': mod})}\n"
    if "-2020" not in version:
        with (folder / "list").open("a") as out:
            out.write(version + "\n")
(ROOT / "go.sum").write_text(sums)
(ROOT / "go.mod").write_text("module example.test/all\n\ngo 1.19\n" + "".join(f"\nrequire {path} {version}\n" for path, version, *_ in MODULES[1:]))
