#!/usr/bin/env python3
"""Writes three small wheels that need each other, and a static index over them: make_wheelhouse.py OUT

OUT/wheels/*.whl, OUT/simple/NAME/index.html. Both "Top.Level[fast]" and its marker-bound requirements are covered.
"""
import base64
import hashlib
import html
import pathlib
import sys
import zipfile

OUT = pathlib.Path(sys.argv[1])
PROJECTS = {
    ("Top.Level", "1.0"): ("Requires-Python: >=3.7,<4\nLicense-Expression: Apache-2.0\nRequires-Dist: dep_one>=1.0\n"
                           "Requires-Dist: gone; sys_platform == \"nowhere\"\n"
                           "Requires-Dist: dep-two; extra == \"fast\"\nProvides-Extra: fast\n"),
    ("dep_one", "1.2"): "Classifier: License :: OSI Approved :: MIT License\n",
    ("dep_two", "0.5"): "License: BSD-3-Clause\n",
}


def digest(content):
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


(OUT / "wheels").mkdir(parents=True, exist_ok=True)
for (name, version), fields in PROJECTS.items():
    module = name.replace(".", "_").replace("-", "_").lower()
    info = f"{module}-{version}.dist-info/"
    files = {f"{module}/__init__.py": f"VERSION = {version!r}\n".encode(),
             info + "METADATA": f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\n{fields}\n".encode(),
             info + "WHEEL": b"Wheel-Version: 1.0\nGenerator: liftlock-test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"}
    files[info + "RECORD"] = "".join(f"{path},{digest(content)},{len(content)}\n" for path, content in files.items()).encode() + \
        f"{info}RECORD,,\n".encode()
    filename = f"{module}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(OUT / "wheels" / filename, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in files.items():
            archive.writestr(zipfile.ZipInfo(path, (2020, 1, 1, 0, 0, 0)), content)
    page = OUT / "simple" / module.replace("_", "-")
    page.mkdir(parents=True, exist_ok=True)
    sha256 = hashlib.sha256((OUT / "wheels" / filename).read_bytes()).hexdigest()
    (page / "index.html").write_text(f'<!DOCTYPE html><html><body><a href="../../wheels/{filename}#sha256={sha256}" '
                                     f'data-requires-python="{html.escape(">=3.7")}">{filename}</a></body></html>\n')
