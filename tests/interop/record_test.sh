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
sed -i 's/^reserve = .*/reserve = "1MiB"/' "$high_state/config.toml"  # less free than that is an alarm of status
secret='the launch code is 8472 and stays here'
first=$("$writer" "$high_state" ada "tell me: $secret" 'I must not repeat it')
second=$("$writer" "$high_state" bob 'what did ada ask?' "she said: $secret")
third=$("$writer" "$high_state" bob 'hello' 'good morning')

says "$first" high record find --user ada --from 1h
says '3 records searched, 0 without content' high record find
says 'none of 3 records fits, 0 without content' high record find --user nobody
[ "$(high --json record find -n 2 | value 'len(d["records"]), d["more"]')" = "2 True" ] || fail "there is one more"
[ "$(high --json record find -n 3 --tag case-7 | value 'len(d["records"]), d["more"]')" = "3 False" ] || fail "there is no more"
[ "$(high --json audit tail -n 1 --type record.find | json '["entries"][0]["detail"]["tag"]')" = True ] || fail "the log does not say that a tag was looked for"
[ "$(high --json record find --user bob | json '["records"].__len__()')" = 2 ] || fail "bob has two records"
refused usage high record find --from yesterday
refused usage high record find --from 2026-12-01 --to 2026-11-30
says 'none of' high record find --from 2020-12-01 --to 2020-12-01
says "tell me: $secret" high record show "$first"
says "is what entry" high record verify "$first"

# --- what leaked, where it was kept; the log learns that somebody looked, not for what
[ "$(high --json audit spill - <<< "$secret" | json '["records"].__len__()')" = 2 ] || fail "the text is in two records"
[ "$(printf %s "$secret" | high --json audit spill - | json '["records"][0]["in"][0]')" = answer ] || fail "it is in bob's answer"
says 'in no record' high audit spill 'nobody said that'
# What stands in the tags alone (metadata, user) is found there.
[ "$(high --json audit spill case-7 | value '[one["in"] for one in d["records"]]')" = "[['tags'], ['tags'], ['tags']]" ] || fail "a text in the tags"
says '3 records searched' high record find --text case-7
grep -q "$first" <<< "$(high record find --text case-7)" || fail "find --text does not look into tags"
# What JSON escapes is found as it was said; a record's answer in a later prompt; and what a log holds.
quoted=$("$writer" "$high_state" eve '{"messages":[{"role":"user","content":"he \"said\"\nwait a moment"}]}' 'the answer that is carried along')
later=$("$writer" "$high_state" eve '{"messages":[{"role":"assistant","content":"the answer that is carried along"},{"role":"user","content":"and then?"}]}' 'no')
says "$quoted" high audit spill $'he "said"\nwait'
[ "$(high --json audit spill "$quoted" | json '["records"][0]["id"]')" = "$later" ] || fail "the talk that went on"
# JSON within JSON, as clients give back what a tool said.
tool=$("$writer" "$high_state" eve '{"messages":[{"role":"tool","content":"{\"name\": \"M\\u00fcller, room 7\"}"}]}' 'no')
says "$tool" high audit spill 'Müller, room 7'
high record erase "$tool" --reason test > /dev/null
parts=$("$writer" "$high_state" eve '{"messages":[{"role":"user","content":[{"type":"text","text":"a question in parts, as clients send it"}]}]}' 'no')
[ "$(high --json audit spill "$parts" | json '["records"][0]["id"]')" = "$parts" ] || fail "a question in parts"
high record erase "$parts" --reason test > /dev/null
# A vector and a count say nothing that others have not as well: what they are of is looked for.
count=$("$writer" "$high_state" eve '{"messages":[{"role":"user","content":"short"}]}' '{"input_tokens": 4711}' /v1/messages/count_tokens)
refused usage high audit spill "$count"
high record erase "$count" --reason test > /dev/null
# What came between the tokens, or before them, hides no answer.
mixed=$("$writer" "$high_state" eve '{"messages":[{"role":"user","content":"why?"}]}' \
  $'\x1ereasoning\x1fa thought that stays here\x1econtent\x1fthe answer that is \x1eothers\x1f{"logprobs":1}\x1econtent\x1fcut into tokens\x1eothers\x1f{"logprobs":2}')
