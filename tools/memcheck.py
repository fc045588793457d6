#!/usr/bin/env python3
"""memcheck.py BUILD_FOLDER [TEST…]: unit tests under valgrind's memcheck, two at a time, but those of tools/memcheck-left-out.txt.

TEST is a name of ctest, such as unit.archive or replay.zip_fuzz. What children of a test do after a fork is not looked at. Of what
was lost at the end nothing is said: leaks are for `make asan`.
"""
import concurrent.futures
import json
import pathlib
import subprocess
import sys
import time

FOUND = 9
TOOLS = pathlib.Path(__file__).parent


def tests_of(build):
    listed = subprocess.run(["ctest", "--show-only=json-v1", "-L", "unit"], cwd=build, check=True, capture_output=True, text=True).stdout
    return {test["name"]: test["command"] for test in json.loads(listed)["tests"] if test["name"].startswith(("unit.", "replay."))}


def left_out():
    """By program what is not run of it: names of its tests, or "*"."""
    out = {}
    for line in (TOOLS / "memcheck-left-out.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            program, test = line.split()[:2]
            out.setdefault(program, []).append(test)
    return out


def check(build, name, command, without):
    log = build / "memcheck" / f"{name}.log"
    if without:
        command = command + ["--gtest_filter=-" + ":".join(without)]
    begin = time.monotonic()
    with log.open("wb") as file:
        status = subprocess.run(["valgrind", "--quiet", f"--error-exitcode={FOUND}", "--child-silent-after-fork=yes", "--num-callers=30",
                                 *command], stdout=file, stderr=subprocess.STDOUT).returncode
    text = log.read_text(errors="replace")
    found = any(line.startswith("==") for line in text.splitlines())  # --quiet: nothing but errors
    words = "clean" if status == 0 and not found else "FOUND" if found else f"FAILED ({status})"
    print(f"{name:<40} {words}, {time.monotonic() - begin:.0f} s" + ("" if words == "clean" else f", see {log}"), flush=True)
    return words == "clean"


def main():
    if len(sys.argv) < 2:
        sys.exit("usage: memcheck.py BUILD_FOLDER [TEST…]")
    build = pathlib.Path(sys.argv[1]).resolve()
    (build / "memcheck").mkdir(exist_ok=True)
    tests = tests_of(build)
    without = left_out()
    wanted = sys.argv[2:] or [name for name in tests if "*" not in without.get(name, [])]
    if unknown := [name for name in wanted if name not in tests]:
        sys.exit(f"no such test: {', '.join(unknown)}")
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        clean = list(pool.map(lambda name: check(build, name, tests[name], without.get(name, [])), wanted))
    print(f"{len(clean)} programs of tests, {len(clean) - sum(clean)} not clean")
    return 0 if all(clean) else 1


if __name__ == "__main__":
    sys.exit(main())
