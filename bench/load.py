#!/usr/bin/env python3
"""Measures the time from a request to the first token of a model that is not loaded: the bare llama-server of the same
engine package and on the same file, against `liftlock serve` behind its load gate, every byte hashed or the cheap path
(recheck_models = false). Rounds are interleaved; medians, and the median of each round's ratio.

usage: load.py BUILD_FOLDER WORK_FOLDER [--layers N] [--rounds N]

A layer is 80 MiB. Needs the machine's Debian mirror for the engine (suite forky) and bubblewrap.
"""
import contextlib
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import measure  # noqa: E402
from crossing import Crossing  # noqa: E402

SOURCE = pathlib.Path(__file__).parent.parent
STACK = """
[engine.llama]
packages = ["llama.cpp-tools"]
suites = ["forky"]
executables = ["llama-server"]
accept_expired = "600d"

[model.big]
source = "{model}"
"""
CONTEXT, SLOTS = 2048, 2  # as the model was trained, and what the gateway gives an engine
QUESTION = {"model": "big", "stream": True, "max_tokens": 1, "messages": [{"role": "user", "content": "Hi"}]}


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost")
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


def is_ready(path):
    with contextlib.suppress(OSError, http.client.HTTPException):
        connection = UnixConnection(path)
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    return False


def wait_for_token(connection, headers):
    connection.request("POST", "/v1/chat/completions", json.dumps(QUESTION), {"Content-Type": "application/json", **headers})
    answer = connection.getresponse()
    if answer.status != 200:
        raise SystemExit(f"{answer.status}: {answer.read()}")
    while line := answer.readline():
        if line.startswith(b"data: {") and json.loads(line[6:])["choices"][0]["delta"].get("content"):
            return
    raise SystemExit("no text came")


def forget(paths):
    """Out of the page cache; others on this machine keep theirs. What a process that is about to end still maps stays
    there, so it is asked for until it is gone."""
    deadline = time.monotonic() + 10
    while True:
        for path in paths:
            fd = os.open(path, os.O_RDONLY)
            os.fsync(fd)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(fd)
        shown = subprocess.run(["fincore", "--bytes", "--noheadings", "--output", "RES", *map(str, paths)], capture_output=True, text=True, check=True)
        left = sum(map(int, shown.stdout.split()))
        if left < 1 << 20:
            return
        if time.monotonic() > deadline:
            raise SystemExit(f"{left} bytes of the model and the engine stay in the page cache")
        time.sleep(0.05)


def end(process):
    process.send_signal(signal.SIGTERM)
    process.wait()


