#!/usr/bin/env bash
# The real Ollama, client and server: pulls from the mirror in a network namespace that has no route anywhere, knows a
# store that was written for it and answers from it, and what it pulled is taken again as a source. Label online: it is
# built by the Go toolchain from its module; the engine that it wants beside it is llama.cpp of the Debian mirror.
#   ollama_online_test.sh LIFTLOCK_LOW LIFTLOCK_HIGH      Exit status 77: skipped.
source "$(dirname "$0")/crossing_machines.sh" || exit 1
source "$(dirname "$0")/hub_site.sh"
version=v0.32.15
unshare --net true 2> /dev/null || skip "no network namespace can be made here"
ollama=${OLLAMA:-}  # one that is there already
if [ -z "$ollama" ]; then
  command -v go > /dev/null || skip "there is no Go toolchain"
  GOBIN=$work/bin GOFLAGS=-mod=mod go install "github.com/ollama/ollama@$version" > "$work/go.log" 2>&1 ||
    skip "Ollama cannot be built here: $(tail -3 "$work/go.log")"
  ollama=$work/bin/ollama
else
  mkdir "$work/bin" && cp "$ollama" "$work/bin/ollama" && ollama=$work/bin/ollama
fi
answers=no
if llama_unpacked; then
  # Ollama looks for it beside itself.
  { echo '#!/bin/bash'; echo "exec ${within_engine[*]@Q} --ro-bind '$work/written' '$work/written' /usr/bin/llama-server \"\$@\""; } > "$work/bin/llama-server"
  chmod +x "$work/bin/llama-server"
  answers=yes
else
  echo "llama.cpp cannot be had here: nothing is asked of the models"
fi
hub_up
models_cross

export OLLAMA_NO_CLOUD=1 HOME=$work/home OLLAMA_HOST=127.0.0.1:11439 mirror_port mirror work ollama high_exe high_state answers
export -f soon
mkdir -p "$HOME"
netless() { # runs standard input where there is a mirror, an Ollama with the store $1, and no way out
  OLLAMA_MODELS=$1 unshare --net bash -euo pipefail -c '
    ip link set lo up
    "$high_exe" --quiet --state "$high_state" serve > "$work/serve.log" 2>&1 & pids=$!
    "$ollama" serve > "$work/ollama.log" 2>&1 & pids="$pids $!"
    trap "kill $pids" EXIT
    for url in "$mirror/healthz" "http://$OLLAMA_HOST/api/version"; do
      soon curl -sf "$url" || { echo "nobody answers at $url" >&2; exit 1; }
    done
    eval "$(cat)"'
}

# --- pulled from the mirror
netless "$work/pulled" <<'NETLESS' || fail "the pull: $(tail -5 "$work/ollama.log")"
  for model in demo tiny-gguf; do
    "$ollama" pull --insecure "127.0.0.1:$mirror_port/ollama/$model" > "$work/pull.log" 2>&1 || { tail -c 500 "$work/pull.log"; exit 1; }
  done
  "$ollama" list
  "$ollama" show "127.0.0.1:$mirror_port/ollama/demo" > "$work/show.log"
  grep -qi 'architecture *llama' "$work/show.log"
  grep -q 'as you like' <<< "$("$ollama" show --license "127.0.0.1:$mirror_port/ollama/demo")"
  ! "$ollama" pull --insecure "127.0.0.1:$mirror_port/ollama/none" > "$work/pull.log" 2>&1
NETLESS
cmp "$work/pulled/blobs/sha256-$(sha256sum < own/demo.gguf | cut -d' ' -f1)" own/demo.gguf || fail "other bytes were pulled"
grep -q ' 0 findings' <<< "$(high ollama check "$work/pulled" --user "$(id -un)")" || fail "the check does not like what Ollama wrote"

# --- written into a store: the same blobs and the same manifest, which Ollama knows
high export demo --to "$work/written" --ollama-store --ollama-name "127.0.0.1:$mirror_port/ollama/demo" > /dev/null
cmp "$work/pulled/manifests/127.0.0.1:$mirror_port/ollama/demo/latest" "$work/written/manifests/127.0.0.1:$mirror_port/ollama/demo/latest" ||
  fail "a pull and an export give two manifests"
high export demo --to "$work/written" --ollama-store > /dev/null
high export tiny-gguf --to "$work/written" --ollama-store > /dev/null
netless "$work/written" <<'NETLESS' || fail "Ollama does not know the store: $(tail -5 "$work/ollama.log")"
  grep -q '^demo:latest ' <<< "$("$ollama" list)"
  "$ollama" show demo > "$work/show.log"
  ! grep -i 'corrupt\|bad manifest' "$work/ollama.log"
  [ "$answers" = no ] || {
    said=$(curl -s -m 120 "http://$OLLAMA_HOST/api/chat" -d '{"model": "tiny-gguf", "stream": false, "messages": [{"role": "user", "content": "hello"}]}')
    grep -q 'Both gates were never open together' <<< "$said" || { echo "$said"; exit 1; }
    echo "ollama answers from the store that was written for it"
  }
NETLESS

# --- what stands in Ollama's own store is taken as a source, and is the same model behind the gap
netless "$work/pulled" <<'NETLESS' || fail "ollama cp: $(tail -5 "$work/ollama.log")"
  "$ollama" cp "127.0.0.1:$mirror_port/ollama/demo" keeper:1 > "$work/cp.log" 2>&1
  "$ollama" list | awk '$1 == "keeper:1" {print $2}' > "$work/id"
NETLESS
low_state=$work/low2
mkdir "$work/again" && cd "$work/again"
printf '[stack]\nname = "again"\n[model.keeper]\nsource = "ollama:keeper:1"\nstore = "%s"\n' "$work/pulled" > liftlock.toml
low init --zone low > /dev/null && low lock > /dev/null && low fetch > /dev/null
[ "$(low --json show keeper | json '["version"]')" = "$(cat "$work/id")" ] || fail "the version is not the ID that Ollama shows"
low export keeper --to "$work/again/models" --ollama-store > /dev/null
netless "$work/again/models" <<'NETLESS' || fail "the model that was taken: $(tail -5 "$work/ollama.log")"
  [ "$("$ollama" list | awk '$1 == "keeper:1" {print $2}')" = "$(cat "$work/id")" ]
  grep -q 'as you like' <<< "$("$ollama" show --license keeper:1)"
NETLESS
tested ollama Ollama "${version#v}"
echo "the real Ollama (${OLLAMA:-$version}) pulls, knows and gives models"
