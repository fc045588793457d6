"""A registry that sends its clients elsewhere.   lying_registry.py PORT MODE_FILE

MODE_FILE holds what it does: `location` (uploads go on at another address), `realm` (the token server is at one), `redirect`, `garbage`.
Elsewhere is another port where this program listens, too; who comes there leaves MODE_FILE.elsewhere.
"""
import pathlib
import sys

import fake_server

port, mode_file = int(sys.argv[1]), pathlib.Path(sys.argv[2])


class Registry(fake_server.Handler):
    def come(self):
        self.body()
        mode = mode_file.read_text().strip() if mode_file.exists() else ""
        elsewhere = f"http://127.0.0.1:{self.server.elsewhere}"
        if mode == "realm":
            return self.answer(401, headers=[("WWW-Authenticate", f'Bearer realm="{elsewhere}/token",service="x"')])
        if mode == "redirect":
            return self.answer(307, headers=[("Location", elsewhere + self.path)])
        if self.command == "HEAD":
            return self.answer(404)
        if mode == "garbage":
            return self.answer(418, body=b'{"errors": [{"code": 7}]}')
        return self.answer(202, headers=[("Location", elsewhere + "/upload")])


fake_server.serve(Registry, port, trap_file=f"{mode_file}.elsewhere")
