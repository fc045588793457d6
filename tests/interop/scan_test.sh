#!/usr/bin/env bash
# Debian's ClamAV with a signature of our own looks at what a bundle brings; what it finds does not land; what a kiosk's key
# withholds stays out, and the rest lands (B17).   scan_test.sh LIFTLOCK_LOW LIFTLOCK_HIGH
source "$(dirname "$0")/crossing_machines.sh" || exit 1
mkdir "$work/stack" "$work/medium" "$work/signatures"
cd "$work/stack"
# Its only signature finds these words; ClamAV wants them in hex.
sick="liftlock test: this file is sick"
printf 'Liftlock.Test.Sick:0:*:%s\n' "$(printf '%s' "$sick" | od -An -tx1 | tr -d ' \n')" > ../signatures/test.ndb
digest() { sha256sum < "../medium/$1/manifest/bundle.json" | cut -d' ' -f1; }
notes() { json '["notes"]' <<< "$1"; }

printf 'healthy\n' > well.txt
printf 'before %s after\n' "$sick" > ill.txt
head -c 3000000 /dev/zero > large.bin
printf 'secret\n' > inner.txt && zip -q -P password locked.zip inner.txt
printf '[stack]\nname = "plant"\n' > liftlock.toml
for file in well.txt ill.txt large.bin locked.zip; do printf '[file.%s]\nsource = "%s"\n' "${file%.*}" "$file"; done >> liftlock.toml
low init > /dev/null
low trust keygen --role root --out ../root.pem > /dev/null
low trust keygen --role builder --out ../builder.pem > /dev/null
low trust keygen --role scanner --out ../scanner.pem > /dev/null
low trust init --organisation Acme --root-key ../root.pem --add builder:../builder.pem.pub --add scanner:../scanner.pem.pub > /dev/null
low lock > /dev/null && low fetch > /dev/null
for sequence in 1 2; do
  low pack --output "../medium/plant-$sequence" --sequence "$sequence" > /dev/null
  low sign "../medium/plant-$sequence" --role builder --key ../builder.pem > /dev/null
done

high init --zone ingest --organisation Acme > /dev/null
cat >> "$high_state/config.toml" <<TOML
[source.usb]
path = "$work/medium"
require_read_only = false
[scan]
command = ["clamscan", "--database=$work/signatures", "--recursive", "--infected", "--no-summary",
           "--max-filesize=2M", "--alert-exceeds-max=yes", "--alert-encrypted=yes"]
version = ["clamscan", "--version"]
not_scanned_names = ["Heuristics.Limits.Exceeded", "Heuristics.Encrypted"]
TOML
high trust pin ../medium/plant-1 --fingerprint "$(low --json trust show | json '["fingerprint"]')" > /dev/null

refused scan-found high ingest usb/plant-1 --expect "$(digest plant-1)"
[ "$(high --json ls --publications | json '["publications"]')" = "[]" ] || fail "something landed"
grep -q "Liftlock.Test.Sick" <<< "$(high --json audit tail)" || fail "the audit log does not name what was found"
step "what ClamAV finds keeps the bundle out, and is in the audit log"

# The kiosk takes the file away and says so; the shell completes the name with the folder in front.
ill=$(cd ../medium/plant-1 && find files -name ill.txt)
refused key-role low withhold ../medium/plant-1 "$ill" --reason sick --key ../builder.pem
[ ! -e ../medium/plant-1/withheld ] || fail "a key that may not sign left something"
refused not-found low withhold ../medium/plant-1 files/none.txt --reason sick --key ../scanner.pem
grep -q "file:ill@.* is withheld" <<< "$(low withhold ../medium/plant-1 "../medium/plant-1/$ill" --reason "Liftlock.Test.Sick" --key ../scanner.pem)" || fail "withhold names what does not land"
rm "../medium/plant-1/$ill"
refused scan-incomplete high ingest usb/plant-1 --expect "$(digest plant-1)"
sed -i 's/^not_scanned_names/not_scanned = "accept"\n&/' "$high_state/config.toml"
grep -q "withheld: $ill (Liftlock.Test.Sick)" <<< "$(high verify ../medium/plant-1)" || fail "verify names what is withheld"
out=$(high --json ingest usb/plant-1 --expect "$(digest plant-1)")
notes "$out" | grep -q "scanned 3 files.* with ClamAV" || fail "the scan is not told: $out"
notes "$out" | grep -q "not scanned: .*large.bin: Heuristics.Limits.Exceeded" || fail "the large file: $out"
notes "$out" | grep -q "not scanned: .*locked.zip: Heuristics.Encrypted" || fail "the locked file: $out"
[ "$(high ls | awk 'NR > 1 { print $2 }' | tr "\n" " ")" = "large locked well " ] || fail "what landed: $(high ls)"
grep -q " 1:1 " <<< "$(high status)" || fail "status does not tell that something is withheld"
grep -q "ClamAV 1" <<< "$(high --json audit tail)" || fail "engine and signatures are not in the audit log"
step "the kiosk's key withholds one file, the rest lands; what ClamAV could not look at is recorded"

