#!/usr/bin/env bash
# Bundles that leave out what the receiver has, what the high side may say to the low side, and what each side knows of its
# channels: deltas, requests, receipts, acknowledgements, status (G73, B16).   delta_test.sh LIFTLOCK_LOW LIFTLOCK_HIGH
source "$(dirname "$0")/crossing_machines.sh" || exit 1
mkdir "$work/stack" "$work/medium" "$work/back"
cd "$work/stack"
put() { head -c "$2" /dev/urandom > "$1.bin"; }                    # put NAME BYTES: a new version of a file of the stack
declare_files() { printf '[stack]\nname = "plant"\n[model.tiny]\nsource = "tiny.gguf"\n'; for name in "$@"; do printf '[file.%s]\nsource = "%s.bin"\n' "$name" "$name"; done; }
# ship NAME [PACK OPTION…]: locks, fetches, packs and signs what the stack is now.
ship() {
  local name=$1; shift
  rm -f liftlock.lock
  low lock > /dev/null && low fetch > /dev/null
  low pack --output "../medium/$name" "$@" > /dev/null
  low sign "../medium/$name" --role builder --key ../builder.pem > /dev/null
}
digest() { sha256sum < "../medium/$1/manifest/bundle.json" | cut -d' ' -f1; }
land() { high ingest "usb/$1" --expect "$(digest "$1")" > /dev/null; }
carried() { find "../medium/$1/files" -type f -printf '%f\n' | sort | tr '\n' ' '; }

allow_receipts() {                                                 # allow_receipts CONFIG
  if grep -q '^\[policy\]' "$1"; then
    sed -i 's/^\[policy\]$/&\noutbound = "receipts"/' "$1"
  else
    printf '[policy]\noutbound = "receipts"\n' >> "$1"
  fi
}

python3 "$root/tests/tools/make_model.py" gguf tiny.gguf > /dev/null
put big 3000000; put small 100; put odd 10
declare_files big small > liftlock.toml
low init > /dev/null
low trust keygen --role root --out ../root.pem > /dev/null
low trust keygen --role builder --out ../builder.pem > /dev/null
low trust init --organisation Acme --root-key ../root.pem --add builder:../builder.pem.pub > /dev/null
ship plant-1
high init --zone ingest --organisation Acme > /dev/null
printf '[source.usb]\npath = "%s/medium"\nrequire_read_only = false\n' "$work" >> "$high_state/config.toml"
high trust pin ../medium/plant-1 --fingerprint "$(low --json trust show | json '["fingerprint"]')" > /dev/null
[ "$(high status)" = $'nothing was ingested here yet\nno witness is named: nothing here would show an audit log that was cut or rolled back' ] ||
  fail "status before the first bundle, and without a witness: $(high status)"
land plant-1

# --- a delta on a bundle
put small 100
ship plant-2 --since ../medium/plant-1
[ "$(carried plant-2)" = "small.bin " ] || fail "the delta carries $(carried plant-2)"
grep -q "left out, for the receiver has it .*: 2 files," <<< "$(high verify ../medium/plant-2)" || fail "verify does not tell what is left out"
grep -q "left out, for the receiver has it .*: 2 files," <<< "$(high inspect ../medium/plant-2)" || fail "inspect does not tell what is left out"
(cd ../medium/plant-2 && sha256sum --check --quiet checksums.txt) || fail "checksums.txt of a delta"
land plant-2
high export big --to ../exported > /dev/null && cmp big.bin "$(find ../exported -name big.bin)" || fail "the file that did not travel"
# It ends with 7, for its last step is a load, and the model was not loaded yet; the step of the bundle is what counts here.
grep -q "^2 bundle *good" <<< "$(high chain replay tiny || true)" || fail "the chain of a model that a delta left out"
step "what the receiver has stays behind, and is there on the other side"

# --- a delta on a lock, with what a tar holds
cp liftlock.lock ../lock-2
put odd 10
declare_files big small odd > liftlock.toml
ship plant-3 --since ../lock-2 --form tar
[ "$(stat -c %s ../medium/plant-3/content.tar)" -lt 100000 ] || fail "the tar carries more than is new"
land plant-3
step "a lock tells what the receiver has, too"

