#!/usr/bin/env python3
"""Audit entries reach a collector over TLS, each at least once, whatever it and the shipper go through (docs/formats/syslog.md).

    syslog_test.py LIFTLOCK_HIGH

The collector is Python's ssl with a parser of its own that takes RFC 5425 frames of RFC 5424 messages and nothing else.
"""
import json
import os
import pathlib
import re
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

MESSAGE = re.compile(
    rb"<(?P<pri>\d{1,3})>1 (?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ) (?P<host>[\x21-\x7e]{1,255}) (?P<app>[\x21-\x7e]{1,48})"
    rb" (?P<proc>[\x21-\x7e]{1,128}) (?P<id>[\x21-\x7e]{1,32}) - (?P<msg>[\x20-\x7e]*)\Z")


def fail(text):
    sys.exit(f"FAILED: {text}")


class Collector:
    """Listens until it is stopped; `after` bytes of a connection it drops that one, without a word."""

    def __init__(self, pki, port=0, name="collector", after=None):
        self.messages, self.bad, self.after = [], [], after
        self.open, self.lock = 0, threading.Lock()  # connections that are still read from
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pki / f"{name}.pem", pki / f"{name}.key")
        context.load_verify_locations(pki / "ca.pem")
        context.verify_mode = ssl.CERT_REQUIRED
        self.context = context
        self.listener = socket.create_server(("127.0.0.1", port))
        if after is not None:
            # Small, or all that is to come is taken in before the connection is dropped, and its sender ends well.
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        self.port = self.listener.getsockname()[1]
        self.stopped = False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.stopped:
            try:
                plain, _ = self.listener.accept()
            except OSError:
                return
            with self.lock:
                self.open += 1
            threading.Thread(target=self.serve, args=(plain,), daemon=True).start()

    def serve(self, plain):
        try:
            self.read_all(plain)
        finally:
            with self.lock:
                self.open -= 1

    def read_all(self, plain):
        try:
            with self.context.wrap_socket(plain, server_side=True) as tls:
                self.peer = tls.getpeercert()
                data, total = b"", 0
                while chunk := tls.recv(65536):
                    total += len(chunk)
                    if self.after is not None and total > self.after:
                        self.after = None
                        return
                    data = self.take(data + chunk)
                if data:
                    self.bad.append(f"the end of a connection within a frame: {data[:99]}")
        except OSError:
            pass

    def take(self, data):
        while match := re.match(rb"([1-9]\d{0,5}) ", data):
            length, begin = int(match[1]), match.end()
            if len(data) < begin + length:
                break
            self.parse(data[begin:begin + length])
            data = data[begin + length:]
        if data and not re.match(rb"[1-9]\d{0,5}( |\Z)", data):
            self.bad.append(f"no frame: {data[:99]}")
        return data

    def parse(self, message):
        match = MESSAGE.match(message)
        if not match or len(message) > 8192:
            self.bad.append(f"no message: {message[:200]}")
            return
        entry = json.loads(match["msg"])
        if match["app"] != b"liftlock" or int(match["pri"]) != (108 if entry["outcome"] == "failure" else 110):
            self.bad.append(f"wrong fields: {message[:200]}")
        self.messages.append(entry)

    def indexes(self):
        return [entry["index"] for entry in self.messages]

    def stop(self):
        self.stopped = True
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()


def make_pki(folder):
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    for ca in ("ca", "other"):
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{ca}.key", "-out",
                f"{ca}.pem", "-days", "30", "-subj", f"/CN={ca}")
    for name, names in (("collector", "IP:127.0.0.1"), ("elsewhere", "DNS:elsewhere.example"), ("node", "DNS:ingest1")):
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr",
                "-subj", f"/CN={name}")
        (folder / "names").write_text(f"subjectAltName={names}\n")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-out", f"{name}.pem", "-days",
                "30", "-extfile", "names")


