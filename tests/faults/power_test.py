#!/usr/bin/python3
"""Cuts the power of the machine at each flush of its disk, with what was not flushed yet dropped, or written in part and out of order.

    power_test.py LIFTLOCK_LOW LIFTLOCK_HIGH [--every N] [--only STEP,…] [--fs ext4|xfs|btrfs] [--seed N]

The folders of a crossing lie on a real file system, on a loop device whose backing file is served by this program (FUSE), which
so sees every write and every flush that the kernel sends to the disk. A step of the crossing runs there to its end. Then, for each
flush, the disk is built as a power cut just before it would leave it: all that was flushed, and of the writes since none, or half of
their sectors at random. The file system is mounted, its journal is replayed, and:

  * what is visible is what was before the step, or what should be after it; and nothing but the latter once the step had returned;
  * the same command, given again, does the whole work; `scrub` and `audit verify` have nothing to say.

And the same with a program whose syncs do nothing has to fail, or this test sees nothing.

--every N tries each Nth cut (the last always: the moment the step returned). Ends with the number of cuts tried.
"""
import argparse
import contextlib
import os
import pathlib
import random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from faults_test import Bench, fail, may_mount  # noqa: E402

MIB = 1 << 20
SIZES = {"ext4": 96 * MIB, "xfs": 320 * MIB, "btrfs": 256 * MIB}
MAKE = {"ext4": ["mkfs.ext4", "-q", "-F", "-E", "nodiscard,lazy_itable_init=0,lazy_journal_init=0"], "xfs": ["mkfs.xfs", "-q", "-f", "-K"],
        "btrfs": ["mkfs.btrfs", "-q", "-f", "-K"]}
SECTOR = 4096  # what disks of today write whole
WRITE, FLUSH = b"W", b"F"
HEAD = struct.Struct("<cQI")


def serve_disk(image, log, folder):
    """The child: FOLDER/disk is IMAGE, and LOG gets every write and every flush. Ends when it is unmounted."""
    import errno
    import stat
    import fusepy as fuse  # Debian's name for it

    class Disk(fuse.Operations):
        def __init__(self):
            self.image = os.open(image, os.O_RDWR)
            self.log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

        def getattr(self, path, handle=None):
            if path == "/":
                return {"st_mode": stat.S_IFDIR | 0o700, "st_nlink": 2}
            if path != "/disk":
                raise fuse.FuseOSError(errno.ENOENT)
            return {"st_mode": stat.S_IFREG | 0o600, "st_nlink": 1, "st_size": os.fstat(self.image).st_size}

        def read(self, path, size, offset, handle):
            return os.pread(self.image, size, offset)

        def write(self, path, data, offset, handle):
            os.write(self.log, HEAD.pack(WRITE, offset, len(data)) + data)
            os.pwrite(self.image, data, offset)
            return len(data)

        def fsync(self, path, only_data, handle):
            os.write(self.log, HEAD.pack(FLUSH, 0, 0))
            return 0

    fuse.FUSE(Disk(), str(folder), foreground=True, nothreads=True, direct_io=True, big_writes=True)


@contextlib.contextmanager
def watched_disk(image, log, folder):
    folder.mkdir(exist_ok=True)
    child = os.fork()
    if child == 0:
        try:
            serve_disk(image, log, folder)
        finally:
            os._exit(0)
    try:
        for _ in range(3000):
            if (folder / "disk").exists():
                break
            time.sleep(0.02)
        else:
            fail("the disk does not appear")
        yield folder / "disk"
    finally:
        subprocess.run(["umount", str(folder)], check=False)
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGTERM)
        os.waitpid(child, 0)


@contextlib.contextmanager
def mounted(disk, where, kind):
    device = subprocess.run(["losetup", "--find", "--show", str(disk)], check=True, capture_output=True, text=True).stdout.strip()
    try:
        subprocess.run(["mount", "-t", kind, device, str(where)], check=True)
        try:
            yield
        finally:
            subprocess.run(["umount", str(where)], check=True)
    finally:
        subprocess.run(["losetup", "--detach", device], check=True)


def entries_of(log):
    """(what, offset on the disk, bytes) in order."""
    text = log.read_bytes()
    at, out = 0, []
    while at < len(text):
        what, offset, size = HEAD.unpack_from(text, at)
        at += HEAD.size
        out.append((what, offset, text[at:at + size]))
        at += size
    return out


def write_to(image, entries):
    with open(image, "r+b") as file:
        for what, offset, data in entries:
            if what == WRITE:
                file.seek(offset)
                file.write(data)


def some_sectors(entries, dice):
    """Half of the sectors of what was not flushed, in any order: what a disk may have got to the plate."""
    pieces = [(WRITE, offset + at, data[at:at + SECTOR]) for what, offset, data in entries if what == WRITE
              for at in range(0, len(data), SECTOR) if dice.random() < 0.5]
    dice.shuffle(pieces)
    # Of two versions of one sector the later may not be overtaken by the earlier: the disk holds one in its cache.
    newest = {}
    for what, offset, data in entries:
        for at in range(0, len(data), SECTOR):
            newest[offset + at] = data[at:at + SECTOR]
    return [(what, offset, newest[offset]) for what, offset, _ in pieces]


