#!/usr/bin/env bash
# A guard profile decides what is packed: by content, sizes, counts, names and nesting; the guard's operator checks with coreutils
# what passed, and the other side takes it (B16, B17).   profile_test.sh LIFTLOCK_LOW LIFTLOCK_HIGH
source "$(dirname "$0")/crossing_machines.sh" || exit 1
mkdir "$work/stack" "$work/medium"
cd "$work/stack"
pack() { local name=$1; shift; low pack --output "../medium/$name" "$@"; }
nothing_left() { [ -z "$(find ../medium -mindepth 1 -name "$1*")" ] || fail "something of $1 is there: $(ls ../medium)"; }
breaches() { python3 -c 'import json,sys; print(" ".join(sorted(b["rule"] + ":" + b["path"] for b in json.load(sys.stdin)["breaches"])))'; }
# profile NAME TYPES [MORE LINES…]
profile() { local name=$1 types=$2; shift 2; printf '[profile]\nname = "%s"\ntypes = [%s]\n' "$name" "$types" > "../$name.toml"; printf '%s\n' "$@" >> "../$name.toml"; }

python3 "$root/tests/tools/make_model.py" gguf tiny.gguf > /dev/null
printf 'words\n' > notes.txt
cp /bin/true innocent.txt                                        # a program under the name of a text
printf '#!/bin/sh\n' > run.txt
printf 'inner\n' > inner.txt && printf 'words\n' > grün.txt && zip -q inner.zip inner.txt && zip -q outer.zip inner.zip notes.txt grün.txt
tar -cf tar.bin notes.txt grün.txt && gzip -n tar.bin && mv tar.bin.gz tar.bin
{ cat notes.txt; cat inner.zip; } > readme.txt                   # text in front, a zip to everyone who unzips
declare_files() {
  printf '[stack]\nname = "plant"\n[model.tiny]\nsource = "tiny.gguf"\n'
  for name in "$@"; do printf '[file.%s]\nsource = "%s"\n' "${name%.*}" "$name"; done
}
lock() { declare_files "$@" > liftlock.toml; rm -f liftlock.lock; low lock > /dev/null && low fetch > /dev/null; }
low init > /dev/null
low trust keygen --role root --out ../root.pem > /dev/null
low trust keygen --role builder --out ../builder.pem > /dev/null
low trust init --organisation Acme --root-key ../root.pem --add builder:../builder.pem.pub > /dev/null

# --- types, by content
lock notes.txt innocent.txt run.txt readme.txt
profile plain '"text", "json", "gguf"'
refused profile-refused pack plant-1 --profile ../plain.toml
nothing_left plant-1
state=0; out=$(low --json pack --output ../medium/plant-1 --profile ../plain.toml) || state=$?
[ "$state" = 3 ] || fail "a refusal ends with 3, not $state"
[ "$(breaches <<< "$out")" = "type:plant-1/files/innocent.txt type:plant-1/files/readme.txt type:plant-1/files/run.txt" ] || fail "breaches: $out"
[ "$(json '["error"]["code"]' <<< "$out")" = profile-refused ] || fail "the error: $out"
grep -q "elf is not allowed" <<< "$out" || fail "the type is told: $out"
nothing_left plant-1
grep -q profile-refused <<< "$(low --json audit tail)" || fail "the audit log does not know of the refusal"
step "content decides, every file is named, nothing is left"

# --- what Liftlock itself brings
profile binary '"gguf", "elf", "script", "zip"'
state=0; out=$(low --json pack --output ../medium/plant-1 --profile ../binary.toml) || state=$?
for own in README.txt checksums.txt manifest/bundle.json manifest/files.jsonl signatures/builder.0123456789abcdef.sigstore.json; do
  grep -q "type:plant-1/$own" <<< "$(breaches <<< "$out")" || fail "$own was not judged: $out"
done
profile short '"text", "json", "gguf", "elf", "script", "zip"' 'max_name_length = 20'
state=0; out=$(low --json pack --output ../medium/plant-1 --profile ../short.toml) || state=$?
[ "$(breaches <<< "$out")" = "name-length:plant-1/signatures/builder.0123456789abcdef.sigstore.json" ] || fail "breaches: $out"
step "a profile that would refuse our own files says so at once"

# --- mistakes in a profile
profile typo '"txt"'
refused profile-invalid pack plant-1 --profile ../typo.toml
profile typo '"text"' 'max_nesting = 1'
refused unknown-key pack plant-1 --profile ../typo.toml
refused not-found pack plant-1 --profile ../none.toml
refused not-found pack plant-1 --profile ..
mkfifo ../pipe && refused not-found pack plant-1 --profile ../pipe
nothing_left plant-1
step "a wrong profile packs nothing"

# --- counts, sizes, names, depth
lock notes.txt
profile sizes '"text", "json", "gguf"' 'max_file_size = "100B"' 'max_bundle_size = "1kB"' 'max_files = 3' 'max_depth = 2' 'name_characters = "a-z"'
state=0; out=$(low --json pack --output ../medium/plant-1 --profile ../sizes.toml) || state=$?
for rule in file-size:plant-1/models/tiny bundle-size: file-count: depth:plant-1/models/tiny/ name-characters:plant-1/README.txt; do
  grep -q -- "$rule" <<< "$(breaches <<< "$out")" || fail "$rule was not told: $out"