on=$("$writer" "$high_state" eve '{"messages":[{"role":"assistant","content":"the answer that is cut into tokens"},{"role":"user","content":"and?"}]}' 'no')
says "$mixed" high record find --text 'is cut into tokens'
[ "$(high --json audit spill "$mixed" | value '{one["id"] for one in d["records"]} == {"'"$mixed"'", "'"$on"'"}')" = True ] || fail "the talk that went on"
[ "$(high --json record show "$mixed" | value 'd["answer"], d["parts"]["reasoning"]')" = "the answer that is cut into tokens a thought that stays here" ] ||
  fail "the parts of an answer: $(high --json record show "$mixed")"
says '--- answer, reasoning' high record show "$mixed"
high record erase "$mixed" --reason test > /dev/null && high record erase "$on" --reason test > /dev/null
mkdir -p "$high_state/logs/canary"
for log in engine.log canary/engine.log; do
  printf 'slot 0: %s\n' "$secret" > "$high_state/logs/$log"
  says "logs/$log" high audit spill "$secret"
  rm "$high_state/logs/$log"
done
high record erase "$quoted" --reason test > /dev/null && high record erase "$later" --reason 'it held swordfish-77' > /dev/null
# What people wrote themselves: settings, reasons of holds, and what the log keeps of them.
printf '# swordfish-77\n' >> "$high_state/config.toml"
high record hold "$first" --reason 'who said swordfish-77?' > /dev/null
found=$(high --json audit spill swordfish-77)
[ "$(value 'sorted(one["type"] for one in d["entries"])' <<< "$found")" = "['record.erase', 'record.erase', 'record.hold', 'record.hold']" ] || fail "entries: $found"
[ "$(value '[f.rsplit("/", 1)[1] for f in d["files"]]' <<< "$found")" = "['config.toml', '$first']" ] || fail "files: $found"
says 'from which nothing is erased' high audit spill swordfish-77
high record release "$first" --reason 'asked and answered' > /dev/null
sed -i '/swordfish-77/d' "$high_state/config.toml"
# A recording goes to a file, not to the terminal.
printf 'RIFF\0\0\1\33[2JWAVE' > "$work/tone.wav"
tone=$("$writer" "$high_state" eve '{"model":"says"}' 'the patient is stable' /v1/audio/transcriptions "$work/tone.wav")
says "15 B; \`liftlock record show $tone --recording FILE\`" high record show "$tone"
if grep -q $'\33' <<< "$(high record show "$tone")"; then fail "the sound is shown in the terminal"; fi
[ "$(high --json record show "$tone" | json '["recording"]["sha256"]')" = "$(sha256sum < "$work/tone.wav" | cut -d' ' -f1)" ] || fail "the digest of the recording"
high record show "$tone" --recording - | cmp "$work/tone.wav" - || fail "the recording on standard output"
high record show "$tone" --recording "$work/heard.wav" > /dev/null && cmp "$work/tone.wav" "$work/heard.wav" || fail "the recording"
[ "$(stat -c %a "$work/heard.wav")" = 600 ] || fail "what was heard is open to others"
says "is what entry" high record verify "$tone"
refused not-found high record show "$third" --recording "$work/none.wav"
high record erase "$tone" --reason test > /dev/null
grep -q "$first" <<< "$(entries record.read)" || fail "reading is not in the audit log"
if grep -rqF "$secret" "$high_state"; then fail "the secret is in a file: $(grep -rlF "$secret" "$high_state")"; fi
if grep -rqF 'case-7' "$high_state"; then fail "a tag is in a file in plain text"; fi

# --- holds and erasure
for blank in '' $'\n' ' '; do
  refused usage high record erase --text - --reason oops <<< "$blank"
  refused usage high record find --text - <<< "$blank"