# --- a receiver that lacks something says what, and gets it
fresh=$work/fresh
far() { "$high_exe" --quiet --state "$fresh" "$@"; }
far init --zone ingest --organisation Acme > /dev/null
cat >> "$fresh/config.toml" <<TOML
[source.usb]
path = "$work/medium"
require_read_only = false
TOML
far trust pin ../medium/plant-1 --fingerprint "$(low --json trust show | json '["fingerprint"]')" > /dev/null
refused base-missing far ingest usb/plant-3 --expect "$(digest plant-3)"
[ -z "$(find "$fresh/store" -name '*.bin')" ] && [ "$(far --json ls --publications | json '["publications"]')" = "[]" ] || fail "half a delta is there"
refused outbound-forbidden far request usb/plant-3 --output ../back/request-3
[ ! -e ../back/request-3 ] || fail "something left although nothing may"
grep -q "plant/3 leaves out 3 files that this store lacks" <<< "$(far request usb/plant-3)" || fail "what is missing is not on the screen: $(far request usb/plant-3)"
allow_receipts "$fresh/config.toml"
grep -q "4 files" <<< "$(far request usb/plant-3 --output ../back/request-3)" || fail "the request names what is missing"
refused immutable far request usb/plant-3 --output ../back/request-3
low pack --output ../medium/plant-4 --since ../back/request-3 --pending 3 > /dev/null
low sign ../medium/plant-4 --role builder --key ../builder.pem > /dev/null
[ "$(carried plant-4)" = "big.bin odd.bin small.bin " ] || fail "the answer carries $(carried plant-4)"
far ingest usb/plant-4 --expect "$(digest plant-4)" > /dev/null
[ "$(far --json status | json '["channels"][0]["pending"]')" = "[3]" ] || fail "status names what is pending"
far ingest usb/plant-3 --expect "$(digest plant-3)" > /dev/null
land plant-4
step "a request names what is missing, and the answer to it lands; what waited lands after it"

# --- a receipt
allow_receipts "$high_state/config.toml"
low trust keygen --role ingest --out ../ingest.pem > /dev/null
low trust keygen --role ingest --out ../other.pem > /dev/null
low trust add-key ../ingest.pem.pub --role ingest --root-key ../root.pem > /dev/null
low trust threshold ingest 1 --root-key ../root.pem > /dev/null
high receipt --output ../back/unsigned > /dev/null
refused key-role high receipt --output ../back/wrong --key ../builder.pem
[ ! -e ../back/wrong ] && [ ! -e ../back/wrong.partial ] || fail "a receipt that could not be signed was left"
refused unsigned low pack --output ../medium/plant-5 --since ../back/unsigned
put big 2000000
ship plant-5 --since ../medium/plant-4
land plant-5
grep -q "signed" <<< "$(high receipt --output ../back/receipt-5 --key ../ingest.pem)" || fail "a signed receipt"
python3 - "$root/docs/formats/schema/receipt.schema.json" ../back/receipt-5/receipt.json ../back/request-3/request.json <<'PY'
import json, sys
import jsonschema
schema, *documents = [json.load(open(name)) for name in sys.argv[1:]]
for document in documents:
    jsonschema.Draft202012Validator(schema).validate(document)
PY
put small 200
ship plant-6 --since ../back/receipt-5
[ "$(carried plant-6)" = "small.bin " ] || fail "after the receipt travels $(carried plant-6)"
land plant-6
cp -r ../back/receipt-5 ../back/changed && sed -i 's/"Acme"/"Amce"/' ../back/changed/receipt.json
refused signature-invalid low pack --output ../medium/plant-7 --since ../back/changed
refused not-found low pack --output ../medium/plant-7 --since ../back/none
mkfifo ../back/pipe && refused not-found low pack --output ../medium/plant-7 --since ../back/pipe
refused usage low pack --output -
refused usage low pack --output ../medium/plant-7 --since ""
step "a signed receipt makes the next bundle small; a changed or unsigned one is refused where a signature is wanted"

