#!/usr/bin/env bash
# Several contents under one id: ingest says it and names the one before, which is found by that name; what retire --keep takes of
# imports; and a log that is lost stops what would begin another.   contents_test.sh LIFTLOCK_LOW LIFTLOCK_HIGH
source "$(dirname "$0")/crossing_machines.sh" || exit 1
mkdir "$work/stack" "$work/medium" "$work/folders"
cd "$work/stack"
low init > /dev/null
for role in root builder; do low trust keygen --role "$role" --out "../$role.pem" > /dev/null; done
low trust init --organisation Acme --root-key ../root.pem --add builder:../builder.pem.pub > /dev/null
printf '[stack]\nname = "demo"\n[file.tool]\nsource = "tool"\nversion = "1.0"\n' > liftlock.toml
digest() { sha256sum < "$1" | cut -d' ' -f1; }
for n in 1 2; do
  echo "tool $n" > tool
  low lock --update file.tool > /dev/null && low fetch > /dev/null && low pack --output "../medium/$n" > /dev/null
  low sign "../medium/$n" --role builder --key ../builder.pem > /dev/null
done
high init --zone ingest --organisation Acme > /dev/null
sed -i 's/^reserve = .*/reserve = "1MiB"/' "$high_state/config.toml"
printf '[source.usb]\npath = "%s/medium"\nrequire_read_only = false\n' "$work" >> "$high_state/config.toml"
sed -i 's/^\[policy\]/[policy]\nunsigned_imports = true/' "$high_state/config.toml"
high trust pin ../medium/1 --fingerprint "$(low --json trust show | json '["fingerprint"]')" > /dev/null
land() { "$high_exe" --state "$high_state" ingest "usb/$1" --expect "$(digest "../medium/$1/manifest/bundle.json")" "${@:2}" 2>&1; }

# Where less is free than an ingest leaves, nothing lands any more, and status says so before somebody tries.
high status > /dev/null || fail "status before the first bundle: $(high status)"
sed -i 's/^reserve = .*/reserve = "900TiB"/' "$high_state/config.toml"
got=0; high status > ../told || got=$?
[ "$got" = 3 ] && grep -q '^disk: .* free where the store lies, and \[policy\] reserve is 900.0 TiB' ../told || fail "status of a small disk: $got $(cat ../told)"
refused disk-full land 1
sed -i 's/^reserve = .*/reserve = "1MiB"/' "$high_state/config.toml"
step "less than the reserve is an alarm"

# A first content is nothing to tell, nor is the same one again.
out=$(land 1) && ! grep -q 'another content' <<< "$out" || fail "the first content: $out"
before=$(echo "tool 1" | sha256sum | cut -c1-12)
grep -q "file:tool@1.0 has another content, of bundle demo/1; that would then be named by file:tool@1.0@sha256:$before" <<< "$(land 2 --dry-run)" || fail "dry run: $(land 2 --dry-run)"
out=$(land 2)
grep -q "file:tool@1.0 had another content, of bundle demo/1; that is now named by file:tool@1.0@sha256:$before" <<< "$out" || fail "$out"
high export "file:tool@1.0@sha256:$before" --to ../older > /dev/null && grep -rq "tool 1" ../older || fail "the older content"
high export file:tool@1.0 --to ../newer > /dev/null && grep -rq "tool 2" ../newer || fail "the newer content"
refused not-found high show "file:tool@1.0@sha256:z"
grep -q "4 to 64" <<< "$(high show "file:tool@1.0@sha256:z" 2>&1)" || fail "$(high show "file:tool@1.0@sha256:z" 2>&1)"
# A wrong digest behind the name of several is none of them, not one of several.
mkdir "$work/twins"
printf '[stack]\nname = "twins"\n[file.twin1]\nname = "twin"\nversion = "1"\nsource = "a"\n[file.twin2]\nname = "twin"\nversion = "2"\nsource = "b"\n' > "$work/twins/liftlock.toml"
echo a > "$work/twins/a" && echo b > "$work/twins/b"
(cd "$work/twins" && low lock > /dev/null && low fetch > /dev/null)
refused ambiguous low show twin
wrong=$(echo nobody | sha256sum | cut -c1-12)
refused not-found low show "twin@sha256:$wrong"
grep -q "no content of 'twin' begins with sha256:$wrong" <<< "$(low show "twin@sha256:$wrong" 2>&1)" || fail "$(low show "twin@sha256:$wrong" 2>&1)"
grep -q "hint: it is file:twin@1@sha256:.* or file:twin@2@sha256:" <<< "$(low show "twin@sha256:$wrong" 2>&1)" || fail "$(low show "twin@sha256:$wrong" 2>&1)"
step "another content under an id is told, and the one before is found by the name that was told"

