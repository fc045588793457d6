#!/bin/bash
# The gateway under real clients (OpenAI's and Ollama's for Python) with the real engine and the demo model (label: online).
# Usage: gateway_test.sh LIFTLOCK_LOW LIFTLOCK_HIGH      Exit status 77: skipped.
set -euo pipefail
low_exe=$(realpath "$1") high_exe=$(realpath "$2")
here=$(cd "$(dirname "$0")" && pwd)
model=$here/../../models/demo/liftlock-demo.gguf
work=$(mktemp -d)
# shellcheck source=waiting.sh
source "$here/waiting.sh"
server=""
stop() { [ -z "$server" ] || { kill -"$1" "$server" 2> /dev/null || true; wait "$server" 2> /dev/null || true; server=""; }; }
trap 'stop TERM; tidy' EXIT
skip() { echo "skipped: $*"; exit 77; }
fail() { echo "FAILED: $*" >&2; cat "$work"/serve.* >&2; exit 1; }
[ "$(dpkg --print-architecture)" = amd64 ] || skip "written for amd64"
low() { "$low_exe" --quiet --state "$work/low" "$@"; }
high() { "$high_exe" --quiet --state "$work/high" "$@"; }
json() { python3 -c "import json, sys; print(json.load(sys.stdin)$1)"; }

python3 -m venv "$work/venv" && "$work/venv/bin/pip" install -q openai ollama > "$work/pip.log" 2>&1 || skip "the clients cannot be had"

mkdir "$work/stack" && cd "$work/stack"
cat > liftlock.toml <<TOML
[stack]
name = "chat"

[engine.llama]
packages = ["llama.cpp-tools"]
suites = ["forky"]
accept_expired = "600d"

[model.demo]
source = "$model"

[model.vectors]
source = "$work/vectors.gguf"
TOML
python3 "$here/../tools/make_model.py" gguf "$work/vectors.gguf" --pooling mean
low init
low trust keygen --role root --out ../root.pem > /dev/null
low trust keygen --role builder --out ../builder.pem > /dev/null
low trust init --organisation Interop --root-key ../root.pem --add builder:../builder.pem.pub > /dev/null
low lock || skip "the suite cannot be had"
low fetch > /dev/null
low pack --output ../medium/chat-1 > /dev/null
low sign ../medium/chat-1 --role builder --key ../builder.pem > /dev/null
high init --zone ingest
printf '[source.usb]\npath = "%s/medium"\nrequire_read_only = false\n' "$work" >> "$work/high/config.toml"
high trust pin ../medium/chat-1 --fingerprint "$(low --json trust show | json '["fingerprint"]')" > /dev/null
high ingest usb/chat-1 --expect "$(sha256sum < ../medium/chat-1/manifest/bundle.json | cut -d' ' -f1)" > /dev/null
high engine install llama > /dev/null

serve() {
  sleep 1  # for the keys
  : > "$work/serve.out"  # of the server before: its line would be read before the new one's shell empties the file
  # Not through high(): the process to end must be the program, not a shell that waits for it.
  "$high_exe" --quiet --state "$work/high" serve --listen 127.0.0.1:0 > "$work/serve.out" 2> "$work/serve.err" &
  server=$!
  soon_of "$server" grep -q '^listening' "$work/serve.out" || fail "serve does not listen"
  url=$(sed -n 's/^listening on //p' "$work/serve.out")
}
key() { high --json key add "$@" | json '["secret"]'; }
alice=$(key alice) bot=$(key bot --model other --rate 1/min)
serve

"$work/venv/bin/python" "$here/gateway_clients.py" "$url" "$alice" "$bot" "$work/record-id" || fail "the clients"

# The record of that very question, read, and proven by the log; its text nowhere in plain text.
id=$(cat "$work/record-id")
high record show "$id" > "$work/shown"
grep -q 'What is Liftlock?' "$work/shown" || fail "the record lacks the question: $(cat "$work/shown")"
high record verify "$id" > /dev/null || fail "the record does not fit the log"
grep -q "$id" <<< "$(high record find --user alice)" || fail "the record is not found"
high audit verify > /dev/null || fail "the log"
if grep -rqF 'zebra-in-the-canal' "$work/high"; then fail "a prompt lies about in plain text"; fi
grep -q " alice " <<< "$(high record find --text zebra-in-the-canal)" || fail "the secret prompt is not on record"

# Vectors in the terminal, through the same server; equal texts are as near as can be.
[ "$(high --json embed vectors hello | json '["embedding"].__len__()')" = 64 ] || fail "embed: $(high --json embed vectors hello | head -c 300)"
grep -q '1\.0' <<< "$(high embed --compare vectors 'a boat lift' 'a boat lift')" || fail "compare: $(high embed --compare vectors 'a boat lift' 'a boat lift')"
grep -q alice <<< "$(high record find --model vectors)" || fail "embeddings are not on record"

# An alias moves to what answers the canary, and nowhere else.
high model swap chat demo --prompt 'What is Liftlock?' --expect liftlock > /dev/null || fail "swap"
if high model swap chat demo --prompt 'What is Liftlock?' --expect zebra > /dev/null 2>&1; then fail "a canary that said something else"; fi
grep -q '"chat"' <<< "$(high --json model ls)" || fail "the alias is gone"
high model swap near vectors > /dev/null || fail "an alias of a model for embeddings"
[ "$(high --json embed near hello | json '["embedding"].__len__()')" = 64 ] || fail "embed by an alias"

# The server is killed with a stream running: no engine survives, and what was sent is on record.
"$work/venv/bin/python" - "$url" "$alice" "$work/half" <<'PY' &
import sys
from openai import OpenAI
client = OpenAI(base_url=sys.argv[1] + "/v1", api_key=sys.argv[2], max_retries=0)
words = ""
try:
    for chunk in client.chat.completions.create(model="demo", stream=True, max_tokens=2000, temperature=2.0,
                                                logit_bias={"2": -100},  # Without a token that would end it.
                                                messages=[{"role": "user", "content": "kill me while I speak"}]):
        words += chunk.choices[0].delta.content or "" if chunk.choices else ""
        open(sys.argv[3], "w").write(words)
except Exception:
    pass
PY
client=$!
soon [ -s "$work/half" ] || fail "nothing was said before the kill"
engines=$(pgrep -P "$(pgrep -d, -P "$server" -x keeper)" -x bwrap) || fail "no engine runs below the server"
stop KILL
wait "$client" || true
for engine in $engines; do
  soon [ ! -e "/proc/$engine" ] || fail "an engine outlived its server"
done
serve
half=$(high --json record find --text 'kill me while I speak' | json '["records"][0]["id"]')
high --json record show "$half" | python3 -c '
import json, sys
answer, sent = json.load(sys.stdin)["answer"], open(sys.argv[1]).read()
assert answer.startswith(sent), (answer, sent)' "$work/half" || fail "what was sent before the kill is not on record"
stop TERM
high audit verify > /dev/null || fail "the log after the kill"
echo "ok: chat, stream, models, embeddings, aliases, Ollama, Anthropic, keys, record, kill"
