#!/usr/bin/env bash
# Logins of the node's sshd come into the audit log: from a journal whose program is a stand-in, and from files; once each, whatever is
# in a line.
#   logins_test.sh LIFTLOCK_LOW LIFTLOCK_HIGH
source "$(dirname "$0")/crossing_machines.sh" || exit 1
mkdir "$work/bin"
cat > "$work/bin/journalctl" << 'PY'
#!/usr/bin/env python3
import json, os, sys
lines = open(os.environ["JOURNAL"]).read().splitlines()
after = [one.split("=", 1)[1] for one in sys.argv if one.startswith("--after-cursor=")]
if after:
    known = [i for i, line in enumerate(lines) if f'"{after[0]}"' in line]
    if not known:
        sys.exit("Failed to seek to cursor: Invalid argument")
    lines = lines[known[-1] + 1:]
since = [one.split("=@", 1)[1] for one in sys.argv if one.startswith("--since=@")]
if since:
    lines = [line for line in lines if int(json.loads(line)["__REALTIME_TIMESTAMP"]) >= int(since[0]) * 1000000]
print("\n".join(lines or ["-- No entries --"]))
sys.exit(int(os.environ.get("JOURNAL_STATUS", "0")))
PY
chmod +x "$work/bin/journalctl"
export PATH=$work/bin:$PATH JOURNAL=$work/journal
# entry SECONDS MESSAGE [UID [NAME]]: one line of a journal, so many seconds ago.
number=0
begin=$(date +%s)
entry() {
  number=$((number + 1))
  python3 -c 'import json, sys
ago, message, uid, name, number, begin = sys.argv[1:]
micros = (int(begin) - int(ago)) * 1000000 + int(number)
print(json.dumps({"__CURSOR": f"s=a;i={int(number):x};b=c", "__REALTIME_TIMESTAMP": str(micros), "MESSAGE": message, "_UID": uid, "SYSLOG_IDENTIFIER": name}))' \
    "$1" "$2" "${3:-0}" "${4:-sshd}" "$number" "$begin"
}
entries() { high --json audit tail -n 1000 --type "$1" | value "$2"; }
imported() { high --json audit import-logins "$@" 2> "$work/told" | value 'd["accepted"], d["failed"], d["slowed"], d["skipped"], d["unreadable"]'; }
expect() { [ "$1" = "$2" ] || fail "${3:-it is} '$1', not '$2'"; }

high init --zone production --organisation Test > /dev/null
{
  entry 3600 'Accepted publickey for maria from 10.0.0.7 port 50022 ssh2: ED25519 SHA256:abc'
  entry 3599 'Failed password for invalid user admin from 10.0.0.8 port 40000 ssh2' 0 sshd-session
  entry 3598 'Failed password for root from 10.0.0.66 port 40000 ssh2' 1000  # `logger -t sshd`
  entry 3598 'Failed none for invalid user x from 10.0.0.1 port 1 ssh2: y from 10.0.0.8 port 40000 ssh2'
  entry 3597 'Server listening on 0.0.0.0 port 22.'
  for i in $(seq 12); do entry 3500 'Failed password for root from 10.0.0.9 port 40000 ssh2'; done
  echo 'no entry'
  head -c 1000000 /dev/zero | tr '\0' '['; echo
  entry 3400 $'Failed password for a\e[2Jb from 10.0.0.10 port 40000 ssh2'
} > "$JOURNAL"
expect "$(imported)" "1 8 7 0 2" "what was imported"
grep -q '2 lines are no entries of a journal' "$work/told" || fail "no warning: $(cat "$work/told")"
expect "$(entries sshd.login '[(e["actor"], e["subject"], e["detail"]["user"], e["detail"]["method"]) for e in d["entries"] if e["outcome"] == "success"]')" \
  "[('maria', '10.0.0.7', 'maria', 'publickey')]"