done
nothing_left plant-1
step "sizes, counts, depth and names"

# --- nesting
lock notes.txt outer.zip tar.bin
profile nest '"text", "json", "gguf", "zip", "gzip"' '[unpack]' 'max_nesting = 1' 'types = ["text", "zip", "tar"]'
state=0; out=$(low --json pack --output ../medium/plant-1 --profile ../nest.toml) || state=$?
[ "$(breaches <<< "$out")" = "nesting:plant-1/files/outer.zip!inner.zip nesting:plant-1/files/tar.bin!" ] || fail "breaches: $out"
sed -i 's/max_nesting = 1/max_nesting = 2/' ../nest.toml
grep -q "for the guard: .*plant-1.csv" <<< "$(pack plant-1 --profile ../nest.toml)" || fail "the lists are named"
state=0; out=$(low --json pack --output ../medium/tar-1 --sequence 2 --form tar --profile ../nest.toml) || state=$?
[[ "$(breaches <<< "$out")" == *"nesting:tar-1/content.tar!files/outer.zip!inner.zip"*"type:tar-1/content.tar"* ]] || fail "breaches: $out"
nothing_left tar-1
step "archives in archives count, in the tar as well"

# --- the guard's operator, with coreutils and a spreadsheet
check() { (cd ../medium && sha256sum --check --strict --quiet "$1.sha256" 2>&1); }
check plant-1 || fail "sha256sum does not accept the list"
grep -q "builder\." ../medium/plant-1.sha256 && fail "a signature is listed before it is there"
low sign ../medium/plant-1 --role builder --key ../builder.pem > /dev/null
before=$(sha256sum ../medium/plant-1/manifest/bundle.json)
pack plant-1 --profile ../nest.toml > /dev/null
[ "$before" = "$(sha256sum ../medium/plant-1/manifest/bundle.json)" ] || fail "the bundle was packed anew"
check plant-1 || fail "sha256sum does not accept the list with the signature"
[ "$(cut -c67- ../medium/plant-1.sha256 | LC_ALL=C sort)" = "$(cd ../medium && find plant-1 -type f | LC_ALL=C sort)" ] || fail "the list is not of exactly the files"
python3 - ../medium plant-1 <<'PY'
import csv, hashlib, pathlib, sys
root, name = pathlib.Path(sys.argv[1]), sys.argv[2]
rows = list(csv.DictReader(open(root / f"{name}.csv", newline="")))
assert {row["path"] for row in rows} == {str(p.relative_to(root)) for p in (root / name).rglob("*") if p.is_file()}
for row in rows:
    content = (root / row["path"]).read_bytes()
    assert int(row["size"]) == len(content) and row["sha256"] == hashlib.sha256(content).hexdigest(), row
types = {row["path"].split("/", 1)[1].split("/")[-1]: row["type"] for row in rows}
assert types["tiny.gguf"] == "gguf" and types["outer.zip"] == "zip" and types["tar.bin"] == "gzip", types
assert types["README.txt"] == "text" and types["bundle.json"] == "json", types
PY
printf x >> ../medium/plant-1/README.txt
check plant-1 > /dev/null && fail "a changed file passes the list"
truncate -s -1 ../medium/plant-1/README.txt
step "coreutils check the list, and the table says the same"

# --- a delta, and what was added to a bundle
printf 'newer words\n' > notes.txt
lock notes.txt outer.zip tar.bin
profile delta '"text", "json"'
pack plant-2 --since ../medium/plant-1 --profile ../delta.toml > /dev/null
grep -q "files/notes.txt" ../medium/plant-2.sha256 && ! grep -q "outer.zip" ../medium/plant-2.sha256 || fail "the list of a delta"
low sign ../medium/plant-2 --role builder --key ../builder.pem > /dev/null
printf -- '-----BEGIN PGP SIGNATURE-----\n' > ../medium/plant-2/signatures/x.asc
refused profile-refused pack plant-2 --since ../medium/plant-1 --profile ../delta.toml
rm ../medium/plant-2/signatures/x.asc
step "of a delta only what travels is judged; what was added later is judged, too"

# --- and it lands
high init --zone ingest --organisation Acme > /dev/null
printf '[source.usb]\npath = "%s/medium"\nrequire_read_only = false\n' "$work" >> "$high_state/config.toml"
high trust pin ../medium/plant-1 --fingerprint "$(low --json trust show | json '["fingerprint"]')" > /dev/null
for bundle in plant-1 plant-2; do
  high ingest "usb/$bundle" --expect "$(sha256sum < "../medium/$bundle/manifest/bundle.json" | cut -d' ' -f1)" > /dev/null
done
cmp notes.txt "$(high export "file:notes@$(sha256sum < notes.txt | cut -c1-12)" --to ../exported > /dev/null; find ../exported -name notes.txt)" || fail "it did not land"
step "what the guard let pass lands"
