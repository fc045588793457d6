#!/usr/bin/env python3
"""Kills and starves each step of a crossing at one system call after the other (issue "Under pressure", Faults).

    faults_test.py LIFTLOCK_LOW LIFTLOCK_HIGH [--every N] [--only STEP,…] [--short-write LIBRARY]

For each step (lock and fetch, with a download; pack; fetch --copy; sign; pack --form tar; ingest of both; store sync of a production
node; gc; acknowledge: the bare append to the audit log) and each system call that changes a file system, strace ends the program with
SIGKILL at the first, second, third … such call of a thread, until a run is no longer touched; and in the middle of the download. Then, with the error in place of the call, the same for ENOSPC, EDQUOT and EIO. With LIBRARY (tests/tools/short_write.cpp) the first,
second, third … write to a file is cut to its half, which is no error and must change nothing. And the step runs on a file system
that is really full, at one size after the other: there writes are short before they fail. After each:

  * what was visible before is visible, whole, or what should be afterwards is: never something between;
  * the same command, given again, does the whole work;
  * `scrub` and `audit verify` have nothing to say;
  * a program that was told of an error ends with an error, never by a signal; and never with 0 when a sync failed.

--every N tries each Nth point of every row (the first and the last always). Ends with a table of points tried.
"""
import argparse
import collections
import hashlib
import itertools
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

CHANGING = ("write", "pwrite64", "writev", "openat", "mkdir", "mkdirat", "rename", "renameat", "renameat2", "link", "linkat",
            "unlink", "unlinkat", "rmdir", "ftruncate", "fallocate", "copy_file_range", "fchmod", "fchmodat", "chmod",
            "fsync", "fdatasync", "syncfs", "sync_file_range")
WRITING = ("write", "pwrite64", "writev", "openat", "mkdir", "mkdirat", "linkat", "renameat", "ftruncate", "fsync", "fdatasync",
           "syncfs")
FAILING = {"ENOSPC": WRITING, "EDQUOT": WRITING, "EIO": (*WRITING, "unlinkat")}
SYNCING = ("fsync", "fdatasync", "syncfs")
KILLED = 137
SERVER = pathlib.Path(__file__).parent.parent / "tools/file_server.py"


def fail(text):
    sys.exit(f"FAILED: {text}")


class Step:
    """One command on one side, from one state of that side's folders; with the bundle that it makes or signs."""

    def __init__(self, name, side, command, visible, bundle=None):
        self.name, self.side, self.command, self.visible, self.bundle = name, side, command, visible, bundle


