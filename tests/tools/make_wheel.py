#!/usr/bin/env python3
"""make_wheel.py FOLDER NAME VERSION [REQUIREMENT…]: a small valid wheel; Python standard library only."""
import base64
import hashlib
import pathlib
import sys
import zipfile

folder, name, version, requirements = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4:]
info = f"{name}-{version}.dist-info"
metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nLicense: MIT\n" + "".join(f"Requires-Dist: {r}\n" for r in requirements)
files = {
    f"{name}/__init__.py": f"VERSION = {version!r}\n",
    f"{info}/METADATA": metadata,
    f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: liftlock-tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
}
record = ""
for path, text in files.items():
    digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
    record += f"{path},sha256={digest},{len(text.encode())}\n"
files[f"{info}/RECORD"] = record + f"{info}/RECORD,,\n"
folder.mkdir(parents=True, exist_ok=True)
with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w", zipfile.ZIP_DEFLATED) as wheel:
    for path, text in files.items():
        wheel.writestr(zipfile.ZipInfo(path, (2020, 1, 1, 0, 0, 0)), text)