done
refused reason-required high record erase "$first"
says 'is held' high record hold "$first" --reason 'court case 12'
refused immutable high record erase "$first" --reason 'ada asked for it'
says 'is released' high record release "$first" --reason 'court case 12 ended'
says 'is erased' high record erase "$first" --reason 'ada asked for it'
refused record-erased high record show "$first"
says 'its content was erased' high record verify "$first"
says 'searched, 9 without content' high record find --user bob
says 'in no record' high audit spill 'tell me'
high audit verify > /dev/null || fail "the audit log is not whole after an erasure"
refused not-found high record show 01ARZ3NDEKTSV4RRFFQ69G5FAV

# --- the same to all that a search finds: counted first, with an entry for each record and one for all of them
for n in 1 2 3; do "$writer" "$high_state" gina "question $n" 'an answer' > /dev/null; done
of_gina() { high --json record find --user gina | value '" ".join(one["id"] for one in d["records"])'; }
ids=$(of_gina)
read -r kept other _ <<< "$ids"
for act in hold release erase; do
  refused usage high record "$act" --reason test
  refused usage high record "$act" "$kept" --user gina --reason test
  refused usage high record "$act" "$kept" --dry-run
  refused usage high record "$act" --user gina --from 2026-12-01 --to 2026-11-30 --reason test
done
refused reason-required high record hold --user gina
before=$(entries record.hold)
says 'would hold 3 records' high record hold --user gina --dry-run
[ "$(entries record.hold)" = "$before" ] && [ ! -e "$high_state/records/holds/$kept" ] || fail "a dry run held something"
[ "$(high --json audit tail -n 1 --type record.find | value '[(e["detail"]["for"], e["detail"]["user"]) for e in d["entries"]]')" = "[('record.hold', 'gina')]" ] ||
  fail "the log does not say what was counted: $(entries record.find)"
high record hold "$kept" --reason 'court case 13' > /dev/null
says '1 record had a hold for another reason, which this one replaces' high record hold --user gina --dry-run
says "1 record left as it is, held for this reason already: $kept" high record hold --user gina --dry-run --reason 'court case 13'
says 'held 2 records' high record hold --user gina --to 2099-12-31 --tag case-7 --text 'question ' --reason 'court case 13'
[ "$(high --json record hold --user gina --reason 'court case 13' | value 'd["records"], len(d["left"]), d["interrupted"], d["dry_run"]')" = "0 3 False False" ] ||
  fail "a second time there is something to hold"
[ "$(high --json audit tail -n 1000 --type record.hold | value 'sorted(e["subject"] for e in d["entries"] if e["outcome"] == "success" and "chosen_by" in e["detail"] and e["subject"] != "records") == sorted(set("'"$ids"'".split()) - {"'"$kept"'"})')" = True ] ||
  fail "the entries of what was held: $(entries record.hold)"
[ "$(high --json audit tail -n 1000 --type record.hold | value '[(e["outcome"], e["detail"]["records"], e["detail"].get("done"), e["detail"]["chosen_by"]["user"], e["detail"]["chosen_by"]["tag"]) for e in d["entries"] if e["subject"] == "records"]')" = \
  "[('intent', 2, None, 'gina', True), ('success', 2, 2, 'gina', True)]" ] || fail "the entry for all of them: $(entries record.hold)"
