"""A registry on the default port whose token server is named without it.   portless_registry.py HOST

It holds nothing.
"""
import json
import sys

import fake_server

host = sys.argv[1]


class Registry(fake_server.Handler):
    def come(self):
        self.body()
        if self.path.startswith("/service/token?"):
            return self.answer(200, body=json.dumps({"token": "given"}).encode())
        if self.headers.get("Authorization") != "Bearer given":
            return self.answer(401, headers=[("WWW-Authenticate", f'Bearer realm="http://{host}/service/token",service="x"')])
        return self.answer(404)


fake_server.serve(Registry, 80, host)
