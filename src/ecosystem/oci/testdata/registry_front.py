#!/usr/bin/env python3
"""Tests only: stands in front of a registry and demands a token or a password; answers the referrers API from a file.

usage: registry_front.py UPSTREAM_PORT MODE REFERRERS LOG
    MODE: open, token, basic, ollama=WORD (the second word of the .pub file of the one key that gets tokens), or
    elsewhere=WORD (the same, but the token server is called otherwise than the registry)
Prints its port. The login is user / secret. Tokens are only for pulling, and live two seconds, or ten
minutes where a key is asked for."""
import base64
import hashlib
import http.client
import http.server
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.parse

UPSTREAM, MODE, REFERRERS, LOG = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
BASIC = "Basic " + base64.b64encode(b"user:secret").decode()
KEY = MODE.partition("=")[2]
tokens = {}
nonces = set()


def signed(message, signature, word):
    """Does OpenSSL find that the key of this word signed the message? The word is of SSH: two strings, the key last."""
    public = bytes.fromhex("302a300506032b6570032100") + base64.b64decode(word)[-32:]
    with tempfile.TemporaryDirectory() as folder:
        paths = [os.path.join(folder, name) for name in ("key", "message", "signature")]
        for path, content in zip(paths, (public, message, signature)):
            with open(path, "wb") as file:
                file.write(content)
        words = ["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", paths[0], "-rawin", "-in", paths[1], "-sigfile", paths[2]]
        return subprocess.run(words, capture_output=True, check=False).returncode == 0


class Front(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def allowed(self):
        given = self.headers.get("Authorization", "")
        if MODE == "token" or KEY:
            scope, until = tokens.get(given.removeprefix("Bearer "), ("", 0))
            return until > time.time() and (self.path == "/v2/" or self.path.startswith("/v2/" + scope.split(":")[1] + "/"))
        return MODE == "open" or given == BASIC

    def refuse(self):
        if MODE == "token" or KEY:
            host = self.headers["Host"].replace("127.0.0.1", "localhost") if MODE.startswith("elsewhere") else self.headers["Host"]
            realm = f"http://{host}/token"
            return self.answer(401, WWW_Authenticate=f'Bearer realm="{realm}",service="front, the",scope="repository:evil:push"')
        return self.answer(401, WWW_Authenticate='Negotiate, Basic realm="front"')

    def known(self, query):
        """As the registry of Ollama's makers: WORD:SIGNATURE over the address, and each address once."""
        if not KEY:
            return self.headers.get("Authorization") == BASIC
        word, _, signature = self.headers.get("Authorization", "").partition(":")
        body = base64.b64encode(hashlib.sha256(b"").hexdigest().encode()).decode()
        nonce = query.get("nonce", [""])[0]
        fresh = len(nonce) >= 20 and nonce not in nonces and abs(int(query.get("ts", ["0"])[0]) - time.time()) < 3600
        nonces.add(nonce)
        message = f"GET,http://{self.headers['Host']}{self.path},{body}".encode()
        return word == KEY and fresh and signed(message, base64.b64decode(signature), word)

    def token(self):
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        if query.get("service") != ["front, the"] or not self.known(query):
            return self.answer(401)
        value = os.urandom(8).hex()
        lifetime = 600 if KEY else 2
        tokens[value] = (query["scope"][0], time.time() + lifetime)
        return self.answer(200, json.dumps({"token": value, "expires_in": lifetime}).encode(), Content_Type="application/json")

    def do_GET(self):
        with open(LOG, "a") as log:
            log.write(f"{self.command} {self.path} {self.headers.get('Authorization', '-').split(' ')[0]}\n")
        if self.path.startswith("/token?"):
            return self.token()
        if not self.allowed():
            return self.refuse()
        if "/referrers/" in self.path and REFERRERS != "-":
            with open(REFERRERS, "rb") as file:
                known = json.load(file)
            empty = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []}
            body = json.dumps(known.get(self.path.rsplit("/", 1)[1], empty)).encode()
            return self.answer(200, body, Content_Type="application/vnd.oci.image.index.v1+json")
        upstream = http.client.HTTPConnection("127.0.0.1", UPSTREAM, timeout=20)
        upstream.request(self.command, self.path, headers={k: v for k, v in self.headers.items() if k in ("Accept", "Range")})
        got = upstream.getresponse()
        body = got.read()
        self.send_response(got.status)
        for name, value in got.getheaders():
            if name.lower() not in ("content-length", "connection", "date", "transfer-encoding"):
                self.send_header(name, value)
        self.send_header("Content-Length", got.headers["Content-Length"] if self.command == "HEAD" else str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        return None

    do_HEAD = do_GET

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Front)
print(server.server_address[1], flush=True)
server.serve_forever()
