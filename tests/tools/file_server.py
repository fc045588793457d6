#!/usr/bin/env python3
"""Files of a folder over HTTP on loopback, with Range and a strong ETag.

    file_server.py FOLDER LOG

Prints its port. Writes a line for each answer to LOG: STATUS PATH.
"""
import hashlib
import http.server
import pathlib
import re
import sys

from fake_server import Handler

FOLDER, LOG = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])


class Files(Handler):
    def come(self):
        whole = (FOLDER / pathlib.PurePath(self.path).name).read_bytes()
        tag = f'"{hashlib.sha256(whole).hexdigest()[:16]}"'
        first = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if first and self.headers.get("If-Range", tag) == tag and int(first[1]) < len(whole):
            status, body, headers = 206, whole[int(first[1]):], [("Content-Range", f"bytes {first[1]}-{len(whole) - 1}/{len(whole)}")]
        else:
            status, body, headers = 200, whole, []
        with LOG.open("a") as log:
            log.write(f"{status} {self.path}\n")
        self.answer(status, body, [("ETag", tag), *headers])


if __name__ == "__main__":
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Files)
    server.handle_error = lambda *_: None  # a client that was killed, as it should be
    print(server.server_address[1], flush=True)
    server.serve_forever()