# Without the statement the same bundle brings the rest: still sick, still refused; then healed by nobody looking.
cp ill.txt "../medium/plant-1/$ill"
rm -r ../medium/plant-1/withheld
refused scan-found high ingest usb/plant-1 --expect "$(digest plant-1)"
rm ../signatures/test.ndb && printf 'Liftlock.Test.Other:0:*:%s\n' "$(printf 'something else entirely' | od -An -tx1 | tr -d ' \n')" > ../signatures/test.ndb
grep -q "^published" <<< "$(high ingest usb/plant-1 --expect "$(digest plant-1)")" || fail "what was withheld lands later"
high --json status | json '["channels"][0]["withheld"]' | grep -qx '\[\]' || fail "nothing is withheld any more"
step "what was withheld lands later, by the same bundle"

# A kiosk with a smart card or gpg signs in the same way; cut off between statement and signature nothing lands.
low withhold ../medium/plant-2 "$ill" --reason sick --key ../scanner.pem > /dev/null
low withhold ../medium/plant-2 "$(cd ../medium/plant-2 && find files -name well.txt)" --reason "sick, too" --key ../scanner.pem > /dev/null
[ "$(grep -o '"path"' ../medium/plant-2/withheld/withheld.json | wc -l)" = 2 ] || fail "the second statement forgot the first"
mv ../medium/plant-2/withheld/signatures ../medium/held
refused unsigned high ingest usb/plant-2 --expect "$(digest plant-2)"
mv ../medium/held ../medium/plant-2/withheld/signatures
high ingest usb/plant-2 --expect "$(digest plant-2)" > /dev/null
python3 - "$root/docs/formats/schema/withheld.schema.json" ../medium/plant-2/withheld/withheld.json <<'PY'
import json, sys
import jsonschema
schema, document = [json.load(open(name)) for name in sys.argv[1:]]
jsonschema.Draft202012Validator(schema).validate(document)
PY
# Nobody's entry gets a scanner's signature by being there, and no statement is written that no receiver reads.
cp -r ../medium/plant-2 ../medium/forged
sed -i 's/"sick, too"/"planted"/' ../medium/forged/withheld/withheld.json
refused signature-invalid low withhold ../medium/forged "$ill" --reason sick --key ../scanner.pem
refused limit-exceeded low withhold ../medium/plant-2 "$ill" --reason "$(head -c 2000 /dev/zero | tr '\0' x)" --key ../scanner.pem
refused reason-required low withhold ../medium/plant-2 "$ill" --reason " " --key ../scanner.pem
high verify ../medium/plant-2 > /dev/null || fail "what was refused changed the statement"
refused signature-invalid low transfer sheet ../medium/forged
rm -r ../medium/forged
# What was withheld is not what a delta may build on.
low pack --output ../medium/plant-20 --sequence 20 --since ../medium/plant-2 > /dev/null
[ "$(find ../medium/plant-20/files -type f | wc -l)" = 2 ] || fail "the delta leaves out what was withheld"
rm -r ../medium/plant-20
# A scanner that is not there stops the ingest, and says so.
sed -i 's/"clamscan", "--database/"no-such-scanner", "--database/' "$high_state/config.toml"
low pack --output ../medium/plant-3 --sequence 21 > /dev/null && low sign ../medium/plant-3 --role builder --key ../builder.pem > /dev/null
refused scan-failed high ingest usb/plant-3 --expect "$(digest plant-3)"
# What would stop it is an alarm before a bundle comes.
status_says() { local got=0 out; out=$(high status) || got=$?; [ "$got" = "$1" ] && grep -q "$2" <<< "$out" || fail "status ends with $got: $out"; }
status_says 3 "^scan: the scanner 'no-such-scanner' is not installed"
[ "$(high --json status | value 'd["scan"]["trouble"][:11]')" = "the scanner" ] || fail "status --json: $(high --json status)"
cp "$high_state/config.toml" "$work/config.saved"
sed -i 's/^version = .*/version = ["false"]/' "$high_state/config.toml"
status_says 3 "^scan: .scan. version 'false' ended with 1"
sed -i '/^version = /d' "$high_state/config.toml"
status_says 3 "^scan: .*needs 'version'"
sed 's/"no-such-scanner"/"clamscan"/' "$work/config.saved" > "$high_state/config.toml"
status_says 0 "^plant "
cp "$work/config.saved" "$high_state/config.toml"
# Ctrl-C ends a scanner in a wrapper with all that the wrapper started: nobody holds the pipe any more.
mkfifo "$work/held"
printf '{ echo begun; exec sleep 300; } > "%s" &\nwait\n' "$work/held" > "$work/slow.sh"
sed -i "s|\"no-such-scanner\"|\"sh\", \"$work/slow.sh\"|" "$high_state/config.toml"
cat "$work/held" > "$work/seen" & reader=$!
env --default-signal=INT "$high_exe" --quiet --state "$high_state" ingest usb/plant-3 --expect "$(digest plant-3)" > "$work/out" 2>&1 & ingest=$!
pids+=("$reader" "$ingest")
soon_of "$ingest" grep -q begun "$work/seen" || fail "the scanner does not start: $(cat "$work/out")"
got=0
kill -INT "$ingest"; wait "$ingest" || got=$?
[ "$got" = 130 ] || fail "interrupted: $got: $(cat "$work/out")"
has_ended() { ! kill -0 "$1"; }
soon has_ended "$reader" || fail "what the scanner started goes on after Ctrl-C"
high audit verify > /dev/null || fail "the audit log"
step "two files are withheld one after the other; a statement without its signature, and a scanner that is not there, stop the ingest; Ctrl-C stops the scanner"