high audit report > "$work/report"
grep -q 'record.hold  *records ' "$work/report" || fail "the report does not tell of the hold: $(cat "$work/report")"
if grep -q "record.hold  *$other" "$work/report"; then fail "the report lists each of many records"; fi
grep -q "record.hold  *$other" <<< "$(high audit report --all)" || fail "--all does not list each of many records"
refused immutable high record erase "$kept" --reason 'gina asked for it'
says 'erased 0 records' high record erase --user gina --reason 'gina asked for it'
says '3 records left as they are, held: ' high record erase --user gina --dry-run
says 'released 1 record' high record release --user gina --text 'question 2' --reason 'not of that case'
says '2 records left as they are, held: ' high record erase --user gina --reason 'gina asked for it'
[ "$(high --json record find --user gina | json '["records"].__len__()')" = 2 ] || fail "one was to be erased: $(of_gina)"
[ "$(high --json record release --user gina --reason 'court case 13 ended' | value 'd["records"], d["left"]')" = "2 []" ] || fail "the release of the others"
says 'would release 0 records' high record release --user gina --dry-run
# Ctrl-C, while it waits for the audit log: nothing is half done, and it says so.
catches() { [ $((0x$(sed -n 's/^SigCgt:[[:space:]]*//p' "/proc/$1/status") & 2)) != 0 ]; }
waits() { [ -n "$(find "/proc/$1/fd" -lname "$high_state/audit/lock")" ] && catches "$1"; }
has_heard() { ! catches "$1"; }  # the next one would end it
exec {held}< "$high_state/audit/lock"
flock "$held"
env --default-signal=INT "$high_exe" --json --state "$high_state" record erase --user gina --reason test {held}<&- > "$work/out" 2> "$work/told" & pid=$!
pids+=("$pid")
soon_of "$pid" waits "$pid" || fail "it does not wait for the audit log: $(cat "$work/out" "$work/told")"
kill -INT "$pid"
soon_of "$pid" has_heard "$pid" || fail "Ctrl-C was not heard"
exec {held}<&-
status=0; wait "$pid" || status=$?
[ "$status" = 130 ] && grep -q 'interrupted: the same command goes on' "$work/told" || fail "Ctrl-C: $status: $(cat "$work/told")"
[ "$(value 'd["records"], d["interrupted"]' < "$work/out")" = "0 True" ] || fail "what an interrupted erasure says: $(cat "$work/out")"
[ "$(high --json record find --user gina | json '["records"].__len__()')" = 2 ] || fail "an interrupted search erased something"
says 'erased 2 records' high record erase --user gina --reason 'gina asked for it'
for id in $ids; do
  refused record-erased high record show "$id"
  says 'its content was erased' high record verify "$id"
done
high audit verify > /dev/null || fail "the audit log is not whole after the erasure of many"

# --- retention
refused usage high record expire
sed -i 's/^# keep = .*/keep = "6y"/' "$high_state/config.toml"
says 'erased 0 records' high record expire
[ "$(high --json record expire --older-than 2020-12-01 --dry-run | json '["before"]["prompts"]')" = 2020-12-01T00:00:00Z ] || fail "a day is meant from its begin"
says 'begun up to the end of 2020-11-30' high record expire --older-than 2020-12-01 --dry-run
for day in 2099-12-01 2020-02-30; do refused usage high record expire --older-than "$day" --reason test; done
sleep 1.1
says 'would erase 2 records' high record expire --older-than 1s --dry-run
refused reason-required high record expire --older-than 1s
says 'erased 2 records' high record expire --older-than 1s --reason 'ticket 13'
high audit report > "$work/report"
grep -q "older than 1s: ticket 13" "$work/report" || fail "an erasure past the site's rule is no override: $(cat "$work/report")"
refused record-erased high record show "$third"
fourth=$("$writer" "$high_state" bob 'a text' '' /v1/embeddings)
fifth=$("$writer" "$high_state" bob 'hello' 'good morning')
sed -i 's/^keep = "6y"//' "$high_state/config.toml"
printf '[record.keep]\ndefault = "6y"\nembeddings = "1s"\n' >> "$high_state/config.toml"
sleep 2.1
says 'would erase 1 record' high record expire --dry-run
says 'erased 1 record' high record expire
refused record-erased high record show "$fourth"
says 'good morning' high record show "$fifth"
[ "$(entries record.expire | tail -c 2000 | grep -c embeddings)" -gt 0 ] || fail "the entry does not say which classes"

# --- what the site chooses at the beginning, and the keys that it gives out
ingest_state=$high_state high_state="$work/chosen"
refused usage high init --zone production --record sometimes
high init --zone production --record hash-only --when-unwritable answer > /dev/null
# On a terminal both are asked for; an empty line means what the program would do by itself.
python3 - "$high_exe" "$work/asked" << 'PY' || fail "init does not ask"
import os, pty, sys
person, terminal = pty.openpty()
child = os.fork()
if child == 0:
    os.setsid()
    for descriptor in range(3):
        os.dup2(terminal, descriptor)
    os.execv(sys.argv[1], [sys.argv[1], "--state", sys.argv[2], "init", "--zone", "production"])