expect "$(entries sshd.login '[(e["subject"], e["detail"]["user"], e["detail"]["invalid_user"]) for e in d["entries"] if "invalid_user" in e["detail"]]')" "[('10.0.0.8', 'admin', True)]"
expect "$(entries sshd.login '[e["subject"] for e in d["entries"] if "said" in e["detail"]]')" "['unclear address']" "a second address beside the true one"
expect "$(entries sshd.login '[(e["subject"], e["detail"]["count"]) for e in d["entries"] if e["detail"].get("why") == "slowed"]')" "[('10.0.0.9', 7)]"
expect "$(entries sshd.login '{e["actor"] for e in d["entries"] if e["outcome"] == "failure"}')" "{'anonymous'}"
expect "$(entries sshd.login 'sum("10.0.0.66" in str(e) for e in d["entries"])')" 0 "what another user said in sshd's name"
grep -q 'x1b\[2Jb' <<< "$(high audit tail -n 1000 --type sshd.login)" || fail "the name is not shown as text"
expect "$(entries sshd.import '[(e["subject"], e["detail"]["source"], e["detail"]["cursor"]) for e in d["entries"]]')" "[('sshd', 'journal', 's=a;i=12;b=c')]"
grep -q ' 9 sshd.login, failed' <<< "$(high audit report | tr -s ' ')" || fail "the report: $(high audit report)"
if grep -q 'sshd.login 10' <<< "$(high audit report | tr -s ' ')"; then fail "guesses at passwords are rows of the report"; fi
grep -q 'sshd.login 10.0.0.8 anonymous password of admin; at 20' <<< "$(high audit report --all | tr -s ' ')" || fail "the report: $(high audit report --all)"
if grep -q 'sshd.login.*maria' <<< "$(high audit report)"; then fail "logins that were good are listed with what an auditor must not miss"; fi
grep -q 'sshd.login 10.0.0.7 maria publickey of maria' <<< "$(high audit report --all | tr -s ' ')" || fail "the report: $(high audit report --all)"
step "logins of sshd are in the audit log, and a name brings no address of its own"

size=$(high --json audit tail | value 'd["size"]')
expect "$(imported)" "0 0 0 0 0" "the same once more"
expect "$(imported --from "$JOURNAL")" "0 0 0 18 2" "the same from a file"
expect "$(high --json audit tail | value 'd["size"]')" "$size" "the log's size after imports of nothing new"
entry 3300 'Accepted password for jan from 10.0.0.7 port 50023 ssh2' >> "$JOURNAL"
if JOURNAL_STATUS=1 high audit import-logins > "$work/out" 2> "$work/told"; then fail "a journal that cannot be read to its end"; fi
grep -q 'error\[tool-failed\].*status 1' "$work/told" || fail "the error: $(cat "$work/told")"
expect "$(entries sshd.login '[e["actor"] for e in d["entries"]][-1]')" jan "what it said before it failed"
expect "$(imported)" "0 0 0 0 0" "after the failure"
{
  entry 3200 'Accepted password for ute from 10.0.0.7 port 50024 ssh2'
  entry -9999999 'Accepted password for ute from 10.0.0.7 port 50024 ssh2'  # dated months ahead
} > "$work/part"
expect "$(imported --from - < "$work/part")" "1 0 0 0 0" "from standard input"
grep -q '1 line is dated ahead' "$work/told" || fail "no warning: $(cat "$work/told")"
expect "$(imported --from - < "$work/part")" "0 0 0 1 0" "a day to come ends no imports"
cat "$work/part" >> "$JOURNAL"
entry 3100 'Accepted password for ada from 10.0.0.7 port 50025 ssh2' >> "$JOURNAL"
expect "$(imported)" "3 0 0 0 0" "the journal goes on where it was, whatever came from elsewhere"
expect "$(imported)" "0 0 0 0 0" "the journal, once more"
# Begun anew: none of its cursors is the one that the log has, and its last lines are there once more.
{ tail -n 1 "$JOURNAL" | sed 's/s=a/s=new/'; entry 3050 'Accepted password for eva from 10.0.0.7 port 50026 ssh2'; } > "$work/anew"
expect "$(JOURNAL=$work/anew imported)" "1 0 0 1 0" "a journal that does not know the cursor"
high audit verify > /dev/null || fail "the audit log"
step "each login comes once, from the journal and from files"

