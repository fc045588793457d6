#!/usr/bin/env bash
# A ModelKit of KitOps comes in: its model is served, its data set too, its code stays out. By kit itself where it is installed,
# else by a script that writes what kit does.   modelkit_test.sh LIFTLOCK_LOW LIFTLOCK_HIGH
source "$(dirname "$0")/crossing_machines.sh" || exit 1
tools=$root/tests/tools
mkdir -p "$work/kit/model" "$work/kit/data" "$work/kit/src" && cd "$work/kit"
python3 "$tools/make_model.py" gguf model/tiny.gguf > /dev/null
echo '{"model_type": "llama"}' > model/config.json
printf 'word,meaning\nlock,a chamber\n' > data/train.csv
echo 'print(1)' > src/run.py && echo 'print(2)' > data/load.py
echo '# Tiny' > README.md
high init --zone ingest > /dev/null
printf 'zone = "ingest"\n[policy]\nreserve = "1MiB"\nunsigned_imports = true\n' > "$high_state/config.toml"
cat > Kitfile <<'YAML'
manifestVersion: "1.0.0"
package: {name: tiny-kit, version: 1.2.0, license: Apache-2.0}
model:
  name: tiny
  path: ./model/tiny.gguf
  license: MIT
  parts:
  - path: ./model/config.json
datasets:
- name: words
  path: ./data
code:
- path: ./src
docs:
- path: ./README.md
YAML
by=script
if command -v kit > /dev/null && grep -q '^Go version' <<< "$(kit version 2> /dev/null)"; then
  KITOPS_HOME=$work/home kit pack . -t registry.example/team/tiny:v1 > "$work/kit.log" 2>&1 || { cat "$work/kit.log"; fail "kit pack"; }
  by=kit layout=$work/home/storage
else
  layout=$work/layout
  python3 "$tools/make_modelkit.py" "$work/kit" "$layout"
fi
out=$("$high_exe" --state "$high_state" import "$layout" --reason "from the model team" 2> "$work/import.log") || { cat "$work/import.log"; fail "import: $out"; }
grep -q "ModelKit" <<< "$out$(cat "$work/import.log")" || fail "what came in is not named: $out"
grep -q "1 layer of code is left out" "$work/import.log" || grep -q "1 layer of code is left out" <<< "$out" || fail "the code is not named: $out $(cat "$work/import.log")"
[ "$(high --json ls | python3 -c 'import json, sys; print(*sorted(each["id"] for each in json.load(sys.stdin)["artifacts"]))')" = "dataset:words@1.2.0 model:tiny@1.2.0" ] || fail "what is there: $(high ls)"
high export model:tiny@1.2.0 --to "$work/model" > /dev/null
cmp "$work/model/tiny.gguf" model/tiny.gguf || fail "the weights changed"
[ "$(find "$work/model" -type f -printf '%f\n' | sort | paste -sd' ')" = "README.md config.json tiny.gguf" ] || fail "the model's files: $(find "$work/model" -type f)"
high export dataset:words@1.2.0 --to "$work/data" > /dev/null
[ "$(find "$work/data" -type f -printf '%f\n')" = train.csv ] || fail "the data: $(find "$work/data" -type f)"
grep -q "MIT" <<< "$(high show model:tiny@1.2.0)" || fail "the licence of the model: $(high show model:tiny@1.2.0)"
step "a ModelKit by $by: model and data, without code"

# What breaks it is refused, by the stated digests and by the form.
python3 "$tools/make_modelkit.py" "$work/kit" "$work/flipped"
for blob in "$work"/flipped/blobs/sha256/*; do
  [ "$(stat -c %s "$blob")" -lt 100000 ] || { printf 'X' | dd of="$blob" bs=1 seek=5000 conv=notrunc 2> /dev/null; }
done
refused digest-mismatch high import "$work/flipped" --reason test --name other
python3 "$tools/make_modelkit.py" "$work/kit" "$work/lost"
python3 - "$work/lost" <<'PY'
import json, pathlib, sys
root = pathlib.Path(sys.argv[1])
blobs = root / "blobs/sha256"
manifest = json.loads((blobs / json.loads((root / "index.json").read_text())["manifests"][0]["digest"][7:]).read_text())
(blobs / manifest["layers"][0]["digest"][7:]).unlink()
PY
refused missing-file high import "$work/lost" --reason test
python3 "$tools/make_modelkit.py" "$work/kit" "$work/raw" --compression raw
refused import-unknown high import "$work/raw" --reason test
mkdir "$work/link" && cp -r "$work/kit/model" "$work/link/" && ln -s /etc/passwd "$work/link/model/vocab.txt"
python3 "$tools/make_modelkit.py" "$work/link" "$work/linked"
refused path-unsafe high import "$work/linked" --reason test
step "changed, lost, raw and linking layers are refused"

# gzip, and from a tar of the layout, as it is carried.
high_state=$work/second
high init --zone ingest > /dev/null
printf 'zone = "ingest"\n[policy]\nreserve = "1MiB"\nunsigned_imports = true\n' > "$high_state/config.toml"
python3 "$tools/make_modelkit.py" "$work/kit" "$work/zipped" --compression gzip
tar -cf "$work/kit.tar" -C "$work/zipped" .
high import "$work/kit.tar" --reason test > /dev/null
high export model:tiny@1.2.0 --to "$work/again" > /dev/null
cmp "$work/again/tiny.gguf" model/tiny.gguf || fail "the weights from gzip"
step "with gzip, in a tar"

# kit's storage has an entry for each tag: one kit with two tags is one; of two versions one is taken out first.
python3 "$tools/make_modelkit.py" "$work/kit" "$work/tagged"
mkdir -p "$work/newer/model"
echo '{"model_type": "llama", "newer": true}' > "$work/newer/model/config.json" && cp model/tiny.gguf "$work/newer/model/"
python3 "$tools/make_modelkit.py" "$work/newer" "$work/both"
cp -rn "$work/tagged/." "$work/both/"
python3 - "$work/tagged" "$work/both" <<'PY'
import json, pathlib, sys
tagged, both = (pathlib.Path(each) / "index.json" for each in sys.argv[1:])
name = "org.opencontainers.image.ref.name"
first, second = (json.loads(each.read_text())["manifests"][0] for each in (tagged, both))
index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json"}
tagged.write_text(json.dumps(index | {"manifests": [first | {"annotations": {name: tag}} for tag in ("v1", "latest")]}))
both.write_text(json.dumps(index | {"manifests": [one | {"annotations": {name: tag}} for tag, one in (("v1", first), ("v2", second))]}))
PY
high_state=$work/third
high init --zone ingest > /dev/null
printf 'zone = "ingest"\n[policy]\nreserve = "1MiB"\nunsigned_imports = true\n' > "$high_state/config.toml"
high import "$work/tagged" --reason test > /dev/null
[ "$(high --json show model:tiny@1.2.0 | grep -c '"v1"')" = 1 ] || fail "its tags are not kept: $(high --json show model:tiny@1.2.0)"
refused path-collision high import "$work/both" --reason test
if command -v skopeo > /dev/null; then
  skopeo copy --quiet "oci:$work/both:v2" "oci:$work/taken" || fail "skopeo"
  high import "$work/taken" --reason test --replace > /dev/null
  high export model:tiny@1.2.0 --to "$work/replaced" > /dev/null
  grep -q newer "$work/replaced/config.json" || fail "the other version did not come in"
fi
step "a kit with two tags, and one of two versions"
