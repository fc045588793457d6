#!/usr/bin/env bash
# Models that crossed, as a Hub and as Ollama's registry serve them, and as caches and stores on the disk. Asked by curl
# and skopeo here; hub_online_test.sh and ollama_online_test.sh have the real clients.
#   hub_test.sh LIFTLOCK_LOW LIFTLOCK_HIGH
source "$(dirname "$0")/crossing_machines.sh" || exit 1
source "$(dirname "$0")/hub_site.sh"
says() { grep -qF -- "$1" <<< "$2" || fail "'$1' is missing in: $2"; }
hub_up
models_cross
mirror_up

# --- the Hub: names, commits and headers are those of the upstream; nothing of Xet
commit=$(curl -sf "$upstream/api/models/org/tiny" | json '["sha"]')
for revision in main v1 "$commit"; do
  [ "$(curl -sf "$mirror/hf/api/models/org/tiny/revision/$revision" | json '["sha"]')" = "$commit" ] || fail "the commit of $revision"
done
for file in config.json onnx/config.json; do
  head=$(curl -sfI "$mirror/hf/org/tiny/resolve/main/$file" | tr -d '\r')
  says "X-Repo-Commit: $commit" "$head"
  says "ETag: \"$(git hash-object "$work/hub/org/tiny/$file")\"" "$head"
  cmp <(curl -sf "$mirror/hf/org/tiny/resolve/$commit/$file") "$work/hub/org/tiny/$file" || fail "$file changed on its way"
done
weights=tiny-Q8_0.gguf sha=$(sha256sum < "$work/hub/org/tiny-GGUF/tiny-Q8_0.gguf" | cut -d' ' -f1)
head=$(curl -sfI "$mirror/hf/org/tiny-GGUF/resolve/main/$weights" | tr -d '\r')
says "X-Linked-ETag: \"$sha\"" "$head"
says "X-Linked-Size: $(stat -c %s "$work/hub/org/tiny-GGUF/$weights")" "$head"
cmp <(curl -sf -r 100-199 "$mirror/hf/org/tiny-GGUF/resolve/main/$weights") <(tail -c +101 "$work/hub/org/tiny-GGUF/$weights" | head -c 100)
tree=$(curl -sf "$mirror/hf/api/models/org/tiny-GGUF/tree/main?recursive=true")
! grep -qi xet <<< "$tree$head" || fail "Xet is offered"
[ "$(json '[0]["lfs"]["oid"]' <<< "$tree")" = "$sha" ] || fail "the tree names another file"
[ "$(curl -sf "$mirror/hf/api/models/local/demo" | json '["cardData"]["license"]')" = Apache-2.0 ] || fail "the site's own model"
says 'X-Error-Code: RepoNotFound' "$(curl -sI "$mirror/hf/api/models/org/none")"
says 'X-Error-Code: RevisionNotFound' "$(curl -sI "$mirror/hf/org/tiny/resolve/v9/config.json")"
says 'X-Error-Code: EntryNotFound' "$(curl -sI "$mirror/hf/org/tiny/resolve/main/none.json")"
says "HF_ENDPOINT=$mirror/hf" "$(high render clients --base-url "$mirror" --client hf)"

# --- data sets: a namespace of their own, without the script
data=$(curl -sf "$upstream/api/datasets/org/tiny" | json '["sha"]')
[ "$data" != "$commit" ] || fail "the model and the data set are one"
[ "$(curl -sf "$mirror/hf/api/datasets/org/tiny/revision/v1" | json '["sha"]')" = "$data" ] || fail "the commit of the data set"
cmp <(curl -sf "$mirror/hf/datasets/org/tiny/resolve/main/data/train.csv") "$work/hub/datasets/org/tiny/data/train.csv" || fail "the data changed on its way"
[ "$(curl -sf "$mirror/hf/api/datasets/org/tiny/tree/main?recursive=1" | python3 -c 'import json, sys; print(*[each["path"] for each in json.load(sys.stdin)])')" = "README.md data data/test.csv data/train.csv" ] || fail "the tree of the data set"
[ "$(curl -sf "$mirror/hf/api/datasets?author=org" | json '[0]["id"]')" = org/tiny ] || fail "the list of data sets"
says 'X-Error-Code: EntryNotFound' "$(curl -sI "$mirror/hf/datasets/org/tiny/resolve/main/tiny.py")"
says 'X-Error-Code: RepoNotFound' "$(curl -sI "$mirror/hf/datasets/org/none/resolve/main/x")"
high export words --to "$work/cache" --hf-cache > "$work/sums" && sha256sum --quiet -c "$work/sums"
cmp "$work/cache/datasets--org--tiny/snapshots/$data/data/train.csv" "$work/hub/datasets/org/tiny/data/train.csv" || fail "the cache of the data set"
grep -q '"type": "data"' "$work/media/one/manifest/sbom.cdx.json" || fail "no data in the bill of materials"

# --- the same as a cache: every name leads to the right bytes
high export tiny --to "$work/cache" --hf-cache > "$work/sums" && sha256sum --quiet -c "$work/sums"
[ "$(cat "$work/cache/models--org--tiny/refs/v1")" = "$commit" ] || fail "refs/v1"
diff -r --exclude=.git "$work/hub/org/tiny" "$work/cache/models--org--tiny/snapshots/$commit" || fail "the cache is another model"