# Of two contents the one that was overtaken comes second, and is the older one all the same.
for n in 3 4; do
  echo "tool $n" > tool
  low lock --update file.tool > /dev/null && low fetch > /dev/null
  pending=(); [ "$n" = 3 ] || pending=(--pending 3)
  low pack --output "../medium/$n" --sequence "$n" "${pending[@]}" > /dev/null
  low sign "../medium/$n" --role builder --key ../builder.pem > /dev/null
done
land 4 > /dev/null
late=file:tool@1.0@sha256:$(echo "tool 3" | sha256sum | cut -c1-12)
told="file:tool@1.0 has another content, of bundle demo/4, which is newer and stays; what comes now"
grep -q "$told would be named by $late" <<< "$(land 3 --dry-run)" || fail "dry run: $(land 3 --dry-run)"
out=$(land 3)
grep -q "$told is named by $late" <<< "$out" || fail "$out"
if grep -q "is now named" <<< "$out"; then fail "what stays is said to go: $out"; fi
high export file:tool@1.0 --to ../fourth > /dev/null && grep -rq "tool 4" ../fourth || fail "the newest content"
high export "$late" --to ../third > /dev/null && grep -rq "tool 3" ../third || fail "the late content"
step "what a late bundle brings takes nothing's place, and is told so"

# Imports of different things are not older and newer of one another.
for name in first second; do
  mkdir "../folders/$name"
  python3 "$root/tests/tools/make_model.py" gguf "../folders/$name/$name.gguf" > /dev/null
  high import "../folders/$name" --name "$name" --reason "a test" > /dev/null
done
high retire --keep 1 --reason "old ones" > /dev/null
for name in first second; do grep -q "$name" <<< "$(high model ls)" || fail "retire --keep took the import '$name'"; done
if high export "file:tool@1.0@sha256:$before" --to ../gone > /dev/null 2>&1; then fail "demo/1 is still in use"; fi
step "retire --keep judges bundles by channel, and imports by what they brought"

# The log is lost: nothing begins another by the way.
mv "$high_state/audit" ../audit
refused audit-broken high import ../folders/first --name third --reason "a test"
refused audit-broken timeout 120 "$high_exe" --quiet --state "$high_state" serve --listen "127.0.0.1:$(free_port)"
[ ! -e "$high_state/audit/journal" ] || fail "another log was begun"
mv "$high_state/audit" ../audit.empty 2> /dev/null || true  # a folder without a log may have been made
mv ../audit "$high_state/audit"
high audit verify > /dev/null || fail "the log that was put back"
high retire --keep 1 --dry-run > /dev/null
step "a lost log stops what would begin another, and is good again where it was"

# Nothing was published yet, but somebody has a key: there was a log that says so.
used=(--quiet --state "$work/used")
"$high_exe" "${used[@]}" init --zone ingest > /dev/null
sed -i 's/^\[policy\]/[policy]\noutbound = "receipts"/' "$work/used/config.toml"
"$high_exe" "${used[@]}" key add ada > /dev/null
mv "$work/used/audit" "$work/used.audit"
for command in "serve --listen 127.0.0.1:$(free_port)" "receipt --output $work/receipt" "key add bob"; do
  # shellcheck disable=SC2086
  refused audit-broken timeout 120 "$high_exe" "${used[@]}" $command
done
[ ! -e "$work/receipt" ] && [ ! -e "$work/used/audit/journal" ] || fail "something was done without a log"
# Only its journal is lost: the way out that the refusal names works, and deletes nothing.
rm -rf "$work/used/audit" && cp -a "$work/used.audit" "$work/used/audit"
rm "$work/used/audit/journal"
refused audit-broken "$high_exe" "${used[@]}" status
refused audit-broken "$high_exe" "${used[@]}" key add bob
refused reason-required "$high_exe" "${used[@]}" init --zone ingest --new-audit-log
"$high_exe" "${used[@]}" init --zone ingest --new-audit-log --reason 'a test' > "$work/out" || fail "the way out that was named"
aside=$(echo "$work/used/audit.lost-"*)
grep -qF "$aside" "$work/out" || fail "it does not say where the rest is: $(cat "$work/out")"
cmp "$aside/key" "$work/used.audit/key" && cmp "$aside/checkpoint" "$work/used.audit/checkpoint" || fail "what was left of the log"
"$high_exe" "${used[@]}" audit verify > /dev/null || fail "the log that was begun anew"
grep -q audit.anew <<< "$("$high_exe" "${used[@]}" audit tail)" || fail "no entry says that it is not the first"
"$high_exe" "${used[@]}" key add bob > /dev/null
refused usage "$high_exe" "${used[@]}" init --zone ingest --new-audit-log --reason 'a test'
# Only its private key is lost: it can be read and not be written, and status says so.
"$high_exe" "${used[@]}" status > /dev/null || fail "status before the key is lost: $("$high_exe" "${used[@]}" status)"
for state in "$work/used" "$low_state"; do
  exe=$high_exe; [ "$state" = "$work/used" ] || exe=$low_exe
  mv "$state/audit/key" "$work/audit.key"
  got=0; "$exe" --quiet --state "$state" status > "$work/out" || got=$?
  [ "$got" = 3 ] && grep -q '^AUDIT KEY LOST: ' "$work/out" || fail "status of a log without its key: $got $(cat "$work/out")"
  [ "$exe" = "$high_exe" ] || mv "$work/audit.key" "$state/audit/key"
