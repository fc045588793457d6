#!/usr/bin/env bash
# The bills of materials of a bundle and of a store, judged by the validators of CycloneDX and SPDX themselves.
#   sbom_online_test.sh LIFTLOCK_LOW LIFTLOCK_HIGH      Exit status 77: the validators cannot be had (skipped).
source "$(dirname "$0")/crossing_machines.sh" || exit 1
venv=${SBOM_VENV:-}  # one that has them already
if [ -z "$venv" ]; then
  venv=$work/venv
  python3 -m venv "$venv" && "$venv/bin/pip" install --quiet --disable-pip-version-check 'cyclonedx-python-lib[json-validation]==11.12.0' spdx-tools==0.8.5 \
    > "$work/pip.log" 2>&1 || { tail -1 "$work/pip.log"; skip "no validators"; }
fi
mkdir -p "$work/site/model" "$work/media" && cd "$work/site"
python3 "$root/tests/tools/make_model.py" gguf model/tiny.gguf > /dev/null
cat > model/README.md <<'MD'
---
license: apache-2.0
datasets:
- HuggingFaceH4/ultrachat_200k
base_model: org/bigger
pipeline_tag: text-generation
language: [en]
---
# Tiny
MD
python3 "$root/tests/tools/make_model.py" safetensors other > /dev/null && printf -- '---\nlicense: other\nlicense_name: llama3.1\n---\n' > other/README.md
mkdir words && echo 'a,b' > words/train.csv
python3 "$root/tests/tools/make_wheel.py" wheels tiktoken 0.14 && python3 "$root/tests/tools/make_wheel.py" wheels idna 3.4
echo hello > hello.txt
cat > liftlock.toml <<'TOML'
[stack]
name = "all-kinds"
[model.tiny]
source = "model"
[model.other]
source = "other"
[dataset.words]
source = "words"
license = "cc-by-4.0"
[file.hello]
source = "hello.txt"
[python.tools]
requirements = ["tiktoken", "idna"]
find_links = ["wheels"]
TOML
export PIP_NO_INDEX=1
low init --zone low > /dev/null
for role in root builder; do low trust keygen --role $role --out "$work/$role.pem" > /dev/null; done
low trust init --organisation test --root-key "$work/root.pem" --add "builder:$work/builder.pem" > /dev/null
low lock > /dev/null && low fetch > /dev/null
low pack --output "$work/media/one" > /dev/null
low sign "$work/media/one" --role builder --key "$work/builder.pem" > /dev/null
high init --zone ingest > /dev/null
printf 'zone = "ingest"\n[policy]\nreserve = "1MiB"\n[source.usb]\npath = "%s"\nrequire_read_only = false\n' "$work/media" > "$high_state/config.toml"
high trust pin "$work/media/one" --fingerprint "$(low --json trust show | json '["fingerprint"]')" > /dev/null
high ingest usb/one --expect "$(sha256sum < "$work/media/one/manifest/bundle.json" | cut -d' ' -f1)" > /dev/null
high inventory --format cyclonedx --output "$work/store.cdx.json" > /dev/null
high inventory --format spdx > "$work/store.spdx.json"

cat > "$work/judge.py" <<'PY'
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from spdx_tools.spdx.parser.parse_anything import parse_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document


def cyclonedx(path):
    error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(open(path).read())
    return [str(error)[:500]] if error else []


def spdx(path):
    return [message.validation_message for message in validate_full_spdx_document(parse_file(path))]


for path in sys.argv[1:]:
    found = spdx(path) if path.endswith(".spdx.json") else cyclonedx(path)
    if found:
        sys.exit(f"{path}: {len(found)} findings, the first: {found[0]}")
    print("ok:", path.rsplit("/", 1)[1], "is valid")
PY
judge() { "$venv/bin/python" "$work/judge.py" "$@"; }
judge "$work/media/one/manifest/sbom.cdx.json" "$work/media/one/manifest/sbom.spdx.json" "$work/store.cdx.json" "$work/store.spdx.json" || fail "a bill of materials is not valid"

# The judges see what is wrong.
sed 's/"machine-learning-model"/"machine-dreaming-model"/' "$work/store.cdx.json" > "$work/bad.cdx.json"
if judge "$work/bad.cdx.json" > /dev/null 2>&1; then fail "the validator of CycloneDX takes anything"; fi
sed 's/"licenseDeclared": "Apache-2.0"/"licenseDeclared": "no such licence"/' "$work/store.spdx.json" > "$work/bad.spdx.json"
if judge "$work/bad.spdx.json" > /dev/null 2>&1; then fail "the validator of SPDX takes anything"; fi

python3 - "$work/media/one/manifest/sbom.cdx.json" <<'PY'
import json, sys
bom = json.load(open(sys.argv[1]))
models = {c["name"]: c for c in bom["components"] if c["type"] == "machine-learning-model"}
tiny = models["tiny"]
assert tiny["modelCard"]["modelParameters"]["architectureFamily"] == "llama", tiny
assert tiny["modelCard"]["modelParameters"]["datasets"] == [{"type": "dataset", "name": "HuggingFaceH4/ultrachat_200k"}], tiny
assert any(p["name"] == "liftlock:quantisation" for p in tiny["modelCard"]["properties"]), tiny
assert tiny["licenses"] == [{"license": {"id": "Apache-2.0"}}], tiny
assert models["other"]["licenses"] == [{"license": {"name": "llama3.1"}}], models["other"]
PY
step "CycloneDX 1.6 with model cards and SPDX 2.3, of a bundle and of a store"
