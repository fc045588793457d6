#!/bin/bash
# A pool of two endpoints under the gateway: a real llama-server with the demo model on a port of loopback, and an address where
# nobody listens; by URI and by role, streamed and not (label: online).
# Usage: pools_test.sh LIFTLOCK_LOW LIFTLOCK_HIGH      Exit status 77: skipped.
set -euo pipefail
low_exe=$(realpath "$1") high_exe=$(realpath "$2")
model=$(cd "$(dirname "$0")/../../models/demo" && pwd)/liftlock-demo.gguf
work=$(mktemp -d)
# shellcheck source=waiting.sh
source "$(dirname "$0")/waiting.sh"
server="" engine=""
# What is killed here may have ended by itself.
trap 'for one in $server $engine; do kill "$one" 2> /dev/null || true; done; wait; tidy' EXIT
skip() { echo "skipped: $*"; exit 77; }
fail() { echo "FAILED: $*" >&2; cat "$work"/serve.* "$work"/engine.log >&2; exit 1; }
[ "$(dpkg --print-architecture)" = amd64 ] || skip "written for amd64"
low() { "$low_exe" --quiet --state "$work/low" "$@"; }
high() { "$high_exe" --quiet --state "$work/high" "$@"; }
json() { python3 -c "import json, sys; print(json.load(sys.stdin)$1)"; }

mkdir "$work/stack" && cd "$work/stack"
cat > liftlock.toml <<TOML
[stack]
name = "far"

[engine.llama]
packages = ["llama.cpp-tools"]
suites = ["forky"]
accept_expired = "600d"
TOML
low init
low lock || skip "the suite cannot be had"
low fetch > /dev/null
digest=$(low --json ls --kind engine | python3 -c '
import json, sys
def digests(value):
    if isinstance(value, dict):
        if "sha256" in value: yield value["sha256"]
        value = list(value.values())
    if isinstance(value, list):
        for one in value: yield from digests(one)
print(next(digests(json.load(sys.stdin)), ""))')
[ -n "$digest" ] || digest=$(find "$work/low/store/blobs" -type f -size +15M -printf '%s %f\n' | sort -n | tail -1 | cut -d' ' -f2)
mkdir "$work/root"
tar -xf "$work/low/store/blobs/sha256/${digest:0:2}/$digest" -C "$work/root"
libraries=$(python3 -c 'import json, sys; print(":".join("/" + p for p in json.load(open(sys.argv[1]))["library_path"]))' "$work/root/engine.json")
port=$(free_port)
bwrap --die-with-parent --unshare-pid --ro-bind "$work/root/usr" /usr --symlink usr/bin /bin --symlink usr/lib /lib --symlink usr/lib64 /lib64 \
  --proc /proc --dev /dev --tmpfs /tmp --ro-bind "$model" /model.gguf --setenv LD_LIBRARY_PATH "$libraries" \
  /usr/bin/llama-server --host 127.0.0.1 --port "$port" -m /model.gguf --alias far-away > "$work/engine.log" 2>&1 &
engine=$!
soon_of "$engine" curl -sf "http://127.0.0.1:$port/health" || fail "the engine did not start"

high init --zone production
cat >> "$work/high/config.toml" <<TOML
[roles]
"cognitive.scout" = "pool://far/demo"

[pool.far]
endpoints = ["http://127.0.0.1:1", "http://127.0.0.1:$port"]
models = { demo = "far-away" }
TOML
key=$(high --json key add alice | json '["secret"]')
"$high_exe" --quiet --state "$work/high" serve --listen 127.0.0.1:0 > "$work/serve.out" 2> "$work/serve.err" &
server=$!
soon_of "$server" grep -q '^listening' "$work/serve.out" || fail "serve does not listen"
url=$(sed -n 's/^listening on //p' "$work/serve.out")
call() { curl -sS -H "Authorization: Bearer $key" -D "$work/head" "$url$1" "${@:2}"; }

grep -q '"cognitive.scout"' <<< "$(call /v1/models)" || fail "the role is not listed"
body='"messages":[{"role":"user","content":"What is Liftlock?"}],"temperature":0'
for name in far/demo pool://far/demo cognitive.scout; do
  answer=$(call /v1/chat/completions --data "{\"model\":\"$name\",$body}" | json '["choices"][0]["message"]["content"]')
  case $answer in *Liftlock*) ;; *) fail "$name said: $answer" ;; esac
done
record=$(tr -d '\r' < "$work/head" | sed -n 's/^X-Liftlock-Record: //p')
call /v1/chat/completions --data "{\"model\":\"cognitive.scout\",\"stream\":true,$body}" > "$work/stream"
[ "$(tail -n 2 "$work/stream" | head -n 1)" = "data: [DONE]" ] || fail "the stream did not end"
grep -q 'far-away' "$work/stream" && fail "the stream names the model as the endpoint does"
# What the engine refuses is said, and by whom is not.
refusal=$(call /v1/embeddings --data '{"model":"far/demo","input":"x"}')
case $refusal in *127.0.0.1*) fail "the refusal names the machine: $refusal" ;; *error*) ;; *) fail "no refusal: $refusal" ;; esac
call /api/chat --data "{\"model\":\"far/demo\",\"stream\":false,$(echo "$body" | sed 's/,"temperature":0//')}" | json '["message"]["content"]' > /dev/null
grep -q "far at http://127.0.0.1:$port" <<< "$(high --json record show "$record")" || fail "the record does not say who answered"
grep -q pool.open <<< "$(high audit tail)" || fail "the pool is not in the log"

# What must not be started.
refused() {
  cp "$work/high/config.toml" "$work/config.old"
  sed -i "$1" "$work/high/config.toml"
  if timeout 20 "$high_exe" --quiet --state "$work/high" serve --listen 127.0.0.1:0 > /dev/null 2> "$work/refusal"; then fail "served with $1"; fi
  grep -q "$2" "$work/refusal" || { cat "$work/refusal"; fail "another reason for $1"; }
  cp "$work/config.old" "$work/high/config.toml"
}
kill "$server"; wait "$server" || true; server=""
refused 's/^\[roles\]/[gateway]\nrequire_gate = true\n[roles]/' 'does not declare a load gate'
refused 's/^\[roles\]/[gateway]\nnetworks = ["10.0.0.0\/8"]\n[roles]/' 'none of the allowed networks'
refused 's/pool:\/\/far\/demo/http:\/\/127.0.0.1\/demo/' 'which is no model'
echo "ok"
