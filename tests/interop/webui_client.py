"""Uses Open WebUI as its pages do. usage: webui_client.py WEBUI_URL GATEWAY_URL KEY"""
import json
import sys
import time
import urllib.error
import urllib.request

webui, gateway, key = sys.argv[1:]
token = None


def call(method, path, body=None):
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = "Bearer " + token
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(webui + path, method=method, data=data, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def good(method, path, body=None):
    status, text = call(method, path, body)
    assert status == 200, (path, status, text)
    return text


for attempt in range(600):
    try:
        if call("GET", "/health")[0] == 200:
            break
    except OSError:
        pass
    time.sleep(0.5)

person = {"name": "Alice", "email": "alice@example.com", "password": "Correct-horse-1"}
token = json.loads(good("POST", "/api/v1/auths/signup", person))["token"]
assert "version" in good("POST", "/ollama/verify", {"url": gateway, "key": key})
assert "demo" in good("POST", "/openai/verify", {"url": gateway + "/v1", "key": key})

models = {model["id"]: model["owned_by"] for model in json.loads(good("GET", "/api/models"))["data"]}
assert models.get("demo") == "openai" and models.get("ollama.demo:latest") == "ollama", models
for model in ("demo", "ollama.demo:latest"):
    talk = [{"role": "system", "content": "asked in Open WebUI"}, {"role": "user", "content": "What is Liftlock?"}]
    asked = {"model": model, "messages": talk, "temperature": 0}
    whole = json.loads(good("POST", "/api/chat/completions", {**asked, "stream": False}))
    words = whole["choices"][0]["message"]["content"]
    assert "air gap" in words, whole
    streamed, pieces = "", 0
    for line in good("POST", "/api/chat/completions", {**asked, "stream": True}).splitlines():
        if line.startswith("data: {"):
            choices = json.loads(line[6:]).get("choices") or [{}]
            streamed += (choices[0].get("delta") or {}).get("content") or ""
            pieces += 1
    assert streamed == words and pieces > 5, (streamed, words)
assert "demo" in good("GET", "/ollama/api/ps")
status, text = call("POST", "/ollama/api/pull/0", {"model": "llama3"})
assert "bundle" in text, (status, text)
print("ok: sign-up, both connections, models, chat, stream, ps, pull refused")
