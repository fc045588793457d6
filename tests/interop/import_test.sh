#!/usr/bin/env bash
# What others packed comes in, is served to the real clients, and goes out again; with Python's zipfile, zip and unzip,
# skopeo, pip, gpg, sha256sum and tar. What lies is refused, and a killed import leaves nothing.
#   import_test.sh LIFTLOCK_LOW LIFTLOCK_HIGH [SIGNATURE_TOOL]
source "$(dirname "$0")/crossing_machines.sh" || exit 1
signature_tool=${3:+$(realpath "$3")}
tools=$(cd "$(dirname "$0")/../tools" && pwd)
for program in unzip zip skopeo gpg; do
  command -v "$program" > /dev/null || { echo "no $program here"; exit 77; }
done
digest() { sha256sum < "$1" | cut -d' ' -f1; }
cd "$work"

# --- the low side has a model and packs it
python3 "$tools/make_model.py" gguf "$work/tiny.gguf" > /dev/null
cp tiny.gguf mmproj-tiny.gguf
mkdir stack && cd stack
mkdir model && cp ../tiny.gguf ../mmproj-tiny.gguf model/
printf '[stack]\nname = "m"\n[model.tiny]\nsource = "model"\nversion = "1.0"\nlicense = "mit"\n' > liftlock.toml
low init --zone low > /dev/null
low trust keygen --role root --out "$work/root.pem" > /dev/null
low trust keygen --role builder --out "$work/builder.pem" > /dev/null
low trust keygen --role builder --out "$work/stranger.pem" > /dev/null
low trust init --organisation test --root-key "$work/root.pem" --add "builder:$work/builder.pem" > /dev/null
low lock > /dev/null && low fetch > /dev/null
plan=$(low --json model export tiny --plan)
[ "$(value 'len(d["files"])' <<< "$plan")" -eq 2 ] || fail "the plan: $plan"
low model export tiny --output "$work/a.baimodel" > /dev/null
low model export tiny --output "$work/b.baimodel" > /dev/null
cmp a.baimodel b.baimodel 2> /dev/null || cmp "$work/a.baimodel" "$work/b.baimodel" || fail "two exports differ"
[ "$(value 'd["package_size"]' <<< "$plan")" -eq "$(stat -c %s "$work/a.baimodel")" ] || fail "the plan was wrong about the size"
refused immutable low model export tiny --output "$work/a.baimodel"
refused usage low model export tiny --output -
low model export tiny --without-mmproj --output "$work/without.baimodel" > /dev/null
low model export tiny --output "$work/signed.baimodel" --key "$work/builder.pem" > /dev/null
refused key-unknown low model export tiny --output "$work/never.baimodel" --key "$work/stranger.pem"
[ ! -e "$work/never.baimodel" ] || fail "something was written without a signature"
cd "$work"

# --- other programs read it
unzip -tq a.baimodel > /dev/null || fail "unzip does not read the package"
python3 - <<'PY' || fail "zipfile does not read the package"
import hashlib, json, zipfile
z = zipfile.ZipFile("a.baimodel")
assert z.namelist() == ["manifest.json", "metadata.json", "model/mmproj-tiny.gguf", "model/tiny.gguf"], z.namelist()
assert all(i.compress_type == zipfile.ZIP_STORED for i in z.infolist()) and z.testzip() is None
m = json.loads(z.read("manifest.json"))
assert all(hashlib.sha256(z.read(p)).hexdigest() == h for p, h in m["checksums"].items())
assert zipfile.ZipFile("without.baimodel").namelist() == ["manifest.json", "metadata.json", "model/tiny.gguf"]
PY
mkdir plain && (cd plain && unzip -q ../signed.baimodel)
grep -q builder <<< "$(ls plain/signatures)" || fail "no signature in the signed package"

# --- the high side
high init --zone ingest > /dev/null
printf 'zone = "ingest"\n[policy]\nreserve = "1MiB"\n' > "$work/high/config.toml"
refused unsigned high import a.baimodel
refused digest-mismatch high import a.baimodel --expect "$(digest b.baimodel | tr '0-9a-f' '1-9a-f0')"
# Signed, and nobody is trusted yet: as good as unsigned.
refused unsigned high import signed.baimodel
statement=$(find "$work/low/trust" -name '1.root.json')
high trust pin "$statement" --fingerprint "$(low --json trust show | value 'd["fingerprint"]')" > /dev/null
[ "$(high --json import signed.baimodel | value 'd["believed_by"]')" = signature ] || fail "the signature was not believed"
grep -q "believed for the signatures over manifest.json" <<< "$(high chain show tiny)" || fail "chain show: $(high chain show tiny)"
[ "$(high --json model ls | value 'len(d)')" -eq 1 ] || fail "the model is not listed"
[ "$(high --json import a.baimodel --expect "$(digest a.baimodel)" | value 'd["status"]')" = already-present ] || fail "the same content is not known"

