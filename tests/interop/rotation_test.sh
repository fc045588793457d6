#!/usr/bin/env bash
# Every role's key is replaced offline while five bundles cross; a key that retires leaves what it signed in force, one that is
# revoked does not; and old publications go out of use (S4 S40).   rotation_test.sh LIFTLOCK_LOW LIFTLOCK_HIGH
source "$(dirname "$0")/crossing_machines.sh" || exit 1
mkdir "$work/stack" "$work/medium"
cd "$work/stack"
for key in root1 root2; do low trust keygen --role root --out "../$key.pem" > /dev/null; done
for key in builder1 builder2 builder3 builder4; do low trust keygen --role builder --out "../$key.pem" > /dev/null; done
for key in approver1 approver2; do low trust keygen --role approver --out "../$key.pem" > /dev/null; done
for key in scanner1 scanner2; do low trust keygen --role scanner --out "../$key.pem" > /dev/null; done
for key in ingest1 ingest2; do low trust keygen --role ingest --out "../$key.pem" > /dev/null; done
low init > /dev/null
low trust init --organisation Acme --root-key ../root1.pem --add builder:../builder1.pem.pub > /dev/null
printf '[stack]\nname = "plant"\n[file.notes]\nsource = "notes.txt"\n' > liftlock.toml
# ship NAME ROLE:KEY…: a new version of the file, signed by these.
ship() {
  local name=$1 signer; shift
  echo "$name" > notes.txt
  rm -f liftlock.lock
  low lock > /dev/null && low fetch > /dev/null && low pack --output "../medium/$name" > /dev/null
  for signer in "$@"; do low sign "../medium/$name" --role "${signer%:*}" --key "../${signer#*:}.pem" > /dev/null; done
}
take() { high ingest "usb/$1" --expect "$(sha256sum < "../medium/$1/manifest/bundle.json" | cut -d' ' -f1)" "${@:2}" > /dev/null; }
id() { openssl pkey -pubin -in "../$1.pem.pub" -outform DER | sha256sum | cut -c1-16; }
live() { high --json ls --publications | json '["publications"]' | grep -o "'sequence': [0-9]*" | grep -o '[0-9]*' | tr '\n' ' '; }

ship plant-1 builder:builder1
low --json trust show > ../first-root
high init --zone ingest --organisation Acme > /dev/null
printf '[source.usb]\npath = "%s/medium"\nrequire_read_only = false\n' "$work" >> "$high_state/config.toml"
if [ -n "$faketime" ]; then
  refused clock-behind at -3y high trust pin ../medium/plant-1 --fingerprint "$(json '["fingerprint"]' < ../first-root)"
fi
high trust pin ../medium/plant-1 --fingerprint "$(low --json trust show | json '["fingerprint"]')" > /dev/null
take plant-1

low trust rotate "$(id root1)" --with ../root2.pem.pub --root-key ../root1.pem --root-key ../root2.pem > /dev/null
ship plant-2 builder:builder1
take plant-2
step "a root key is replaced, and the high side follows"

low trust rotate "$(id builder1)" --with ../builder2.pem.pub --root-key ../root2.pem > /dev/null
ship plant-3
refused key-retired low sign ../medium/plant-3 --role builder --key ../builder1.pem
low sign ../medium/plant-3 --role builder --key ../builder2.pem > /dev/null
if [ -n "$faketime" ]; then
  if at -3y high verify ../medium/plant-3 > ../told; then fail "a bundle of the future is good: $(cat ../told)"; fi
  grep -q "PROBLEM \[clock-behind\] signatures" ../told && grep -q "^signature .*builder.*: not judged" ../told || fail "verify by a clock that is behind: $(cat ../told)"
  if grep -q "no signatures\|only the integrity" ../told; then fail "verify by a clock that is behind: $(cat ../told)"; fi
fi
take plant-3
[ "$(high --json retire --revoked --dry-run | json '["retired"]')" = "[]" ] || fail "a key that retired is taken for a revoked one"
step "a builder's key retires: what it signed stands"