# --- Ollama's registry, by a client of registries: every digest holds
manifest=$(skopeo inspect --raw --tls-verify=false "docker://127.0.0.1:$mirror_port/ollama/demo:latest")
says 'application/vnd.ollama.image.model' "$manifest"
says 'application/vnd.ollama.image.license' "$manifest"
for digest in $(grep -o 'sha256:[0-9a-f]*' <<< "$manifest" | sort -u); do
  at=$mirror/v2/ollama/demo/blobs/$digest
  says "Location: /v2/ollama/demo/blobs/$digest" "$(curl -sfI "$at" | tr -d '\r')"
  [ "sha256:$(curl -sf "$at" | sha256sum | cut -d' ' -f1)" = "$digest" ] || fail "$digest has other bytes"
done
[ "$(curl -s -o /dev/null -w '%{http_code}' "$mirror/v2/ollama/tiny/manifests/latest")" = 404 ] || fail "a model without GGUF is offered to Ollama"
[ "$(curl -s -o /dev/null -w '%{http_code}' "$mirror/v2/")" = 200 ] || fail "/v2/ is gone"

# --- ModelPack: a client of registries copies the whole artifact, every digest checked, files as they were
skopeo copy -q --src-tls-verify=false "docker://127.0.0.1:$mirror_port/modelpack/tiny:latest" "oci:$work/pack:tiny" || fail "skopeo copies no ModelPack"
says 'application/vnd.cncf.model.manifest.v1+json' "$(skopeo inspect --raw "oci:$work/pack:tiny")"
for file in $(cd "$work/hub/org/tiny" && find . -type f); do
  [ -f "$work/pack/blobs/sha256/$(sha256sum < "$work/hub/org/tiny/$file" | cut -d' ' -f1)" ] || fail "$file is not in the artifact"
done
tested modelpack skopeo "$(skopeo --version | cut -d' ' -f3)"
# … and at another site that copy is the model again
high_state=$work/other high init --zone ingest > /dev/null
printf 'zone = "ingest"\n[policy]\nreserve = "1MiB"\nunsigned_imports = true\n' > "$work/other/config.toml"
high_state=$work/other high import "$work/pack" --reason "from the other site" > /dev/null
high_state=$work/other high export tiny --to "$work/unpacked" > /dev/null
diff -r --exclude=.git "$work/hub/org/tiny" "$work/unpacked" || fail "the imported ModelPack is another model"

# --- a store of Ollama, checked and broken
high export demo --to "$work/models" --ollama-store > "$work/sums" && sha256sum --quiet -c "$work/sums"
whole=$(high ollama check "$work/models" --user "$(id -un)")
says 'ok            demo:latest' "$whole"
says ' 0 findings' "$whole"
ollama_says() { # ollama_says KIND: the check ends with status 4 and this finding
  local status=0 out
  out=$(high ollama check "$work/models" --user "$(id -un)") || status=$?
  [ "$status" = 4 ] || fail "a broken store ended with status $status: $out"
  says "$1" "$out"; says 'fix: ' "$out"
}
echo signature > "$work/models/manifests/registry.ollama.ai/library/demo/8b.sig"; ollama_says not-manifest
rm "$work/models/manifests/registry.ollama.ai/library/demo/8b.sig"
weights=$(sha256sum < own/demo.gguf | cut -d' ' -f1)
printf x | dd of="$work/models/blobs/sha256-$weights" bs=1 seek=100 conv=notrunc status=none; ollama_says wrong-digest
refused immutable high export demo --to "$work/models" --ollama-store
rm "$work/models/blobs/sha256-$weights"; ollama_says missing
high export demo --to "$work/models" --ollama-store > /dev/null
says ' 0 findings' "$(high ollama check "$work/models" --user "$(id -un)")"
refused usage high export demo --to "$work/x" --ollama-store --ollama-name '../x'
refused not-found high ollama check "$work/nowhere"

# --- what root writes for the service is the service's
if [ "$(id -u)" = 0 ]; then
  mkdir "$work/service" && chown nobody "$work/service"
  high export demo --to "$work/service" --ollama-store > /dev/null
  [ -z "$(find "$work/service" ! -user nobody)" ] || fail "not all of the store is the service's: $(find "$work/service" ! -user nobody)"
  says ' 0 findings' "$(high ollama check "$work/service" --user nobody)"
  chown root "$work/service/manifests" && chmod 700 "$work/service/manifests"
  says "unreadable    $work/service/manifests" "$(high ollama check "$work/service" --user nobody || true)"
fi

# --- and taken from such a store again: the same manifest, so the same model for Ollama
low_state=$work/low2 high_state=$work/high2
cd "$work" && mkdir again && cd again
printf '[stack]\nname = "again"\n[model.demo]\nsource = "../models"\n' > liftlock.toml
low init --zone low > /dev/null
refused stack-invalid low lock
printf '[stack]\nname = "again"\n[model.demo]\nsource = "ollama:demo"\nstore = "../models"\n' > liftlock.toml
low lock > /dev/null && low fetch > /dev/null
low export demo --to "$work/models2" --ollama-store > /dev/null
diff -r "$work/models/manifests" "$work/models2/manifests" && diff -r "$work/models/blobs" "$work/models2/blobs" || fail "the model changed"
sed -i 's/ollama:demo/ollama:none/' liftlock.toml
out=$(low lock 2>&1) && fail "a model that is not there was locked"
says 'it holds demo:latest' "$out"
echo "models are served to the clients of a Hub and of Ollama"