# --- a site without a low side makes its own root, and believes the builders in it
alone() { "$high_exe" --quiet --state "$work/alone" "$@"; }
alone init --zone ingest > /dev/null
printf 'zone = "ingest"\n[policy]\nreserve = "1MiB"\n' > "$work/alone/config.toml"
alone trust init --organisation alone --root-key root.pem --add builder:builder.pem.pub > /dev/null 2> told || fail "a root on the high side: $(cat told)"
grep -q "^warning: bundles of a low side are judged by that side's root: .*liftlock trust pin" told || fail "a root on the high side is not remarked upon: $(cat told)"
[ "$(alone --json import signed.baimodel | value 'd["believed_by"]')" = signature ] || fail "a builder of the site's own root is not believed"

# --- that the site's scanner looked is told, and is no warning; the two files have the same bytes
looked() { "$high_exe" --quiet --state "$work/looked" "$@"; }
looked init --zone ingest > /dev/null
printf 'zone = "ingest"\n[policy]\nreserve = "1MiB"\n[scan]\ncommand = ["true"]\nversion = ["echo", "looker 1.0"]\n' > "$work/looked/config.toml"
looked import a.baimodel --expect "$(digest a.baimodel)" > told
grep -q "^scanned  *1 file, .* with looker 1.0$" told || fail "that it was scanned is not told: $(cat told)"
if grep -q "^warning: .*scanned" told; then fail "a clean scan is a warning: $(cat told)"; fi

# --- what lies, as zip and as python make it
zip -q -0 -r -X zipped.baimodel -j tiny.gguf && refused extra-file high import zipped.baimodel
(cd plain && zip -q -9 -r ../compressed.baimodel manifest.json model) && refused package-malformed high import compressed.baimodel
python3 - <<'PY'
import json, zipfile
z = zipfile.ZipFile("signed.baimodel")
def copy(name, change=lambda n, b: b, more=()):
    with zipfile.ZipFile(name, "w") as out:
        for n in z.namelist():
            b = change(n, z.read(n))
            if b is not None: out.writestr(n, b)
        for n, b in more: out.writestr(n, b)
copy("tampered.baimodel", lambda n, b: b[:-1] + b"X" if n == "model/tiny.gguf" else b)
def manifest(n, b):
    if n != "manifest.json": return b
    m = json.loads(b); m["publisher"] = "somebody else"; return json.dumps(m).encode()
copy("resigned.baimodel", manifest)
copy("extra.baimodel", more=[("model/extra.gguf", b"x")])
copy("pickle.baimodel", lambda n, b: None if n.startswith("signatures") else b)
open("cut.baimodel", "wb").write(open("signed.baimodel", "rb").read()[:-100])
PY
refused digest-mismatch high import tampered.baimodel
refused signature-invalid high import resigned.baimodel
refused extra-file high import extra.baimodel
refused package-malformed high import cut.baimodel
for lie in tampered resigned extra cut; do
  refused "$(case $lie in tampered) echo digest-mismatch;; resigned) echo signature-invalid;; extra) echo extra-file;; *) echo package-malformed;; esac)" high model import "$lie.baimodel"
done
[ "$(high --json model ls | value 'len(d)')" -eq 1 ] || fail "something of a lie is visible"

# --- replace: the old one stays until the new one was checked
python3 "$tools/make_model.py" gguf other.gguf --seed 11 > /dev/null
python3 - <<'PY'
import hashlib, json, zipfile
w = open("other.gguf", "rb").read()
with zipfile.ZipFile("new.baimodel", "w") as z:
    z.writestr("manifest.json", json.dumps({"format_version": 1, "name": "tiny", "version": "1.0", "checksums": {"model/tiny.gguf": hashlib.sha256(w).hexdigest()}}))
    z.writestr("model/tiny.gguf", w)
with zipfile.ZipFile("broken.baimodel", "w") as z:
    b = b"GGUF" + w[4:200]
    z.writestr("manifest.json", json.dumps({"format_version": 1, "name": "fresh", "checksums": {"model/tiny.gguf": hashlib.sha256(b).hexdigest()}}))
    z.writestr("model/tiny.gguf", b)
