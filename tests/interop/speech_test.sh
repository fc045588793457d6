#!/bin/bash
# Speech to text with the real whisper.cpp, of the machine's own Debian mirror (suite forky), in the terminal and through the
# gateway, asked by curl and by OpenAI's own client (label: online). No weights can be had for a test: the model says the
# same words whatever it hears, so what is tested is everything around its ears.
# Usage: speech_test.sh LIFTLOCK_LOW LIFTLOCK_HIGH      Exit status 77: skipped.
set -euo pipefail
low_exe=$(realpath "$1") high_exe=$(realpath "$2")
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
. "$here/demo_site.sh"
trap 'stop KILL; tidy' EXIT
more_models="[engine.whisper]
packages = [\"whisper.cpp-tools\"]
suites = [\"forky\"]
accept_expired = \"600d\"
[model.says]
source = \"$work/says.bin\""
python3 "$here/../tools/make_model.py" whisper "$work/says.bin" --say "the patient is stable"
make_site
high engine install whisper > /dev/null
grep -q 'whisper.*ggml' <<< "$(high engine list)" || fail "the engine is not known as one for speech"
cd "$work"
python3 - <<'PY'
import math, struct, wave
with wave.open("tone.wav", "wb") as out:
    out.setparams((1, 2, 16000, 0, "NONE", ""))
    out.writeframes(b"".join(struct.pack("<h", int(9000 * math.sin(i / 8))) for i in range(16000)))
PY
digest=$(sha256sum tone.wav | cut -d' ' -f1)
heard="the patient is stable"
left() { find /run/liftlock -maxdepth 1 \( -name "recording-$1-*" -o -name "transcribe-$1-*" \) 2> /dev/null | wc -l; }

# In the terminal.
[ "$(high transcribe says tone.wav)" = "$heard" ] || fail "transcribe"
high transcribe says tone.wav --format srt | diff - <(printf '1\n00:00:00,000 --> 00:00:01,000\n%s\n\n' "$heard") || fail "srt"
# A hint would be on the engine's command line, for every user to read: not without the site's word.
if high transcribe says tone.wav --hint Mustermann 2> err; then fail "a hint was taken"; fi
grep -q 'error\[usage\]' err && grep -qF 'speech_hint = true below [models] of config.toml' err || fail "$(cat err)"
sed -i 's/^\[models\].*/&\nspeech_hint = true/' "$work/high/config.toml"
record=$(high --json transcribe says tone.wav --hint Mustermann 2> err | json '["transcripts"][0]["record"]')
high record show "$record" > told
grep -q "$digest" told && grep -q Mustermann told && grep -q "$heard" told || fail "the record: $(cat told)"
! grep -q warning err || fail "a warning of a short recording: $(cat err)"
high record show "$record" --recording kept.wav > told && cmp tone.wav kept.wav || fail "the recording is not on record: $(cat told)"
sed -i 's/^# recordings = .*/recordings = false/' "$work/high/config.toml"
record=$(high --json transcribe says tone.wav | json '["transcripts"][0]["record"]')
if high record show "$record" --recording none.wav 2> err; then fail "a recording that was not to be kept"; fi
grep -q 'error\[not-found\]' err && grep -q "$digest" <<< "$(high record show "$record")" || fail "its digest: $(cat err)"
sed -i '/^recordings = false/d' "$work/high/config.toml"
# What is longer than the record keeps: stereo at 192 kHz, 90 seconds.
python3 - <<'PY'
import wave
with wave.open("large.wav", "wb") as out:
    out.setparams((2, 2, 192000, 0, "NONE", ""))
    out.writeframes(bytes(4 * 192000 * 90))
PY
record=$(high --json transcribe says large.wav 2> err | json '["transcripts"][0]["record"]')
grep -q "warning: 'large.wav' has .*: of a recording over 64.0 MiB the record keeps the SHA-256 alone" err || fail "no warning: $(cat err)"
if high record show "$record" --recording none.wav 2> err; then fail "a recording over 64 MiB is kept"; fi
grep -q "$heard" <<< "$(high record show "$record")" || fail "the transcript of a large recording: $(high record show "$record")"
rm large.wav
head -c 100000 /dev/urandom > noise.bin
(printf 'RIFF\0\0\0\0WAVE'; cat noise.bin) > lie.wav
head -c 30000 tone.wav > short.wav
: > empty.wav
for file in noise.bin lie.wav empty.wav "$work" none.wav; do
  if high transcribe says "$file" > /dev/null 2> err; then fail "$file was heard"; fi
  grep -Eq 'error\[(usage|not-regular|not-found)\]' err || fail "$file: $(cat err)"
done
high transcribe says short.wav > /dev/null || fail "a WAV that was cut off is still sound"
grep -q 'last given to the engine .*whisper' <<< "$(high chain show says || true)" || fail "the chain lacks the engine: $(high chain show says || true)"
if high transcribe demo tone.wav 2> err; then fail "a model of texts heard"; fi
grep -q 'error\[model-unfit\]' err || fail "$(cat err)"
high model swap ears says > /dev/null || fail "an alias of a model of speech"
[ "$(high transcribe ears tone.wav)" = "$heard" ] || fail "transcribe by an alias"
if high model swap ears says --expect patient 2> err; then fail "words were expected of silence"; fi
echo "ok: in the terminal"

# Through the gateway.
secret=$(key ada)
serve
ask() { curl -sS -w '\n%{http_code}' -H "Authorization: Bearer $secret" "$url/v1/audio/transcriptions" "$@"; }
expect() { local want=$1 told; shift; told=$(ask "$@"); [ "${told##*$'\n'}" = "$want" ] || fail "$*: $told"; echo "$told"; }
expect 200 -F file=@tone.wav -F model=says | grep "{\"text\":\"$heard\"}" > /dev/null || fail "the answer"
expect 200 -F file=@tone.wav -F model=says -F response_format=vtt -F language=en -F prompt=x | grep '^00:00:00.000 --> 00:00:01.000$' > /dev/null || fail "vtt"
expect 400 -F file=@noise.bin -F model=says | grep 'file: must be WAV' > /dev/null || fail "no sound"
expect 400 -F file=@lie.wav -F model=says | grep 'cannot be decoded' > /dev/null || fail "a lie"
lies=$(high --json record find --text "$(sha256sum < lie.wav | cut -d' ' -f1)" | json '["records"]')
grep -q "'id'" <<< "$lies" || fail "what could not be decoded is not on record"
for record in $(grep -o "'id': '[^']*'" <<< "$lies" | cut -d"'" -f4); do
  if high record show "$record" --recording none.wav 2> err; then fail "a recording that no model heard is kept"; fi
done
expect 400 -F model=says | grep 'file: must be there' > /dev/null || fail "no file"
expect 400 -F file=@tone.wav -F file=@tone.wav -F model=says | grep 'file: must be there once' > /dev/null || fail "two files"
expect 400 -F file=@tone.wav -F model=says -F lang=de | grep "did you mean 'language'\|lang" > /dev/null || fail "an unknown field"
expect 400 -H 'Content-Type: application/json' -d '{"model":"says"}' > /dev/null
expect 404 -F file=@tone.wav -F model=none > /dev/null
expect 422 -F file=@tone.wav -F model=demo | grep 'made for texts, and not for speech' > /dev/null || fail "texts"
truncate -s 40M big.wav
expect 413 -F file=@big.wav -F model=says > /dev/null
[ "$(curl -sS -o /dev/null -w '%{http_code}' -F file=@tone.wav -F model=says "$url/v1/audio/transcriptions")" = 401 ] || fail "no key"
[ "$(curl -sS -o told -w '%{http_code}' -H "Authorization: Bearer $secret" "$url/v1/chat/completions" \
  -d '{"model":"says","messages":[{"role":"user","content":"hello"}]}')" = 422 ] || fail "speech talked: $(cat told)"

[ "$(high transcribe says tone.wav)" = "$heard" ] || fail "transcribe beside a server"

# Many at once: each is heard or told to come back, and who leaves frees the place.
for i in $(seq 12); do ask -F file=@tone.wav -F model=says > "many.$i" & pids+=($!); done
timeout 0.3 curl -sS -o /dev/null -H "Authorization: Bearer $secret" -F file=@tone.wav -F model=says "$url/v1/audio/transcriptions" || true
wait "${pids[@]}"
[ "$(cat many.* | grep -c "$heard")" = 12 ] || fail "many: $(cat many.*)"

python3 -m venv client && client/bin/pip -q install openai || skip "the client cannot be had"
OPENAI_API_KEY=$secret OPENAI_BASE_URL=$url/v1 client/bin/python - <<'PY'
import openai
client = openai.OpenAI()
with open("tone.wav", "rb") as tone:
    assert client.audio.transcriptions.create(model="says", file=tone).text == "the patient is stable"
with open("tone.wav", "rb") as tone:
    told = client.audio.transcriptions.create(model="says", file=tone, response_format="verbose_json", timestamp_granularities=["segment"])
assert told.segments[0].end == 1.0 and told.duration == 1.0, told
with open("tone.wav", "rb") as tone:
    assert client.audio.translations.create(model="says", file=tone).text == "the patient is stable"
with open("tone.wav", "rb") as tone:
    assert client.audio.transcriptions.create(model="says", file=tone, response_format="text").strip() == "the patient is stable"
print("ok: OpenAI's client")
PY
high --json record find --text "$digest" | json '["records"]' | grep -q /v1/audio/transcriptions || fail "the gateway's record"
metrics=$(curl -sS "$url/metrics")
for sample in 'model_verification_seconds_count{model="says"} [1-9]' 'engine_restarts_total{model="says"} 0$'; do
  grep -q "^liftlock_$sample" <<< "$metrics" || fail "metrics lack $sample: $(grep says <<< "$metrics")"
done
[ "$(left "$server")" = 0 ] || fail "left: $(ls /run/liftlock)"
# Under the running server: what was changed since the last recording is not heard with.
weights=$(sha256sum < says.bin | cut -d' ' -f1)
blob="$work/high/store/blobs/sha256/${weights:0:2}/$weights"
before=$(high --json audit tail -n 100000 --type model.load | json '["entries"].__len__()')
cp --preserve=all "$blob" kept && chmod u+w "$blob" && printf x | dd of="$blob" bs=1 seek=100 conv=notrunc status=none
expect 500 -F file=@tone.wav -F model=says > /dev/null
cp --preserve=all kept "$blob"
expect 200 -F file=@tone.wav -F model=says > /dev/null
[ "$(high --json audit tail -n 100000 --type model.load | json '["entries"].__len__()')" = "$((before + 2))" ] || fail "a recording without a load of its model"
stop TERM
high audit verify > /dev/null || fail "the log"
echo "ok: speech"
