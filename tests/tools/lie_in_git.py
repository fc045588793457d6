#!/usr/bin/env python3
"""A low side that lies: puts another git bundle into a bundle of Liftlock's and makes its lists fit, so that only a
signature is missing.

  lie_in_git.py LIFTLOCK_BUNDLE GIT_BUNDLE [SEQUENCE]
"""
import hashlib
import json
import pathlib
import sys


def compact(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False) + "\n"


def main():
    folder, lie = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]).read_bytes()
    path = "packages/git/tool.bundle"
    (folder / path).write_bytes(lie)
    size, digest = len(lie), {"sha256": hashlib.sha256(lie).hexdigest()}
    refs = {}
    for line in lie[: lie.find(b"\n\n") + 1].decode("latin-1").splitlines()[1:]:
        if line[:1] not in "@-" and " refs/" in line:
            refs[line[41:]] = line[:40]

    files = folder / "manifest/files.jsonl"
    lines = [json.loads(line) for line in files.read_text().splitlines()]
    before = next(line for line in lines if line["path"] == path)
    grown = size - before["size"]
    before.update(size=size, digests=digest)
    files.write_text("".join(map(compact, lines)))

    artifacts = folder / "manifest/artifacts.jsonl"
    lines = [json.loads(line) for line in artifacts.read_text().splitlines()]
    (artifact,) = [line for line in lines if line["kind"] == "git"]
    artifact["files"][0].update(size=size, digests=digest)
    artifact["facts"].update(refs=refs, head="refs/heads/main")
    artifacts.write_text("".join(map(compact, lines)))

    sums = folder / "checksums.txt"
    kept = []
    for line in sums.read_text().splitlines():
        name = line[66:]
        kept.append(f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n")
    sums.write_text("".join(kept))

    document = folder / "manifest/bundle.json"
    value = json.loads(document.read_text())
    value["content"]["bytes"] += grown
    if len(sys.argv) > 3:
        value["sequence"] = int(sys.argv[3])
    for name, entry in value["lists"].items():
        data = (folder / name).read_bytes()
        entry.update(size=len(data), digests={"sha256": hashlib.sha256(data).hexdigest()})
    document.write_text(json.dumps(value, sort_keys=True, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
