#!/usr/bin/env bash
# The real huggingface_hub and transformers load what crossed: from the mirror, in a network namespace that has no route
# anywhere, and from a cache on the disk with HF_HUB_OFFLINE. Label online: they come from the package index.
#   hub_online_test.sh LIFTLOCK_LOW LIFTLOCK_HIGH      Exit status 77: skipped.
source "$(dirname "$0")/crossing_machines.sh" || exit 1
source "$(dirname "$0")/hub_site.sh"
unshare --net true 2> /dev/null || skip "no network namespace can be made here"
venv=${HUB_VENV:-}  # one that has them already
if [ -z "$venv" ]; then
  venv=$work/venv
  python3 -m venv "$venv" && "$venv/bin/pip" install -q huggingface_hub fsspec transformers datasets > "$work/pip.log" 2>&1 ||
    skip "the clients cannot be had: $(tail -3 "$work/pip.log")"
fi
hub_up
"$venv/bin/python" -c 'import pyarrow, pyarrow.parquet, sys; pyarrow.parquet.write_table(pyarrow.table({"number": [1, 2, 3]}), sys.argv[1])' "$work/hub/datasets/org/tiny/data/numbers.parquet"
models_cross
commit=$(curl -sf "$upstream/api/models/org/tiny" | json '["sha"]')

# --- from the mirror
export HF_HUB_DISABLE_XET=1 HF_HUB_DISABLE_TELEMETRY=1 WITH_TRANSFORMERS=1 WITH_DATASETS=1 work commit mirror venv
export high_exe high_state root
export -f soon
unshare --net bash -euo pipefail <<'NETLESS'
  ip link set lo up
  "$high_exe" --quiet --state "$high_state" serve > "$work/serve.log" 2>&1 & server=$!
  trap 'kill $server' EXIT
  soon curl -sf "$mirror/healthz" || { echo "the mirror did not start: $(cat "$work/serve.log")" >&2; exit 1; }
  export HF_ENDPOINT=$mirror/hf HF_HOME=$work/home
  "$venv/bin/python" "$root/tests/interop/hub_clients.py" mirror "$work" "$commit"
  "$venv/bin/hf" download org/tiny-GGUF --local-dir "$work/by-hf" > "$work/hf.log" 2>&1 || { cat "$work/hf.log"; exit 1; }
  cmp "$work/by-hf/tiny-Q8_0.gguf" "$work/hub/org/tiny-GGUF/tiny-Q8_0.gguf"
NETLESS

# --- the cache that the export writes is the one that the library filled
high export tiny --to "$work/exported" --hf-cache > /dev/null
high export words --to "$work/exported" --hf-cache > /dev/null
(cd "$work/home/hub/models--org--tiny" && find blobs snapshots refs -printf '%p %l\n' | sort) > "$work/theirs"
(cd "$work/exported/models--org--tiny" && find blobs snapshots refs -printf '%p %l\n' | grep -v "^refs/${commit:0:12} " | sort) > "$work/ours"
diff "$work/theirs" "$work/ours" || fail "the export lays the cache out in another way than the library"
HF_HUB_CACHE=$work/exported HF_HUB_OFFLINE=1 unshare --net "$venv/bin/python" "$root/tests/interop/hub_clients.py" offline "$work" "$commit"

version_of() { "$venv/bin/python" -c "import $1; print($1.__version__)"; }
tested hub huggingface_hub "$(version_of huggingface_hub)"
tested hub transformers "$(version_of transformers)"
tested hub datasets "$(version_of datasets)"

# --- llama.cpp downloads by itself, too (-hf)
if llama_unpacked; then
  mkdir "$work/llama-cache"
  command=("${within_engine[@]}" --bind "$work/llama-cache" /cache --setenv HF_ENDPOINT "$mirror/hf" --setenv HF_HUB_CACHE /cache
    /usr/bin/llama-server -hf org/tiny-GGUF --port 8899)
  unshare --net bash -euo pipefail -s "${command[@]}" <<'NETLESS' || fail "llama.cpp: $(tail -5 "$work/llama.log")"
    ip link set lo up
    "$high_exe" --quiet --state "$high_state" serve > "$work/serve.log" 2>&1 & pids=$!
    trap 'kill $pids' EXIT
    soon curl -sf "$mirror/healthz" || { echo "the mirror did not start: $(cat "$work/serve.log")" >&2; exit 1; }
    "$@" > "$work/llama.log" 2>&1 & pids="$pids $!"
    soon curl -sf http://127.0.0.1:8899/health
NETLESS
  cmp "$work/hub/org/tiny-GGUF/tiny-Q8_0.gguf" "$work"/llama-cache/models--org--tiny-GGUF/snapshots/*/tiny-Q8_0.gguf || fail "llama.cpp loaded other bytes"
  tested hub "llama.cpp (-hf)" "$("${within_engine[@]}" /usr/bin/llama-server --version 2>&1 | sed -n 's/^version: \([^ ]*\).*/\1/p')"
else
  echo "llama.cpp cannot be had here: left out"
fi
echo "the real clients of a Hub load what crossed"
