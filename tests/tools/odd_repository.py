"""Stands in for repositories that cannot be had here.   odd_repository.py PORT MODE_FILE

It is a ChartMuseum as far as its API of charts goes (https://chartmuseum.com/docs/: no code of it, and no proof that the real one does the
same), until MODE_FILE says otherwise: `redirect` (everything is elsewhere), `links` (a package index whose files are elsewhere), `garbage`
(200 and no sense), `endless` (200 and no end), `silent` (an answer that breaks off), `index` (as Gitea 1.27 has charts: an index.yaml
without digests instead of the API, and an upload that writes over what is there). Who comes elsewhere leaves MODE_FILE.elsewhere.
"""
import hashlib
import io
import json
import pathlib
import re
import sys
import tarfile

import fake_server

port, mode_file = int(sys.argv[1]), pathlib.Path(sys.argv[2])
charts = {}  # "NAME/VERSION": the archive


class Repository(fake_server.Handler):
    def come(self):
        body = self.body()
        mode = mode_file.read_text().strip() if mode_file.exists() else ""
        elsewhere = f"http://127.0.0.1:{self.server.elsewhere}"
        if mode == "redirect":
            return self.answer(307, headers=[("Location", elsewhere + self.path)])
        if mode == "links":
            names = ("lifttest-1.2-py3-none-any.whl", "liftdep-1.0-py3-none-any.whl")
            page = "".join(f'<a href="{elsewhere}/{name}">{name}</a>' for name in names)
            return self.answer(200, page.encode(), [("Content-Type", "text/html")])
        if mode == "garbage":
            return self.answer(200, b'{"files": 7, "versions": [], "digest": {}}', [("Content-Type", "application/json")])
        if mode == "silent":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
            self.close_connection = True
            return None
        if mode == "endless":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n")
            self.close_connection = True
            try:
                while True:
                    self.wfile.write(b"<a href=x>x</a>" * 10000)
            except OSError:
                return None
        return self.museum(body, only_index=mode == "index")

    def museum(self, body, only_index):
        if self.command == "GET" and self.path == "/info" and not only_index:
            return self.answer(200, b'{"version": "stand-in"}')
        if self.command == "GET" and self.path == "/index.yaml":
            lines = ["apiVersion: v1", "entries:" if charts else "entries: {}"]
            for place in charts:
                name, version = place.split("/")
                lines += [f"  {name}:", f"    - name: {name}", f"      version: {version}", f"      urls: ['{name}-{version}.tgz']"]
            return self.answer(200, "\n".join(lines).encode())
        archive = {f"/{place.replace('/', '-')}.tgz": archive for place, archive in charts.items()}.get(self.path)
        if self.command == "GET" and archive is not None:
            return self.answer(200, archive)
        found = re.fullmatch(r"/api/charts/([^/]+)/([^/]+)", self.path)
        if self.command == "GET" and found and not only_index:
            archive = charts.get(f"{found[1]}/{found[2]}")
            if archive is None:
                return self.answer(404, b'{"error": "no chart"}')
            return self.answer(200, json.dumps({"name": found[1], "digest": hashlib.sha256(archive).hexdigest()}).encode())
        if self.command == "POST" and self.path == "/api/charts":
            with tarfile.open(fileobj=io.BytesIO(body)) as tar:
                chart = next(tar.extractfile(one).read().decode() for one in tar if one.name.count("/") == 1 and one.name.endswith("/Chart.yaml"))
            stated = dict(re.findall(r"^(name|version): *(\S+)", chart, re.M))
            place = f"{stated['name']}/{stated['version']}"
            if place in charts and not only_index:
                return self.answer(409, b'{"error": "file already exists"}')
            charts[place] = body
            return self.answer(201, b'{"saved": true}')
        return self.answer(404, b'{"error": "not found"}')


fake_server.serve(Repository, port, trap_file=f"{mode_file}.elsewhere")