os.close(terminal)
heard = b""
for question, answer in ((b"[full] ", b"hash-only\n"), (b"[stop] ", b"whatever\n"), (b"[stop] ", b"answer\n")):
    while question not in heard:
        heard += os.read(person, 4096)
    heard = heard.split(question, 1)[1]
    os.write(person, answer)
try:
    while os.read(person, 4096):
        pass
except OSError:  # the other end is closed
    pass
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
PY
grep -q '^mode = "hash-only"' "$work/asked/config.toml" && grep -q '^when_unwritable = "answer"' "$work/asked/config.toml" || fail "what init was told: $(cat "$work/asked/config.toml")"
grep -q '^mode = "hash-only"' "$high_state/config.toml" && grep -q '^when_unwritable = "answer"' "$high_state/config.toml" ||
  fail "init did not write what was chosen"
printf '[labels]\norder = ["OPEN", "SECRET"]\n' >> "$high_state/config.toml"
secret_key=$(high key add ada --model 'demo*' --rate 60/min --tokens-per-minute 1000 --tokens-per-day 9000 --expires 90d --label SECRET --record full)
[[ "$secret_key" == llk_* ]] || fail "key add prints '$secret_key'"
refused usage high key add bob --label NOSUCH
refused usage high key add bob --role king
for end in 9999999w 9999999d; do refused usage high key add bob --expires "$end"; done  # past the year 9999
for option in '--model demo' '--rate 9/min' '--tokens-per-minute 9' '--tokens-per-day 9' '--label OPEN' '--record off'; do
  read -r -a words <<< "$option"
  refused usage high key add carol --role auditor "${words[@]}"
done
high key add carol --role auditor --expires 90d --note 'may look' > /dev/null
grep -q " carol  *auditor  *-  " <<< "$(high key ls)" || fail "an auditor asks no models: $(high key ls)"
for form in '' --json; do
  # shellcheck disable=SC2086  # an option, or none
  if high $form key add nobody > /dev/full 2> "$work/told"; then fail "a key whose secret could not be written"; fi
  grep -q 'error\[io-error\]: standard output cannot be written' "$work/told" || fail "a full disk: $(cat "$work/told")"
  if grep -q 'the key is shown' "$work/told"; then fail "a key is told of that nobody has"; fi
done
[ "$(high --json key ls | value '[key["user"] for key in d]')" = "['ada', 'carol']" ] || fail "a key that nobody has: $(high key ls)"
[ "$(high --json audit tail -n 100 --type key.add | value '[e["outcome"] for e in d["entries"] if e["detail"]["user"] == "nobody"]')" = \
  "['intent', 'failure', 'intent', 'failure']" ] || fail "the log of a key that could not be shown: $(high audit tail --type key.add)"
if high key add "$(printf 'a\nb')" > "$work/out" 2> "$work/told"; then fail "a user's name of two lines"; fi
grep -q 'error\[usage\]' "$work/told" || fail "a user's name of two lines: $(cat "$work/told")"
if grep -q llk_ "$work/out"; then fail "the secret of a key that is refused is shown"; fi
id=$(high --json key ls | json '[0]["id"]')
says 'ada' high key ls
if grep -rqF "$secret_key" "$high_state"; then fail "the key's secret is in a file"; fi
high key revoke "$id" --reason 'left the team' > /dev/null
says 'revoked' high key ls
[ "$(high --json audit tail -n 100 --type key.revoke | json '["entries"].__len__()')" -gt 0 ] || fail "no entry of the revocation"
high_state=$ingest_state