PY
refused immutable high import new.baimodel --expect "$(digest new.baimodel)"
refused immutable high import new.baimodel --replace --expect "$(digest new.baimodel)"   # a digest does not take a signature's place
refused model-malformed high import broken.baimodel --expect "$(digest broken.baimodel)"

# --- unsigned imports, with the policy
printf 'zone = "ingest"\n[policy]\nreserve = "1MiB"\nunsigned_imports = true\n' > "$work/high/config.toml"
python3 "$tools/make_wheel.py" wheelhouse alpha 1.0 > /dev/null
python3 "$tools/make_wheel.py" wheelhouse beta 2.0 'alpha>=1' > /dev/null
tar -czf flat.tar.gz -C wheelhouse . && tar -czf nested.tar.gz wheelhouse
refused reason-required high import nested.tar.gz
high import nested.tar.gz --reason "ticket 4711" > /dev/null
[ "$(high --json import flat.tar.gz --reason x | value 'd["status"]')" = already-present ] || fail "the flat form is another one"
grep -q "^UNSIGNED IMPORT" <<< "$(high show wheel:beta@2.0)" || fail "show does not begin with the label"
grep -q "^UNSIGNED IMPORT: import/" <<< "$(high status)" || fail "status does not begin with the label"
grep -q "unsigned import: ticket 4711" <<< "$(high audit report)" || fail "the auditor's report does not show it"
grep -q "policy.unsigned_imports" <<< "$(high audit tail --json 2> /dev/null || high --json audit report)" || fail "the change of policy is not in the log"

# --- images: docker-archive and OCI layout, as skopeo makes them
mkdir img && (cd img && mkdir l && echo hello > l/motd && umoci init --layout oci && umoci new --image oci:1.0 &&
  tar -C l --owner 0 --group 0 --numeric-owner -cf l.tar motd && umoci raw add-layer --image oci:1.0 l.tar) > /dev/null 2>&1 || fail "umoci"
skopeo copy -q oci:img/oci:1.0 docker-archive:app.tar:site/app:1.0 || fail "skopeo"
skopeo copy -q oci:img/oci:1.0 oci:layout:site/web:2.0 || fail "skopeo"
tar -cf layout.tar -C layout .
high import app.tar --reason test > /dev/null
high import layout.tar --reason test > /dev/null

# --- a folder with a list, believed for the announced digest of the list
mkdir -p vendor/sub && cp other.gguf vendor/ && echo '{"model_type": "llama"}' > "vendor/sub/config name.json"
(cd vendor && find . -type f ! -name MODEL_MANIFEST.sha256 -exec sha256sum {} + > ../list && mv ../list MODEL_MANIFEST.sha256)
high import vendor --expect "$(digest vendor/MODEL_MANIFEST.sha256)" > /dev/null
touch vendor/late && refused extra-file high import vendor --expect "$(digest vendor/MODEL_MANIFEST.sha256)" && rm vendor/late

# --- signatures beside: over the list in a folder, and over FILE.sha256
if [ -n "$signature_tool" ]; then
  mkdir listed && cp tiny.gguf listed/signed-model.gguf && (cd listed && sha256sum signed-model.gguf > SHA256SUMS)
  "$signature_tool" sign "$work/builder.pem" listed/SHA256SUMS > listed/SHA256SUMS.sigstore.json
  [ "$(high --json import listed --reason never-used | value 'd["believed_by"]')" = signature ] || fail "a signed list is not believed"
  echo >> listed/SHA256SUMS
  refused signature-invalid high import listed --reason x
  python3 "$tools/make_wheel.py" house gamma 3.0 > /dev/null && tar -czf house.tar.gz house && sha256sum house.tar.gz > house.tar.gz.sha256
  "$signature_tool" sign "$work/builder.pem" house.tar.gz.sha256 > house.tar.gz.sha256.sigstore.json
  [ "$(high --json import house.tar.gz | value 'd["believed_by"]')" = signature ] || fail "a signed list beside a file is not believed"
  echo x >> house.tar.gz
  refused digest-mismatch high import house.tar.gz --reason x
fi
# an engine of others' must at least be one
cp app.tar foreign.baiengine && refused engine-malformed high import foreign.baiengine

