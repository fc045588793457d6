#!/usr/bin/env python3
"""10,000 idle clients and a slow-loris on the mirror while an ingest runs: who asks is answered in time, the bundle lands, and the
server's memory stays small.   crowd_test.py LIFTLOCK_LOW LIFTLOCK_HIGH [--clients N]

Loopback only. Exit status 77 where this user may not open that many files.
"""
import argparse
import hashlib
import json
import os
import pathlib
import resource
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

MOST_SECONDS = 20.0  # for a request of somebody who only wants a file, on a machine that is busy with all this
MOST_MEMORY = 700 << 20
LORISES = 500


def fail(text):
    sys.exit(f"FAILED: {text}")


class Site:
    def __init__(self, program, state, folder):
        self.program, self.state, self.folder = program, state, folder

    def __call__(self, *arguments):
        done = subprocess.run([self.program, "--quiet", "--state", self.state, *arguments], cwd=self.folder, text=True,
                              capture_output=True, stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            fail(f"{' '.join(arguments)}: {done.stderr}")
        return done.stdout


def ship(low, folder, number):
    (folder / "stack" / "big.bin").write_bytes(os.urandom(30_000_000))
    (folder / "stack" / "liftlock.lock").unlink(missing_ok=True)
    low("lock")
    low("fetch")
    bundle = folder / "medium" / f"demo-{number}"
    low("pack", "--output", str(bundle))
    low("sign", str(bundle), "--role", "builder", "--key", str(folder / "builder.pem"))
    return hashlib.sha256((bundle / "manifest/bundle.json").read_bytes()).hexdigest()


def build(folder, low_program, high_program):
    low = Site(low_program, f"{folder}/low", folder / "stack")
    high = Site(high_program, f"{folder}/high", folder)
    (folder / "stack").mkdir()
    (folder / "stack" / "small.bin").write_bytes(b"small\n")
    (folder / "stack" / "liftlock.toml").write_text(
        '[stack]\nname = "demo"\n[file.big]\nsource = "big.bin"\n[file.small]\nsource = "small.bin"\n')
    low("init")
    for role in ("root", "builder"):
        low("trust", "keygen", "--role", role, "--out", f"{folder}/{role}.pem")
    low("trust", "init", "--organisation", "Test", "--root-key", f"{folder}/root.pem", "--add", f"builder:{folder}/builder.pem.pub")
    first = ship(low, folder, 1)
    high("init", "--zone", "ingest", "--organisation", "Test")
    config = folder / "high" / "config.toml"
    config.write_text(config.read_text().replace('reserve = "1GiB"', 'reserve = "1MiB"') +
                      f'[source.usb]\npath = "{folder}/medium"\nrequire_read_only = false\n')
    high("trust", "pin", f"{folder}/medium/demo-1", "--fingerprint", json.loads(low("--json", "trust", "show"))["fingerprint"])
    high("ingest", "usb/demo-1", "--expect", first)
    return low, high


def memory_of(pid):
    for line in open(f"/proc/{pid}/status"):
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    fail("the server is gone")


def idle_client(port):
    """One that asked once, and then keeps its connection."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=30)
    connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    if not connection.recv(4096).startswith(b"HTTP/1.1 200"):
        fail("a client of the crowd was not answered")
    return connection


class Loris(threading.Thread):
    """Heads that never end, a byte at a time, from many connections; whoever is closed comes again."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port, self.going, self.closed = port, True, 0

    def run(self):
        held = []
        while self.going:
            while len(held) < LORISES:
                connection = socket.create_connection(("127.0.0.1", self.port), timeout=30)
                connection.setblocking(False)
                connection.send(b"GET /files/ HTTP/1.1\r\nX-Slow: ")
                held.append(connection)
            for connection in list(held):
                try:
                    connection.send(b"a")
                    if connection.recv(4096) == b"":
                        raise ConnectionResetError
                except BlockingIOError:
                    pass
                except OSError:
                    self.closed += 1
                    connection.close()
                    held.remove(connection)
            time.sleep(0.5)
        for connection in held:
            connection.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("low")
    parser.add_argument("high")
    parser.add_argument("--clients", type=int, default=10_000)
    options = parser.parse_args()
    needed = options.clients + LORISES + 1000
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and most < needed:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (needed, needed))
        except (ValueError, OSError):
            print(f"skipped: {needed} open files are needed, and {most} are allowed")
            sys.exit(77)
    else:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, most))
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        low, high = build(folder, os.path.realpath(options.low), os.path.realpath(options.high))
        second = ship(low, folder, 2)
        server = subprocess.Popen([high.program, "--quiet", "--state", high.state, "serve", "--listen", "127.0.0.1:0"],
                                  stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
        try:
            url = server.stdout.readline().strip().removeprefix("listening on ")
            run(options, high, second, server, url)
        finally:
            server.terminate()
            server.wait()
            subprocess.run(["gpgconf", "--homedir", f"{folder}/high/keys/mirror-gnupg", "--kill", "all"], check=False)
        high("scrub")
        high("audit", "verify")


def run(options, high, second, server, url):
    port = int(url.rpartition(":")[2])
    came = time.monotonic()
    crowd = [idle_client(port) for _ in range(options.clients)]
    loris = Loris(port)
    loris.start()
    landed = {}

    def ingest():
        begun = time.monotonic()
        high("ingest", "usb/demo-2", "--expect", second)
        landed["after"] = time.monotonic() - begun

    worker = threading.Thread(target=ingest)
    worker.start()
    longest, asked, most = 0.0, 0, 0
    until = time.monotonic() + 15
    while worker.is_alive() or loris.closed < LORISES or time.monotonic() < until:
        begun = time.monotonic()
        with urllib.request.urlopen(f"{url}/bundles/demo/1/files/small.bin", timeout=60) as answer:
            if answer.read() != b"small\n":
                fail("other bytes")
        longest = max(longest, time.monotonic() - begun)
        most = max(most, memory_of(server.pid))
        asked += 1
        if begun > until + 120:
            fail(f"the ingest does not end, or only {loris.closed} slow heads were closed")
        time.sleep(0.02)
    worker.join()
    if "after" not in landed:
        fail("the bundle did not land")
    begun = time.monotonic()
    while time.monotonic() - begun < 60:  # the mirror looks once a second
        with urllib.request.urlopen(f"{url}/bundles/demo/", timeout=60) as answer:
            names = [entry["name"] for entry in json.load(answer)["entries"]]
        if "2" in names:
            break
        time.sleep(0.2)
    else:
        fail("what landed is not served")
    loris.going = False
    loris.join()
    alive = 0
    for connection in crowd:
        try:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            alive += connection.recv(4096).startswith(b"HTTP/1.1 200")
        except OSError:
            pass
        connection.close()
    stayed = time.monotonic() - came
    print(f"ok: {len(crowd)} idle clients ({alive} answered again), {loris.closed} slow heads closed, {asked} requests within "
          f"{longest:.2f} s, ingest {landed['after']:.1f} s, {most >> 20} MiB at most")
    if longest > MOST_SECONDS:
        fail(f"a request took {longest:.1f} s")
    if most > MOST_MEMORY:
        fail(f"the server used {most >> 20} MiB")
    if alive < len(crowd) and stayed < 70:  # after 75 s they may be dropped
        fail(f"{len(crowd) - alive} of the crowd were dropped within their idle time")


if __name__ == "__main__":
    main()
