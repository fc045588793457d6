#!/usr/bin/env bash
# A model is taken from a registry that Ollama pulls from, by `ollama://` of a stack. The registry is a mirror of the high side: what
# it serves of a folder with a Modelfile is what arrives, to the byte. No Ollama is needed; the real one is in ollama_online_test.sh.
#   ollama_registry_test.sh LIFTLOCK_LOW LIFTLOCK_HIGH
source "$(dirname "$0")/crossing_machines.sh" || exit 1
source "$(dirname "$0")/package_crossing.sh"
tools=$root/tests/tools

# --- a folder with a Modelfile crosses, and is imported on a second high side as well
mkdir -p "$work/stack/chat" && cd "$work/stack"
python3 "$tools/make_model.py" gguf chat/b.gguf > /dev/null
python3 "$tools/make_model.py" gguf chat/a.gguf --seed 5 > /dev/null
cat > chat/Modelfile <<'MODELFILE'
# as its makers wrote it
FROM ./b.gguf
TEMPLATE """{{ .System }}
{{ .Prompt }}"""
SYSTEM "Be terse."
PARAMETER num_ctx 2048
PARAMETER stop "<|end|>"
PARAMETER mirostat 1
LICENSE as you like
ADAPTER ./lora.gguf
MODELFILE
printf '[stack]\nname = "chat"\n[model.chat]\nsource = "chat"\nversion = "1"\n' > liftlock.toml
cross chat-1
for words in "ADAPTER ./lora.gguf names no GGUF beside it" "line 8: the parameter mirostat is not known here"; do
  grep -q "Modelfile: $words" "$work/lock.log" "$work/stack/liftlock.lock" || fail "lock does not say: $words"
done
port=$(free_port)
# Not through high(): the process to end must be the program, not a shell that waits for it.
"$high_exe" --quiet --state "$high_state" serve --listen "127.0.0.1:$port" > "$work/serve.log" 2>&1 &
pids+=($!)
wait_for "http://127.0.0.1:$port/readyz"
registry=127.0.0.1:$port
layer() { curl -fsS "http://$registry/v2/ollama/$1/blobs/$(curl -fsS "http://$registry/v2/ollama/$1/manifests/latest" |
  value "[l['digest'] for l in d['layers'] if l['mediaType'].endswith('.$2')][0]")"; }
