#!/bin/bash
# OpenAI's, Anthropic's and Ollama's clients for Node against the gateway, with the real engine, the demo model, a model that
# calls a tool and one for embeddings (label: online).
# Usage: clients_node_test.sh LIFTLOCK_LOW LIFTLOCK_HIGH      Exit status 77: skipped.
set -euo pipefail
low_exe=$(realpath "$1") high_exe=$(realpath "$2")
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
. "$here/demo_site.sh"
trap 'stop TERM; tidy' EXIT
command -v npm > /dev/null || skip "there is no npm"
mkdir "$work/node"
(cd "$work/node" && npm init -y > /dev/null 2>&1 && npm install --no-fund --no-audit openai @anthropic-ai/sdk ollama > "$work/npm.log" 2>&1) \
  || skip "the clients cannot be had: $(tail -3 "$work/npm.log")"

python3 "$here/../tools/make_model.py" gguf "$work/caller.gguf" --call
python3 "$here/../tools/make_model.py" gguf "$work/vectors.gguf" --pooling mean
more_models="[model.caller]
source = \"$work/caller.gguf\"

[model.vectors]
source = \"$work/vectors.gguf\""
make_site
alice=$(key alice)
serve
cp "$here/clients_node.mjs" "$work/node/"
(cd "$work/node" && node clients_node.mjs "$url" "$alice") || fail "the clients"
grep -q " alice " <<< "$(high record find --user alice)" || fail "nothing is on record"
echo "ok: $(cd "$work/node" && npm ls --depth 0 2> /dev/null | grep @ | tr -d '├└─' | tr '\n' ' ')"
