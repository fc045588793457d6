#!/usr/bin/env python3
"""Stands between a production node and its peer on loopback, and lies or breaks off as it is told.

    lying_peer.py UPSTREAM_PORT FOLDER

Prints its port. Reads FOLDER/mode for each request: `MODE [ARGUMENT]`, for targets that match FOLDER/match (a regular
expression; everything without it). Writes one line for each answer to FOLDER/log: TARGET FIRST BYTES, where FIRST is where the body began,
and makes FOLDER/cut when `once` or `gone` came to their N.

    honest          as the peer answers
    cut N           the connection ends after N bytes of head and body
    once N          of all answers since the mode was written together, the connection ends after N bytes; then it is honest
    gone N          the same, and from then on no answer has a byte
    flip            one bit of the body is another
    longer          a byte more, and says so       more       a byte more than it says, in chunks
    shorter         a byte less, and says so       less       a byte less, in chunks
    endless         a body without an end          headers    a head of a megabyte, and on
    drip            a byte of the body at a time   drip-head  a byte of the head at a time
    redirect        elsewhere                      busy       503
    no-ranges       the whole body whatever was asked
    file PATH       that file in place of the body
    rename A B      where the peer says A, it says B, and asks back for A
    silent          no answer at all
"""
import http.client
import os
import pathlib
import re
import socketserver
import sys
import threading
import time

UPSTREAM, FOLDER = int(sys.argv[1]), sys.argv[2]
LOCK = threading.Lock()


def read(name, otherwise):
    try:
        with open(f"{FOLDER}/{name}") as file:
            return file.read().strip() or otherwise
    except FileNotFoundError:
        return otherwise


class Allowance:
    """The bytes of `once` and `gone`."""

    def __init__(self):
        self.written = self.sent = 0

    def of(self, whole, mode, last):
        """What goes out of this answer."""
        with LOCK:
            written = os.stat(f"{FOLDER}/mode").st_mtime_ns
            if written != self.written:
                self.written, self.sent = written, 0
            left = last - self.sent
            self.sent += len(whole)
            if left >= len(whole) or left < 0 and mode == "once":
                return whole
            pathlib.Path(f"{FOLDER}/cut").touch()
            return whole[:max(left, 0)]


ALLOWANCE = Allowance()


class Answer(socketserver.BaseRequestHandler):
    def send(self, data):
        self.request.sendall(data)

    def handle(self):
        try:
            self.answer()
        except OSError:
            pass  # the node went away, rightly

    def answer(self):
        head = b""
        while b"\r\n\r\n" not in head:
            more = self.request.recv(65536)
            if not more:
                return
            head += more
        lines = head.decode("latin-1").split("\r\n")
        target = lines[0].split(" ")[1]
        fields = dict(line.split(": ", 1) for line in lines[1:] if ": " in line)
        mode, _, argument = read("mode", "honest").partition(" ")
        if not re.search(read("match", "."), target):
            mode = "honest"
        if mode == "no-ranges":
            fields.pop("Range", None)
        old, _, new = argument.partition(" ") if mode == "rename" else ("", "", "")
        if new:
            target = target.replace(new, old)
        peer = http.client.HTTPConnection("127.0.0.1", UPSTREAM, timeout=60)
        peer.request("GET", target, headers={key: fields[key] for key in ("Range", "If-Range", "Authorization") if key in fields})
        answer = peer.getresponse()
        body = answer.read()
        first = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range") or "")
        sent = {key: value for key, value in answer.headers.items() if key in ("Content-Type", "ETag", "Content-Range")}
        if mode == "file":
            with open(argument, "rb") as file:
                body = file.read()
        if new:
            body = body.replace(old.encode(), new.encode())
        length, chunked = len(body), mode in ("more", "less", "endless")
        if mode == "flip" and body:
            body = body[:-1] + bytes([body[-1] ^ 1])
        elif mode in ("longer", "more"):
            body += b"!"
        elif mode in ("shorter", "less"):
            body = body[:-1]
        if mode in ("longer", "shorter"):
            length = len(body)
        status = answer.status
        if mode == "redirect":
            status, body, length, sent = 302, b"", 0, {"Location": f"http://127.0.0.1:{UPSTREAM}{target}"}
        elif mode == "busy":
            status, body, length, sent = 503, b"", 0, {}
        sent.update({"Connection": "close"}, **({"Transfer-Encoding": "chunked"} if chunked else {"Content-Length": str(length)}))
        head = f"HTTP/1.1 {status} X\r\n" + "".join(f"{key}: {value}\r\n" for key, value in sent.items()) + "\r\n"
        if mode == "silent":
            time.sleep(60)
        elif mode == "headers":
            self.send(b"HTTP/1.1 200 X\r\n" + b"X-Filler: " + b"a" * 1000000)
            while True:
                self.send(b"a" * 65536)
        elif mode == "drip-head":
            for byte in head.encode("latin-1"):
                self.send(bytes([byte]))
                time.sleep(0.3)
        elif mode == "drip":
            self.send(head.encode("latin-1"))
            for byte in body:
                self.send(bytes([byte]))
                time.sleep(0.3)
        elif mode == "endless":
            self.send(head.encode("latin-1"))
            while True:
                self.send(b"10000\r\n" + b"a" * 65536 + b"\r\n")
        elif chunked:
            self.note(target, first, body)
            self.send(head.encode("latin-1") + b"%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n")
        else:
            whole = head.encode("latin-1") + body
            if mode == "cut":
                whole = whole[: int(argument)]
            elif mode in ("once", "gone"):
                whole = ALLOWANCE.of(whole, mode, int(argument))
            body = whole[len(head):]
            self.note(target, first, body)
            self.send(whole)

    @staticmethod
    def note(target, first, body):
        """Before it is sent: who got it may look into the log at once."""
        with LOCK, open(f"{FOLDER}/log", "a") as log:
            log.write(f"{target} {first[1] if first else 0} {len(body)}\n")


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128


if __name__ == "__main__":
    with Server(("127.0.0.1", 0), Answer) as server:
        print(server.server_address[1], flush=True)
        server.serve_forever()