low trust add-key ../approver1.pem.pub --role approver --root-key ../root2.pem > /dev/null
low trust add-key ../scanner1.pem.pub --role scanner --root-key ../root2.pem > /dev/null
low trust add-key ../ingest1.pem.pub --role ingest --root-key ../root2.pem > /dev/null
low trust threshold approver 1 --root-key ../root2.pem > /dev/null
cp -a "$low_state" "$work/kiosk"  # it hears of no rotation
for role in approver scanner ingest; do
  low trust rotate "$(id "${role}1")" --with "../${role}2.pem.pub" --root-key ../root2.pem > /dev/null
done
ship plant-4 builder:builder2
refused unsigned take plant-4
refused key-retired low sign ../medium/plant-4 --role approver --key ../approver1.pem
low sign ../medium/plant-4 --role approver --key ../approver2.pem > /dev/null
cp -r ../medium/plant-4 ../medium/scanned-4
cp -r ../medium/plant-4 ../medium/late-4
refused key-retired low withhold ../medium/scanned-4 files/notes.txt --reason test --key ../scanner1.pem
[ ! -e ../medium/scanned-4/withheld ] || fail "a scanner's key that retired left something"
low withhold ../medium/scanned-4 files/notes.txt --reason test --key ../scanner2.pem > /dev/null
"$low_exe" --quiet --state "$work/kiosk" withhold ../medium/late-4 files/notes.txt --reason test --key ../scanner1.pem > /dev/null
refused key-retired take late-4
rm -r ../medium/late-4
take plant-4
grep -q "withheld: files/notes.txt (test)" <<< "$(high verify ../medium/scanned-4)" || fail "what the new scanner withholds: $(high verify ../medium/scanned-4)"
rm -r ../medium/scanned-4
sed -i 's/^\[policy\]$/&\noutbound = "receipts"/' "$high_state/config.toml"
refused key-retired high receipt --output ../receipt-4 --key ../ingest1.pem
[ ! -e ../receipt-4 ] || fail "an ingest key that retired left something"
grep -q ", signed" <<< "$(high receipt --output ../receipt-4 --key ../ingest2.pem)" || fail "a receipt by the new ingest key"
step "keys of approver, scanner and ingest come and are replaced; a threshold counts from the bundle that brings it"

low trust add-key ../builder3.pem.pub --role builder --root-key ../root2.pem > /dev/null
refused usage low trust revoke "$(id builder2)" --since 2999-01-01T00:00:00Z --reason 'laptop stolen' --root-key ../root2.pem
"$low_exe" --state "$low_state" trust revoke "$(id builder2)" --since 2026-11-01 --reason 'laptop stolen' \
  --root-key ../root2.pem > /dev/null 2> ../told
grep -q "the key signed here 2 bundles: plant/3, plant/4; have them signed anew" ../told || fail "what the revoked key signed: $(cat ../told)"
ship plant-5 builder:builder3 approver:approver2
take plant-5
list=$(high --json retire --revoked --dry-run)
[ "$(json '["retired"]' <<< "$list" | grep -o "plant/[0-9]" | tr '\n' ' ')" = "plant/3 plant/4 " ] || fail "what the revoked key signed: $list"
grep -q "laptop stolen" <<< "$list" || fail "the reason of the revocation"
[ "$(live)" = "1 2 3 4 5 " ] || fail "a dry run changed something: $(live)"
if high status > ../told; then fail "status has nothing to say of what a revoked key signed: $(cat ../told)"; fi
grep -q "^REVOKED: plant/3: .*laptop stolen" ../told || fail "status: $(cat ../told)"
# One signature that rotted hides nothing of the others.
rotten=$(sha256sum ../medium/plant-3/signatures/builder.* | cut -d' ' -f1)
rotten=$high_state/store/blobs/sha256/${rotten:0:2}/$rotten
mv "$rotten" ../kept && echo rot > "$rotten"
if high status > ../told; then fail "status has nothing to say of what can be judged: $(cat ../told)"; fi
grep -q "^REVOKED: plant/4: .*laptop stolen" ../told || fail "status: $(cat ../told)"
grep -q "^UNJUDGED: .*plant/3: .*rotted" ../told || fail "status: $(cat ../told)"
[ "$(high --json retire --revoked --dry-run | json '["retired"]' | grep -o "plant/[0-9]" | tr '\n' ' ')" = "plant/4 " ] || fail "what a rotted signature hides"
mv -f ../kept "$rotten"
refused reason-required high retire --revoked
high retire --revoked --reason "builder2 was stolen" > /dev/null
[ "$(live)" = "1 2 5 " ] || fail "what stands: $(live)"
refused key-revoked take plant-4 --restore-retired --reason "again"
step "a revoked key: what it signed is listed, goes out of use, and does not come back"

