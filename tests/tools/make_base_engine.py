#!/usr/bin/env python3
"""An engine package (docs/formats/engine.md) that has this machine's C library: what a .baiengine can stand on, in tests.

make_base_engine.py OUT.tar NAME VERSION PROGRAM [--without LIBRARY | --other LIBRARY]...
--other: its file has a byte more, which nobody loads. The libraries are those that ldd names for PROGRAM; its one executable is `busy`, a copy of PROGRAM."""
import json
import os
import subprocess
import sys

out, name, version, program = sys.argv[1:5]
asked = list(zip(sys.argv[5::2], sys.argv[6::2]))
without = [library for what, library in asked if what == "--without"]
other = [library for what, library in asked if what == "--other"]


def header(path, kind, size=0, wide=False, target=""):
    """As src/engine/package.cpp writes it."""
    block = bytearray(512)

    def put(at, text):
        block[at:at + len(text)] = text.encode()
    put(0, path)
    put(100, "0000777" if kind == "2" else "0000755" if wide or kind == "5" else "0000644")
    put(108, "0000000")
    put(116, "0000000")
    put(124, "%011o" % size)
    put(136, "00000000000")
    put(148, "        ")
    put(156, kind)
    put(157, target)
    put(257, "ustar\0" + "00")
    put(148, "%06o" % sum(block))
    block[154] = 0
    block[155] = ord(" ")
    return bytes(block)


members = {"usr/bin/busy": (open(program, "rb").read(), True), "usr/share/doc/libc6/copyright": (b"GNU LGPL\n", False)}
triplet = {"x86_64": "x86_64-linux-gnu", "aarch64": "aarch64-linux-gnu"}[os.uname().machine]
loader = None
for line in subprocess.check_output(["ldd", program], text=True).splitlines():
    place = next((word for word in line.split() if word.startswith("/")), None)
    if place is None or os.path.basename(place) in without:
        continue
    if os.path.basename(place).startswith("ld-linux"):
        loader = place[1:]
        members["usr/" + loader] = (open(place, "rb").read(), True)
    else:
        more = b"\n" if os.path.basename(place) in other else b""
        members[f"usr/lib/{triplet}/{os.path.basename(place)}"] = (open(place, "rb").read() + more, False)
for path in list(members):
    while "/" in path:
        path = path.rsplit("/", 1)[0]
        members.setdefault(path, (None, False))
manifest = {"architecture": {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine],
            "executables": {"busy": "usr/bin/busy"}, "files": len(members), "format": "liftlock.engine/1", "inputs": [],
            "library_path": [], "loader": loader, "name": name,
            "unpacked_size": sum(len(data or b"") for data, _ in members.values()), "variant": "cpu", "version": version}
with open(out, "wb") as file:
    def add(path, data, wide):
        if data is None:
            return file.write(header(path, "5"))
        file.write(header(path, "0", len(data), wide) + data + bytes(-len(data) % 512))
    add("engine.json", (json.dumps(manifest, indent=2, sort_keys=True) + "\n").encode(), False)
    for path in sorted(members):
        add(path, *members[path])
    file.write(bytes(1024))