done
low status > /dev/null || fail "the key is back: $(low status)"
refused audit-broken "$high_exe" "${used[@]}" key add carol
cp "$work/used/audit/key.pub" "$work/used.lost.pub"
mv "$aside" "$work/used.lost"
"$high_exe" "${used[@]}" init --zone ingest --new-audit-log --reason 'its key was lost' > /dev/null || fail "the way out that was named"
cmp "$work/used/audit.lost-"*/key.pub "$work/used.lost.pub" || fail "the log without its key is not where it was put"
"$high_exe" "${used[@]}" status > /dev/null || fail "the log that was begun anew: $("$high_exe" "${used[@]}" status)"
# Only its public key is lost: it is named, and made again under the name that the log has.
mv "$work/used/audit/key.pub" "$work/used.key.pub"
refused audit-broken "$high_exe" "${used[@]}" status
"$high_exe" "${used[@]}" key add carol > /dev/null 2> "$work/err" || fail "a log without key.pub: $(cat "$work/err")"
grep -q "key.pub was damaged" "$work/err" || fail "no warning: $(cat "$work/err")"
cmp "$work/used/audit/key.pub" "$work/used.key.pub" || fail "key.pub that was made again"
"$high_exe" "${used[@]}" audit verify > /dev/null || fail "the log after key.pub was made again"
mv "$low_state/audit" "$work/low.audit"
refused audit-broken low acknowledge demo 1 a b c d e f g h
refused audit-broken low lock
mv "$low_state/audit" "$work/low.audit.made" 2> /dev/null || true  # an empty folder may have been made
mv "$work/low.audit" "$low_state/audit"
step "a log is missed wherever something was done before, by all that would append to it"

# A flipped bit in what the journal can make again: whoever writes tells it, mends it, and the log says so.
# What is changed stays JSON: the name of who did it.
flip() { printf '#' | dd of="$1" bs=1 seek="$(grep -aob -m1 '"actor":"' "$1" | head -1 | awk -F: '{print $1 + 9}')" conv=notrunc status=none; }
tail_file=$(find "$high_state/audit/tile/entries" -path '*.p/*' -type f)
flip "$tail_file"
refused audit-broken high audit verify
"$high_exe" --state "$high_state" key add carol > /dev/null 2> ../err
grep -q "^warning: the audit log's tile/entries/.* was damaged; the journal had what it held" ../err || fail "no warning: $(cat ../err)"
[ "$(high --json audit tail --type audit.repaired | json '["entries"].__len__()')" = 1 ] || fail "$(high audit tail)"
high audit verify > /dev/null || fail "the log after it was mended"
# And in what it cannot: `serve` says so while it serves, and does not serve where it is told not to.
for n in $(seq 130); do high key add "user$n" > /dev/null; done
[ -f "$high_state/audit/tile/entries/000" ] || fail "no full tile: $(find "$high_state/audit/tile")"
flip "$high_state/audit/tile/entries/000"
port=$(free_port)
for _ in 1 2; do
  refused audit-broken timeout 120 "$high_exe" --quiet --state "$high_state" serve --require-whole-log --listen "127.0.0.1:$port"
done
[ "$(high --json audit tail --type audit.verify | json '["entries"].__len__()')" = 1 ] || fail "each start that is refused says it again"
"$high_exe" --quiet --state "$high_state" serve --listen "127.0.0.1:$port" > ../serve.out 2> ../serve.err & server=$!
wait_for "http://127.0.0.1:$port/"
for _ in $(seq 600); do curl -s -o ../ready "http://127.0.0.1:$port/readyz"; grep -q 'the audit log is damaged' ../ready && break; sleep 0.1; done
curl -s "http://127.0.0.1:$port/metrics" > ../metrics
kill "$server" && wait "$server" || fail "serve ended with $?"
grep -q 'the audit log is damaged' ../ready || fail "readyz: $(cat ../ready)"
grep -q '^liftlock_audit_damaged 1$' ../metrics || fail "metrics: $(grep audit ../metrics)"
grep -q 'THE AUDIT LOG IS DAMAGED' ../serve.err || fail "serve: $(cat ../serve.err)"
got=0; high status > ../status || got=$?
[ "$got" = 4 ] && grep -q '^AUDIT LOG DAMAGED: ' ../status || fail "status: $got $(cat ../status)"
step "a damaged log is told: by what appends, by serve, and by status"