refused not-found high retire plant/9 --reason none
refused usage high retire --keep 1 --revoked --dry-run
[ "$(high --json retire --keep 1 --dry-run | json '["retired"]' | grep -o "plant/[0-9]" | tr '\n' ' ')" = "plant/1 plant/2 " ] || fail "all but the newest"
high retire plant/1 --reason "nobody uses it" > /dev/null
grep -q "^plant/2 .* never " <<< "$(high retire --keep 1 plant --reason "old")" || fail "last use"
[ "$(live)" = "5 " ] || fail "what stands: $(live)"
high retire plant/5 --reason "too early" > /dev/null
refused replayed take plant-5
take plant-5 --restore-retired --reason "wanted after all"
[ "$(live)" = "5 " ] || fail "what was retired comes back on demand: $(live)"
high gc > /dev/null && high scrub > /dev/null && high audit verify > /dev/null || fail "the store or the log"
[ "$(high --json audit tail -n 100 --type bundle.retire | json '["entries"]' | grep -o "'outcome': 'success'" | wc -l)" = 5 ] || fail "the audit log has each retirement"
step "old publications go out of use, by count or by name, and come back on demand"

# Under way while its key is replaced.
follow() { high trust update "$low_state/trust" > /dev/null; }
ship plant-6 builder:builder3 approver:approver2
refused usage low trust threshold builder 3 --root-key ../root2.pem
refused usage low trust retire "$(id builder3)" --root-key ../root2.pem
refused usage low trust rotate "$(id builder3)" --with ../builder4.pem.pub --until 2020-01-01T00:00:00Z --root-key ../root2.pem
refused usage low trust rotate "$(id root2)" --with ../root1.pem.pub --until 30d --root-key ../root2.pem --root-key ../root1.pem
refused usage low trust retire "$(id builder3)" --until 30d --root-key ../root2.pem
refused usage low trust retire "$(id builder2)" --root-key ../root2.pem  # a revoked one stays listed
low trust rotate "$(id builder3)" --with ../builder4.pem.pub --until 30d --root-key ../root2.pem > /dev/null
refused usage low trust threshold builder 2 --root-key ../root2.pem  # one owner has both
follow
take plant-6
ship plant-7 builder:builder3 approver:approver2
low trust retire "$(id builder3)" --root-key ../root2.pem > /dev/null
follow
refused key-retired take plant-7
grep -q key-retired <<< "$(high verify ../medium/plant-7 || true)" || fail "verify does not tell that the key retired"
low sign ../medium/plant-7 --role builder --key ../builder4.pem > /dev/null
take plant-7
refused usage low trust retire "$(id builder4)" --root-key ../root2.pem
step "what a key signed that is replaced lands as long as the new statement says, and is told apart from a stranger's"

# A revocation arrives with a bundle that is refused for it.
ship plant-8 builder:builder4 approver:approver2
low trust revoke "$(id approver2)" --reason "left angrily" --root-key ../root2.pem > /dev/null
low trust add-key ../approver1.pem.pub --role approver --root-key ../root2.pem > /dev/null
ship plant-9 builder:builder4
refused unsigned take plant-9
[ "$(high --json trust show | json '["version"]')" = "$(low --json trust show | json '["version"]')" ] || fail "the root statement of a refused bundle is not followed"
refused key-revoked take plant-8
"$low_exe" --state "$low_state" sign ../medium/plant-8 --role approver --key ../approver1.pem > /dev/null 2> ../told
revoked=$(basename ../medium/plant-8/signatures/approver."$(id approver2)".*)
grep -q "signatures/$revoked is by a key that is revoked" ../told || fail "sign does not tell of a signature by a revoked key: $(cat ../told)"
refused key-revoked take plant-8
rm "../medium/plant-8/signatures/$revoked"
high verify ../medium/plant-8 > /dev/null || fail "without the signature by a revoked key: $(high verify ../medium/plant-8)"
low sign ../medium/plant-9 --role approver --key ../approver1.pem > /dev/null
take plant-9
high retire --revoked --reason "approver2 left angrily" > /dev/null
step "a revocation does not wait for a good bundle"