class Bench:
    def __init__(self, low, high, folder):
        self.programs = {"low": os.path.realpath(low), "high": os.path.realpath(high), "prod": os.path.realpath(high)}
        self.peer = None  # a mirror that serves while the steps run
        self.server = None  # of the file that is downloaded
        self.contents = {"small": b"small\n", "large": bytes(range(256)) * 1200, "empty": b""}  # of the files of the stack
        self.remote = bytes(reversed(range(256))) * 1200  # more than a download keeps in memory
        self.folder = folder
        self.where = "while nothing was hurt"
        self.live = folder / "live"  # what the step works on; put back before each try
        self.medium = self.live / "medium"
        self.environment = dict(os.environ, SOURCE_DATE_EPOCH="1790000000", HOME=str(folder))
        self.environment.pop("LIFTLOCK_STATE", None)

    def command(self, side, *arguments):
        return [self.programs[side], "--quiet", "--state", f"{self.live}/{side}", *arguments]

    def run(self, side, *arguments, before=(), check=True):
        done = subprocess.run([*before, *self.command(side, *arguments)], cwd=self.live / "stack", env=self.environment,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if check and done.returncode != 0:
            fail(f"{self.where}: {side} {' '.join(arguments)} ended with {done.returncode}: {done.stderr}")
        return done

    def ask(self, side, *arguments):
        return json.loads(self.run(side, "--json", *arguments).stdout)

    def snapshot(self, name):
        shutil.copytree(self.live, self.folder / name, symlinks=True)

    def restore(self, name):
        # The folder itself may be a mount.
        subprocess.run(["find", str(self.live), "-mindepth", "1", "-delete"], check=True)
        subprocess.run(["cp", "-a", f"{self.folder / name}/.", str(self.live)], check=True)

    def build(self):
        """A stack of a few files, and the state before each step."""
        self.live.mkdir()
        (self.live / "stack").mkdir()
        # Not among what is put back: the store refers to these very files.
        sources = self.folder / "sources"
        sources.mkdir()
        (sources / "changed.bin").write_bytes(b"changed")
        text = '[stack]\nname = "demo"\n'
        for name, content in self.contents.items():
            (sources / f"{name}.bin").write_bytes(content)
            text += f'[file.{name}]\nsource = "{sources}/{name}.bin"\n'
        text += f'[file.remote]\nsource = "{self.serve_remote()}"\n'
        (self.live / "stack" / "liftlock.toml").write_text(text)
        keys = [f"{self.live}/{name}.pem" for name in ("root", "builder")]
        steps = []

        def add(*step):
            steps.append(Step(*step))
            self.snapshot(steps[-1].name)
            self.run(steps[-1].side, *steps[-1].command)

        self.run("low", "init")
        add("lock", "low", ["lock"], self.lock_of)
        # From here on it is a colleague's lock: what it names is not here yet.
        shutil.rmtree(self.live / "low")
        self.run("low", "init")
        self.run("low", "trust", "keygen", "--role", "root", "--out", keys[0])
        self.run("low", "trust", "keygen", "--role", "builder", "--out", keys[1])
        self.run("low", "trust", "init", "--organisation", "Test", "--root-key", keys[0], "--add", f"builder:{keys[1]}.pub")
        tree, tar = self.medium / "demo-1", self.medium / "demo-2"
        add("fetch", "low", ["fetch"], self.store_of("low"))
        add("pack", "low", ["pack", "--output", str(tree)], self.bundle_of(tree), tree)
        add("copy", "low", ["fetch", "--copy"], self.copies)
        add("sign", "low", ["sign", str(tree), "--role", "builder", "--key", keys[1]], self.bundle_of(tree), tree)
        add("pack-tar", "low", ["pack", "--form", "tar", "--output", str(tar)], self.bundle_of(tar), tar)
        self.run("low", "sign", str(tar), "--role", "builder", "--key", keys[1])
        self.run("high", "init", "--zone", "ingest", "--organisation", "Test")
        config = self.live / "high" / "config.toml"
        config.write_text(config.read_text().replace('reserve = "1GiB"', 'reserve = "0B"') +
                          f'[source.usb]\npath = "{self.medium}"\nrequire_read_only = false\n')
        self.run("high", "trust", "pin", str(tree), "--fingerprint", self.ask("low", "trust", "show")["fingerprint"])
        before = self.folder / "before"
        shutil.copytree(self.live / "high", before, symlinks=True)
        add("ingest-tar", "high", self.ingest_of(tar), self.store_of("high"))
        shutil.rmtree(self.live / "high")
        before.rename(self.live / "high")
        add("ingest", "high", self.ingest_of(tree), self.store_of("high"))
        steps.append(self.build_sync())
        # The copy of a file that another took the place of is what gc removes.
        (self.live / "stack" / "liftlock.toml").write_text(text.replace("large.bin", "changed.bin"))
        self.run("low", "lock")
        self.run("low", "fetch")
        add("gc", "low", ["gc"], self.store_of("low"))
        words = self.ask("high", "acknowledge", "demo")["words"].split()
        add("acknowledge", "low", ["acknowledge", "demo", "1", *words], self.acknowledged)
        return steps

    def serve_remote(self):
        """The URL of the file that is no local one, behind a server that knows Range."""
        (self.folder / "upstream").mkdir()
        (self.folder / "upstream" / "remote.bin").write_bytes(self.remote)
        self.server = subprocess.Popen([sys.executable, str(SERVER), str(self.folder / "upstream"), str(self.folder / "answers")],
                                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        return f"http://127.0.0.1:{self.server.stdout.readline().strip()}/remote.bin"

    def answers(self):
        """What that server said since this was asked last."""
        log = self.folder / "answers"
        said = log.read_text() if log.exists() else ""
        log.unlink(missing_ok=True)
        return said

    def ingest_of(self, bundle):
        digest = hashlib.sha256((bundle / "manifest/bundle.json").read_bytes()).hexdigest()
        return ["ingest", f"usb/{bundle.name}", "--expect", digest]

    def build_sync(self):
        """A production node, and a peer that is not hurt: a copy of the ingest node, in no folder that is put back."""
        shutil.copytree(self.live / "high", self.folder / "peer", symlinks=True)
        self.peer = subprocess.Popen([self.programs["high"], "--quiet", "--state", f"{self.folder}/peer", "serve", "--listen",
                                      "127.0.0.1:0"], env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                     stderr=subprocess.DEVNULL, text=True)
        url = self.address_for_the_node(self.peer.stdout.readline().strip().removeprefix("listening on "))
        self.run("prod", "init", "--zone", "production", "--organisation", "Test")
        config = self.live / "prod" / "config.toml"
        config.write_text(config.read_text().replace('reserve = "1GiB"', 'reserve = "0B"') +
                          f'[sync]\npeer = "{url}"\nring = "canary"\n')
        self.run("prod", "trust", "pin", f"{self.medium}/demo-1", "--fingerprint",
                 self.ask("low", "trust", "show")["fingerprint"])
        self.snapshot("sync")
        step = Step("sync", "prod", ["store", "sync"], self.store_of("prod"))
        self.run("prod", *step.command)
        return step

    def address_for_the_node(self, peer):
        """Whom the node asks: the peer itself."""
        return peer

    def close(self):
        if self.server:
            self.server.terminate()
            self.server.wait()
        if self.peer:
            self.peer.terminate()
            self.peer.wait()
            subprocess.run(["gpgconf", "--homedir", f"{self.folder}/peer/keys/mirror-gnupg", "--kill", "all"], check=False)

    # What a user can see, to be compared: the same before and after, or the whole of the new.
    def lock_of(self):
        lock = self.live / "stack" / "liftlock.lock"
        return lock.read_text() if lock.exists() else None

    def store_of(self, side):
        def look():
            listed = self.ask(side, "ls")["artifacts"]
            held = [(one["id"], one.get("stored")) for one in listed]
            return json.dumps(held)
        return look

    def copies(self):
        blobs = self.live / "low" / "store" / "blobs"
        held = sorted(blob.name for blob in blobs.rglob("*") if blob.is_file())
        for blob in held:
            if hashlib.sha256((blobs / "sha256" / blob[:2] / blob).read_bytes()).hexdigest() != blob:
                fail(f"{self.where}: the copy {blob} is another file")
        # Each for itself: a commit is whole once its catalog is, and these are in none that is new.
        return json.dumps(held if len(held) == len(self.contents) + 1 else [])

    def bundle_of(self, bundle):
        def look():
            if not bundle.exists():
                return None
            # What a killed `sign` leaves begins with a dot: verify refuses it, and the same command removes it.
            seen = [(str(file.relative_to(bundle)), hashlib.sha256(file.read_bytes()).hexdigest())
                    for file in sorted(bundle.rglob("*"))
                    if file.is_file() and file.name != "bundle.json" and not file.name.startswith(".builder.")]
            # ECDSA signs anew each time, and bundle.json has the time of its making.
            return json.dumps([(path, None if path.startswith("signatures/") else digest) for path, digest in seen])
        return look

    def acknowledged(self):
        return json.dumps(self.ask("low", "status")["channels"][0]["not_acknowledged"])

    def check(self, step, before, after, where, done):
        """After a run that was hurt: old or new; the same command again; and all is clean."""
        self.where = where
        if step.visible() not in (before, after):
            fail(f"{where}: half of it is visible: {step.visible()}\n{done.stderr}")
        self.run(step.side, *step.command)
        if step.visible() != after:
            fail(f"{where}: the same command again did not do it: {step.visible()} instead of {after}")
        self.run(step.side, "audit", "verify")
        if step.name in ("fetch", "copy", "ingest", "ingest-tar", "sync", "gc"):
            self.run(step.side, "scrub")
        if step.bundle:
            if list(step.bundle.rglob(".*")):
                fail(f"{where}: something is left in the bundle")
            self.run("low", "verify", str(step.bundle), "--integrity-only")

    def hurt(self, step, call, effect, count):
        # With --seccomp-bpf strace 6.1 injects errors, and no signals.
        faster = [] if effect.startswith("signal") else ["--seccomp-bpf"]
        return self.run(step.side, *step.command, check=False, before=[
            "strace", "-f", *faster, "-y", "-qq", "-o", str(self.folder / "hurt"), "-e", f"trace={call}",
            "-e", f"inject={call}:{effect}:when={count}"])

    def hurt_a_file(self):
        """Was it a file of which somebody was told that it is durable? SQLite lets two failures pass, rightly: that of a
        folder, for a sync of ours covers it later; and those of the copy of -wal into the database when it closes (the last
        of -wal, and that of the database), for -wal was synced at each commit before and stays."""
        lines = (self.folder / "hurt").read_text(errors="replace").splitlines()
        for at, line in enumerate(lines):
            if "(INJECTED)" in line:
                path = line.partition("<")[2].partition(">")[0]
                closing = path.endswith("-wal") and not any(f"<{path}>" in later for later in lines[at + 1:])
                return not os.path.isdir(path) and not path.endswith(".db") and not closing
        return False

    def outcome(self, step):
        """What is visible before the step, and after it."""
        self.where = f"{step.name}, while nothing was hurt"
        self.restore(step.name)
        before = step.visible()
        self.run(step.side, *step.command)
        return before, step.visible()


def counts(every):
    """1, 2, 3 … or each Nth of them, with the first."""
    return itertools.chain([1] if every > 1 else [], itertools.count(every, every))


def calls_of(bench, step):
    """How often the busiest thread of the step makes each call."""
    bench.restore(step.name)
    trace = bench.folder / "trace"
    bench.run(step.side, *step.command, before=["strace", "-f", "--seccomp-bpf", "-qq", "-o", str(trace), "-e",
                                                "trace=" + ",".join(CHANGING)])
    seen = collections.Counter()
    for line in trace.read_text(errors="replace").splitlines():
        thread, _, call = line.partition(" ")
        name = call.strip().partition("(")[0]
        if name in CHANGING:
            seen[thread, name] += 1
    most = collections.Counter()
    for (_, name), count in seen.items():
        most[name] = max(most[name], count)
    return most


def try_kills(bench, step, every, table):
    before, after = bench.outcome(step)
    for call, most in sorted(calls_of(bench, step).items()):
        for count in counts(every):
            bench.restore(step.name)
            done = bench.hurt(step, call, "signal=SIGKILL", count)
            if done.returncode not in (-9, KILLED, 0):
                fail(f"{step.name}, killed at {call} {count}: ended with {done.returncode}: {done.stderr}")
            if done.returncode == 0:  # no longer touched
                break
            table[step.name, "kill"] += 1
            bench.check(step, before, after, f"{step.name}, killed at {call} {count} of about {most}", done)


PART = "/named-" + hashlib.sha256(b"part").hexdigest()  # as the store stages what has a name and no digest yet


def half_of_the_download(bench, step):
    """The number of the write, of the thread that makes it, after which half of the download lies in its part."""
    bench.restore(step.name)
    trace = bench.folder / "trace"
    bench.run(step.side, *step.command, before=["strace", "-f", "-y", "-qq", "-o", str(trace), "-e", "trace=write"])
    writes, parts = collections.Counter(), []
    for line in trace.read_text(errors="replace").splitlines():
        thread, _, call = line.partition(" ")
        if not call.strip().startswith("write("):
            continue
        writes[thread] += 1
        if call.partition("<")[2].partition(">")[0].endswith(PART):
            parts.append(writes[thread])
    if len(parts) < 4:
        fail(f"the download is written in {len(parts)} pieces")
    return parts[len(parts) // 2]


def try_download(bench, step, table):
    """Killed in the middle of the download: the rest of it is asked for, and no more."""
    before, after = bench.outcome(step)
    count = half_of_the_download(bench, step)
    bench.restore(step.name)
    bench.answers()
    done = bench.hurt(step, "write", "signal=SIGKILL", count)
    if done.returncode not in (-9, KILLED):
        fail(f"{step.name} ended with {done.returncode} instead of being killed in its download: {done.stderr}")
    table[step.name, "kill"] += 1
    bench.check(step, before, after, f"{step.name}, killed in the middle of its download", done)
    said = bench.answers().split("\n")
    if "206 /remote.bin" not in said:
        fail(f"{step.name} did not go on with its download: {said}")


def try_errors(bench, step, every, table):
    before, after = bench.outcome(step)
    calls = calls_of(bench, step)
    for error, failing in FAILING.items():
        for call in failing:
            for count in counts(every):
                if count > calls[call]:
                    break
                where = f"{step.name}, {error} at {call} {count}"
                bench.restore(step.name)
                done = bench.hurt(step, call, f"error={error}", count)
                if done.returncode not in range(8):
                    fail(f"{where}: ended with {done.returncode}: {done.stderr}")
                if call in SYNCING and done.returncode == 0 and bench.hurt_a_file():
                    fail(f"{where}: a sync failed, and it says that all is well")
                if done.returncode != 0 and "error[" not in done.stderr:
                    fail(f"{where}: no error code: {done.stderr}")
                table[step.name, error] += 1
                bench.check(step, before, after, where, done)


def try_short_writes(bench, step, every, library, table):
    before, after = bench.outcome(step)
    log = bench.folder / "short"
    for count in counts(every):
        where = f"{step.name}, the write {count} cut to its half"
        bench.restore(step.name)
        log.write_text("")
        done = bench.run(step.side, *step.command, check=False, before=[
            "env", f"LD_PRELOAD={library}", f"LIFTLOCK_SHORT_WRITE={count}", f"LIFTLOCK_SHORT_WRITE_LOG={log}"])
        if done.returncode != 0 or step.visible() != after:
            fail(f"{where}: ended with {done.returncode}, and {step.visible()} is visible instead of {after}: {done.stderr}")
        if not log.read_text():  # no longer touched
            break
        table[step.name, "short write"] += 1
        bench.check(step, before, after, where, done)


def try_full(bench, step, every, table):
    """A tmpfs over the live folder, so small that the step does not fit; then one that is large enough."""
    before, after = bench.outcome(step)
    used = int(subprocess.run(["du", "-s", "--block-size=4096", str(bench.live)], capture_output=True, text=True).stdout.split()[0])
    for extra in range(0, 8192, 8 * every):
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512M,mode=755", "tmpfs", str(bench.live)], check=True)
        try:
            bench.restore(step.name)
            used = int(subprocess.run(["du", "-s", "--block-size=4096", str(bench.live)], capture_output=True, text=True).stdout.split()[0])
            subprocess.run(["mount", "-o", f"remount,size={(used + extra + 1) * 4096}", str(bench.live)], check=True)
            done = bench.run(step.side, *step.command, check=False)
            if done.returncode not in range(8):
                fail(f"{step.name} with {extra} blocks free: ended with {done.returncode}: {done.stderr}")
            subprocess.run(["mount", "-o", "remount,size=512M", str(bench.live)], check=True)
            if done.returncode == 0:
                return
            table[step.name, "full disk"] += 1
            bench.check(step, before, after, f"{step.name} with {extra} blocks free", done)
        finally:
            subprocess.run(["umount", str(bench.live)], check=True)
    fail(f"{step.name} does not end on a disk with 32 MiB free: {done.stderr}")


def may_mount():
    """A full disk is a tmpfs of ours, so this is for root with all its rights."""
    with tempfile.TemporaryDirectory() as folder:
        mounted = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], capture_output=True).returncode == 0
        if mounted:
            subprocess.run(["umount", folder], check=True)
    return mounted


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("low")
    parser.add_argument("high")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--only", default="")
    parser.add_argument("--short-write", default="")
    options = parser.parse_args()
    probe = subprocess.run(["strace", "-f", "--seccomp-bpf", "-o", "/dev/null", "true"], capture_output=True)
    if probe.returncode != 0:
        print("strace may not trace here")
        sys.exit(77)
    table = collections.Counter()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(options.low, options.high, pathlib.Path(folder))
        try:
            for step in bench.build():
                if options.only and step.name not in options.only.split(","):
                    continue
                try_kills(bench, step, options.every, table)
                if step.name == "fetch":
                    try_download(bench, step, table)
                try_errors(bench, step, options.every, table)
                if options.short_write:
                    try_short_writes(bench, step, options.every, os.path.realpath(options.short_write), table)
                if may_mount():
                    try_full(bench, step, options.every, table)
                print(f"{step.name}: clean after", ", ".join(f"{count} × {what}" for (name, what), count in table.items()
                                                              if name == step.name), flush=True)
        finally:
            bench.close()
    if not table:
        fail("nothing was tried")
    if options.short_write and not any(what == "short write" for _, what in table):
        fail("no write was short: does the library come before libc?")
    print(f"{sum(table.values())} points tried, all clean")


if __name__ == "__main__":
    main()
