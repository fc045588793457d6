#!/usr/bin/env bash
# The wall clock of the isolated machine jumps, between commands and under a server that runs (docs/guides/time.md). The clock is
# libfaketime's: it answers every question for the time of day, and leaves the steady clock alone.
# clock_test.sh LIFTLOCK_LOW LIFTLOCK_HIGH
source "$(dirname "$0")/crossing_machines.sh" || exit 1
[ -n "$faketime" ] || { echo "libfaketime is not installed"; exit 77; }
mkdir "$work/stack" "$work/medium"
cd "$work/stack"
for role in root builder; do low trust keygen --role "$role" --out "../$role.pem" > /dev/null; done
low init > /dev/null
low trust init --organisation Acme --root-key ../root.pem --add builder:../builder.pem.pub > /dev/null
low --json trust show > "$work/first-root"
printf '[stack]\nname = "demo"\n[file.notes]\nsource = "notes.txt"\n' > liftlock.toml
ship() {  # ship NAME [PACK OPTION…]
  echo "$1" > notes.txt
  low lock --update file.notes > /dev/null && low fetch > /dev/null && low pack --output "../medium/$1" "${@:2}" > /dev/null
  low sign "../medium/$1" --role builder --key ../builder.pem > /dev/null
}
take() { high ingest "usb/$1" --expect "$(sha256sum < "../medium/$1/manifest/bundle.json" | cut -d' ' -f1)" "${@:2}" > /dev/null; }
newest() { high --json ls --publications | json '["publications"]' | grep -o "'sequence': [0-9]*" | grep -o '[0-9]*' | sort -n | tail -n 1; }
ship demo-1
low trust keygen --role approver --out ../approver.pem > /dev/null
low trust add-key ../approver.pem.pub --role approver --root-key ../root.pem > /dev/null
ship demo-2
ship demo-3 --expires 30d
ship demo-4

at -3y high init --zone ingest --organisation Acme > /dev/null
printf '[source.usb]\npath = "%s/medium"\nrequire_read_only = false\n' "$work" >> "$high_state/config.toml"
first=$(json '["fingerprint"]' < "$work/first-root")
refused clock-behind at -3y high trust pin ../medium/demo-1 --fingerprint "$first"
high trust pin ../medium/demo-1 --fingerprint "$first" > /dev/null
refused clock-behind at -3y take demo-1
grep -q clock-behind <<< "$(at -3y high verify ../medium/demo-1 || true)" || fail "verify does not mind a bundle from the future"
take demo-1
if at -3y high status > "$work/out"; then fail "status has nothing to say of a clock of three years ago: $(cat "$work/out")"; fi
grep -q clock "$work/out" || fail "status does not name the clock: $(cat "$work/out")"
refused clock-behind at -3y take demo-2
refused clock-behind at -3y high trust update ../medium/demo-2
step "a clock of three years ago is an alarm, and can judge neither a bundle nor a trust statement of today"

# An hour back: nothing depends on it, but it is said.
at -1h take demo-2
[ "$(newest)" = 2 ] || fail "the second bundle did not land: $(newest)"
if at -1h high status > "$work/out"; then fail "status has nothing to say of a clock that is an hour behind: $(cat "$work/out")"; fi
grep -q clock "$work/out" || fail "status does not name the clock: $(cat "$work/out")"
high status > "$work/out" || fail "status with the clock set right: $(cat "$work/out")"
step "a clock that fell an hour behind is an alarm of status, and no obstacle"

# A year ahead: what expires has expired, and only an override with a reason takes it.
refused bundle-expired at +1y take demo-3
SOURCE_DATE_EPOCH=$(date +%s) refused bundle-expired at +1y take demo-3  # whoever starts it does not choose the time
at +1y take demo-3 --accept-expired --reason "the battery of the clock is empty"
take demo-4
[ "$(newest)" = 4 ] || fail "the fourth bundle did not land: $(newest)"
at -1h take demo-2
[ "$(newest)" = 4 ] || fail "an old bundle, taken again, moved the channel to $(newest)"
step "order and replay never ask the clock"

# The log keeps the order in which things happened, whatever their times say.
high audit verify > /dev/null
high scrub > /dev/null
backwards=$(high --json audit tail -n 1000 | python3 -c '
import json, sys
times = [one["time"] for one in json.load(sys.stdin)["entries"]]
print(sum(a > b for a, b in zip(times, times[1:])))')
[ "$backwards" -ge 1 ] || fail "no time of the log goes backwards ($backwards): the clock did not jump"
at +1y high gc > /dev/null
at -3y high gc > /dev/null
high scrub > /dev/null
[ "$(newest)" = 4 ] || fail "gc by a wrong clock took something away"
step "times of the log go backwards, and it verifies; gc by a wrong clock takes nothing that is published"

# Under a server: connections, waiting and limits are measured by the steady clock.
echo "+0" > "$work/clock"
LD_PRELOAD=$faketime DONT_FAKE_MONOTONIC=1 FAKETIME_TIMESTAMP_FILE=$work/clock FAKETIME_NO_CACHE=1 \
  "$high_exe" --quiet --state "$high_state" serve --listen 127.0.0.1:0 > "$work/serve" 2> "$work/serve.err" &
pids+=($!)
soon [ -s "$work/serve" ] || fail "serve: $(cat "$work/serve.err")"
url=$(sed -n 's/^listening on //p' "$work/serve" | head -n 1)
python3 - "$url" "$work/clock" <<'PY' || fail "the server: $(cat "$work/serve.err")"
import email.utils, http.client, pathlib, sys, time, urllib.parse
address = urllib.parse.urlsplit(sys.argv[1]).netloc
clock = pathlib.Path(sys.argv[2])
kept = http.client.HTTPConnection(address, timeout=20)  # one connection through all of it
def ask(connection):
    connection.request("GET", "/healthz")
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 200, answer.status
    return email.utils.parsedate_to_datetime(answer.headers["Date"]).timestamp() if answer.headers["Date"] else None
ask(kept)
for jump, seconds in (("+400d", 400 * 86400), ("-900d", -900 * 86400), ("+0", 0)):
    following = clock.with_suffix(".new")  # never half a file for the library that reads it at each question
    following.write_text(jump + "\n")
    following.rename(clock)
    for _ in range(150):  # the server's own Date is made once a second
        time.sleep(0.4)
        dates = [ask(connection) for connection in (kept, http.client.HTTPConnection(address, timeout=20))]
        if all(date is None or abs(date - time.time() - seconds) < 3600 for date in dates):
            break
    else:
        raise AssertionError(f"the server's clock did not jump: {[date - time.time() for date in dates]}")
PY
step "a server answers, on an old connection and on new ones, while its clock jumps 400 days ahead and 1300 back"
