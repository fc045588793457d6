#!/usr/bin/env bash
# Truncation, edit, fork and rollback of log and catalog against a witness; an old copy of the whole state folder restored; a node
# that is rebuilt; a witness that is killed (invariant 9).   witness_test.sh LIFTLOCK_LOW LIFTLOCK_HIGH
source "$(dirname "$0")/crossing_machines.sh" || exit 1
there=$work/there                                              # the witness: a second installation, which has no store to speak of
witness() { "$high_exe" --quiet --state "$there" "$@"; }
stick=$work/stick
mkdir "$work/stack" "$work/medium" "$stick" "$work/kept"
cd "$work/stack"

# Four bundles of one channel.
low init > /dev/null
for role in root builder; do low trust keygen --role $role --out "../$role.pem" > /dev/null; done
low trust init --organisation Acme --root-key ../root.pem --add builder:../builder.pem.pub > /dev/null
printf '[stack]\nname = "plant"\n[file.notes]\nsource = "notes.txt"\n' > liftlock.toml
for number in 1 2 3 4; do
  echo "$number" > notes.txt
  rm -f liftlock.lock
  { low lock && low fetch && low pack --output "../medium/plant-$number" && low sign "../medium/plant-$number" --role builder --key ../builder.pem; } > /dev/null
done
land() { high ingest "usb/plant-$1" --expect "$(sha256sum < "$work/medium/plant-$1/manifest/bundle.json" | cut -d' ' -f1)" > /dev/null; }
live() { high --json ls --publications | json '["publications"]' | grep -o "'sequence': [0-9]*" | grep -o '[0-9]*' | tr '\n' ' '; }

make_node() {
  high init --zone ingest --organisation Acme --witness "$key" > /dev/null
  sed -i "/^reserve/d" "$high_state/config.toml"
  sed -i 's/^\[policy\]$/&\nreserve = "0B"/' "$high_state/config.toml"
  sed -i 's/^witness = .*/&\nwitness_max_age = "7d"/' "$high_state/config.toml"
  printf '[source.usb]\npath = "%s/medium"\nrequire_read_only = false\n' "$work" >> "$high_state/config.toml"
  high trust pin "$work/medium/plant-1" --fingerprint "$(low --json trust show | json '["fingerprint"]')" > /dev/null
}
ask() { high audit witness request --output "$stick/request" "$@" > /dev/null; }
sign() { witness audit witness cosign "$stick/request" --output "$stick/answer" "$@" > /dev/null; }
take() { high audit witness accept "$stick/answer" > /dev/null; }
meet() { ask && sign && take; }
state() { { high --json status || true; } | json '["witnesses"][0]["state"]'; }
seen() { witness --json audit witness show | json "[\"logs\"][${1:-0}][\"size\"]"; }
status_is() { local expected=$1 code=0; shift; "$@" > "$work/out" 2>&1 || code=$?; [ "$code" = "$expected" ] || fail "$*: status $code, not $expected: $(cat "$work/out")"; }
put_back() {  # put_back COPY: as an administrator does, with the programs of the machine
  [ ! -e "$high_state" ] || chmod -R u+w "$high_state"
  rm -rf "$high_state"
  tar -C "$work/kept/$1" -cf - . | (mkdir "$high_state" && tar -C "$high_state" -xpf -)
}
keep() { mkdir "$work/kept/$1" && cp -a "$high_state/." "$work/kept/$1"; }

witness init --zone transfer --organisation Acme > /dev/null
refused usage witness audit witness key --name 'no blanks'
key=$(witness audit witness key --name plant4/archive)
[ "$(witness audit witness key)" = "$key" ] || fail "the witness's key changed"
refused usage witness audit witness key --name another
[ "$(stat -c %a "$there/witness/key")" = 600 ] || fail "the witness's key can be read by others"

# --- A new node -----------------------------------------------------------------------------------------------------------------
for keys in "--witness no-key" "--witness $key --witness $key"; do
  # shellcheck disable=SC2086
  refused usage high init --zone ingest $keys
