#!/bin/bash
# The gateway under real clients (OpenAI's and Ollama's for Python) with the real engine and the demo model (label: online).
# Usage: gateway_test.sh LIFTLOCK_LOW LIFTLOCK_HIGH      Exit status 77: skipped.
set -euo pipefail
low_exe=$(realpath "$1") high_exe=$(realpath "$2")
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
. "$here/demo_site.sh"
trap 'stop TERM; tidy' EXIT
python3 -m venv "$work/venv" && "$work/venv/bin/pip" install -q openai ollama > "$work/pip.log" 2>&1 || skip "the clients cannot be had"

python3 "$here/../tools/make_model.py" gguf "$work/vectors.gguf" --pooling mean
more_models="[model.vectors]
source = \"$work/vectors.gguf\""
make_site
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
vector=$(high --json record find --model vectors | json '["records"][0]["id"]')
high --json record show "$vector" | python3 -c '
import json, sys
answer = json.loads(json.load(sys.stdin)["answer"])
assert len(answer["data"][0]["embedding"]) == 64, answer' || fail "the vector is not on record"
grep -q '1\.0' <<< "$(high embed --compare vectors 'a boat lift' 'a boat lift')" || fail "compare: $(high embed --compare vectors 'a boat lift' 'a boat lift')"
grep -q alice <<< "$(high record find --model vectors)" || fail "embeddings are not on record"

# An alias moves to what answers the canary, and nowhere else.
high model swap chat demo --prompt 'What is Liftlock?' --expect liftlock > /dev/null || fail "swap"
if high model swap chat demo --prompt 'What is Liftlock?' --expect zebra > /dev/null 2>&1; then fail "a canary that said something else"; fi
grep -q '"chat"' <<< "$(high --json model ls)" || fail "the alias is gone"
high model swap near vectors > /dev/null || fail "an alias of a model for embeddings"
[ "$(high --json embed near hello | json '["embedding"].__len__()')" = 64 ] || fail "embed by an alias"

# The server is killed with two streams running: no engine survives, and what was sent is on record, whole and proven.
clients=()
for n in 1 2; do
  "$work/venv/bin/python" - "$url" "$alice" "$work/half-$n" "$n" <<'PY' &
import sys
from openai import OpenAI
client = OpenAI(base_url=sys.argv[1] + "/v1", api_key=sys.argv[2], max_retries=0)
words = ""
try:
    for chunk in client.chat.completions.create(model="demo", stream=True, max_tokens=2000, temperature=2.0,
                                                logit_bias={"2": -100},  # Without a token that would end it.
                                                messages=[{"role": "user", "content": f"kill me while I speak, {sys.argv[4]}"}]):
        words += chunk.choices[0].delta.content or "" if chunk.choices else ""
        open(sys.argv[3], "w").write(words)
except Exception:
    pass
PY
  clients+=($!)
done
for n in 1 2; do soon [ -s "$work/half-$n" ] || fail "nothing was said before the kill"; done
engines=$(pgrep -P "$(pgrep -d, -P "$server" -x keeper)" -x bwrap) || fail "no engine runs below the server"
stop KILL
wait "${clients[@]}" || true  # each was cut off
for engine in $engines; do
  soon [ ! -e "/proc/$engine" ] || fail "an engine outlived its server"
done
serve
for n in 1 2; do
  half=$(high --json record find --text "kill me while I speak, $n" | json '["records"][0]["id"]')
  high --json record show "$half" | python3 -c '
import json, sys
answer, sent = json.load(sys.stdin)["answer"], open(sys.argv[1]).read()
assert answer.startswith(sent), (answer, sent)' "$work/half-$n" || fail "what was sent before the kill is not on record"
  high record verify "$half" > /dev/null || fail "the record of a stream that was cut off does not fit the log"
done
stop TERM
high audit verify > /dev/null || fail "the log after the kill"
echo "ok: chat, stream, models, embeddings, aliases, Ollama, Anthropic, keys, record, kill"