# A program that syncs nothing, for the test of this test.
BLIND = ("strace", "-f", "--seccomp-bpf", "-qq", "-o", "/dev/null", "-e", "trace=fsync,fdatasync,syncfs", "-e",
         "inject=fsync,fdatasync,syncfs:retval=0")


def record(bench, step, kind, folder, before=()):
    """Runs the step on a watched disk. Returns the disk before it, what was written to it until the step returned, and how many of
    these writes were made by the mount before the step began."""
    base, image, log = folder / "base.img", folder / "image.img", folder / "log"
    log.unlink(missing_ok=True)
    with open(base, "wb") as file:
        file.truncate(SIZES[kind])
    subprocess.run([*MAKE[kind], str(base)], check=True)
    with mounted(base, bench.live, kind):
        bench.restore(step.name)
    shutil.copyfile(base, image)
    with watched_disk(image, log, folder / "watched") as disk, mounted(disk, bench.live, kind):
        bench.where = f"{step.name} on a watched disk"
        began = len(entries_of(log))
        bench.run(step.side, *step.command, before=before)
        entries = entries_of(log)
    return base, entries, began


def cut(bench, step, kind, every, dice, folder, program=()):
    before, after = bench.outcome(step)
    base, entries, began = record(bench, step, kind, folder, program)
    acknowledged = len(entries)
    flushes = [i for i, (what, _, _) in enumerate(entries) if what == FLUSH and i >= began]
    if not flushes and not program:
        fail(f"{step.name} never flushed the disk")
    cuts = [i for n, i in enumerate(flushes) if n % every == 0] + [acknowledged]
    flushed, durable = 0, folder / "durable.img"
    shutil.copyfile(base, durable)
    tried = 0
    for here in cuts:
        last = max((i for i in flushes if i < here), default=began - 1) + 1
        write_to(durable, entries[flushed:last])
        flushed = last
        waiting = entries[last:here]
        for how, written in (("dropped", []), ("in part", some_sectors(waiting, dice))):
            if how == "in part" and not waiting:
                continue
            disk = folder / "cut.img"
            shutil.copyfile(durable, disk)
            write_to(disk, written)
            where = f"{step.name}, power lost at write {here} of {acknowledged}, {len(waiting)} not flushed: {how}"
            with mounted(disk, bench.live, kind):
                bench.where = where
                if here == acknowledged and step.visible() != after:
                    fail(f"{where}: it had returned, and is not there: {step.visible()} instead of {after}")
                bench.check(step, before, after, where, subprocess.CompletedProcess([], 0, "", ""))
            tried += 1
    return tried


def may_loop():
    with tempfile.NamedTemporaryFile() as file:
        file.truncate(MIB)
        made = subprocess.run(["losetup", "--find", "--show", file.name], capture_output=True, text=True)
        if made.returncode == 0:
            subprocess.run(["losetup", "--detach", made.stdout.strip()], check=True)
        return made.returncode == 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("low")
    parser.add_argument("high")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--only", default="")
    parser.add_argument("--fs", default="ext4", choices=sorted(SIZES))
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if not may_mount() or not may_loop() or not os.path.exists("/dev/fuse"):
        print("this needs root, /dev/fuse and loop devices")
        sys.exit(77)
    # Whoever makes a mount namespace meanwhile would take our mounts along, and unmounting would not end them.
    if "LIFTLOCK_POWER_ALONE" not in os.environ:
        os.execvpe("unshare", ["unshare", "--mount", "--propagation", "private", sys.executable, *sys.argv],
                   dict(os.environ, LIFTLOCK_POWER_ALONE="1"))
    dice, tried, blind = random.Random(options.seed), {}, []
    with tempfile.TemporaryDirectory() as name, contextlib.closing(Bench(options.low, options.high, pathlib.Path(name))) as bench:
        folder = pathlib.Path(name)
        for step in bench.build():
            if not options.only or step.name in options.only.split(","):
                tried[step.name] = cut(bench, step, options.fs, options.every, dice, folder)
                print(f"{step.name}: clean after {tried[step.name]} cuts on {options.fs}", flush=True)
                before, after = bench.outcome(step)
                with contextlib.suppress(SystemExit):
                    cut(bench, step, options.fs, 1, dice, folder, BLIND)
                    if before != after:  # else there is nothing to lose
                        blind.append(step.name)
    if not tried or blind:
        fail("nothing was tried" if not tried else f"a program that syncs nothing loses nothing in {blind}")
    print(f"{sum(tried.values())} power cuts tried on {options.fs}, all clean")


if __name__ == "__main__":
    main()
