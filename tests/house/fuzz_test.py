#!/usr/bin/env python3
"""Every fuzz target of a room has inputs in fuzz/, every folder there has a target, and README.md says how many there are.
   fuzz_test.py SOURCE_FOLDER"""
import pathlib
import re
import sys

source = pathlib.Path(sys.argv[1])
wrong = []

targets = set()
for cmake in sorted((source / "src").rglob("CMakeLists.txt")):
    for room in re.findall(r"liftlock_room\((.*?)\)", cmake.read_text(), re.S):
        words = room.split()
        targets |= {word.removesuffix(".cpp") for word in words if word.endswith("_fuzz.cpp")}
written = {file.stem for file in (source / "src").rglob("*_fuzz.cpp")}
folders = {entry.name: entry for entry in (source / "fuzz").iterdir() if entry.is_dir()}

wrong += [f"src/**/{name}.cpp is in no FUZZERS" for name in sorted(written - targets)]
wrong += [f"fuzz/{name} has no target" for name in sorted(set(folders) - targets)]
for name in sorted(targets):
    if name not in folders or not any(file.is_file() for file in folders[name].rglob("*")):
        wrong.append(f"{name} has no inputs: put good and evil ones into fuzz/{name}")

said = re.search(r"each of the (\d+) fuzz targets", (source / "README.md").read_text())
if not said or int(said.group(1)) != len(targets):
    wrong.append(f"README.md says {said.group(1) if said else 'nothing'} of the number of fuzz targets: there are {len(targets)}")
for line in (source / "fuzz" / "ledger.tsv").read_text().splitlines()[1:]:
    if line.split("\t")[0] not in targets:
        wrong.append(f"fuzz/ledger.tsv has a line of {line.split(chr(9))[0]}, which is no target")

if wrong:
    sys.exit("\n".join(["FAILED:", *wrong]))
print(f"{len(targets)} fuzz targets, each with inputs")