# What people sign, and what an auditor reads (X11 B16): overrides first.
sheet=$(low transfer sheet ../medium/plant-2 --ticket CHG-4711)
for words in "TRANSFER SHEET   plant/2" "CHG-4711" "builder.pem.pub (builder): valid" "withheld: $ill (sick)" "not ingested here" "RECEIVED BY"; do
  grep -qF "$words" <<< "$sheet" || fail "the sheet does not say '$words': $sheet"
done
[ "$(awk '{ if (length > 110) print }' <<< "$sheet")" = "" ] && [ "$(wc -l <<< "$sheet")" -lt 60 ] || fail "more than a page: $sheet"
grep -q "^SCAN .*ClamAV.* 0 found, .*: success)" <<< "$(high transfer sheet ../medium/plant-2)" || fail "the sheet of the high side has its scan"
low pack --output ../medium/plant-29 --sequence 29 > /dev/null && low sign ../medium/plant-29 --role builder --key ../builder.pem > /dev/null
sed -i '/^\[scan\]/,$d' "$high_state/config.toml"
high ingest usb/plant-29 --expect "$(digest plant-29)" > /dev/null
refused replayed high ingest usb/plant-3 --expect "$(digest plant-3)"
high ingest usb/plant-3 --expect "$(digest plant-3)" --allow-rollback --reason "=cmd: the plant manager wants it" > /dev/null
report=$(high audit report --from 1d)
[ "$(head -1 <<< "$report")" = "OVERRIDES: 1" ] || fail "overrides come first: $report"
grep -q "plant/21 .*allow-rollback: =cmd: the plant manager wants it" <<< "$report" || fail "the override and its reason: $report"
grep -q "Liftlock.Test\|scan-found" <<< "$report" || fail "what was refused"
high audit report --csv > ../report.csv
high --json audit report > ../report.json
python3 - ../report.csv ../report.json <<'PY'
import csv, json, sys
rows = list(csv.DictReader(open(sys.argv[1], newline="")))
report = json.load(open(sys.argv[2]))
assert rows[0]["weight"] == "override" and rows[0]["subject"] == "plant/21", rows[0]
assert [int(row["entry"]) for row in rows] == [entry["index"] for entry in report["entries"]]
assert not any(cell.startswith(tuple("=+-@")) for row in rows for cell in row.values()), "a formula"
assert report["counts"]["bundle.ingest"] >= 8 and report["entries"][0]["weight"] == "override"
PY
[ "$(high --json audit report --to 2020-01-01 | json '["entries"]')" = "[]" ] || fail "another time"
refused usage high audit report --from yesterday
step "a page to sign, and a report with its overrides first, as table, CSV and JSON"