done
[ ! -e "$high_state" ] || fail "a node was made with a wrong witness"
make_node
refused usage high init --zone ingest --witness "$key"
refused witness-required land 1
[ -z "$(live)" ] || fail "something landed"
[ "$(state)" = never-met ] || fail "state: $(state)"
status_is 3 high status
grep -q 'WITNESS' "$work/out" || fail "status does not show the witness: $(cat "$work/out")"
if grep -q 'no witness is named' "$work/out"; then fail "status: $(cat "$work/out")"; fi
ask
high audit tail --type witness.request | grep 'success.*challenge' > /dev/null || fail "the request has no entry (docs/formats/witness.md)"
refused log-unknown sign
refused reason-required sign --new-log
refused confirmation-required sign --new-log --reason 'a new node'
refused expect-mismatch sign --new-log --reason 'a new node' --fingerprint "$(printf 'ab%.0s' {1..32})"
[ ! -e "$stick/answer" ] || fail "a refusal was answered"
sign --new-log --reason 'a new node' --fingerprint "$(high --json audit witness show | json '["fingerprint"]')"
witness audit tail --type witness.pin | grep 'success.*a new node' > /dev/null || fail "why the log is new is not in the witness's log"
refused witness-required land 1
take
land 1
[ "$(state)" = ok ] || fail "state: $(state)"
status_is 0 high status
grep -q 'plant4/archive.* ok' <<< "$(high audit verify)" || fail "verify: $(high audit verify)"
step "a new node meets its witness, which a person allowed, before it takes anything in"

# What is carried is what other witnesses and verifiers read; a line of it can be typed.
[ "$(tail -n +2 "$stick/request" | head -n 1)" = "old 0" ] || fail "the request: $(cat "$stick/request")"
ask
[ "$(sed -n 2p "$stick/request")" = "old $(seen)" ] || fail "the proof begins elsewhere: $(sed -n 2p "$stick/request")"
sign
tail -n 1 "$stick/answer" | sed 's/^—/-/' | high audit witness accept - > /dev/null
high audit export "$work/export" > /dev/null
python3 "$work/export/check_log.py" "$work/export" --witness "$key" 2> "$work/out" || fail "check_log.py: $(cat "$work/out")"
grep -q "cosigned by plant4/archive" "$work/out" || fail "check_log.py: $(cat "$work/out")"
python3 - "$work/export/witness/"*.checkpoint <<'PY'
import base64, sys
text = open(sys.argv[1], encoding="utf-8").read().split("\n")
raw = bytearray(base64.b64decode(text[-2].split(" ")[2]))
raw[11] ^= 1                                                   # one second later
text[-2] = " ".join(text[-2].split(" ")[:2] + [base64.b64encode(raw).decode()])
open(sys.argv[1], "w", encoding="utf-8").write("\n".join(text))
PY
if python3 "$work/export/check_log.py" "$work/export" --witness "$key" 2> "$work/out"; then fail "check_log.py takes a forged time"; fi
grep -q "cosignature does not fit" "$work/out" || fail "check_log.py: $(cat "$work/out")"
step "request and answer have the forms of C2SP; check_log.py checks the cosignature"

# --- An old copy of the whole state folder is restored ---------------------------------------------------------------------------
keep old
land 2
meet
land 3
cp "$stick/answer" "$work/answer-of-now"
before=$(seen)
mv "$high_state" "$work/kept/newest"
put_back old
[ "$(state)" = to-meet ] || fail "state: $(state)"
refused witness-required land 2
refused witness-required high audit witness accept "$work/answer-of-now"
ask
refused witness-required high audit witness accept "$work/answer-of-now"
refused log-rolled-back sign
refused witness-required land 2
[ "$(live)" = "1 " ] || fail "what stands: $(live)"
[ "$(seen)" = "$before" ] || fail "the witness forgot"
[ -n "$(find "$there/witness/evidence" -name remembered)" ] || fail "no evidence"
grep -q 'failure.*log-rolled-back' <<< "$(witness audit tail --type witness.cosign)" || fail "the refusal is not in the witness's log"
# It does not help to let it grow past what was seen.
while [ "$(high --json audit verify | json '["size"]')" -le "$before" ]; do ask; done
ask --since "$before"
refused log-forked sign
[ "$(seen)" = "$before" ] || fail "the witness follows a fork"
refused witness-required land 2
for file in remembered presented; do
  for found in "$there/witness/evidence/"*/$file; do grep -q '^— liftlock/' "$found" || fail "$found is no signed statement"; done