# --- who changes a byte is noticed
"$writer" "$high_state" bob 'a text' '' /v1/embeddings > /dev/null
fourth=$("$writer" "$high_state" eve 'a question' 'an answer')
segment=$(ls "$high_state"/records/*.rec | tail -n 1)
damage "$segment" 60
refused blob-corrupt high record show "$fourth"
refused blob-corrupt high record verify "$fourth"
status=0; high record find --user eve > /dev/null 2>&1 || status=$?
[ "$status" = 4 ] || fail "find met a damaged record and ended with status $status"
sleep 2.1  # of its class, embeddings, one second is kept
status=0; high record expire > "$work/out" 2> "$work/told" || status=$?
[ "$status" = 4 ] && grep -q 'erased 1 record' "$work/out" || fail "expire met a damaged record and ended with status $status: $(cat "$work/out" "$work/told")"
grep -q "could not be read; the first is $fourth" "$work/told" || fail "expire does not name what it could not read: $(cat "$work/told")"
grep -qE "damaged\W+1\b" <<< "$(entries record.expire)" || fail "the entry does not say that a record was damaged"
echo "the record's commands: good"

# serve_for COMMAND…: starts a server, does this with its $url, and ends it; what it warned of is in $work/serve.err.
serve_for() {
  local server
  : > "$work/serve.out"
  "$high_exe" --quiet --state "$high_state" serve --listen 127.0.0.1:0 > "$work/serve.out" 2> "$work/serve.err" &
  server=$!
  pids+=("$server")
  soon_of "$server" grep -q '^listening' "$work/serve.out" || fail "$(cat "$work/serve.err")"
  url=$(sed -n 's/^listening on //p' "$work/serve.out")
  "$@"
  kill "$server"; wait "$server" || true
}
use_twice() {
  for _ in 1 2; do curl -sf -o "$work/models" -H "Authorization: Bearer $1" "$url/v1/models" || fail "the key is refused"; done
}
# serve_once [SECRET]: the same, and the key is used twice.
serve_once() { if [ -n "${1:-}" ]; then serve_for use_twice "$1"; else serve_for true; fi; }

# --- who logged in is in the log, once a day
high --json key add dora > "$work/dora"
id=$(json '["id"]' < "$work/dora")
serve_once "$(json '["secret"]' < "$work/dora")"
[ "$(entries access.login | grep -o "'subject': '[^']*'")" = "'subject': '$id'" ] || fail "the login: $(entries access.login)"
grep -q "access.login $id dora from 127.0.0.1" <<< "$(high audit report --all | tr -s ' ')" || fail "the report of the login: $(high audit report --all)"
if grep -q "$id.*from 127.0.0.1" <<< "$(high audit report)"; then fail "a login is listed with what an auditor must not miss"; fi
grep -q "1 access.login" <<< "$(high audit report | tr -s ' ')" || fail "logins are not counted"
high key revoke "$id" --reason 'a test' > /dev/null
step "who logged in is in the log, once a day"

# --- an admin makes and revokes keys over HTTP: as those of `key add` they are no alarm, and their secret is in no file
high --json key add root --role admin > "$work/admin"
by_http() { curl -s -o "$work/answer" -w '%{http_code}' -H "Authorization: Bearer $(json '["secret"]' < "$work/admin")" "$url/liftlock/v1/keys$1" "${@:2}"; }
make_and_revoke() {
  [ "$(by_http '' -d '{"user": "fay", "models": ["demo"], "note": "over HTTP"}')" = 200 ] || fail "no key is made: $(cat "$work/answer")"
  cp "$work/answer" "$work/fay"
  soon curl -sf -o "$work/models" -H "Authorization: Bearer $(json '["secret"]' < "$work/fay")" "$url/v1/models" || fail "the key is refused"
  [ "$(by_http '' -d '{"user": "gus"}')" = 200 ] || fail "no second key is made: $(cat "$work/answer")"
  id=$(json '["id"]' < "$work/answer")
  [ "$(by_http "/$id/revoke" -d '{"reason": "a mistake"}')" = 200 ] || fail "it is not revoked: $(cat "$work/answer")"
  [ "$(by_http '' -d '{"user": "hal", "role": "auditor"}')" = 403 ] || fail "an admin makes an auditor's key: $(cat "$work/answer")"
  [ "$(by_http '')" = 200 ] || fail "the keys are not listed: $(cat "$work/answer")"
}
serve_for make_and_revoke
[ "$(value '[(one["user"], one["state"]) for one in d["keys"]][-2:]' < "$work/answer")" = "[('fay', 'valid'), ('gus', 'revoked')]" ] || fail "the list: $(cat "$work/answer")"
[ "$(high --json key ls | value '[one["user"] for one in d][-2:]')" = "['fay', 'gus']" ] || fail "key ls: $(high key ls)"
high status > /dev/null || fail "a key that was made over HTTP is an alarm: $(high status)"
[ "$(high --json audit tail -n 1 --type key.revoke | value '[(e["actor"], e["detail"]["reason"]) for e in d["entries"]]')" = "[('root ($(json '["id"]' < "$work/admin"))', 'a mistake')]" ] ||
  fail "who revoked it: $(entries key.revoke)"
for file in admin fay; do
  if grep -rqF "$(json '["secret"]' < "$work/$file")" "$high_state"; then fail "the secret of $file is in a file"; fi
  high key revoke "$(json '["id"]' < "$work/$file")" --reason 'a test' > /dev/null
done
step "an admin makes and revokes keys over HTTP"

# --- the users' keys: an old copy of access.db is seen, and revives nobody
lost=$(high --json key add ada | json '["id"]')
stolen=$(high --json key add bob | json '["id"]')
cp "$high_state/access.db" "$work/old.db"
high key revoke "$stolen" --reason 'laptop stolen' > /dev/null
late=$(high --json key add carol | json '["id"]')
high status > /dev/null || fail "status has something to say of good keys: $(high status)"
cp "$work/old.db" "$high_state/access.db" && rm -f "$high_state"/access.db-*
if high status > "$work/out"; then fail "status has nothing to say of an old copy of the keys"; fi
grep -q "$stolen was revoked (laptop stolen), and is valid" "$work/out" || fail "the revived key: $(cat "$work/out")"
grep -q "$late of carol was made here, and is not there" "$work/out" || fail "the lost key: $(cat "$work/out")"
serve_once
grep -q "$stolen had been revoked" "$work/serve.err" || fail "serve says nothing of it: $(cat "$work/serve.err")"
high key revoke "$late" --reason 'its database was lost' > /dev/null
high status > /dev/null || fail "it still has something to say: $(high status)"
rm "$high_state"/access.db*
if high status > "$work/out"; then fail "status does not miss the keys"; fi
grep -q "$lost of ada was made here" "$work/out" || fail "lost keys: $(cat "$work/out")"
step "an old copy of the users' keys is an alarm, and what was revoked is revoked again"

# --- keys that the log never saw: another installation's access.db
own_state=$high_state high_state="$work/stranger"
high init --zone production --record off > /dev/null
sed -i 's/^reserve = .*/reserve = "1MiB"/' "$high_state/config.toml"  # less free than that is an alarm of status
foreign=$(high --json key add mallory | json '["id"]')
cp "$high_state/access.db" "$work/foreign.db"
high_state=$own_state
high key revoke "$lost" --reason 'its database was lost' > /dev/null
cp "$work/foreign.db" "$high_state/access.db"
if high status > "$work/out"; then fail "status has nothing to say of keys that were not made here"; fi
grep -q "$foreign of mallory is valid, and was not made here" "$work/out" || fail "the unknown key: $(cat "$work/out")"
if high --json status > "$work/out"; then fail "status --json ends as if all were well"; fi
[ "$(json '["keys"]["unknown"][0]["id"]' < "$work/out")" = "$foreign" ] || fail "--json: $(cat "$work/out")"
serve_once
grep -q "$foreign of mallory is valid, and the audit log never saw it made" "$work/serve.err" || fail "serve: $(cat "$work/serve.err")"
says valid high key ls
high key revoke "$foreign" --reason 'not ours' > /dev/null
high status > /dev/null || fail "it still has something to say: $(high status)"

# --- a key that was changed in the file itself
id=$(high --json key add ada --role viewer --model demo --expires 90d --record full | json '["id"]')
cp "$high_state/access.db" "$work/unchanged.db"
write_key() {  # SQL: does it to the key, as who can write the file would
  python3 - "$high_state/access.db" "$1" "$id" << 'PY'
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
assert db.execute(f"UPDATE key SET {sys.argv[2]} WHERE id = ?", [sys.argv[3]]).rowcount == 1
db.execute("UPDATE generation SET value = value + 1")
db.commit()
db.close()
PY
}
high status > /dev/null || fail "status has something to say of a good key: $(high status)"
for change in "expires = NULL" "role = 'admin'" "models = '[]'" "record = 'off'" "label = 'SECRET'" "tokens_per_day = 9" "user = 'eve'" \
  "digest = zeroblob(32)"; do
  member=${change%% *}
  if [ "$member" = digest ]; then member=secret_sha256; fi
  write_key "$change"
  if high status > "$work/out"; then fail "status has nothing to say of a key after $change"; fi
  grep -q "^KEYS: $id of ada was changed since it was made: $member\$" "$work/out" || fail "$change: $(cat "$work/out")"
  if high --json status > "$work/out"; then fail "status --json ends as if all were well after $change"; fi
  [ "$(json '["keys"]["changed"][0]["members"]' < "$work/out")" = "['$member']" ] || fail "$change: $(cat "$work/out")"
  rm -f "$high_state"/access.db-*
  cp "$work/unchanged.db" "$high_state/access.db"
done
high status > /dev/null || fail "it still has something to say: $(high status)"
for change in "models = 'garbage'" "role = 'king'"; do
  write_key "$change"
  if high status > "$work/out"; then fail "status has nothing to say of a key after $change"; fi
  grep -q "^KEYS: $id of ada cannot be read: somebody wrote into access.db\$" "$work/out" || fail "$change: $(cat "$work/out")"
  says unreadable high key ls
  serve_once
  grep -q "$id of ada cannot be read" "$work/serve.err" || fail "serve after $change: $(cat "$work/serve.err")"
  other=$(high --json key add bob | json '["id"]')
  high key revoke "$other" --reason 'laptop stolen' > /dev/null || fail "no key is revoked after $change"
  high key revoke "$id" --reason 'was changed' > /dev/null || fail "the key is not revoked after $change"
  high status > /dev/null || fail "it still has something to say after $change: $(high status)"
  id=$(high --json key add ada --role viewer --model demo --expires 90d --record full | json '["id"]')
done
write_key "role = 'admin', expires = NULL"
serve_once
grep -q "$id of ada was changed since it was made: expires, role" "$work/serve.err" || fail "serve: $(cat "$work/serve.err")"
high key revoke "$id" --reason 'was changed' > /dev/null
high status > /dev/null || fail "a key that was revoked is an alarm: $(high status)"
step "a key that was changed in access.db is an alarm, until it is revoked"

# A log that was begun anew knows no keys, and takes those that are older than itself for known.
old=$(high --json key add ada | json '["id"]')
mv "$high_state/audit" "$work/lost.audit"
high init --zone production --new-audit-log --reason 'a test' > /dev/null
grep -q "$old" <<< "$(high key ls)" || fail "the key that is older than the log: $(high key ls)"
if grep '^KEYS:' <<< "$(high status || true)"; then fail "a key that is older than the log is an alarm"; fi
step "keys that the audit log never saw are an alarm, until they are revoked"

# --- a log that cannot be read through keeps nobody from revoking a key, nor from serving
high_state="$work/damaged"
high init --zone production --record off > /dev/null
stolen=$(high --json key add ada | json '["id"]')
for i in $(seq 140); do high key add "user$i" > /dev/null; done  # until the first entries are in a tile
python3 - "$high_state/audit/tile/entries/000" << 'PY'
import sys
with open(sys.argv[1], "r+b") as tile:
    tile.seek(tile.read().index(b'"detail"'))
    tile.write(b"\0" * 8)
PY
high key revoke "$stolen" --reason 'laptop stolen' > /dev/null || fail "a damaged log keeps a stolen key valid"
serve_once
grep -q "whether the users' keys are those of the audit log cannot be said" "$work/serve.err" || fail "serve over a damaged log: $(cat "$work/serve.err")"
step "a key is revoked, and files are served, beside a damaged audit log"