class Node:
    def __init__(self, program, folder):
        self.program, self.state, self.pki = program, folder / "state", folder / "pki"
        self.run("init", "--zone", "production", "--record", "off")
        # How full this machine's disk is depends on the machine.
        self.config = (self.state / "config.toml").read_text().replace('reserve = "1GiB"', 'reserve = "1MiB"')

    def command(self, *arguments):
        return [self.program, "--quiet", "--state", str(self.state), *arguments]

    def run(self, *arguments, status=0, **environment):
        done = subprocess.run(self.command(*arguments), capture_output=True, text=True, env=dict(os.environ, **environment))
        if done.returncode != status:
            fail(f"{arguments}: status {done.returncode}, not {status}: {done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    def refused(self, code, *arguments):
        done = subprocess.run(self.command(*arguments), capture_output=True, text=True)
        if done.returncode == 0 or f"error[{code}]" not in done.stderr:
            fail(f"{arguments}: not {code}: {done.stdout}{done.stderr}")
        return done.stderr

    def collector(self, address, ca="ca.pem", client=True, more=""):
        text = f'[audit]\nsyslog = "{address}"\nsyslog_ca_file = "{self.pki}/{ca}"\n{more}\n'
        if client:
            text += f'syslog_certificate = "{self.pki}/node.pem"\nsyslog_key = "{self.pki}/node.key"\n'
        (self.state / "config.toml").write_text(self.config + text)

    def entries(self, count):
        for _ in range(count):
            self.run("key", "add", "someone")

    def size(self):
        return json.loads(self.run("--json", "audit", "verify"))["size"]


def free_port():
    """One that nobody gets while its collector is away."""
    waiting = pathlib.Path(__file__).resolve().with_name("waiting.sh")
    return int(subprocess.run(["bash", "-euc", 'source "$1"; free_port', pathlib.Path(__file__).name, waiting], check=True,
                              capture_output=True).stdout)


def soon(what, fact):
    for _ in range(600):
        if fact():
            return
        time.sleep(0.1)
    fail(what)


def covers(collector, size):
    return set(collector.indexes()) >= set(range(size))


def main():
    program = os.path.realpath(sys.argv[1])
    with tempfile.TemporaryDirectory() as work:
        folder = pathlib.Path(work)
        (folder / "pki").mkdir()
        make_pki(folder / "pki")
        node = Node(program, folder)
        node.refused("config-invalid", "audit", "ship", "--once")
        if "collector" in node.run("status"):
            fail("a collector that nobody named")

        # What must not be connected to, or proves nothing.
        collector = Collector(folder / "pki", port=free_port())
        here = f"tls://127.0.0.1:{collector.port}"
        node.collector("udp://127.0.0.1:514")
        node.refused("config-invalid", "audit", "ship", "--once")
        node.collector("tls://192.0.2.7:6514")
        node.refused("forbidden", "audit", "ship", "--once")
        node.collector(here, ca="other.pem")
        if "certificate" not in node.refused("network", "audit", "ship", "--once"):
            fail("a foreign CA is not named")
        stranger = Collector(folder / "pki", name="elsewhere")
        node.collector(f"tls://127.0.0.1:{stranger.port}")
        node.refused("network", "audit", "ship", "--once")
        stranger.stop()
        node.collector(here, client=False)
        node.refused("network", "audit", "ship", "--once")
        if collector.messages or stranger.messages:
            fail("something was sent to who proved nothing, or by who proved nothing")
        print("ok: no entry before both sides proved who they are")

        node.collector(here)
        node.entries(3)
        node.run("audit", "ship", "--once")
        size = node.size()
        soon("not all arrived", lambda: covers(collector, size))
        if collector.bad or collector.indexes() != list(range(size)):
            fail(f"{collector.bad} {collector.indexes()}")
        if collector.peer["subject"][0][0][1] != "node" or collector.messages[0]["type"] != "site.init":
            fail(f"{collector.peer} {collector.messages[0]}")
        node.run("audit", "ship", "--once")
        if len(collector.messages) != size:
            fail("sent twice without need")
        print(f"ok: {size} messages, each as RFC 5424 and 5425 say, in the order of the log")

        # A collector that falls over in the middle: what it may have lost comes again.
        collector.stop()
        port = collector.port
        node.entries(40)
        cut = Collector(folder / "pki", port=port, after=6000)
        node.refused("network", "audit", "ship", "--once")
        node.run("audit", "ship", "--once")
        after = node.size()
        soon(f"lost: {cut.indexes()}", lambda: set(cut.indexes()) >= set(range(size, after)))
        cut.stop()
        print("ok: a collector that falls over loses nothing")

        # The alarm, and `serve`, which neither waits for the collector nor forgets it.
        node.entries(1)
        faketime = next(pathlib.Path("/usr/lib").rglob("libfaketimeMT.so.1"), None)
        if faketime and "behind" not in node.run("status", status=3, LD_PRELOAD=str(faketime), DONT_FAKE_MONOTONIC="1", FAKETIME="+1h"):
            fail("status does not tell that entries wait")
        with open(folder / "serve.out", "w") as out:
            server = subprocess.Popen(node.command("serve", "--listen", "127.0.0.1:0"), stdout=out, stderr=out)
        try:
            soon("serve waits for the collector", lambda: "listening" in (folder / "serve.out").read_text())
            soon("serve does not tell", lambda: "audit entries wait" in (folder / "serve.out").read_text())
            node.entries(2)
            back = Collector(folder / "pki", port=port)
            soon(f"not all came after a pause: {back.indexes()}", lambda: set(back.indexes()) >= set(range(after, node.size())))
            node.entries(1)
            soon("what is new does not come by itself", lambda: set(back.indexes()) >= set(range(after, node.size())))
            node.refused("busy", "audit", "ship", "--once")
            server.terminate()
            if server.wait(120) != 0:
                fail("serve did not end well")
        finally:
            server.kill()
        node.run("audit", "ship", "--once")
        size = node.size()
        soon("not all", lambda: set(back.indexes()) >= set(range(after, size)))
        node.run("status")
        if back.bad:
            fail(back.bad)
        print("ok: serve sends when the collector is back; status tells what waits")

        # Killed at any moment, it goes on where it was, or a little before.
        node.entries(5)
        for pause in (0.02, 0.05, 0.1, 0.2, 0.3):
            shipper = subprocess.Popen(node.command("audit", "ship", "--once"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(pause)
            shipper.kill()
            shipper.wait()
            node.entries(1)
        node.run("audit", "ship", "--once")
        soon("a killed shipper lost something", lambda: set(back.indexes()) >= set(range(after, node.size())))
        soon("a connection of who was killed has no end", lambda: back.open == 0)
        back.messages.clear()
        node.run("audit", "ship", "--once", "--from", "7")
        soon("--from", lambda: back.indexes()[:1] == [7] and set(back.indexes()) >= set(range(7, node.size())))
        node.refused("usage", "audit", "ship", "--once", "--from", "99999")
        back.stop()
        print("ok: a killed shipper goes on; --from sends again")


main()