{ for i in $(seq 5000); do echo "{\"__CURSOR\":\"s=b;i=$i\",\"__REALTIME_TIMESTAMP\":\"$(((begin - 3000) * 1000000 + i))\",\"MESSAGE\":\"Accepted password for bot from 10.0.0.7 port 5 ssh2\",\"_UID\":\"0\",\"SYSLOG_IDENTIFIER\":\"sshd\"}"; done; } > "$work/many"
expect "$(imported --from "$work/many")" "5000 0 0 0 0" "more than one commit holds"
expect "$(entries sshd.import '[e["detail"]["accepted"] for e in d["entries"]][-2:]')" "[4096, 5000]"
step "many logins take several commits"

# Two and a half hours ahead: a clock that was wrong, or a name that a line of another machine has.
{
  entry -9000 'Accepted password for ben from 10.0.0.7 port 50027 ssh2'
  entry 2900 'Accepted password for kim from 10.0.0.7 port 50028 ssh2'
} > "$work/ahead"
expect "$(imported --from "$work/ahead")" "1 0 0 0 0" "with a line dated hours ahead"
grep -q "1 line is dated ahead of this machine's clock" "$work/told" || fail "no warning: $(cat "$work/told")"
mark() { entries sshd.import 'max(e["detail"]["microseconds"] for e in d["entries"])'; }
[ "$(mark)" -le "$(($(date +%s) * 1000000 + 1000000))" ] || fail "the mark $(mark) is ahead of the clock"
entry 2800 'Accepted password for lea from 10.0.0.7 port 50029 ssh2' > "$work/later"
expect "$(imported --from "$work/later")" "1 0 0 0 0" "what came after a line dated ahead"
step "a line dated ahead of the clock hides none of those after it"

# journalctl has bytes for what is no UTF-8, and null for what is long; jq and others leave what they cannot say.
python3 - "$begin" > "$work/bytes" << 'PY'
import json, sys
def line(number, message):
    print(json.dumps({"__CURSOR": f"s=d;i={number}", "__REALTIME_TIMESTAMP": str((int(sys.argv[1]) - 2700) * 1000000 + number),
                      "MESSAGE": message, "_UID": "0", "SYSLOG_IDENTIFIER": "sshd"}))
line(1, list("Failed password for invalid user m\xfcller from 10.0.0.11 port 40000 ssh2".encode("latin-1")))
line(2, None)
line(3, list(b"Server listening on 0.0.0.0 port 22."))
PY
expect "$(imported --from "$work/bytes")" "0 1 0 0 0" "messages of bytes, and none"
grep -q '1 line is of sshd without what it said' "$work/told" || fail "no warning: $(cat "$work/told")"
expect "$(entries sshd.login '[e["detail"]["user"] for e in d["entries"] if e["subject"] == "10.0.0.11"]')" "['m\\\\xfcller']" "the user of a message of bytes"
step "messages of bytes are read, and those that are left out are counted"

size=$(high --json audit tail | value 'd["size"]')
printf 'no journal\n\0\0\0\nat all' > "$work/garbage"
refused schema-violation high audit import-logins --from "$work/garbage"
grep -q '(3)' <<< "$(high audit import-logins --from "$work/garbage" 2>&1 || echo "status $?")" || fail "its lines are not counted"
expect "$(high --json audit tail | value 'd["size"]')" "$size" "the log's size after garbage"
: > "$work/empty"
expect "$(imported --from "$work/empty")" "0 0 0 0 0" "an empty file"
echo '-- No entries --' > "$work/none"
expect "$(imported --from "$work/none")" "0 0 0 0 0" "a journal without entries"
step "a file that is no journal is an error, and one that is empty is none"

if [ -n "$faketime" ]; then
  expect "$(at +3h imported --from "$work/ahead")" "1 0 0 1 0" "the line that was ahead, when the clock is there"
  expect "$(entries sshd.login '[e["actor"] for e in d["entries"]][-1]')" ben "who it is"
  step "what was ahead is taken when its time has come"
fi