done
step "an old copy of the state folder: no ingest, and the witness refuses it, short or grown again"

for how in cp rsync; do
  command -v $how > /dev/null || continue
  case $how in
    cp) cp -a "$work/kept/old/." "$high_state" ;;
    rsync) rsync -a --delete "$work/kept/old/" "$high_state" ;;
  esac
  refused witness-required land 2
done
rm -rf "$high_state"
mv "$work/kept/newest" "$high_state"
land 4
meet
step "the newest state, which was only moved, goes on as if nothing had been"

# --- The log alone is cut, edited, replaced --------------------------------------------------------------------------------------
keep good
statement=$work/kept/statement
with_statement() { rm -rf "$high_state/audit/witness" && cp -a "$statement" "$high_state/audit/witness"; }
cp -a "$high_state/audit/witness" "$statement"
# Truncation: the log of long ago beside the statement of now.
rm -rf "$high_state/audit" && cp -a "$work/kept/old/audit" "$high_state/audit" && with_statement
[ "$(state)" = rolled-back ] || fail "state: $(state)"
status_is 4 high status
refused log-rolled-back high audit verify
refused log-rolled-back land 4
refused log-rolled-back ask
step "truncation is found from the statement beside the log"
# Edit: a log of the same name and key, whose first entries say something else; its own checks find nothing.
before=$(seen)
put_back good
rm -rf "$high_state/audit/"{tile,journal,checkpoint,witness}
refused audit-broken ask --since 0
mkdir -p "$work/forged/audit" && cp -p "$high_state/audit/key" "$high_state/audit/key.pub" "$work/forged/audit"
"$high_exe" --quiet --state "$work/forged" init --zone ingest > /dev/null
rm -rf "$high_state/audit" && mv "$work/forged/audit" "$high_state/audit"
while ask --since 0; [ "$(high --json audit verify | json '["size"]')" -le "$before" ]; do :; done
with_statement
[ "$(state)" = forked ] || fail "state: $(state)"
refused log-forked high audit verify
refused log-forked land 4
rm -rf "$high_state/audit/witness"
high audit verify > /dev/null || fail "the forged log does not even pass its own checks"
ask --since "$before"
refused log-forked sign
step "a log that was written anew with its own key"
# Fork: two copies of one node, both honest until then.
put_back good
ask; sign; take
ask; cp "$stick/request" "$stick/first"
put_back good
ask; cp "$stick/request" "$stick/second"
cp "$stick/first" "$stick/request"
sed -n 2p "$stick/request" | grep -q "old $(seen)" || fail "the first begins elsewhere"
sign
cp "$stick/second" "$stick/request"
if sign 2> "$work/out"; then fail "a fork was cosigned"; fi
grep -Eq 'log-(forked|rolled-back)|--since' "$work/out" || fail "fork: $(cat "$work/out")"
while [ "$(high --json audit verify | json '["size"]')" -le "$(seen)" ]; do ask --since 0; done
ask --since "$(seen)"
refused log-forked sign
step "a fork"

# --- The catalog alone is old ------------------------------------------------------------------------------------------------------
rm -rf "$high_state" "$there" "$work/kept/"* "$stick/"*
witness init --zone transfer > /dev/null
key=$(witness audit witness key)
make_node
ask; sign --new-log --reason again --fingerprint "$(high --json audit witness show | json '["fingerprint"]')"; take
land 1
high retire plant/1 --reason 'not wanted' > /dev/null
land 2
cp "$high_state/store/catalog.db" "$work/kept/catalog.db"
land 3
high retire plant/2 --reason 'not wanted either' > /dev/null
cp "$work/kept/catalog.db" "$high_state/store/catalog.db"
rm -f "$high_state/store/catalog.db-"*
status_is 3 high status
grep -q 'plant/3 is missing' "$work/out" || fail "status: $(cat "$work/out")"
grep -q 'plant/2 was retired' "$work/out" || fail "status: $(cat "$work/out")"
if grep -q 'plant/1' "$work/out"; then fail "plant/1 is as it should be: $(cat "$work/out")"; fi
refused replayed land 1
land 3
high retire plant/2 --reason again > /dev/null
status_is 0 high status
step "an old catalog beside the log of now is told, and what to do"

