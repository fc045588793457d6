#!/usr/bin/env python3
"""The files of a folder over HTTP/1.1, each answer late by a fixed time, as from far away; how many requests waited at once is told.

usage: distant_server.py FOLDER MILLISECONDS

Prints its port. GET /.in-flight gives, as JSON, what there was since it was last asked: {"requests": N, "most": N, "mean": N over the
time in which any request waited, "seconds": that time}. Ends with its standard input.
"""
import asyncio
import json
import pathlib
import sys
import time
import urllib.parse


class InFlight:
    def __init__(self):
        self.now = 0
        self.clear()

    def clear(self):
        self.requests, self.most, self.area, self.seconds, self.last = 0, self.now, 0.0, 0.0, time.monotonic()

    def change(self, by):
        at = time.monotonic()
        if self.now > 0:
            self.area += self.now * (at - self.last)
            self.seconds += at - self.last
        self.last = at
        self.now += by
        self.most = max(self.most, self.now)
        self.requests += by > 0

    def taken(self):
        out = {"requests": self.requests, "most": self.most, "mean": self.area / self.seconds if self.seconds else 0.0, "seconds": self.seconds}
        self.clear()
        return json.dumps(out).encode()


def main():
    folder, delay, in_flight = pathlib.Path(sys.argv[1]), float(sys.argv[2]) / 1000, InFlight()

    async def serve(reader, writer):
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                path = urllib.parse.unquote(head.split(b" ", 2)[1].decode())
                if path == "/.in-flight":
                    body, status = in_flight.taken(), "200 OK"
                else:
                    in_flight.change(1)
                    try:
                        await asyncio.sleep(delay)
                        file = folder / path.lstrip("/")
                        body, status = (file.read_bytes(), "200 OK") if ".." not in path and file.is_file() else (b"", "404 Not Found")
                        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nContent-Type: application/octet-stream\r\n\r\n".encode() + body)
                        await writer.drain()
                    finally:
                        in_flight.change(-1)
                    continue
                writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def run():
        server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=256)
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)

    asyncio.run(run())


if __name__ == "__main__":
    main()
