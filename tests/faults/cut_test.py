#!/usr/bin/env python3
"""Cuts the connection between a production node and its peer after one number of bytes after the other (G11).

    cut_test.py LIFTLOCK_LOW LIFTLOCK_HIGH [--every N]

The node takes a bundle of a few KiB by `store sync`. After 0, N, 2N … bytes of all answers together, heads included, until the whole
goes through:

  * the connection ends there, once: the same run goes on, and takes the bundle;
  * the peer gives nothing any more, and the node is killed: what is visible is nothing or the whole, and the same command, given
    again with the peer back, takes the bundle.

`scrub` and `audit verify` have nothing to say each time. LIFTLOCK_EVERY_BYTE=1 in the environment tries every byte. Ends with the
number of cuts tried.
"""
import argparse
import itertools
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from faults_test import Bench, fail  # noqa: E402

LIAR = pathlib.Path(__file__).parent.parent / "tools/lying_peer.py"


class CutBench(Bench):
    def __init__(self, low, high, folder):
        super().__init__(low, high, folder)
        self.contents, self.remote = {"small": b"small\n", "large": bytes(range(256)) * 8, "empty": b""}, b"remote\n"
        self.between, self.liar = folder / "between", None

    def address_for_the_node(self, peer):
        self.between.mkdir()
        self.liar = subprocess.Popen([sys.executable, str(LIAR), peer.rpartition(":")[2], str(self.between)], stdout=subprocess.PIPE, text=True)
        return f"http://127.0.0.1:{self.liar.stdout.readline().strip()}"

    def mode(self, text):
        (self.between / "cut").unlink(missing_ok=True)
        (self.between / "mode").write_text(text)

    def was_cut(self):
        return (self.between / "cut").exists()

    def fresh_node(self):
        shutil.rmtree(self.live / "prod")
        shutil.copytree(self.folder / "sync" / "prod", self.live / "prod", symlinks=True)

    def sync_and_die(self, step):
        """The node, killed once the cut was made; or at its end."""
        node = subprocess.Popen(self.command(step.side, *step.command), cwd=self.live / "stack", env=self.environment,
                                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while node.poll() is None and not self.was_cut():
            time.sleep(0.002)
        node.kill()
        node.wait()

    def close(self):
        super().close()
        if self.liar:
            self.liar.terminate()
            self.liar.wait()

    def require_sound(self, step, after):
        if step.visible() != after:
            fail(f"{self.where}: {step.visible()} is visible instead of {after}")
        self.run(step.side, "audit", "verify")
        self.run(step.side, "scrub")


def cut(bench, step, every):
    before, after = bench.outcome(step)
    tried = 0
    for last in itertools.count(0, every):
        bench.where = f"cut once after {last} bytes"
        bench.fresh_node()
        bench.mode(f"once {last}")
        bench.run(step.side, *step.command)
        bench.require_sound(step, after)
        if not bench.was_cut():
            return tried
        bench.where = f"gone after {last} bytes, and killed"
        bench.fresh_node()
        bench.mode(f"gone {last}")
        bench.sync_and_die(step)
        if step.visible() not in (before, after):
            fail(f"{bench.where}: half of it is visible: {step.visible()}")
        bench.mode("honest")
        bench.run(step.side, *step.command)
        bench.require_sound(step, after)
        tried += 2


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("low")
    parser.add_argument("high")
    parser.add_argument("--every", type=int, default=1)
    options = parser.parse_args()
    every = 1 if os.environ.get("LIFTLOCK_EVERY_BYTE") else options.every
    with tempfile.TemporaryDirectory() as name:
        bench = CutBench(options.low, options.high, pathlib.Path(name))
        try:
            step = next(step for step in bench.build() if step.name == "sync")
            tried = cut(bench, step, every)
        finally:
            bench.close()
    if tried == 0:
        fail("nothing was cut")
    print(f"the connection was cut {tried} times, all clean")


if __name__ == "__main__":
    main()
