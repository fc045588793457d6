#!/usr/bin/env bash
# `serve` on bad days, with a program in llama-server's place that was linked by the compiler of this machine: killed with streams
# running, asked for what must not lie about, and with a disk that is full under the record.
#   serving_test.sh LIFTLOCK_LOW LIFTLOCK_HIGH STAND_IN(dynamic)      Exit status 77: skipped.
# The full disk is a tmpfs in a mount namespace of our own, so that one is for root with all its rights.
if [ -z "${own_mounts:-}" ] && [ "$(id -u)" = 0 ] && unshare --mount true 2> /dev/null; then
  own_mounts=yes exec unshare --mount --propagation private "$0" "$@"
fi
source "$(dirname "$0")/crossing_machines.sh" || exit 1
stand_in=$(realpath "$3")
command -v bwrap > /dev/null || skip "bubblewrap is not installed"
digest() { sha256sum < "$1" | cut -d' ' -f1; }
cd "$work"

# --- the engine, the C library that it stands on, and a model
mkdir package && cp "$stand_in" package/llama-server
printf '{"name": "stand-in", "version": "1", "os": "linux", "arch": "%s"}\n' "$(uname -m)" > package/manifest.json
tar -czf stand-in.baiengine -C package llama-server manifest.json
python3 "$root/tests/tools/make_base_engine.py" base.tar debian 12 "$stand_in"
python3 "$root/tests/tools/make_model.py" gguf tiny.gguf > /dev/null
high init --zone ingest > /dev/null
sed -i 's/^reserve = .*/reserve = "1MiB"/' "$high_state/config.toml"
high engine install "$work/base.tar" --expect "$(digest base.tar)" > /dev/null
high import stand-in.baiengine --expect "$(digest stand-in.baiengine)" > /dev/null
high import tiny.gguf --expect "$(digest tiny.gguf)" > /dev/null
key=$(high key add ada)

serve() {
  : > serve.out  # of the server before: its line would be read before the new one's shell empties the file
  "$high_exe" --quiet --state "$high_state" serve --listen 127.0.0.1:0 > serve.out 2> serve.err &
  server=$!
  pids+=("$server")
  soon_of "$server" grep -q '^listening' serve.out || fail "serve does not listen: $(cat serve.err)"
  url=$(sed -n 's/^listening on //p' serve.out)
}
stop() { kill -"$1" "$server"; wait "$server" 2> /dev/null || true; }
ask() { # ask WORDS CURL-OPTION…: the whole answer
  local words=$1; shift
  curl -sS --max-time 120 -H "Authorization: Bearer $key" "$@" "$url/v1/chat/completions" \
    -d "{\"model\": \"tiny\", \"messages\": [{\"role\": \"user\", \"content\": \"$words\"}]}"
}
listen() { # listen WORDS NAME: streamed, into NAME.head and NAME.events
  curl -sS --no-buffer --max-time 120 -H "Authorization: Bearer $key" -D "$2.head" -o "$2.events" "$url/v1/chat/completions" \
    -d "{\"model\": \"tiny\", \"stream\": true, \"messages\": [{\"role\": \"user\", \"content\": \"$1\"}]}"
}
record_of() { tr -d '\r' < "$1.head" | sed -n 's/^X-Liftlock-Record: //p'; }
answers() { grep -q 'I stand in\.' <<< "$(ask hello)" || fail "no answer $*: $(ask hello) $(cat serve.err)"; }

