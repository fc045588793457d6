#!/usr/bin/python3
"""Pulls the medium out of the machine in the middle of the work, and puts it back.

    medium_test.py LIFTLOCK_LOW LIFTLOCK_HIGH [--every N] [--only pack,sign,verify,ingest]

The medium is an ext4 on a loop device whose backing file is served by this program (FUSE). After the first, second, third … request
that the kernel makes to it, the medium is gone: every request after that ends with EIO, and what was not written is lost. Then it is
put back and mounted again. Each time:

  * the program ended with an error that has a code, not by a signal, and not with 0 unless the work was on the medium;
  * on the isolated side the store is as it was before, and is clean;
  * the same command, given again with the medium back, does the whole work.

Ends with the number of times that the medium was pulled out.
"""
import argparse
import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from faults_test import Bench, Step, counts, fail, may_mount  # noqa: E402
from power_test import MAKE, MIB, may_loop, mounted  # noqa: E402


def serve_medium(image, folder, pulled_after):
    """The child: FOLDER/disk is IMAGE until that many requests were answered; none: for ever."""
    import errno
    import stat
    import fusepy as fuse  # Debian's name for it

    class Medium(fuse.Operations):
        def __init__(self):
            self.image = os.open(image, os.O_RDWR)
            self.left = pulled_after

        def answer(self):
            if self.left is None:
                return
            if self.left == 0:
                raise fuse.FuseOSError(errno.EIO)
            self.left -= 1

        def getattr(self, path, handle=None):
            if path == "/":
                return {"st_mode": stat.S_IFDIR | 0o700, "st_nlink": 2}
            if path == "/pulled":  # for whoever asks whether it came to that
                if self.left != 0:
                    raise fuse.FuseOSError(errno.ENOENT)
            elif path != "/disk":
                raise fuse.FuseOSError(errno.ENOENT)
            return {"st_mode": stat.S_IFREG | 0o600, "st_nlink": 1, "st_size": os.fstat(self.image).st_size}

        def read(self, path, size, offset, handle):
            self.answer()
            return os.pread(self.image, size, offset)

        def write(self, path, data, offset, handle):
            self.answer()
            return os.pwrite(self.image, data, offset)

        def fsync(self, path, only_data, handle):
            self.answer()
            return 0

    fuse.FUSE(Medium(), str(folder), foreground=True, nothreads=True, direct_io=True, big_writes=True)


@contextlib.contextmanager
def medium(bench, image, pulled_after=None):
    """The medium, mounted. Yields a function that says whether it is gone; None when it was gone before it was mounted."""
    folder = bench.folder / "served"
    folder.mkdir(exist_ok=True)
    child = os.fork()
    if child == 0:
        try:
            serve_medium(image, folder, pulled_after)
        finally:
            os._exit(0)
    device = ""
    try:
        for _ in range(3000):
            if (folder / "disk").exists():
                break
            time.sleep(0.02)
        else:
            fail("the medium does not appear")
        device = subprocess.run(["losetup", "--find", "--show", str(folder / "disk")], check=True, capture_output=True,
                                text=True).stdout.strip()
        gone = lambda: (folder / "pulled").exists()  # noqa: E731
        if subprocess.run(["mount", device, str(bench.medium)], capture_output=True).returncode != 0:
            if not gone():
                fail("the medium cannot be mounted")
            yield None
            return
        try:
            yield gone
        finally:
            subprocess.run(["umount", str(bench.medium)], check=False, capture_output=True)
    finally:
        if device:
            subprocess.run(["losetup", "--detach", device], check=False)
        subprocess.run(["umount", str(folder)], check=False)
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGTERM)
        os.waitpid(child, 0)


def pull(bench, step, every, before_image):
    """The step, with the medium pulled out after 1, 2, 3 … requests, until it is done before that."""
    image = bench.folder / "medium.img"
    tried = 0
    stored = bench.store_of("high")
    for count in counts(every):
        shutil.copyfile(before_image, image)
        bench.restore(step.name)
        before = stored() if step.side == "high" else None
        where = f"{step.name}, the medium pulled out after {count} requests"
        with medium(bench, image, count) as gone:
            if gone is None:
                continue
            bench.where = where
            done = bench.run(step.side, *step.command, check=False)
            pulled = gone()
        if done.returncode not in range(8):
            fail(f"{where}: ended with {done.returncode}: {done.stderr}")
        if done.returncode != 0 and "error[" not in done.stderr:
            fail(f"{where}: no error code: {done.stderr}")
        if done.returncode != 0 and not pulled:
            fail(f"{where}: it failed while the medium was there: {done.stderr}")
        if step.side == "high":
            if done.returncode != 0 and stored() != before:
                fail(f"{where}: it failed, and something is in the store: {stored()}")
            bench.run("high", "audit", "verify")
            bench.run("high", "scrub")
        with medium(bench, image):
            bench.where = f"{where}, and put back"
            if done.returncode == 0 and step.name in ("pack", "sign") and step.visible() is None:
                fail(f"{where}: it said that all is well, and nothing is there")
            bench.run(step.side, *step.command)
            if step.name in ("pack", "sign"):
                bench.run("low", "verify", f"{bench.medium}/demo-1", "--integrity-only")
            if step.name == "ingest":
                bench.run("high", "scrub")
                if stored() == before:
                    fail(f"{bench.where}: nothing landed")
        tried += 1
        if not pulled:
            return tried
    return tried


def prepare(bench):
    """The steps that touch a medium, and the medium as it is before each: a file system in a file."""
    steps = {step.name: step for step in bench.build()}
    bundle = bench.medium / "demo-1"
    bench.snapshot("verify")
    steps["verify"] = Step("verify", "low", ["verify", str(bundle), "--integrity-only"], bench.bundle_of(bundle))
    whole = bench.folder / "whole"
    bench.medium.rename(whole)
    bench.medium.mkdir()
    images = {}
    for name in ("pack", "sign", "verify", "ingest"):
        images[name] = bench.folder / f"{name}.img"
        with open(images[name], "wb") as file:
            file.truncate(24 * MIB)
        subprocess.run([*MAKE["ext4"], str(images[name])], check=True)
        with mounted(images[name], bench.medium, "ext4"):
            if name != "pack":
                shutil.copytree(whole / "demo-1", bench.medium / "demo-1")
            if name == "sign":
                for file in (bench.medium / "demo-1" / "signatures").glob("*builder*"):
                    file.unlink()
    return [(steps[name], images[name]) for name in images]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("low")
    parser.add_argument("high")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    if not may_mount() or not may_loop() or not os.path.exists("/dev/fuse"):
        print("this needs root, /dev/fuse and loop devices")
        sys.exit(77)
    # Whoever makes a mount namespace meanwhile would take our mounts along, and unmounting would not end them.
    if "LIFTLOCK_MEDIUM_ALONE" not in os.environ:
        os.execvpe("unshare", ["unshare", "--mount", "--propagation", "private", sys.executable, *sys.argv],
                   dict(os.environ, LIFTLOCK_MEDIUM_ALONE="1"))
    tried = {}
    with tempfile.TemporaryDirectory() as name:
        bench = Bench(options.low, options.high, pathlib.Path(name))
        bench.medium = bench.folder / "usb"
        try:
            for step, image in prepare(bench):
                if not options.only or step.name in options.only.split(","):
                    tried[step.name] = pull(bench, step, options.every, image)
                    print(f"{step.name}: clean after {tried[step.name]} times", flush=True)
        finally:
            bench.close()
    if not tried:
        fail("nothing was tried")
    print(f"the medium was pulled out {sum(tried.values())} times, all clean")


if __name__ == "__main__":
    main()