# --- The log is lost for good --------------------------------------------------------------------------------------------------------
meet
mv "$high_state/audit" "$work/kept/lost"
refused audit-broken land 4
high init --zone ingest --new-audit-log --reason 'disk lost, ticket 4711' > /dev/null
refused witness-required land 4
status_is 3 high status
grep -q 'plant/3 is not in the audit log: liftlock ingest SOURCE --expect sha256:[0-9a-f]*$' "$work/out" || fail "status: $(cat "$work/out")"
ask
refused log-unknown sign
sign --new-log --reason 'disk lost, ticket 4711' --fingerprint "$(high --json audit witness show | json '["fingerprint"]')"
take
land 4
status_is 3 high status
grep -q 'plant/3 is not in the audit log: .* --allow-rollback --reason TEXT$' "$work/out" || fail "what the channel left behind: $(cat "$work/out")"
[ "$(witness --json audit witness show | json '["logs"]' | grep -o "'log'" | wc -l)" = 2 ] || fail "the witness forgot the lost log"
step "a node that is rebuilt with nothing is a new log, which a person allows on the witness"

# --- Time and boot -------------------------------------------------------------------------------------------------------------------
meet
if [ -n "$faketime" ]; then
  [ "$(at +8d state)" = old ] || fail "eight days later: $(at +8d state)"
  at +8d status_is 3 high status
  [ "$(at -1d state)" = clock ] || fail "a day ago: $(at -1d state)"
fi
if [ "$(id -u)" = 0 ] && unshare --mount true 2> /dev/null; then
  echo 11111111-2222-4333-8444-555555555555 > "$work/boot"
  booted=$(unshare --mount bash -c "mount --bind '$work/boot' /proc/sys/kernel/random/boot_id && '$high_exe' --json --state '$high_state' status || true" |
    json '["witnesses"][0]["state"]')
  [ "$booted" = to-meet ] || fail "after a boot: $booted"
  [ "$(state)" = ok ] || fail "state: $(state)"
  step "after a boot the witness is met again; an old statement is told"
fi
refused usage high audit witness cosign "$stick/request" --output "$stick/answer"
printf 'garbage\n' > "$stick/garbage"
refused schema-violation witness audit witness cosign "$stick/garbage" --output "$stick/answer"
refused schema-violation high audit witness accept "$stick/garbage"
sed 's/^[A-Za-z0-9+\/]*=$/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=/' "$stick/request" > "$stick/forged"
refused signature-invalid witness audit witness cosign "$stick/forged" --output "$stick/answer"

# --- The witness is killed at each change of a file --------------------------------------------------------------------------------
if command -v strace > /dev/null && strace -o /dev/null true 2> /dev/null; then
  ask
  cp -a "$there" "$work/kept/there"
  before=$(seen 1) new=$(grep -A 1 '^liftlock/' "$stick/request" | sed -n 2p) points=0
  [ "$(seen 0)" -le "$before" ] || before=$(seen 0)
  for call in openat write rename renameat fsync fdatasync; do
    step=1; [ $call != openat ] || step=5                       # most of these open a library
    for ((n = 1; ; n += step)); do
      rm -rf "$there" && cp -a "$work/kept/there" "$there"
      rm -f "$stick/answer"
      code=0
      strace -f -o /dev/null -e trace=$call -e "inject=$call:signal=KILL:when=$n" \
        "$high_exe" --quiet --state "$there" audit witness cosign "$stick/request" --output "$stick/answer" > /dev/null 2>&1 || code=$?
      [ "$code" = 137 ] || break
      points=$((points + 1))
      all=$(witness --json audit witness show | json '["logs"]')
      [[ $all == *"'size': $before,"* || $all == *"'size': $new,"* ]] || fail "killed at $call $n: $all"
      # An answer means that it is remembered.
      [ ! -e "$stick/answer" ] || [[ $all == *"'size': $new,"* ]] || fail "killed at $call $n: answered, and forgotten"
      sign || fail "killed at $call $n: the same request is not answered"
      witness audit verify > /dev/null || fail "killed at $call $n: the witness's own log"
    done
    [ "$code" = 0 ] || fail "cosign under strace: $code"
  done
  [ "$points" -ge 10 ] || fail "only $points points were tried"
  take
  step "the witness, killed at $points points, remembers the old or the new, never an answer that it forgot"
fi
