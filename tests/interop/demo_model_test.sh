#!/bin/bash
# The demo model on the real engine, in the sandbox: llama.cpp is locked and built from the machine's own Debian mirror (suite
# forky), crosses with models/demo as a bundle, and answers at temperature 0 (label: online).
# Usage: demo_model_test.sh LIFTLOCK_LOW LIFTLOCK_HIGH      Exit status 77: skipped.
set -euo pipefail
low_exe=$(realpath "$1") high_exe=$(realpath "$2")
model=$(cd "$(dirname "$0")/../../models/demo" && pwd)
work=$(mktemp -d)
. "$(dirname "$0")/demo_site.sh"
engine=""
# What is killed here may have ended by itself.
trap '[ -z "$engine" ] || kill "$engine" 2>/dev/null || true; wait; tidy' EXIT
make_site
# Not through high(): the process to end must be the program, not a shell that waits for it.
"$high_exe" --quiet --state "$work/high" engine run llama --model demo > "$work/engine.out" 2> "$work/engine.err" &
engine=$!
soon_of "$engine" grep -q "^ready" "$work/engine.out" || true  # why not is told below
socket=$(sed -n 's/^ready: //p' "$work/engine.out")
[ -n "$socket" ] || { grep -q sandbox-unavailable "$work/engine.err" && skip "no sandbox here"; cat "$work/engine.err"; fail "the engine did not start"; }

"$model/ask.py" --socket "$socket" --quiet --at-least 1 "$model/check_pinned.txt" || fail "a pinned answer changed"
"$model/ask.py" --socket "$socket" --quiet --at-least 0.7 "$model"/check_{dev,final,plain,newer}.txt || fail "too few good answers"

# More than the model can hold at once: its template keeps the end of the talk.
python3 - "$model" "$socket" <<'PY'
import sys
sys.path.insert(0, sys.argv[1])
import ask
talk = []
for _ in range(40):
    talk += [{"role": "user", "content": "What is a bundle?"}, {"role": "assistant", "content": "A bundle is a folder of plain files. " * 3}]
talk = [{"role": "system", "content": "You are a pirate."}] + talk + [{"role": "user", "content": "How do I verify a bundle?"}]
answer = ask.ask(lambda: ask.UnixConnection(sys.argv[2]), talk)
assert "liftlock verify" in answer and "did not stop" not in answer, answer
PY
echo "the demo model answers as pinned, cut off from everything"