# --- spoken words, and status on both sides
words=$(high acknowledge plant 6 | cut -d' ' -f3-)
[ "$(wc -w <<< "$words")" = 8 ] || fail "words: $words"
low pack --output ../medium/plant-6 --since ../back/receipt-5 > /dev/null  # unchanged: no bundle more
# shellcheck disable=SC2086
grep -q "plant/6 arrived" <<< "$(low acknowledge plant 6 $words)" || fail "acknowledge on the low side"
# shellcheck disable=SC2086
refused expect-mismatch low acknowledge plant 5 $words
# shellcheck disable=SC2086
refused not-found low acknowledge plant 99 $words
refused not-found high acknowledge plant 99
[ "$(low --json status | json '["channels"][0]["not_acknowledged"]')" = "[1, 2, 3, 4, 5]" ] || fail "status on the low side"
refused reason-required low abandon plant 2
refused immutable low abandon plant 6 --reason "it arrived"
refused not-found low abandon plant 99 --reason "nobody packed it"
[ "$(low --json abandon plant 2 --reason "lost at the gate" | value '[d["channel"], d["sequence"], d["bundle"], d["reason"]]')" = "['plant', 2, 'sha256:$(digest plant-2)', 'lost at the gate']" ] || fail "abandon on the low side"
[ "$(low --json status | json '["channels"][0]["not_acknowledged"]')" = "[1, 3, 4, 5]" ] || fail "what was given up is waited for"
[ "$(low --json status | json '["channels"][0]["given_up"][0]["reason"]')" = "lost at the gate" ] || fail "status does not say why"
refused usage low pack --output ../medium/plant-7 --pending 1,2
refused usage low pack --output ../medium/plant-7 --since ../medium/plant-2
refused usage low pack --output ../medium/plant-7 --since ../lock-2
# That it is refused was the line before; here its words.
low pack --output ../medium/plant-7 --since ../medium/plant-2 2> ../told || true
grep -q "plant/2 was given up.*: lost at the gate" ../told && grep -q "build on plant/6, which arrived" ../told || fail "what to build on: $(cat ../told)"
# shellcheck disable=SC2046
low acknowledge plant 2 $(high acknowledge plant 2 | cut -d' ' -f3-) > /dev/null  # it arrived all the same
[ "$(low --json status | json '["channels"][0]["given_up"]')" = "[]" ] || fail "what arrived counts as given up"
low pack --output ../medium/plant-7 --since ../medium/plant-2 > /dev/null || fail "nothing can be built on what arrived after all"
low pack --output ../medium/plant-7 --since ../lock-2 > /dev/null || fail "nothing can be built on the lock of what arrived after all"
[ "$(high --json status | json '["channels"][0]["newest"]')" = 6 ] || fail "status on the high side"
printf '[channel.plant]\nevery = "1s"\n[channel.other]\nevery = "90d"\n' >> "$high_state/config.toml"
sleep 2
state=0; out=$(high --json status) || state=$?
[ "$state" = 3 ] || fail "overdue ends with 3, not $state"
[ "$(json '["channels"][0]["state"]' <<< "$out") $(json '["channels"][1]["state"]' <<< "$out")" = "overdue overdue" ] || fail "overdue: $out"
sed -i 's/every = "1s"/every = "90d"/' "$high_state/config.toml"
# It ends with 3, for the channel that never brought anything stays overdue.
grep -q "^plant .* ok" <<< "$(high status || true)" || fail "within its time"
step "eight words acknowledge a bundle; what is given up is not waited for; status tells what is overdue"

# --- a high side whose audit log is an old copy: what it lacks is taken again, oldest first
cp -a "$high_state/audit" ../old-audit
mkdir ../old-catalog && cp -a "$high_state"/store/catalog.db* ../old-catalog/
for sequence in 9 10; do
  put small 100
  ship "plant-$sequence" --sequence "$sequence"
  land "plant-$sequence"
