#!/usr/bin/env python3
"""Writes small wheels and sdists, good and evil, into a folder: make_wheels.py OUT

The good ones are built with zipfile and tarfile, the evil ones by changing bytes afterwards. All of it is ours.
"""
import base64
import hashlib
import io
import pathlib
import stat
import struct
import sys
import tarfile
import zipfile
import zlib

OUT = pathlib.Path(sys.argv[1])
OUT.mkdir(parents=True, exist_ok=True)
INFO = "demo_pkg-1.0.dist-info/"
METADATA = """Metadata-Version: 2.1
Name: Demo.Pkg
Version: 1.0
Summary: a demonstration
License: MIT
Requires-Python: >=3.7,<4
Requires-Dist: idna (>=2.5)
Requires-Dist: colorama; sys_platform == "win32"
Requires-Dist: pytest>=7; extra == "test"
Provides-Extra: test

A description.
"""
WHEEL = "Wheel-Version: 1.0\nGenerator: liftlock-test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def digest(content):
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def contents(metadata=METADATA, wheel=WHEEL, extra=()):
    files = [("demo_pkg/__init__.py", b"VALUE = 1\n"), *extra,
             (INFO + "METADATA", metadata.encode()), (INFO + "WHEEL", wheel.encode())]
    return files


def record_of(files, change=None):
    lines = {name: f"{name},{digest(content)},{len(content)}" for name, content in files}
    lines[INFO + "RECORD"] = INFO + "RECORD,,"
    if change:
        change(lines)
    return "".join(line + "\n" for line in lines.values()).encode()


def build(files, record=None, prepare=None):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in [*files, (INFO + "RECORD", record if record is not None else record_of(files))]:
            info = zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0))
            info.external_attr = (stat.S_IFREG | 0o644) << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            if prepare:
                prepare(info)
            archive.writestr(info, content)
    return buffer.getvalue()


def patch(data, old, new, count=-1):
    assert old in data and len(old) == len(new), (old, new)
    return data.replace(old, new, count)


good = build(contents())
wheels = {"good": good}
wheels["empty"] = b""
wheels["truncated"] = good[: len(good) // 2]
wheels["no_end"] = good[:-22]
wheels["prefix"] = b"#!/bin/sh\n" + good
wheels["trailing"] = good + b"junk"
wheels["traversal"] = build(contents(extra=[("../../etc/cron.d/evil", b"x")]))
wheels["absolute"] = build(contents(extra=[("/etc/passwd", b"x")]))
wheels["backslash"] = patch(build(contents(extra=[("demo_pkg/a?b.py", b"x")])), b"a?b", b"a\\b")
wheels["other_project"] = build(contents(metadata=METADATA.replace("Demo.Pkg", "Other")))
wheels["other_version"] = build(contents(metadata=METADATA.replace("Version: 1.0\nS", "Version: 2.0\nS")))
wheels["other_tags"] = build(contents(wheel=WHEEL.replace("py3-none-any", "cp311-cp311-win_amd64")))
wheels["wheel_version"] = build(contents(wheel=WHEEL.replace("Version: 1.0", "Version: 2.0")))
wheels["no_name"] = build(contents(metadata=METADATA.replace("Name: Demo.Pkg\n", "")))
wheels["record_lies"] = build(contents(), record_of([(n, c + b"!") for n, c in contents()]))
wheels["record_short"] = build(contents(extra=[("hidden.pth", b"import os\n")]), record_of(contents()))
wheels["record_long"] = build(contents(), record_of(contents(extra=[("ghost.py", b"")])))
wheels["record_md5"] = build(contents(), record_of(contents(), lambda lines: lines.update(
    {"demo_pkg/__init__.py": "demo_pkg/__init__.py,md5=abc,"})))
wheels["record_twice"] = build(contents(), record_of(contents()) * 2)
wheels["bomb"] = build(contents(extra=[("demo_pkg/zero", b"\0" * (96 << 20))]))


def as_link(info):
    if info.filename.endswith("__init__.py"):
        info.external_attr = (stat.S_IFLNK | 0o777) << 16


wheels["symlink"] = build(contents(), prepare=as_link)
twice = build(contents(extra=[("demo_pkg/__init__.pz", b"VALUE = 2\n")]))
wheels["duplicate"] = patch(twice, b"__init__.pz", b"__init__.py")
# The directory says one name, the local header another: readers of the stream and of the directory disagree.
wheels["two_names"] = patch(good, b"demo_pkg/__init__.py", b"demo_pkg/__evil__.py", 1)
at = good.rfind(b"PK\x01\x02", 0, good.find(b"PK\x01\x02") + 4)
wheels["encrypted"] = good[:at + 8] + b"\x01\x00" + good[at + 10:]
wheels["overflow"] = good[:at + 24] + struct.pack("<I", 0xFFFFFFFE) + good[at + 28:]
wheels["zip64_missing"] = good[:at + 24] + b"\xff\xff\xff\xff" + good[at + 28:]
second = good.find(b"PK\x01\x02", at + 4)
wheels["overlap"] = good[:second + 42] + good[at + 42:at + 46] + good[second + 46:]


def with_zip64(offset, size, count):
    """The same archive with zip64 end records that say what they are told."""
    end = good.rfind(b"PK\x05\x06")
    record = struct.pack("<IQHHIIQQQQ", 0x06064B50, 44, 45, 45, 0, 0, count, count, size, offset)
    locator = struct.pack("<IIQI", 0x07064B50, 0, end, 1)
    return good[:end] + record + locator + struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)


end = good.rfind(b"PK\x05\x06")
count, size, offset = struct.unpack("<HII", good[end + 10:end + 20])
wheels["zip64_good"] = with_zip64(offset, size, count)
wheels["zip64_huge_count"] = with_zip64(offset, size, 1 << 60)
wheels["zip64_huge_offset"] = with_zip64((1 << 64) - 8, size, count)
wheels["zip64_wrap"] = with_zip64((1 << 64) - 8, size + offset + 8, count)
wheels["crc"] = patch(good, struct.pack("<I", zlib.crc32(b"VALUE = 1\n")), b"\0\0\0\0")
for name, content in wheels.items():
    (OUT / f"{name}.whl").write_bytes(content)


def sdist(name, extra=None, top="demo_pkg-1.0"):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        def add(path, content=b"", **attributes):
            info = tarfile.TarInfo(path)
            info.size = len(content)
            for key, value in attributes.items():
                setattr(info, key, value)
            archive.addfile(info, io.BytesIO(content))
        add(f"{top}/PKG-INFO", METADATA.encode())
        if extra:
            extra(add)
    (OUT / f"{name}.tar.gz").write_bytes(buffer.getvalue())


sdist("good")
sdist("link", lambda add: add("demo_pkg-1.0/link", type=tarfile.SYMTYPE, linkname="/etc/passwd"))
sdist("device", lambda add: add("demo_pkg-1.0/null", type=tarfile.CHRTYPE))
sdist("traversal", lambda add: add("demo_pkg-1.0/../../evil", b"x"))
sdist("outside", lambda add: add("elsewhere/file", b"x"))
sdist("bomb", lambda add: add("demo_pkg-1.0/zero", b"\0" * (96 << 20)))
(OUT / "broken.tar.gz").write_bytes((OUT / "good.tar.gz").read_bytes()[:-30])
