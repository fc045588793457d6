#!/usr/bin/env bash
# Every role's key is replaced offline while five bundles cross; a key that retires leaves what it signed in force, one that is
# revoked does not; and old publications go out of use (S4 S40).   rotation_test.sh LIFTLOCK_LOW LIFTLOCK_HIGH
source "$(dirname "$0")/crossing_machines.sh" || exit 1
mkdir "$work/stack" "$work/medium"
cd "$work/stack"
for key in root1 root2; do low trust keygen --role root --out "../$key.pem" > /dev/null; done
for key in builder1 builder2 builder3; do low trust keygen --role builder --out "../$key.pem" > /dev/null; done
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
high init --zone ingest --organisation Acme > /dev/null
printf '[source.usb]\npath = "%s/medium"\nrequire_read_only = false\n' "$work" >> "$high_state/config.toml"
high trust pin ../medium/plant-1 --fingerprint "$(low --json trust show | json '["fingerprint"]')" > /dev/null
take plant-1

low trust rotate "$(id root1)" --with ../root2.pem.pub --root-key ../root1.pem --root-key ../root2.pem > /dev/null
ship plant-2 builder:builder1
take plant-2
step "a root key is replaced, and the high side follows"

low trust rotate "$(id builder1)" --with ../builder2.pem.pub --root-key ../root2.pem > /dev/null
ship plant-3
refused key-unknown low sign ../medium/plant-3 --role builder --key ../builder1.pem
low sign ../medium/plant-3 --role builder --key ../builder2.pem > /dev/null
take plant-3
[ "$(high --json retire --revoked --dry-run | json '["retired"]')" = "[]" ] || fail "a key that retired is taken for a revoked one"
step "a builder's key retires: what it signed stands"

low trust add-key ../approver1.pem.pub --role approver --root-key ../root2.pem > /dev/null
low trust add-key ../scanner1.pem.pub --role scanner --root-key ../root2.pem > /dev/null
low trust add-key ../ingest1.pem.pub --role ingest --root-key ../root2.pem > /dev/null
low trust threshold approver 1 --root-key ../root2.pem > /dev/null
for role in approver scanner ingest; do
  low trust rotate "$(id "${role}1")" --with "../${role}2.pem.pub" --root-key ../root2.pem > /dev/null
done
ship plant-4 builder:builder2
refused unsigned take plant-4
refused key-unknown low sign ../medium/plant-4 --role approver --key ../approver1.pem
low sign ../medium/plant-4 --role approver --key ../approver2.pem > /dev/null
take plant-4
step "keys of approver, scanner and ingest come and are replaced; a threshold counts from the bundle that brings it"

low trust add-key ../builder3.pem.pub --role builder --root-key ../root2.pem > /dev/null
low trust revoke "$(id builder2)" --since 2026-11-01T00:00:00Z --reason 'laptop stolen' --root-key ../root2.pem > /dev/null
ship plant-5 builder:builder3 approver:approver2
take plant-5
list=$(high --json retire --revoked --dry-run)
[ "$(json '["retired"]' <<< "$list" | grep -o "plant/[0-9]" | tr '\n' ' ')" = "plant/3 plant/4 " ] || fail "what the revoked key signed: $list"
grep -q "laptop stolen" <<< "$list" || fail "the reason of the revocation"
[ "$(live)" = "1 2 3 4 5 " ] || fail "a dry run changed something: $(live)"
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