done
rm -rf "$high_state/audit" && cp -a ../old-audit "$high_state/audit"
# Exit status 3 while there is an alarm: what it says is looked at, here and below.
{ high status || true; } > ../told
again() { sed -n 's|^  plant/[0-9]* is not in the audit log: liftlock ingest SOURCE --expect sha256:||p' ../told; }
[ "$(again)" = "$(digest plant-9)"$'\n'"$(digest plant-10)" ] || fail "what to take again, oldest first: $(cat ../told)"
{ high --json status || true; } > ../told.json
again_json() { value '[(e["channel"], e["state"], e["bundle"], e["command"].replace("liftlock ingest SOURCE --expect ", "")) for e in d["differences"]]' < ../told.json; }
pair() { printf "('plant', 'unlogged', 'sha256:%s', 'sha256:%s%s')" "$1" "$1" "${2:-}"; }
[ "$(again_json)" = "[$(pair "$(digest plant-9)"), $(pair "$(digest plant-10)")]" ] || fail "what to take again, as JSON: $(again_json)"
cp -a "$high_state/audit" ../before
land plant-10
refused replayed high ingest usb/plant-9 --expect "$(digest plant-9)"
{ high status || true; } > ../told
[ "$(again)" = "$(digest plant-9) --allow-rollback --reason TEXT" ] || fail "what the channel left behind: $(cat ../told)"
{ high --json status || true; } > ../told.json
[ "$(again_json)" = "[$(pair "$(digest plant-9)" " --allow-rollback --reason TEXT")]" ] || fail "what the channel left behind, as JSON: $(again_json)"
high ingest usb/plant-9 --expect "$(digest plant-9)" --allow-rollback --reason "an old copy of the log" > /dev/null
rm -rf "$high_state/audit" && mv ../before "$high_state/audit"
land plant-9
land plant-10
{ high status || true; } > ../told
if grep -q "unlogged" ../told; then fail "taken again, and still unlogged: $(cat ../told)"; fi
{ high --json status || true; } > ../told.json
[ "$(value 'd["differences"]' < ../told.json)" = "[]" ] || fail "taken again, and still a difference: $(cat ../told.json)"
# The catalog is the old copy now.
mkdir ../new-catalog && mv "$high_state"/store/catalog.db* ../new-catalog/ && cp -a ../old-catalog/* "$high_state/store/"
{ high --json status || true; } > ../told.json
[ "$(value 'sorted((e["channel"], e["state"], e["what"]) for e in d["differences"])' < ../told.json)" = \
  "[('plant', 'catalog', 'plant/10 is missing: ingest it again'), ('plant', 'catalog', 'plant/9 is missing: ingest it again')]" ] || fail "an old copy of the catalog, as JSON: $(cat ../told.json)"
rm "$high_state"/store/catalog.db* && cp -a ../new-catalog/* "$high_state/store/"
step "of what an old copy of the audit log lacks, status says in which order to take it again, and how"

# --- a low side whose catalog is an old copy, or lost: no sequence means two bundles
newest=$(low --json status | json '["channels"][0]["newest"]')
low status > /dev/null || fail "status has something to say of a good low side: $(low status)"
python3 - "$low_state/store/catalog.db" <<'PY'
import sqlite3, sys
catalog = sqlite3.connect(sys.argv[1])
assert catalog.execute("DELETE FROM fact WHERE key = 'channel/plant'").rowcount == 1
catalog.commit()
PY
if low status > ../told; then fail "status does not miss what was packed"; fi
grep -q "plant: the catalog knows bundles to 0, the audit log to $newest" ../told || fail "status: $(cat ../told)"
put big 2000000
ship "plant-$((newest + 1))" 2> /dev/null
[ "$(json '["sequence"]' < "../medium/plant-$((newest + 1))/manifest/bundle.json")" = $((newest + 1)) ] || fail "a sequence was used twice"
low status > /dev/null || fail "status after the next bundle: $(low status)"
step "an old copy of the low side's catalog is told, and no sequence is used twice"