# --- killed with streams running: no engine survives, and what was sent is on record
below() { local child; for child in $(cat "/proc/$1"/task/*/children 2> /dev/null || true); do echo "$child"; below "$child"; done; }
is_gone() { [ ! -e "/proc/$1" ] || grep -q '^State:[[:space:]]*Z' "/proc/$1/status"; }  # nobody may reap orphans here
serve
clients=()
for name in one two; do
  listen linger "$name" 2> /dev/null & clients+=($!)
done
for name in one two; do
  soon grep -q '"content":"I "' "$name.events" || fail "the stream $name did not begin: $(cat serve.err)"
done
running=$(below "$server")
grep -qx llama-server <<< "$(for pid in $running; do cat "/proc/$pid/comm" 2> /dev/null || true; done)" || fail "no engine runs below the server"
stop KILL
for pid in $running; do
  soon is_gone "$pid" || fail "$(cat "/proc/$pid/comm") outlived its server"
done
for client in "${clients[@]}"; do
  if wait "$client"; then fail "a stream that was cut off has an end"; fi
done
high audit verify > /dev/null || fail "the log after the kill"
serve
for name in one two; do
  id=$(record_of "$name")
  [ "$(high --json record show "$id" | value 'd["answer"], d["outcome"]["outcome"]')" = "I  interrupted" ] || fail "the record of a stream: $(high record show "$id")"
  high record verify "$id" > /dev/null || fail "the record of a stream that was cut off does not fit the log"
done
answers "after the kill"
stop TERM
high audit verify > /dev/null || fail "the log of the server that came after"
step "serve was killed with streams running: no engine is left, and record and log are whole"

# --- what people ask, and what they ask with, lies nowhere in the clear: not in logs, records, catalogs or what serve says
serve
secret="the zebra is called 7f3a9c1e"
question="\"model\": \"tiny\", \"messages\": [{\"role\": \"user\", \"content\": \"$secret\"}]"
status_of() { curl -sS -o told.json -w '%{http_code}' --max-time 120 -H "Authorization: Bearer $1" "$url/v1/chat/completions" -d "$2"; }
grep -q 'I stand in' <<< "$(ask "$secret" -D good.head)" || fail "no answer to a question with a secret: $(cat serve.err)"
[ "$(status_of "$key" "{$question")" = 400 ] || fail "a request that is cut off: $(cat told.json)"
[ "$(status_of "$key" "{$question, \"id_slot\": 3}")" = 400 ] || fail "a request with a field that nobody may set: $(cat told.json)"
[ "$(status_of "${key}x" "{$question}")" = 401 ] || fail "a request with a wrong key: $(cat told.json)"
stop TERM
[ "$(high --json record show "$(record_of good)" | value "'$secret' in json.dumps(d)")" = True ] || fail "the record lacks the question"
found=$(grep -rlF -D skip -e "$secret" -e "$key" "$high_state" serve.out serve.err) || [ $? = 1 ] || fail "grep"  # 1: nowhere
[ -z "$found" ] || fail "a question or a key lies in the clear in $found"
step "neither a question nor a key lies in the clear, whether the request was answered, malformed or refused"

# --- the disk is full under the record
[ -n "${own_mounts:-}" ] || { echo "not tried: a disk that is full under the record needs root"; exit 0; }
mv "$high_state/records" kept && mkdir -m 700 "$high_state/records"
mount -t tmpfs -o size=32m,mode=700 records "$high_state/records"
trap 'umount -l "$high_state/records" 2> /dev/null || true; cleanup' EXIT
cp -a --sparse=never kept/. "$high_state/records"
readyz_is() { [ "$(curl -sS -o ready.json -w '%{http_code}' "$url/readyz")" = "$1" ]; }
refuses() {
  local status
  status=$(ask hello -o refused.json -w '%{http_code}')
  [ "$status" = 503 ] && [ "$(json '["error"]["code"]' < refused.json)" = record-unwritable ] || fail "$1: $status $(cat refused.json)"
}
serve
answers "on a small disk"
soon readyz_is 200 || fail "not ready: $(cat ready.json)"
# Room for head and prompt, and not for the 400 KB that are answered.
free=$(df -k --output=avail "$high_state/records" | tail -n 1)
head -c "$((free - 100))K" /dev/zero > "$high_state/records/fill"
listen much full || fail "the stream has no end"
grep -q '^HTTP/1.1 200' full.head || fail "the stream did not begin: $(cat full.head full.events)"
sent=$({ grep -o '"content":"m*"' full.events || true; } | tr -cd m | wc -c)
[ "$sent" -gt 0 ] || fail "nothing was said before the disk was full"
tail -n 3 full.events | grep -q 'record-unwritable' || fail "the stream ended with: $(tail -n 3 full.events)"
! grep -q 'DONE' full.events || fail "the stream that was stopped ended as if it were whole"
refuses "on a full disk"
soon readyz_is 503 || fail "ready on a full disk"
[ "$(json '["checks"]["record"]["why"]' < ready.json)" = "the record of prompts cannot be written" ] || fail "$(cat ready.json)"
# What failed is not tried again by the same process (docs/formats/record.md).
rm "$high_state/records/fill"
refuses "with room again, before a new start"
stop TERM
serve
answers "with room again"
soon readyz_is 200 || fail "not ready with room again: $(cat ready.json)"
id=$(record_of full)
[ "$(high --json record show "$id" | value 'set(d["answer"]), len(d["answer"]) >= '"$sent"', d["outcome"]["outcome"]')" = "{'m'} True interrupted" ] ||
  fail "the record lacks some of the $sent letters that were sent: $(high record show "$id" | head -c 500)"
high record verify "$id" > /dev/null || fail "the record of a stream that was stopped does not fit the log"
stop TERM
high audit verify > /dev/null || fail "the log"
step "the disk was full under the record: answers stop with the reason, and go on after a new start"