# --- served to the real clients
address=127.0.0.1:$(free_port)
"$high_exe" --quiet --state "$high_state" serve --listen "$address" > serve.log 2>&1 &
server=$!
pids+=("$server")
soon_of "$server" curl -fsS "http://$address/" || fail "the mirror did not start: $(cat serve.log)"
python3 -m venv venv > /dev/null
venv/bin/pip install -q --disable-pip-version-check --index-url "http://$address/simple/" beta > pip.log 2>&1 || fail "pip: $(cat pip.log)"
grep -q 1.0 <<< "$(venv/bin/python -c 'import alpha; print(alpha.VERSION)')" || fail "what was needed did not come"
skopeo copy -q --src-tls-verify=false "docker://$address/site/app:1.0" oci:pulled:app || fail "skopeo pulls nothing"
skopeo copy -q --src-tls-verify=false "docker://$address/site/web:2.0" oci:pulled:web || fail "skopeo pulls nothing"
[ "$(skopeo inspect --raw oci:pulled:web | sha256sum)" = "$(skopeo inspect --raw oci:img/oci:1.0 | sha256sum)" ] || fail "the image has another manifest"
kill $server && wait $server 2> /dev/null || true

# --- given back
high export --wheelhouse --to back > /dev/null && (cd back && sha256sum -c --quiet SHA256SUMS) || fail "the wheelhouse"
python3 -m venv venv2 > /dev/null
venv2/bin/pip install -q --disable-pip-version-check --no-index --find-links back beta > pip.log 2>&1 || fail "pip from the folder: $(cat pip.log)"
high export tiny --model-folder --to folder > /dev/null && (cd folder && sha256sum -c --quiet MODEL_MANIFEST.sha256) || fail "the model folder"
cmp folder/tiny.gguf tiny.gguf || fail "the model changed"
[ "$(stat -c %h folder/tiny.gguf)" -eq 1 ] || fail "the export is a hard link"
high export image:site/app@1.0 --docker-archive --to back.tar > /dev/null 2>&1 || fail "no docker-archive"
skopeo copy -q docker-archive:back.tar:site/app:1.0 oci:again:x || fail "skopeo does not read the docker-archive"
# docker's id of an image is the digest of its config
[ "$(skopeo inspect --config --raw docker-archive:back.tar:site/app:1.0 | sha256sum)" = "$(skopeo inspect --config --raw docker-archive:app.tar:site/app:1.0 | sha256sum)" ] || fail "the image's id changed"
high model export tiny --output round.baimodel > /dev/null
[ "$(high --json import round.baimodel --reason x | value 'd["status"]')" = already-present ] || fail "what was exported is another model"

# --- killed at any time: nothing half visible, and the same command does it
python3 - <<'PY'
import hashlib, json, random, zipfile
w = open("other.gguf", "rb").read()
r = random.Random(3)
with zipfile.ZipFile("large.baimodel", "w") as z:
    text = ("word " * 200_000_0).encode()
    z.writestr("manifest.json", json.dumps({"format_version": 1, "name": "large", "version": "1", "checksums": {"model/m.gguf": hashlib.sha256(w).hexdigest(), **{f"model/{i}.txt": hashlib.sha256(text + bytes([65 + i])).hexdigest() for i in range(8)}}}))
    z.writestr("model/m.gguf", w)
    for i in range(8): z.writestr(f"model/{i}.txt", text + bytes([65 + i]))
PY
before=$(high --json ls --publications | value 'len(d["publications"])')
for delay in 0.02 0.05 0.1 0.2 0.3; do
  setsid "$high_exe" --quiet --state "$high_state" import large.baimodel --reason test > /dev/null 2>&1 &
  import=$!
  sleep "$delay"
  kill -9 -- "-$import" 2> /dev/null || kill -9 "$import" 2> /dev/null || true
  wait "$import" 2> /dev/null || true
  found=$(high --json ls --kind model | value 'sum(a["name"] == "large" for a in d["artifacts"]) if "artifacts" in d else sum(a["name"] == "large" for a in d)')
  [ "$found" -le 1 ] || fail "$found models after a kill"
  if [ "$found" -eq 1 ]; then high export large --to "whole-$delay" > /dev/null || fail "half a model is visible"; fi
done
high import large.baimodel --reason test > /dev/null || fail "the same command does not do it after a kill"
high export large --to whole > /dev/null && [ "$(find whole -type f | wc -l)" -eq 9 ] || fail "the model is not whole"
high gc --abandoned-after 0s > /dev/null && high scrub > /dev/null || fail "gc or scrub after imports"
[ "$(high --json ls --publications | value 'len(d["publications"])')" -gt "$before" ] || fail "nothing was published"

# --- taken back
high retire import/1 --reason "a test" > /dev/null
[ "$(high --json model ls | value 'sum(m["name"] == "tiny" for m in d)')" -eq 0 ] || fail "a retired import is in use"
echo "what others packed came in, was served, and went out again"
