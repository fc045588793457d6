#!/usr/bin/env python3
"""`skopeo copy` of one image from `liftlock serve` and from Debian's docker-registry, both on loopback, in interleaved
rounds: the image is made with umoci, pushed to the registry, and carried to the high side from there.

usage: skopeo.py BUILD_FOLDER WORK_FOLDER [--mib N] [--rounds N]
"""
import json
import os
import pathlib
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import crossing  # noqa: E402
import measure  # noqa: E402

LAYERS = 4


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(url):
    for _ in range(200):
        try:
            urllib.request.urlopen(url).close()
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit(f"nothing answers at {url}")


def make_image(work, mib):
    layout = work / "image"
    commands = [f"umoci init --layout {layout}", f"umoci new --image {layout}:1"]
    for i in range(LAYERS):
        (work / f"layer{i}.bin").write_bytes(os.urandom(mib * 2**20 // LAYERS))
        commands.append(f"tar --owner 0 --group 0 --numeric-owner -C {work} -cf {work}/layer.tar layer{i}.bin && "
                        f"umoci raw add-layer --image {layout}:1 {work}/layer.tar")
    measure.run(" && ".join(commands))
    return layout


def start_registry(work, port):
    (work / "registry.yml").write_text(
        f"version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\n"
        f"storage: {{filesystem: {{rootdirectory: {work}/registry}}}}\nhttp: {{addr: '127.0.0.1:{port}'}}\n")
    process = subprocess.Popen(["docker-registry", "serve", str(work / "registry.yml")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(f"http://127.0.0.1:{port}/v2/")
    return process


def start_mirror(high, state):
    process = subprocess.Popen([high, "--json", "--state", str(state), "serve", "--listen", "127.0.0.1:0"],
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    text = ""
    while not text.rstrip().endswith("}"):
        line = process.stdout.readline()
        if not line:
            raise SystemExit("the mirror did not start")
        text += line
    return process, json.loads(text)["url"].split("//")[1].rstrip("/")


def copy(source):
    """Into memory: the disk's moods are not the server's."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as to:
        return measure.run(["skopeo", "copy", "-q", "--src-tls-verify=false", f"docker://{source}", f"dir:{to}"])["seconds"]


def main():
    args = measure.arguments(mib=512, rounds=5)
    port = free_port()
    registry = mirror = None
    try:
        layout = make_image(args.work, args.mib)
        registry = start_registry(args.work, port)
        measure.run(f"skopeo copy -q --dest-tls-verify=false oci:{layout}:1 docker://127.0.0.1:{port}/hello:1")
        carried = crossing.Crossing(args.build.resolve(), args.work,
                                    f'[image.hello]\nsource = "docker://127.0.0.1:{port}/hello:1"\nname = "hello"\ninsecure = true\n')
        carried.pack()
        carried.fresh_high()
        carried.ingest()
        mirror, address = start_mirror(carried.high, carried.high_state)
        times = {"liftlock": [], "docker-registry": []}
        for _ in range(args.rounds):
            times["docker-registry"].append(copy(f"127.0.0.1:{port}/hello:1"))
            times["liftlock"].append(copy(f"{address}/hello:1"))
        ours, theirs = (statistics.median(times[name]) for name in ("liftlock", "docker-registry"))
        print(f"skopeo copy of {args.mib} MiB in {LAYERS} layers: liftlock {ours:.2f} s, docker-registry {theirs:.2f} s, "
              f"speed ratio {theirs / ours:.2f} (goal ≥ 1)")
    finally:
        for process in (registry, mirror):
            if process:
                process.terminate()
                process.wait()
        shutil.rmtree(args.work, ignore_errors=True)


if __name__ == "__main__":
    main()
