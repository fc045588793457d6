#!/usr/bin/env python3
"""fuzz.py BUILD_FOLDER SECONDS [--ledger FILE] [--jobs N] [TARGET…]: runs fuzz targets, N at a time (two).

Without a ledger each target runs for SECONDS. With one each is brought to SECONDS in total, those with the least time first, and of
these the ones whose code is newest: a campaign may be stopped (Ctrl-C) and continued on another day. Every run adds a line to the
ledger. A line counts as long as the folder of the target's room is what it was then (`code`, git's name for that tree); what the
room is built on may have changed since. Only what is committed is known: commit before a campaign.

New inputs stay in BUILD_FOLDER/corpus/TARGET. A crash leaves its input in BUILD_FOLDER/crashes, and status 1; put it into fuzz/TARGET
with the correction, where every build replays it.
"""
import argparse
import concurrent.futures
import dataclasses
import datetime
import json
import pathlib
import re
import subprocess
import sys
import threading
import time

INTERRUPTED = 72  # libFuzzer's status after SIGINT
COLUMNS = ["target", "seconds", "executions", "result", "date", "commit", "code"]


@dataclasses.dataclass
class Target:
    name: str
    binary: pathlib.Path
    code: str  # of its room's folder, in the last commit
    changed: int  # when that was changed last, seconds of the epoch
    done: int = 0


def git(*words):
    return subprocess.run(["git", *words], check=True, capture_output=True, text=True).stdout.strip()


def targets_of(build, wanted):
    rooms = json.loads((build / "rooms.json").read_text())
    folders = {pathlib.Path(file).stem: f'src/{room["folder"]}' for room in rooms for file in room["files"] if file.endswith("_fuzz.cpp")}
    if unknown := set(wanted) - set(folders):
        sys.exit(f"no such fuzz target: {', '.join(sorted(unknown))}")
    out = []
    for name in (build / "fuzzers.txt").read_text().split():
        folder = folders[name]
        binary = build / folder / name
        if wanted and name not in wanted:
            continue
        if not binary.exists():
            sys.exit(f"{binary} is not built")
        out.append(Target(name, binary, git("rev-parse", f"HEAD:{folder}")[:12], int(git("log", "-1", "--format=%at", "--", folder))))
    return out


class Ledger:
    """Lines of tab-separated values under a head; without a file nothing is kept."""

    def __init__(self, path):
        self.path = path
        self.lock = threading.Lock()
        self.commit = git("rev-parse", "--short=12", "HEAD")
        if path and not path.exists():
            path.write_text("\t".join(COLUMNS) + "\n")

    def seconds(self, target):
        lines = self.path.read_text().splitlines()[1:] if self.path else []
        rows = [dict(zip(COLUMNS, line.split("\t"))) for line in lines]
        return sum(int(row["seconds"]) for row in rows
                   if row["target"] == target.name and row["code"] == target.code and row["result"] == "clean")

    def add(self, target, seconds, executions, result):
        if not self.path:
            return
        date = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d")
        with self.lock, self.path.open("a") as file:
            file.write("\t".join(map(str, [target.name, seconds, executions, result, date, self.commit, target.code])) + "\n")


class Campaign:
    def __init__(self, build, ledger):
        self.build = build
        self.ledger = ledger
        self.stopped = False
        self.failed = False

    def run(self, target, seconds):
        if self.stopped:
            return
        corpus, log = self.build / "corpus" / target.name, self.build / "corpus" / f"{target.name}.log"
        corpus.mkdir(parents=True, exist_ok=True)
        seeds = pathlib.Path("fuzz") / target.name
        command = [target.binary, f"-max_total_time={seconds}", "-rss_limit_mb=2560", "-timeout=25", "-max_len=65536", "-print_final_stats=1",
                   f"-artifact_prefix={self.build}/crashes/{target.name}-", corpus] + ([seeds] if seeds.is_dir() else [])
        begin = time.monotonic()
        with log.open("wb") as file:
            status = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT).returncode
        took = int(time.monotonic() - begin)
        text = log.read_text(errors="replace")
        found = re.search(r"stat::number_of_executed_units: *(\d+)", text)
        executions = int(found[1]) if found else 0
        self.stopped = self.stopped or status == INTERRUPTED
        if status in (0, INTERRUPTED):
            self.ledger.add(target, took, executions, "clean")
            print(f"{target.name:<28} clean, {executions} runs in {took} s", flush=True)
            return
        self.failed = True
        crash = re.search(r"Test unit written to (\S+)", text)
        self.ledger.add(target, took, executions, "found")
        print(f"{target.name:<28} FAILED: {crash[1] if crash else 'no input was written'}, see {log}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("seconds", type=int)
    parser.add_argument("--ledger", type=pathlib.Path)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("targets", nargs="*", metavar="TARGET")
    options = parser.parse_intermixed_args()
    build = options.build
    (build / "crashes").mkdir(exist_ok=True)
    ledger = Ledger(options.ledger)
    targets = targets_of(build, options.targets)
    for target in targets:
        target.done = ledger.seconds(target)
    if options.ledger:
        targets.sort(key=lambda target: (target.done, -target.changed, target.name))
    todo = [target for target in targets if target.done < options.seconds]
    if options.ledger:
        print(f"{len(targets) - len(todo)} of {len(targets)} targets have had their {options.seconds} s")
    campaign = Campaign(build, ledger)
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        runs = [pool.submit(campaign.run, target, options.seconds - target.done) for target in todo]
        try:
            for run in runs:
                run.result()
        except KeyboardInterrupt:
            campaign.stopped = True  # the fuzzers got the signal as well, and end by themselves
    print(f"{len(todo)} targets, to {options.seconds} s each")
    return 1 if campaign.failed or campaign.stopped else 0


if __name__ == "__main__":
    sys.exit(main())