# Two bundles of one sequence, by the same builder.
cp -a "$low_state" "$work/twin"
ship plant-10 builder:builder4 approver:approver1
echo another > notes.txt
rm liftlock.lock
twin() { "$low_exe" --quiet --state "$work/twin" "$@" > /dev/null; }
twin lock && twin fetch && twin pack --output ../medium/twin-10
for signer in builder:builder4 approver:approver1; do twin sign ../medium/twin-10 --role "${signer%:*}" --key "../${signer#*:}.pem"; done
take plant-10
high status > /dev/null || fail "status: $(high status)"
refused forked take twin-10
if high status > ../told; then fail "status has nothing to say of a fork: $(cat ../told)"; fi
grep -q "^FORKED: plant/10 is also $(sha256sum < ../medium/twin-10/manifest/bundle.json | sed 's/^/sha256:/; s/ .*//')" ../told || fail "status: $(cat ../told)"
[ "$(high --json status | json '["channels"][0]["forks"][0]["sequence"]')" = 10 ] || fail "status --json: $(high --json status)"
twin=$(sha256sum < ../medium/twin-10/manifest/bundle.json | cut -d' ' -f1)
accepted=$(sha256sum < ../medium/plant-10/manifest/bundle.json | cut -d' ' -f1)
grep -q "forked; .* was accepted as sha256:$accepted, and this one is sha256:$twin.*liftlock settle sha256:$twin --reason" <<< "$(high audit report)" ||
  fail "the report of a fork: $(high audit report)"
ship plant-11 builder:builder4 approver:approver1
take plant-11
if high status > ../told; then fail "the next bundle ended the alarm about a fork: $(cat ../told)"; fi
refused reason-required high settle "$twin"
refused not-found high settle "$accepted" --reason none
grep -q "plant/10 is settled" <<< "$(high settle "$twin" --reason "the twin was a drill")" || fail "settle"
high status > /dev/null || fail "a person settled it: $(high status)"
if grep -q "liftlock settle" <<< "$(high audit report)"; then fail "the report asks for what was done: $(high audit report)"; fi
refused forked take twin-10
if high status > ../told; then fail "what comes once more is no alarm: $(cat ../told)"; fi
high settle "$twin" --reason "the medium lay about" > /dev/null
for code in forked trust-broken; do
  grep -q "what to do:.*liftlock settle .* --reason TEXT" <<< "$(high explain $code)" || fail "explain $code: $(high explain $code)"
done
# The medium instead of a bundle: the hint names the one that brings the most, which is not the first.
named=$({ high trust update ../medium 2>&1 || true; } | sed -n "s/.*hint: name a bundle: '\(.*\)'$/\1/p")
newest_in() { find "$@" -name '*.root.json' -printf '%f\n' | sort -V | tail -n 1; }
[ -n "$named" ] && [ "$(newest_in "$named/manifest/trust")" = "$(newest_in ../medium/*/manifest/trust)" ] || fail "the bundle that is named: $named"
step "a refused fork is an alarm of status until a person settles it"

