#!/usr/bin/env bash
# The commands of the record: what was asked is found, shown, checked, held and erased; each look is in the audit log first, and a secret
# is in no file and in no log.
#   record_test.sh RECORD_WRITER LIFTLOCK_HIGH
writer=$(realpath "$1")
source "$(dirname "$0")/crossing_machines.sh" || exit 1
entries() { high --json audit tail -n 1000 --type "$1" | json '["entries"]'; }
# says TEXT COMMAND…: the command succeeds and says this.
says() {
  local text=$1 out; shift
  out=$("$@") || fail "$*: $out"
  grep -qF -- "$text" <<< "$out" || fail "$* does not say '$text': $out"
  echo "as it must be: $text"
}

high init --zone production --organisation Test > /dev/null
secret='the launch code is 8472 and stays here'
first=$("$writer" "$high_state" ada "tell me: $secret" 'I must not repeat it')
second=$("$writer" "$high_state" bob 'what did ada ask?' "she said: $secret")
third=$("$writer" "$high_state" bob 'hello' 'good morning')

says "$first" high record find --user ada --from 1h
says 'none of 3 records fits' high record find --user nobody
[ "$(high --json record find --user bob | json '["records"].__len__()')" = 2 ] || fail "bob has two records"
refused usage high record find --from yesterday
says "tell me: $secret" high record show "$first"
says "is what entry" high record verify "$first"

# --- what leaked, where it was kept; the log learns that somebody looked, not for what
[ "$(high --json audit spill - <<< "$secret" | json '["records"].__len__()')" = 2 ] || fail "the text is in two records"
[ "$(printf %s "$secret" | high --json audit spill - | json '["records"][0]["in"][0]')" = answer ] || fail "it is in bob's answer"
says 'in no record' high audit spill 'nobody said that'
# What JSON escapes is found as it was said; a record's answer in a later prompt; and what a log holds.
quoted=$("$writer" "$high_state" eve '{"messages":[{"role":"user","content":"he \"said\"\nwait a moment"}]}' 'the answer that is carried along')
later=$("$writer" "$high_state" eve '{"messages":[{"role":"assistant","content":"the answer that is carried along"},{"role":"user","content":"and then?"}]}' 'no')
says "$quoted" high audit spill $'he "said"\nwait'
[ "$(high --json audit spill "$quoted" | json '["records"][0]["id"]')" = "$later" ] || fail "the talk that went on"
parts=$("$writer" "$high_state" eve '{"messages":[{"role":"user","content":[{"type":"text","text":"a question in parts, as clients send it"}]}]}' 'no')
[ "$(high --json audit spill "$parts" | json '["records"][0]["id"]')" = "$parts" ] || fail "a question in parts"
high record erase "$parts" --reason test > /dev/null
mkdir -p "$high_state/logs"
printf 'slot 0: %s\n' "$secret" > "$high_state/logs/engine.log"
says 'engine.log' high audit spill "$secret"
rm "$high_state/logs/engine.log"
high record erase "$quoted" --reason test > /dev/null && high record erase "$later" --reason test > /dev/null
grep -q "$first" <<< "$(entries record.read)" || fail "reading is not in the audit log"
if grep -rqF "$secret" "$high_state"; then fail "the secret is in a file: $(grep -rlF "$secret" "$high_state")"; fi
if grep -rqF 'case-7' "$high_state"; then fail "a tag is in a file in plain text"; fi

# --- holds and erasure
refused reason-required high record erase "$first"
says 'is held' high record hold "$first" --reason 'court case 12'
refused immutable high record erase "$first" --reason 'ada asked for it'
says 'is released' high record release "$first" --reason 'court case 12 ended'
says 'is erased' high record erase "$first" --reason 'ada asked for it'
refused record-erased high record show "$first"
says 'its content was erased' high record verify "$first"
says 'in no record' high audit spill 'tell me'
high audit verify > /dev/null || fail "the audit log is not whole after an erasure"
refused not-found high record show 01ARZ3NDEKTSV4RRFFQ69G5FAV

# --- retention
refused usage high record expire
sed -i 's/^# keep = .*/keep = "6y"/' "$high_state/config.toml"
says 'erased 0 records' high record expire
sleep 1.1
says 'would erase 2 records' high record expire --older-than 1s --dry-run
says 'erased 2 records' high record expire --older-than 1s
refused record-erased high record show "$third"

# --- what the site chooses at the beginning, and the keys that it gives out
ingest_state=$high_state high_state="$work/chosen"
refused usage high init --zone production --record sometimes
high init --zone production --record hash-only --when-unwritable answer > /dev/null
grep -q '^mode = "hash-only"' "$high_state/config.toml" && grep -q '^when_unwritable = "answer"' "$high_state/config.toml" ||
  fail "init did not write what was chosen"
printf '[labels]\norder = ["OPEN", "SECRET"]\n' >> "$high_state/config.toml"
secret_key=$(high key add ada --model 'demo*' --rate 60/min --tokens-per-minute 1000 --tokens-per-day 9000 --expires 90d --label SECRET --record full)
[[ "$secret_key" == llk_* ]] || fail "key add prints '$secret_key'"
refused usage high key add bob --label NOSUCH
refused usage high key add bob --role king
id=$(high --json key ls | json '[0]["id"]')
says 'ada' high key ls
if grep -rqF "$secret_key" "$high_state"; then fail "the key's secret is in a file"; fi
high key revoke "$id" --reason 'left the team' > /dev/null
says 'revoked' high key ls
[ "$(high --json audit tail -n 100 --type key.revoke | json '["entries"].__len__()')" -gt 0 ] || fail "no entry of the revocation"
high_state=$ingest_state

# --- who changes a byte is noticed
fourth=$("$writer" "$high_state" eve 'a question' 'an answer')
segment=$(ls "$high_state"/records/*.rec | tail -n 1)
printf X | dd of="$segment" bs=1 seek=60 conv=notrunc status=none
refused blob-corrupt high record show "$fourth"
refused blob-corrupt high record verify "$fourth"
status=0; high record find --user eve > /dev/null 2>&1 || status=$?
[ "$status" = 4 ] || fail "find met a damaged record and ended with status $status"
echo "the record's commands: good"