class Site:
    def __init__(self, build, work, model):
        crossing = Crossing(build, work, STACK.format(model=model))
        medium = work / "medium/big-1"
        crossing.run_low("pack", "--output", str(medium), cwd=work / "stack")
        crossing.run_low("sign", str(medium), "--role", "builder", "--key", str(work / "builder.pem"))
        fingerprint = json.loads(crossing.run_low("--json", "trust", "show")["output"])["fingerprint"]
        crossing.run_high("init", "--zone", "ingest")
        self.config = crossing.high_state / "config.toml"
        self.plain = self.config.read_text() + f'[source.usb]\npath = "{medium.parent}"\nrequire_read_only = false\n'
        self.config.write_text(self.plain)
        crossing.run_high("trust", "pin", str(medium), "--fingerprint", fingerprint)
        digest = measure.run(f"sha256sum < {medium}/manifest/bundle.json")["output"].split()[0]
        crossing.run_high("ingest", "usb/big-1", "--expect", digest)
        crossing.run_high("engine", "install", "llama")
        self.key = json.loads(crossing.run_high("--json", "key", "add", "bench")["output"])["secret"]
        shown = json.loads(crossing.run_high("--json", "show", "big")["output"])["files"][0]["digests"]["sha256"]
        self.blob = crossing.high_state / "store/blobs/sha256" / shown[:2] / shown
        self.engine = next((crossing.high_state / "engines/llama").iterdir())
        self.work, self.high, self.state = work, crossing.high, crossing.high_state
        shutil.rmtree(medium)

    def engine_files(self):
        return [path for path in self.engine.rglob("*") if path.is_file() and not path.is_symlink()]

    @contextlib.contextmanager
    def bare_engine(self, context=CONTEXT):
        """The engine's program, healthy, without a gate or a gateway: the path of its socket."""
        run = self.work / "run"
        run.mkdir(exist_ok=True)
        path = run / "bare.sock"
        path.unlink(missing_ok=True)
        manifest = json.loads((self.engine / "engine.json").read_text())
        libraries = ":".join("/" + folder for folder in manifest["library_path"])
        command = ["bwrap", "--ro-bind", self.engine / "usr", "/usr", "--symlink", "usr/bin", "/bin", "--symlink", "usr/lib", "/lib",
                   "--symlink", "usr/lib64", "/lib64", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--bind", run, "/run",
                   "--ro-bind", self.blob, "/model.gguf", "--setenv", "LD_LIBRARY_PATH", libraries, "--die-with-parent",
                   "/" + manifest["executables"]["llama-server"], "--host", "/run/bare.sock", "-m", "/model.gguf", "--offline",
                   "--parallel", str(SLOTS), "-c", str(SLOTS * context)]
        with open(self.work / "bare.log", "w") as log:
            process = subprocess.Popen([str(part) for part in command], stdout=log, stderr=log)
        try:
            while not is_ready(path):
                if process.poll() is not None:
                    raise SystemExit(f"the bare engine ended: {(self.work / 'bare.log').read_text()[-2000:]}")
                time.sleep(0.005)
            yield path
        finally:
            end(process)

    def bare(self):
        """Seconds from the start of the engine's program."""
        start = time.monotonic()
        with self.bare_engine() as path:
            wait_for_token(UnixConnection(path), {})
            return time.monotonic() - start

    @contextlib.contextmanager
    def serving(self, policy):
        self.config.write_text(self.plain.replace("[policy]\n", f"[policy]\n{policy}\n"))
        process = subprocess.Popen([self.high, "--quiet", "--state", str(self.state), "serve", "--listen", "127.0.0.1:0"],
                                   stdout=subprocess.PIPE, text=True)
        try:
            line = process.stdout.readline()
            if not line.startswith("listening on "):
                raise SystemExit(f"serve said '{line}'")
            yield line.rsplit(":", 1)[1].strip()
        finally:
            end(process)

    def gate(self, policy, before):
        """Seconds from the request."""
        with self.serving(policy) as port:
            before()
            connection = http.client.HTTPConnection("127.0.0.1", int(port))
            start = time.monotonic()
            wait_for_token(connection, {"Authorization": f"Bearer {self.key}"})
            return time.monotonic() - start


def main():
    args = measure.arguments(layers=12, rounds=5)
    model = args.work / "big.gguf"
    made = [sys.executable, str(SOURCE / "tests/tools/make_model.py"), "gguf", str(model), "--layers", str(args.layers), "--embd", "2048"]
    measure.run(made)
    site = Site(args.build.resolve(), args.work.resolve(), model.resolve())
    model.unlink()
    full, cheap = "recheck_models = true", "recheck_models = false"
    files = [site.blob, *site.engine_files()]
    ways = {"bare": lambda before: (before(), site.bare())[1], "every byte": lambda before: site.gate(full, before),
            "untouched": lambda before: site.gate(cheap, before)}
    for way in ways.values():  # the untouched way needs a load that hashed every byte; the others their libraries in memory
        way(lambda: None)
    size = site.blob.stat().st_size
    print(f"a model of {size / 2**20:.0f} MiB in one file, {args.rounds} rounds, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    for temperature, before in {"cold": lambda: forget(files), "warm": lambda: site.blob.read_bytes()}.items():
        seconds = {name: [] for name in ways}
        for _ in range(args.rounds):
            for name, way in ways.items():
                seconds[name].append(way(before))
        for name in ways:
            ratio = statistics.median(mine / bare for mine, bare in zip(seconds[name], seconds["bare"]))
            print(f"  {temperature}  {name:11} {statistics.median(seconds[name]):6.2f} s  {ratio:5.2f} x"
                  f"   ({min(seconds[name]):.2f} to {max(seconds[name]):.2f} s)")
    #    shutil.rmtree(args.work, ignore_errors=True)


if __name__ == "__main__":
    main()
