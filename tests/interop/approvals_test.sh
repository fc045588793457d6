#!/usr/bin/env bash
# Two people on two machines approve a bundle that is on a read-only medium before it lands (M18).
# approvals_test.sh LIFTLOCK_LOW LIFTLOCK_HIGH
source "$(dirname "$0")/crossing_machines.sh" || exit 1
mkdir "$work/stack" "$work/medium"
cd "$work/stack"
low trust keygen --role root --out ../root.pem > /dev/null
low trust keygen --role builder --out ../builder.pem > /dev/null
for person in ada carol dan; do low trust keygen --role approver --out "../$person.pem" > /dev/null; done
low init > /dev/null
low trust init --organisation Acme --root-key ../root.pem --add builder:../builder.pem.pub > /dev/null
for person in ada carol; do low trust add-key "../$person.pem.pub" --role approver --owner "$person" --root-key ../root.pem > /dev/null; done
low trust keygen --role approver --out ../ada2.pem > /dev/null
low trust add-key ../ada2.pem.pub --role approver --owner ada --root-key ../root.pem > /dev/null
printf '[stack]\nname = "plant"\n[file.notes]\nsource = "notes.txt"\n' > liftlock.toml
for bundle in plant-1 plant-2; do
  echo "$bundle" > notes.txt
  rm -f liftlock.lock
  low lock > /dev/null && low fetch > /dev/null && low pack --output "../medium/$bundle" > /dev/null
  low sign "../medium/$bundle" --role builder --key ../builder.pem > /dev/null
done

high init --zone ingest --organisation Acme > /dev/null
sed -i 's/^\[policy\]/&\napprovals = 2/' "$high_state/config.toml"
printf '[source.usb]\npath = "%s/medium"\n' "$work" >> "$high_state/config.toml"
fingerprint=$(low --json trust show | json '["fingerprint"]')
high trust pin ../medium/plant-1 --fingerprint "$fingerprint" > /dev/null
mount --bind "$work/medium" "$work/medium" && mount -o remount,bind,ro "$work/medium" || fail "no read-only mount"
trap 'umount "$work/medium"; cleanup' EXIT
take() { high ingest usb/plant-1 --expect "$(sha256sum < ../medium/plant-1/manifest/bundle.json | cut -d' ' -f1)" "$@"; }
# station PERSON BUNDLE FOLDER: another machine of the high side, with nothing but the pinned root.
station() {
  if [ ! -d "$work/station-$1" ]; then
    "$high_exe" --state "$work/station-$1" init --zone transfer > /dev/null
    "$high_exe" --state "$work/station-$1" trust pin "../medium/$2" --fingerprint "$fingerprint" > /dev/null
  fi
  "$high_exe" --state "$work/station-$1" verify "../medium/$2" > /dev/null || fail "$1 sees a bad bundle"
  "$high_exe" --state "$work/station-$1" sign "../medium/$2" --role approver --key "../$1.pem" --out "$3" > /dev/null
}

refused unsigned take
said=$(take 2>&1 || true)
grep -q "approval of 2 people, and nobody approved" <<< "$said" || fail "what is missing: $said"
refused io-error low sign ../medium/plant-1 --role approver --key ../ada.pem
station ada plant-1 ../stick-ada || fail "ada approves"
[ "$(ls ../stick-ada/signatures | wc -l)" = 1 ] || fail "one signature"
refused unsigned take --signatures ../stick-ada
said=$(take --signatures ../stick-ada 2>&1 || true)
grep -q "only ada did" <<< "$said" || fail "who approved: $said"
step "a bundle that one person approved does not land"

station ada plant-1 ../stick-again
refused unsigned take --signatures ../stick-ada --signatures ../stick-again
station ada2 plant-1 ../stick-other-key
refused unsigned take --signatures ../stick-ada --signatures ../stick-other-key
refused immutable high sign ../medium/plant-2 --role approver --key ../ada.pem --out ../stick-ada
high verify ../medium/plant-1 --signatures ../stick-ada > ../verified && grep -q "approval of 2 people; it has that of 1" ../verified || fail "verify does not say what is still wanted"
refused key-unknown low sign ../medium/plant-1 --role approver --key ../dan.pem --out ../stick-dan
refused key-role low sign ../medium/plant-1 --role approver --key ../builder.pem --out ../stick-dan
station carol plant-2 ../stick-other
refused signature-invalid take --signatures ../stick-ada --signatures ../stick-other
mkdir -p ../empty/signatures
refused not-found take --signatures ../empty
[ "$(high --json ls --publications | json '["publications"]')" = "[]" ] || fail "something landed"
step "the same person twice, by one key or two, a stranger, another role, another bundle: none counts as the second"

