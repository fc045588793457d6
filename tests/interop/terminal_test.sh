#!/bin/bash
# run, ask and translate in the terminal and in pipes, with the real engine and the demo model (label: online). The demo
# model does not translate: what is tested of translate is what it does with the document.
# Usage: terminal_test.sh LIFTLOCK_LOW LIFTLOCK_HIGH      Exit status 77: skipped.
set -euo pipefail
low_exe=$(realpath "$1") high_exe=$(realpath "$2")
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
. "$here/demo_site.sh"
trap 'stop TERM; tidy' EXIT
more_models="[model.says]
source = \"$work/says.gguf\""
python3 "$here/../tools/make_model.py" gguf "$work/says.gguf" --say "Das ist eine Antwort"
make_site

python3 "$here/terminal_person.py" "$high_exe" "$work/high" "$work" || fail "the terminal"
[ "$(stat -c %a "$work/talk.json")" = 600 ] || fail "a saved talk is open to others"

# Pipes.
grep -q 'air gap' <<< "$(high ask demo "What is Liftlock?" --temperature 0)" || fail "ask"
echo "What is Liftlock?" | high --json ask demo --temperature 0 | json '["answer"]' | grep -q 'air gap' || fail "ask in a pipe"
status=0; high ask demo < /dev/null 2> "$work/err" || status=$?
[ "$status" = 2 ] && grep -q 'empty' "$work/err" || fail "an empty question: $status"
echo "zebra notes" | high ask demo "What is a bundle?" --file - > /dev/null
high --json record find --text 'zebra notes' | json '["records"][0]["id"]' > /dev/null || fail "an attachment is not on record"
printf '\x89PNG\r\n' > "$work/picture.png"
if high ask demo "What is this?" --file "$work/picture.png" 2> "$work/err"; then fail "an image was taken"; fi
grep -q 'is an image' "$work/err" || fail "$(cat "$work/err")"
printf 'What is Liftlock?\nWhat is a bundle?\n' | high --json run demo --temperature 0 > "$work/answers"
[ "$(python3 -c 'import json, sys; print(sum("answer" in json.loads(line) for line in sys.stdin))' < "$work/answers")" = 2 ] || fail "run in a pipe"

# translate: the words change, the document stays.
printf -- '# A title\n\n- an item\n\n```sh\nls\n```\n\nSee [the guide](https://example.org).\n' > "$work/doc.md"
high --json translate says "$work/doc.md" --to de --output "$work/dok.md" > "$work/told" 2> "$work/err"
printf -- '# Das ist eine Antwort\n\n- Das ist eine Antwort\n\n```sh\nls\n```\n\nSee [the guide](https://example.org).\n' | diff - "$work/dok.md" || fail "translate"
grep -q '^warning: line 9: not translated' "$work/err" || fail "who lost a link is not told: $(cat "$work/err")"
[ ! -e "$work/dok.md.partial" ] || fail "the journal is left"
# What was translated before the output could be written is not asked for again, unless it would be asked for otherwise.
again() {  # WORDS…: once in vain, since the output is a folder; then with these options. Prints how many parts were reused.
  mkdir "$work/taken"
  if high translate says "$work/two.md" --to de --output "$work/taken" > "$work/told" 2>&1; then fail "a folder was replaced"; fi
  rmdir "$work/taken"
  [ -e "$work/taken.partial" ] || fail "no journal: $(cat "$work/told")"
  high --json translate says "$work/two.md" --to de --output "$work/taken" "$@" | json '["reused"]'
  rm "$work/taken"
}
printf 'One.\n\nTwo.\n' > "$work/two.md"
[ "$(again)" = 2 ] || fail "nothing is reused"
for option in '--system be-brief' '--temperature 0.5' '--max-tokens 99'; do
  read -r -a words <<< "$option"
  [ "$(again "${words[@]}")" = 0 ] || fail "what was asked without $option is reused"
done
grep -qx 'Das ist eine Antwort' <<< "$(echo "A sentence." | high translate says - --to fr)" || fail "translate in a pipe"
# While a server runs they ask it: its model is loaded once, and many ask at a time.
serve
for i in 1 2 3 4; do high --json ask demo "What is Liftlock?" --temperature 0 > "$work/asked.$i" & pids+=($!); done
wait "${pids[@]}"
for i in 1 2 3 4; do json '["answer"]' < "$work/asked.$i" | grep -q 'air gap' || fail "ask beside a server: $(cat "$work/asked.$i")"; done
grep -q 'What is Liftlock' <<< "$(high record show "$(json '["record"]' < "$work/asked.1")")" || fail "the record of what the server was asked"
high --json ps | json '["models"][0]["model"]' | grep -qx demo || fail "the server has not loaded it"
high model unload demo > /dev/null || fail "unload"
gone() { ! grep -q demo <<< "$(high --json ps | json "[\"models\"]")"; }
soon gone || fail "it is still loaded: $(high ps)"
grep -q 'demo is loaded' <<< "$(high model load demo)" || fail "load"
high --json ps | json '["models"][0]["state"]' | grep -qx ready || fail "it is not loaded: $(high ps)"
rm "$work/talk.json"
python3 "$here/terminal_person.py" "$high_exe" "$work/high" "$work" || fail "the terminal beside a server"
grep -qx 'Das ist eine Antwort' <<< "$(echo "A sentence." | high translate says - --to fr)" || fail "translate beside a server"
if high ask none "What?" 2> "$work/err"; then fail "a model that is not here"; fi
grep -q "error\[not-found\].*'none'" "$work/err" || fail "$(cat "$work/err")"
if [ "$(id -u)" = 0 ]; then
  runuser -u nobody -- "$high_exe" --state "$work/high" ask demo hello > /dev/null 2>&1 && fail "everybody may ask"
fi
was=$server
stop TERM
[ -z "$(ls /run/liftlock 2> /dev/null | grep -- "-$was-")" ] || fail "left: $(ls /run/liftlock)"
high audit verify > /dev/null || fail "the log"
echo "ok: run, ask, translate"
