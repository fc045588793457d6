#!/usr/bin/env python3
"""Every inference endpoint of the linked program answers a bad request with a proper error, and the server lives on.
requests_test.py LIFTLOCK_HIGH

Unit tests link one room; only the program shows what two rooms do to each other. Loopback only, no engine.
"""
import json
import re
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request

PATHS = ("/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/messages", "/v1/responses",
         "/api/chat", "/api/generate", "/api/embed")
UNKNOWN = {"model": "nobody", "max_tokens": 8, "prompt": "x", "input": "x", "messages": [{"role": "user", "content": "x"}]}


def ask(url, key, body):
    request = urllib.request.Request(url, json.dumps(body).encode(),
                                     {"Content-Type": "application/json", "Authorization": f"Bearer {key}"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def main():
    with tempfile.TemporaryDirectory() as folder:
        high = [sys.argv[1], "--quiet", "--state", f"{folder}/high"]
        subprocess.run([*high, "init", "--zone", "production", "--record", "off"], check=True, stdout=subprocess.DEVNULL)
        key = json.loads(subprocess.run([*high, "--json", "key", "add", "alice"], check=True, stdout=subprocess.PIPE).stdout)["secret"]
        server = subprocess.Popen([*high, "serve", "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True)
        try:
            url = None
            for line in server.stdout:
                if found := re.match(r"listening on (http\S+)", line):
                    url = found[1].rstrip("/")
                    break
            assert url, "serve ended"
            for path in PATHS:
                for body in ({}, UNKNOWN):
                    try:
                        status, answer = ask(url + path, key, body)
                    except OSError as error:
                        sys.exit(f"FAILED: {path} {body}: {error}; serve: {server.poll()}")
                    assert 400 <= status < 500 and status not in (401, 403), f"{path} {body}: {status} {answer}"
                    assert json.loads(answer)["error"], f"{path} {body}: {answer}"
                    assert server.poll() is None, f"{path}: serve ended with {server.returncode}"
            server.send_signal(signal.SIGTERM)
            status = server.wait(60)
            assert status == 0, f"serve ended with {status}"
        finally:
            if server.poll() is None:
                server.kill()
            server.wait()
    print("ok")


main()