# What retired may turn out stolen; and a trust folder that lost its newest statements would believe it.
thief() { "$low_exe" --quiet --state "$work/thief" "$@" > /dev/null; }
cp -a "$low_state" "$work/thief"
thief trust add-key ../builder1.pem.pub --role builder --root-key ../root2.pem
low trust threshold scanner 1 --out ../draft.json > /dev/null
"$low_exe" --state "$low_state" trust revoke "$(id builder3)" --reason "found in a drawer" --root-key ../root2.pem > /dev/null 2> ../told
grep -q "another draft of version .* went through here" ../told || fail "the second draft is not told: $(cat ../told)"
grep -q "revoked.*found in a drawer" <<< "$(low trust show)" || fail "a retired key can be revoked: $(low trust show)"
follow
high trust pin "$high_state/trust/1.root.json" --fingerprint "$(json '["fingerprint"]' < ../first-root)" > /dev/null  # changes nothing
newest=$(ls -v "$high_state"/trust/*.root.json | tail -n 1)
mv "$newest" ../aside
refused trust-broken take plant-11
refused trust-broken high verify ../medium/plant-11
if high status > ../told; then fail "status has nothing to say of lost trust: $(cat ../told)"; fi
grep -q "^TRUST: the newest pinned root statements are lost" ../told || fail "status: $(cat ../told)"
refused trust-broken high request usb/plant-11
refused trust-broken high media verify ../medium/plant-10 ../medium/plant-11
refused trust-broken high transfer sheet ../medium/plant-11
refused trust-broken high retire --revoked --dry-run
refused trust-broken high trust revoke "$(id builder4)" --reason "any" --root-key ../root2.pem
refused trust-broken high trust sign-root ../aside --root-key ../root2.pem
# Nor does it follow what a root key signed in the place of what was lost; the lost statement itself it follows.
refused trust-broken high trust update "$work/thief/trust"
echo stolen > notes.txt && rm liftlock.lock && thief lock && thief fetch && thief pack --output ../medium/stolen
thief sign ../medium/stolen --role builder --key ../builder1.pem
refused trust-broken take stolen
[ ! -e "$newest" ] || fail "the chain of a thief was followed"
follow
# What a root key signed in the place of another statement is an alarm until a person ends it.
fork=$("$low_exe" --quiet --json --state "$work/thief" trust show | json '["fingerprint"]')
forks() { high --json audit tail -n 100 --type trust.fork | value 'len(d["entries"])'; }
if high status > ../told; then fail "status has nothing to say of a fork of the chain: $(cat ../told)"; fi
grep -q "^FORKED TRUST: root statement .* is also $fork, signed by $(id root2)" ../told || fail "status: $(cat ../told)"
[ "$(high --json status | json '["trust"]["forks"][0]["fingerprint"]')" = "$fork" ] || fail "status --json: $(high --json status)"
[ "$(forks)" = 1 ] || fail "the fork is in the log $(forks) times"
grep -q "trust-broken; root statement .* is followed as sha256:.*, and this one is $fork, signed by $(id root2); .*liftlock settle $fork --reason" \
  <<< "$(high audit report)" || fail "the report of a fork of the chain: $(high audit report)"
refused reason-required high settle "$fork" --reason ' '
refused not-found high settle "$(json '["fingerprint"]' < ../first-root)" --reason none
high settle "$fork" --reason "root2 was lent, and is back" > /dev/null
high status > /dev/null || fail "the lost statement does not heal, or the alarm does not end: $(high status)"
refused not-found high settle "$fork" --reason again
refused trust-broken high request usb/stolen
[ "$(forks)" = 2 ] || fail "what comes once more is no alarm: $(forks)"
if high status > ../told; then fail "status has nothing to say of a fork that came once more"; fi
high settle "$fork" --reason "the bundle lay about" > /dev/null
grep -q "root2 was lent" <<< "$(high audit report)" || fail "the report has no reason"
refused trust-broken low trust update "$work/thief/trust"
# Exit status 3 while there is an alarm, and this side has others: what it says is looked at.
low status > ../told || true
grep -q "^FORKED TRUST: .*$fork" ../told || fail "the low side has nothing to say of the fork: $(cat ../told)"
low settle "$fork" --reason "met here, too" > /dev/null
if grep -q FORKED <<< "$(low status || true)"; then fail "the alarm of the low side does not end"; fi
# Nor does a first statement that is pinned again bring back what the newer ones revoked.
first_print=$(json '["fingerprint"]' < ../first-root)
back() { high trust pin ../medium/plant-1 --replace --reason again --fingerprint "$first_print"; }
ship plant-12 builder:builder4 approver:approver1
good_trust() { high status > /dev/null || fail "$1 does not heal: $(high status)"; }
back > /dev/null
[ "$(high --json trust show | json '["version"]')" = "$(low --json trust show | json '["version"]')" ] || fail "pinning the first one anew dropped the newer ones"
cp -a "$high_state/trust" ../trust
rm -rf "$high_state/trust"
refused trust-broken back
refused trust-missing high trust update ../medium/plant-1
high trust update ../medium/plant-12 > /dev/null
good_trust "a bundle"
# One statement that rotted, or is lost, is named, and comes back.
for version in 1 2; do
  for how in rot lose; do
    if [ $how = rot ]; then printf '!' | dd of="$high_state/trust/$version.root.json" bs=1 seek=90 conv=notrunc status=none
    else rm "$high_state/trust/$version.root.json"; fi
    if high verify ../medium/plant-12 > ../told 2>&1; then fail "a chain that rotted is believed"; fi
    grep -q "$version.root.json" ../told && grep -q "liftlock trust update" ../told || fail "what rotted is not named: $(cat ../told)"
    "$high_exe" --state "$high_state" trust show > ../told 2>&1 || [ "$version $how" != "1 lose" ] || fail "trust show: $(cat ../told)"
    [ "$version $how" != "1 lose" ] || grep -q "1.root.json" ../told || fail "trust show warns of nothing: $(cat ../told)"
    [ $version = 1 ] || refused trust-broken high trust update ../medium/plant-1
    high trust update ../medium/plant-12 > /dev/null
    diff -r -x replaced -x pending -x .lock ../trust "$high_state/trust" || fail "other statements than before"
    good_trust "the chain after $how of $version"
  done
done
[ "$(high --json audit tail -n 100 --type trust.update | grep -o "made good" | wc -l)" -ge 5 ] || fail "the audit log does not say what was wrong"
mv "$newest" ../lost
if take plant-12 2> ../told; then fail "a bundle landed by trust that lost its newest statement"; fi
grep -q "trust-broken" ../told && grep -q "run the same command again" ../told || fail "what heals by itself is not told: $(cat ../told)"
take plant-12
mv "$newest" ../aside
mkdir ../all && mv "$high_state"/trust/*.root.json ../all/
refused trust-missing take plant-11
refused trust-missing high trust pin ../all/1.root.json --fingerprint "$(json '["fingerprint"]' < ../first-root)"
refused trust-missing high trust sign-root ../all/1.root.json --root-key ../root1.pem
refused trust-missing high trust init --organisation Acme --root-key ../root1.pem --add builder:../builder1.pem.pub
cp ../all/*.root.json "$high_state/trust/" && cp ../aside "$newest"
high status > /dev/null || fail "with its trust back: $(high status)"
newest=$(ls -v "$low_state"/trust/*.root.json | tail -n 1)
mv "$newest" ../aside
if low status > ../told; then fail "status of the low side has nothing to say of lost trust: $(cat ../told)"; fi
grep -q "^TRUST: the newest pinned root statements are lost" ../told || fail "status: $(cat ../told)"
refused trust-broken low trust add-key ../builder2.pem.pub --role builder --root-key ../root2.pem
refused trust-broken low sign ../medium/plant-11 --role builder --key ../builder4.pem --out ../signed
mv ../aside "$newest"
low status > /dev/null || fail "with its trust back: $(low status)"
step "a key that retired is revoked; trust that is lost or old believes nobody"

# Old copies of the log and of the trust together agree with each other; the catalog knows that they are old.
for folder in audit trust; do cp -a "$high_state/$folder" "../old-$folder"; done
low trust keygen --role approver --out ../late.pem > /dev/null
low trust add-key ../late.pem.pub --role approver --root-key ../root2.pem > /dev/null
follow
version=$(high --json trust show | json '["version"]')
for folder in audit trust; do rm -rf "${high_state:?}/$folder" && cp -a "../old-$folder" "$high_state/$folder"; done
[ "$(high --json trust show | json '["version"]')" = $((version - 1)) ] || fail "the copy is not old"
refused trust-rolled-back take plant-12
if high status > ../told; then fail "status has nothing to say of old copies of log and trust: $(cat ../told)"; fi
grep -q "^TRUST: root statement $version (sha256:.*) was followed here, as the catalog knows" ../told || fail "status: $(cat ../told)"
high trust pin "$high_state/trust/1.root.json" --fingerprint "$(json '["fingerprint"]' < ../first-root)" > /dev/null  # changes nothing, nor the mark
refused trust-rolled-back take plant-12
printf 'an engine' > ../any.baiengine
refused trust-rolled-back high engine install ../any.baiengine --expect "$(sha256sum < ../any.baiengine | cut -d' ' -f1)"
follow
good_trust "the statement that both had lost"
take plant-12
step "old copies of log and trust together are told by the catalog, and healed by the statement"