[ "$(layer chat template)" = '{{ .System }}
{{ .Prompt }}' ] || fail "the template is: $(layer chat template)"
[ "$(layer chat system)" = "Be terse." ] || fail "the system prompt is: $(layer chat system)"
[ "$(layer chat params | value 'd')" = "{'num_ctx': 2048, 'stop': ['<|end|>']}" ] || fail "the parameters are: $(layer chat params)"
[ "$(layer chat license)" = "as you like" ] || fail "the licence is: $(layer chat license)"
layer chat model | cmp - chat/b.gguf || fail "not the weights that FROM names"
step "the mirror serves what the Modelfile says, with the weights that FROM names"

"$high_exe" --quiet --state "$work/second" init --zone ingest > /dev/null
sed -i 's/^\[policy\]$/&\nunsigned_imports = true/' "$work/second/config.toml"
second() { "$high_exe" --quiet --state "$work/second" "$@"; }
out=$(second import chat --reason test)
grep -q "modelfile .*template, system prompt, 2 parameters, 1 licence, 1 adapter" <<< "$out" || fail "import says: $out"
grep -q "ADAPTER ./lora.gguf names no GGUF" <<< "$out" || fail "import does not say that the adapter is missing: $out"
second export chat --to "$work/store" --ollama-store > /dev/null
[ "$(sha256sum < "$work/store/manifests/registry.ollama.ai/library/chat/latest")" = "$(curl -fsS "http://$registry/v2/ollama/chat/manifests/latest" | sha256sum)" ] ||
  fail "what was imported is another model for Ollama"
step "an imported folder with a Modelfile is the same model for Ollama"

# --- taken from the registry
mkdir "$work/again" && cd "$work/again"
low_state=$work/low2
printf '[stack]\nname = "again"\n[model.chat]\nsource = "ollama://%s/ollama/chat:latest"\ninsecure = true\n' "$registry" > liftlock.toml
low init --zone low > /dev/null
low lock > /dev/null || fail "lock"
[ -z "$(find "$work/low2/store/blobs" -size +100k -type f)" ] || fail "lock downloaded the weights"
low fetch > /dev/null && low pack --output "$work/medium/again-1" > /dev/null || fail "fetch or pack"
(cd "$work/medium/again-1" && sha256sum -c --quiet checksums.txt)
folder=$work/medium/again-1/models/chat
cmp "$folder/model.gguf" "$work/stack/chat/b.gguf" || fail "other weights arrived"
[ "$(sha256sum < "$folder/ollama/manifest")" = "$(curl -fsS "http://$registry/v2/ollama/chat/manifests/latest" | sha256sum)" ] || fail "another manifest arrived"
[ "$(low --json show chat | json '["version"]')" = "$(sha256sum < "$folder/ollama/manifest" | cut -c-12)" ] || fail "the version is not the ID"
grep -q "registry-digest" <<< "$(low show chat)" || fail "the evidence: $(low show chat)"
low export chat --to "$work/store2" --ollama-store > /dev/null
cmp "$work/store2/manifests/127.0.0.1:$port/ollama/chat/latest" "$folder/ollama/manifest" || fail "a store of it has another manifest"
grep -q ' 0 findings' <<< "$(low ollama check "$work/store2" --user "$(id -un)")" || fail "the check does not like the store"
step "ollama:// takes the model that the mirror serves, to the byte"

# --- a registry that wants a login: the one that `skopeo login` keeps
python3 "$root/src/ecosystem/oci/testdata/registry_front.py" "$port" basic - "$work/front.log" > "$work/front.port" &
pids+=($!)
soon test -s "$work/front.port" || fail "the registry with a login did not start"
locked=127.0.0.1:$(cat "$work/front.port")
mkdir "$work/login" && cd "$work/login"
low_state=$work/low4
printf '[stack]\nname = "login"\n[model.chat]\nsource = "ollama://%s/ollama/chat:latest"\ninsecure = true\n' "$locked" > liftlock.toml
low init --zone low > /dev/null
printf '{}' > "$work/auth.json" && export REGISTRY_AUTH_FILE=$work/auth.json
refused http-status low lock
printf '{"auths": {"%s": {"auth": "%s"}}}' "$locked" "$(printf user:secret | base64)" > "$work/auth.json"
low lock > /dev/null || fail "lock with a login"
low fetch > /dev/null && low pack --output "$work/medium/login-1" > /dev/null || fail "fetch or pack with a login"
cmp "$work/medium/login-1/models/chat/model.gguf" "$folder/model.gguf" || fail "other weights arrived with a login"
! grep -rqF "$(printf user:secret | base64)" liftlock.lock "$work/medium/login-1" || fail "the login crosses"
unset REGISTRY_AUTH_FILE
cd "$work/again" && low_state=$work/low2
step "ollama:// logs in where the registry wants it"

# --- what is not there, and a tag that moved since it was locked
printf '[stack]\nname = "none"\n[model.chat]\nsource = "ollama://%s/ollama/none"\ninsecure = true\n' "$registry" > none.toml
refused not-found low lock --stack none.toml
printf '[stack]\nname = "image"\n[model.chat]\nsource = "docker://%s/ollama/chat:latest"\n' "$registry" > image.toml
refused stack-invalid low lock --stack image.toml
grep -q "ollama://HOST/NAMESPACE/MODEL:TAG" <<< "$("$low_exe" --state "$low_state" lock --stack image.toml 2>&1 || true)" || fail "docker:// does not say what to write"
cd "$work/stack" && echo 'SYSTEM Be kind.' >> chat/Modelfile
low_state=$work/low && sed -i 's/version = "1"/version = "2"/' liftlock.toml && cross chat-2
is_kind() { [ "$(layer chat system)" = "Be kind." ]; }
soon is_kind || fail "the mirror serves the old model"
cd "$work/again" && low_state=$work/low3
low init --zone low > /dev/null
refused digest-mismatch low fetch
low_state=$work/low2
low lock --update model.chat > /dev/null && low fetch > /dev/null || fail "lock --update"
step "a tag that moved is told, and taken when it is locked again"
