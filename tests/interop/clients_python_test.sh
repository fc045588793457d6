#!/bin/bash
# Anthropic's client for Python, LangChain, LlamaIndex, and tools with OpenAI's and Ollama's for Python against the gateway, with the real engine, the demo model and a
# model that calls a tool (label: online).
# Usage: clients_python_test.sh LIFTLOCK_LOW LIFTLOCK_HIGH      Exit status 77: skipped.
set -euo pipefail
low_exe=$(realpath "$1") high_exe=$(realpath "$2")
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
. "$here/demo_site.sh"
trap 'stop TERM; tidy' EXIT
python3 -m venv "$work/venv" && "$work/venv/bin/pip" install -q anthropic ollama openai langchain-openai langchain-ollama \
  langchain-anthropic llama-index-llms-ollama llama-index-llms-openai-like > "$work/pip.log" 2>&1 \
  || skip "the clients cannot be had: $(tail -3 "$work/pip.log")"

python3 "$here/../tools/make_model.py" gguf "$work/caller.gguf" --call
more_models="[model.caller]
source = \"$work/caller.gguf\""
make_site
alice=$(key alice)
serve
"$work/venv/bin/python" "$here/clients_python.py" "$url" "$alice" || fail "the clients"
grep -q " alice " <<< "$(high record find --user alice)" || fail "nothing is on record"
"$work/venv/bin/pip" freeze | grep -iE '^(anthropic|openai|ollama|langchain-(openai|ollama|anthropic)|llama-index-core)=='
