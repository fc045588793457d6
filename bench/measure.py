"""Runs a command and measures it: wall time, bytes read and written by the whole process tree, peak memory.

Bytes are rchar and wchar: the kernel adds those of waited-for children to the parent. mmap and copy_file_range would
bypass them; Liftlock uses neither for content. Memory is anonymous plus shared, summed over the tree, sampled every 20 ms.
"""
import argparse
import os
import pathlib
import shutil
import signal
import subprocess
import threading
import time


def arguments(**numbers):
    """BUILD_FOLDER WORK_FOLDER, and an option for each of the numbers with its default. WORK_FOLDER is emptied."""
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("work", type=pathlib.Path)
    for name, default in numbers.items():
        parser.add_argument(f"--{name}", type=type(default), default=default)
    args = parser.parse_args()
    args.build, args.work = args.build.resolve(), args.work.resolve()  # commands run in folders of their own
    shutil.rmtree(args.work, ignore_errors=True)
    args.work.mkdir(parents=True)
    return args


def _io():
    with open("/proc/self/io") as f:
        return {k: int(v) for k, v in (line.split(": ") for line in f)}


def _tree(root):
    children = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat") as f:
                parent = int(f.read().rsplit(")", 1)[1].split()[1])
        except (OSError, IndexError):
            continue
        children.setdefault(parent, []).append(int(pid))
    todo, found = [root], []
    while todo:
        pid = todo.pop()
        found.append(pid)
        todo += children.get(pid, [])
    return found


def _memory(root):
    total = 0
    for pid in _tree(root):
        try:
            with open(f"/proc/{pid}/status") as f:
                total += sum(int(line.split()[1]) for line in f if line.startswith(("RssAnon", "RssShmem")))
        except OSError:
            pass
    return total * 1024


class Failed(SystemExit):
    """A command that ended with an error."""


class TookTooLong(Failed):
    """A command that was ended by its limit."""


def _ended(process, limit):
    """What it printed. With a limit, or where somebody stops us, everything that it started ends with it."""
    try:
        return process.communicate(timeout=limit)[0].decode(errors="replace")
    except BaseException as error:
        if limit is not None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
        if isinstance(error, subprocess.TimeoutExpired):
            raise TookTooLong(f"{process.args} was ended after {limit:.0f} s") from None
        raise


def run(command, cwd=None, env=None, memory=False, limit=None):
    """Returns {seconds, read, written, memory, output}. @raises Failed when the command fails, TookTooLong when it takes more
    than `limit` seconds"""
    peak = [0]
    before = _io()
    start = time.monotonic()
    process = subprocess.Popen(command, cwd=cwd, env=env, shell=isinstance(command, str), executable="/bin/bash" if isinstance(command, str) else None,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=limit is not None)
    stop = threading.Event()

    def watch():
        while not stop.wait(0.02):
            peak[0] = max(peak[0], _memory(process.pid))

    watcher = threading.Thread(target=watch)
    if memory:
        watcher.start()
    try:
        output = _ended(process, limit)
        seconds = time.monotonic() - start
    finally:
        stop.set()
        if memory:
            watcher.join()
    after = _io()
    if process.returncode != 0:
        raise Failed(f"{command} ended with {process.returncode}:\n{output[-2000:]}")
    return {"seconds": seconds, "read": after["rchar"] - before["rchar"] - len(output), "written": after["wchar"] - before["wchar"],
            "memory": peak[0], "output": output}
