#!/usr/bin/env python3
"""compare_crate_index.py CARGO_HOME_OF_THEIRS CARGO_HOME_OF_OURS CARGO_LOCK

Do the index lines that a mirror made of each crate's Cargo.toml say what the registry's own index says? Both are read from the
caches that cargo keeps of them. Differences that mean nothing to cargo are set aside: the order of lists, how a requirement is
written, and the split of features between its two members.
"""
import json
import pathlib
import re
import sys


def lines(home):
    """(name, version) → entry, of cargo's cache files: a header, then version NUL line NUL …"""
    out = {}
    for path in pathlib.Path(home).glob("registry/index/*/.cache/**/*"):
        if path.is_file():
            for part in path.read_bytes().split(b"\0"):
                if part.startswith(b"{"):
                    entry = json.loads(part)
                    out[entry["name"], entry["vers"]] = entry
    return out


def normal(entry):
    deps = []
    for dep in entry["deps"]:
        req = ",".join(sorted(one.strip().replace(" ", "") for one in dep["req"].split(",")))
        req = re.sub(r"^(?=\d)", "^", req)
        deps.append((dep["name"], dep.get("package") or dep["name"], req, tuple(sorted(dep.get("features") or [])), bool(dep.get("optional")),
                     dep.get("default_features", True), re.sub(r"\s+", "", dep.get("target") or ""), dep.get("kind") or "normal"))
    features = {**(entry.get("features") or {}), **(entry.get("features2") or {})}
    return {"deps": sorted(deps), "features": {key: sorted(value) for key, value in features.items()}, "cksum": entry["cksum"],
            "links": entry.get("links")}


theirs, ours = lines(sys.argv[1]), lines(sys.argv[2])
locked = re.findall(r'name = "(.*)"\nversion = "(.*)"\nsource = "registry', pathlib.Path(sys.argv[3]).read_text())
bad = compared = 0
for key in locked:
    if key not in theirs or key not in ours:
        print("not there:", key, key in theirs, key in ours)
        bad += 1
        continue
    a, b = normal(theirs[key]), normal(ours[key])
    compared += 1
    for member in a:
        if a[member] != b[member]:
            bad += 1
            print(key, member, "\n  registry:", a[member], "\n  mirror:  ", b[member])
print(f"{compared} of {len(locked)} lines compared, {bad} differences")
sys.exit(bad != 0 or not compared)