station carol plant-1 ../stick-carol
high verify ../medium/plant-1 --signatures ../stick-ada --signatures ../stick-carol > ../verified || fail "verify"
grep -q carol ../verified && grep -q ada ../verified || fail "verify names both"
take --signatures ../stick-ada --signatures ../stick-carol > /dev/null || fail "both approved"
entry=$(high --json audit tail -n 20 --type bundle.ingest)
grep -q "approved_by" <<< "$entry" && grep -q "ada" <<< "$entry" && grep -q "carol" <<< "$entry" || fail "the audit log does not name both: $entry"
exported=$(high --json ls --publications | json '["publications"]')
grep -q "'sequence': 1" <<< "$exported" || fail "it did not land"
step "two people on two machines: it lands, and the log names them"

sed -i 's/^approvals = 2/approvals = 1/' "$high_state/config.toml"
high retire plant/1 --reason $'seen by "two, of us"\x7f' > /dev/null
report=$(high audit report)
grep -q "approved by ada, carol" <<< "$report" || fail "the report does not say who approved: $report"
grep -q "changed: .*policy.approvals 2 → 1" <<< "$report" || fail "the report does not say what changed in config.toml: $report"
high audit report --csv > "$work/report.csv"
python3 - "$work/report.csv" << 'PY' || fail "the report is no CSV: $(cat "$work/report.csv")"
import csv, json, sys
with open(sys.argv[1], newline="", encoding="utf-8") as file:
    rows = list(csv.reader(file, strict=True))
head = "weight entry time type outcome subject actor remark detail".split()
assert rows[0] == head, rows[0]
assert all(len(row) == len(head) for row in rows), rows
details = [json.loads(row[-1]) for row in rows[1:]]
assert 'seen by "two, of us"\x7f' in [detail.get("reason") for detail in details], details
PY
# So many sources, and one value so long, that an entry cannot hold them: what else changed is told all the same, now and at
# the next change, and so is that they did.
cp "$high_state/config.toml" "$work/few.toml"
for i in $(seq 900); do printf '[source.kiosk%s]\npath = "%s/a/long/way/to/a/medium/%s"\n' "$i" "$work" "$i"; done >> "$high_state/config.toml"
sed -i 's/^approvals = 1/approvals = 0/; s/^mode = "full"/mode = "off"/' "$high_state/config.toml"
sed -i "s/^organisation = .*/organisation = \"$(printf '%060000d' 0)\"/" "$high_state/config.toml"
high scrub > /dev/null
change() { high --json audit tail -n 1 --type site.config | json '["entries"][0]["detail"]'; }
grep -q "'shortened': True" <<< "$(change)" || fail "the entry is not shortened: $(change)"
changed() { high --json audit tail -n 1 --type site.config | value "(lambda c: $1)(d['entries'][0]['detail']['changed'])"; }
[ "$(changed 'c["policy.approvals"] + c["record.mode"]')" = "[1, 0, 'full', 'off']" ] || fail "what ruled is not told: $(change)"
[ "$(changed '[c[key][1]["digest"][:7] for key in ("organisation", "source.*")]')" = "['sha256:', 'sha256:']" ] || fail "what is too long has no digest: $(change)"
report=$(high audit report)
grep -q 'record.mode "full" → "off"' <<< "$report" || fail "the report does not say that nothing is recorded any more: $report"
cp "$work/few.toml" "$high_state/config.toml"
high scrub > /dev/null
[ "$(changed 'c["policy.approvals"] + c["record.mode"]')" = "[0, 1, 'off', 'full']" ] || fail "back again: $(change)"
[ "$(changed 'c["organisation"][1]')" = Acme ] || fail "back again: $(change)"
[ "$(changed 'sorted(c)')" = "['organisation', 'policy.approvals', 'record.mode', 'source.*']" ] || fail "more than what changed: $(change)"
step "the auditor's report says who approved, and what changed in config.toml"
sed -i 's/^approvals = 1/approvals = 17/' "$high_state/config.toml"
refused config-invalid take
