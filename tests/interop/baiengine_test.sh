#!/usr/bin/env bash
# A .baiengine on the high side: its C library comes from an installed engine, and a model answers through it, in the sandbox.
# The program in it stands in for llama-server and was linked by the compiler of this machine; the base has this machine's C
# library. Then what others send: unsigned, changed, for another machine, without its libraries. And sealed memory.
#   baiengine_test.sh LIFTLOCK_LOW LIFTLOCK_HIGH SIGNATURE_TOOL STAND_IN(dynamic)      Exit status 77: skipped.
source "$(dirname "$0")/crossing_machines.sh" || exit 1
signature_tool=$(realpath "$3") stand_in=$(realpath "$4")
tools=$(cd "$(dirname "$0")/../tools" && pwd)
command -v bwrap > /dev/null || { echo "bubblewrap is not installed"; exit 77; }
digest() { sha256sum < "$1" | cut -d' ' -f1; }
stop() { kill "$1" && wait "$1" 2> /dev/null || true; }
cd "$work"

# --- a package: the program, a library that it does not name (as backends are), one that cannot load
mkdir -p package/libs
cp "$stand_in" package/llama-server
printf 'extern int thing(void); int thing(void) { return 1; }' > thing.c
cc -shared -fPIC -o package/libs/libggml-cpu.so thing.c
cc -shared -fPIC -o libnowhere.so.1 -Wl,-soname,libnowhere.so.1 thing.c
printf 'extern int thing(void); int other(void); int other(void) { return thing(); }' > other.c
cc -shared -fPIC -o package/libs/libggml-cuda.so other.c libnowhere.so.1
ln -s libggml-cpu.so package/libs/libggml-cpu.so.0
describe() { # describe FOLDER JSON [bound]
  python3 - "$@" <<'PY'
import hashlib, json, os, sys
folder, more = sys.argv[1], json.loads(sys.argv[2])
manifest = {"name": "stand-in", "version": "b1", "os": "linux", "arch": os.uname().machine, "accelerator": "cpu", **more}
if len(sys.argv) > 3:
    manifest["checksums"] = {os.path.relpath(os.path.join(at, name), folder):
                             hashlib.sha256(open(os.path.join(at, name), "rb").read()).hexdigest()
                             for at, _, names in os.walk(folder) for name in names
                             if name != "manifest.json" and "signatures" not in at}
json.dump(manifest, open(folder + "/manifest.json", "w"))
PY
}
pack() { tar -czf "$2" -C "$1" $(ls "$1"); }
describe package '{}'
pack package plain.baiengine

high init --zone ingest > /dev/null
policy() { printf 'zone = "ingest"\n[policy]\nreserve = "1MiB"\n%s\n' "$1" > "$work/high/config.toml"; }
policy ""
python3 "$tools/make_model.py" gguf tiny.gguf > /dev/null
high import tiny.gguf --expect "$(digest tiny.gguf)" > /dev/null

# --- without a base nothing starts, and the words say what is missing
refused engine-unfit high import plain.baiengine --expect "$(digest plain.baiengine)"
high import plain.baiengine --expect "$(digest plain.baiengine)" 2> words || true
grep -q 'it brings no C library, and no engine is installed' words || fail "$(cat words)"
python3 "$tools/make_base_engine.py" base.tar debian 12 "$stand_in"
python3 "$tools/make_base_engine.py" poor.tar poor 1 "$stand_in" --without libstdc++.so.6
high engine install "$work/poor.tar" --expect "$(digest poor.tar)" > /dev/null
high import plain.baiengine --expect "$(digest plain.baiengine)" 2> words || true
grep -q 'poor/1-cpu lacks libstdc++.so.6 (for llama-server)' words || fail "$(cat words)"
high engine install "$work/base.tar" --expect "$(digest base.tar)" > /dev/null

# --- a site that takes in models only takes no engine, on whatever way
policy 'accept_kinds = ["model"]'
refused profile-refused high import plain.baiengine --expect "$(digest plain.baiengine)"
refused profile-refused high engine install "$work/base.tar" --expect "$(digest base.tar)"
policy ""

# --- a plan takes nothing; then it comes in, on the one base that fits
grep -q 'its C library would be that of debian/12-cpu' <<< "$(high import plain.baiengine --plan)" || fail "the plan"
refused unsigned high import plain.baiengine
refused digest-mismatch high import plain.baiengine --expect "$(digest base.tar)"
refused usage high engine install "$work/base.tar" --base debian --expect "$(digest base.tar)"
out=$(high import plain.baiengine --expect "$(digest plain.baiengine)")
grep -q 'its C library is that of debian/12-cpu' <<< "$out" || fail "$out"
grep -q 'note: libs/libggml-cuda.so will not load: libnowhere.so.1' <<< "$out" || fail "$out"
show=$(high engine show stand-in)
grep -q 'C library of *debian/12-cpu sha256:' <<< "$show" || fail "$show"
grep -q 'believed by *digest' <<< "$show" || fail "$show"
[ "$(high --json engine show stand-in | value 'd["base"]["engine"]')" = debian/12-cpu ] || fail "show --json"
grep -q 'stand-in/b1-cpu .*gguf .*gguf .*digest .*yes' <<< "$(high engine list)" || fail "$(high engine list)"
root=$work/high/engines/stand-in/b1-cpu
[ "$(readlink "$root/usr/libexec/stand-in/libggml-cpu.so")" = libs/libggml-cpu.so ] || fail "no backend beside the program"
[ -f "$root/usr/share/doc/libc6/copyright" ] || fail "the licence of the C library did not come along"
refused immutable high import plain.baiengine --expect "$(digest plain.baiengine)"

# --- a model answers through it, in the sandbox; chain show names engine and base
ask_engine() { # ask_engine ENGINE WORDS
  : > run.out  # of the engine before: its line would be read before the new one's shell empties the file
  "$high_exe" --quiet --state "$high_state" engine run "$1" --model tiny > run.out 2> run.err &
  local engine=$!
  pids+=("$engine")
  soon_of "$engine" grep -q '^ready' run.out || fail "$(cat run.err)"
  curl -fsS --unix-socket "$(sed -n 's/^ready: //p' run.out)" http://engine/v1/chat/completions -d "{\"say\": \"$2\"}"
  [ -z "${3:-}" ] || "$3"
  stop "$engine"
}
grep -q 'I stand in.' <<< "$(ask_engine stand-in hello)" || fail "no answer"
chain=$(high chain show tiny || true)
grep -q 'last given to the engine stand-in/b1-cpu' <<< "$chain" || fail "$chain"
grep -q 'whose C library is that of debian/12-cpu' <<< "$chain" || fail "$chain"
grep -q '(store-user)' <<< "$chain" || fail "$chain"
# It has all that it needs: the base may go.
high engine remove debian > /dev/null
grep -q 'I stand in.' <<< "$(ask_engine stand-in hello)" || fail "no answer without the base"
# An engine whose library was changed since it was installed does not start; nor one with a file more.
library=$root/usr/libexec/stand-in/libs/libggml-cpu.so
cp --preserve=all "$library" kept.so && chmod u+w "$library" && printf x | dd of="$library" bs=1 seek=100 conv=notrunc status=none
refused blob-corrupt high engine run stand-in --model tiny
# Its code was looked at above; here its words.
grep -q "libggml-cpu.so' has the SHA-256" <<< "$(high engine run stand-in --model tiny 2>&1 || true)" || fail "the refusal does not name the file"
[ "$(high --json audit tail -n 1 --type engine.start | value '[(e["outcome"], e["detail"]["error"]) for e in d["entries"]]')" = "[('failure', 'blob-corrupt')]" ] ||
  fail "the refusal is not on record: $(high --json audit tail -n 1 --type engine.start)"
cp --preserve=all kept.so "$library"
cp kept.so "$root/usr/libexec/stand-in/libggml-evil.so"
refused blob-corrupt high engine run stand-in --model tiny
rm "$root/usr/libexec/stand-in/libggml-evil.so"
grep -q 'I stand in.' <<< "$(ask_engine stand-in hello)" || fail "no answer of an engine that is as it was"
high engine install "$work/base.tar" --expect "$(digest base.tar)" > /dev/null

# --- two that fit: one must be named
python3 "$tools/make_base_engine.py" second.tar second 1 "$stand_in" --other libstdc++.so.6
high engine install "$work/second.tar" --expect "$(digest second.tar)" > /dev/null
describe package '{"version": "b2"}'
pack package b2.baiengine
refused ambiguous high import b2.baiengine --expect "$(digest b2.baiengine)"
refused engine-unfit high import b2.baiengine --base poor --expect "$(digest b2.baiengine)"
refused not-found high import b2.baiengine --base nobody --expect "$(digest b2.baiengine)"
high engine install "$work/b2.baiengine" --base second --expect "$(digest b2.baiengine)" > /dev/null
[ "$(high --json engine show stand-in/b2-cpu | value 'd["base"]["engine"]')" = second/1-cpu ] || fail "another base"
high engine remove second > /dev/null

# --- an engine whose llama.cpp does not know the model's architecture is not started with it
cp -a package young
printf 'char name[] = "bert";' > young.c && cc -shared -fPIC -o young/libs/libllama.so young.c
describe young '{"version": "b0"}'
pack young young.baiengine
high import young.baiengine --expect "$(digest young.baiengine)" > /dev/null
refused model-unsupported timeout 120 "$high_exe" --state "$high_state" engine run stand-in/b0-cpu --model tiny
# As the default it goes by force only, which the auditor's report begins with; without a rule in its way it is none.
high engine default stand-in/b0-cpu > /dev/null
refused busy high engine remove stand-in/b0-cpu
high engine remove stand-in/b0-cpu --force > /dev/null
high engine default stand-in/b1-cpu > /dev/null
[ "$(high --json audit report | value '[(e["subject"], e["remark"]) for e in d["entries"] if e["weight"] == "override" and e["type"] == "engine.remove"]')" = "[('stand-in/b0-cpu', 'force: the default engine of gguf')]" ] ||
  fail "the report: $(high audit report)"

# --- what is not for this machine, and what lies
describe package '{"version": "b3", "accelerator": "cuda", "acceleratorVersion": "12.4"}'
pack package cuda.baiengine
refused engine-unfit high import cuda.baiengine --expect "$(digest cuda.baiengine)"
# Installed for hardware that is still to come, it becomes no default, and loads nothing (B8).
told=$(high --json engine install cuda.baiengine --expect "$(digest cuda.baiengine)" --anyway --default)
[ "$(json '["default_of"]' <<< "$told")" = "[]" ] || fail "an engine that cannot run is a default: $told"
unfit=$(json '["full_name"]' <<< "$told")
refused engine-unfit high engine default "$unfit"
refused engine-unfit timeout 120 "$high_exe" --state "$high_state" engine run "$unfit" --model tiny
cp --preserve=all "$high_state/engines.json" engines.json
python3 - "$high_state/engines.json" "$unfit" << 'END'
import json, sys
with open(sys.argv[1], "r+") as file:  # as versions before chose it
    document = json.load(file)
    chosen = document["choices"]["gguf"]
    chosen.insert(len(chosen) - 1, {**chosen[-1], "value": sys.argv[2]})
    file.seek(0)
    json.dump(document, file)
END
refused engine-unfit high engine rollback
cp --preserve=all engines.json "$high_state/engines.json"
high engine remove "$unfit" > /dev/null
describe package '{"version": "b3", "os": "windows"}'
pack package windows.baiengine
refused engine-unfit high import windows.baiengine --expect "$(digest windows.baiengine)"
describe package "{\"version\": \"b3\", \"arch\": \"$([ "$(uname -m)" = x86_64 ] && echo arm64 || echo x86_64)\"}"
pack package arch.baiengine
refused engine-malformed high import arch.baiengine --expect "$(digest arch.baiengine)"
cp -a package script && printf '#!/bin/sh\n' > script/llama-server
describe script '{"version": "b3"}'
pack script script.baiengine
refused engine-malformed high import script.baiengine --expect "$(digest script.baiengine)"
printf 'int main(void) { return 0; }' > mute.c
cp -a package mute && rm mute/llama-server && cc -o mute/llama-server mute.c
describe mute '{"version": "b3"}'
pack mute mute.baiengine
refused engine-unfit high import mute.baiengine --base debian --expect "$(digest mute.baiengine)"  # it says nothing of its options
cc -o mute/llama-server mute.c -Wl,--dynamic-linker=/lib/ld-musl-x86_64.so.1
describe mute '{"version": "b3"}'
pack mute musl.baiengine
refused engine-unfit high import musl.baiengine --expect "$(digest musl.baiengine)"
chmod 6755 package/llama-server
describe package '{"version": "b4"}' bound
pack package setuid.baiengine
[ -n "$(tar -tvzf setuid.baiengine | grep -- '-rws' || true)" ] || fail "the package has no setuid bit"
high import setuid.baiengine --expect "$(digest setuid.baiengine)" > /dev/null
[ "$(stat -c %a "$work/high/engines/stand-in/b4-cpu/usr/libexec/stand-in/llama-server")" = 555 ] || fail "the mode came along"

# --- checksums that are right and nobody's signature: as far as policy says, and labelled
describe package '{"version": "b5"}' bound
pack package bound.baiengine
refused unsigned high import bound.baiengine --reason "trust me"
policy 'unsigned_imports = true'
refused reason-required high import bound.baiengine
out=$(high import bound.baiengine --reason "the vendor signs nothing")
grep -q '^UNSIGNED IMPORT: .*the vendor signs nothing' <<< "$out" || fail "$out"
grep -q '^UNSIGNED IMPORT' <<< "$(high engine show stand-in/b5-cpu)" || fail "show does not warn"
grep -q 'stand-in/b5-cpu .*nobody: UNSIGNED' <<< "$(high engine list)" || fail "$(high engine list)"
grep -q 'unsigned import: the vendor signs nothing' <<< "$(high --json audit tail --type engine.import)" || fail "the log does not say it"
ask_engine stand-in/b5-cpu hello > /dev/null
grep -q 'UNSIGNED IMPORT' <<< "$(high chain show tiny || true)" || fail "chain show does not warn"
policy ""
tar -xzf bound.baiengine -C "$(mkdir -p changed && echo changed)" && printf x >> changed/libs/libggml-cpu.so
pack changed changed.baiengine
refused digest-mismatch high import changed.baiengine --expect "$(digest changed.baiengine)"

# --- signed: the file as a whole, and by the manifest in it
low init --zone low > /dev/null
low trust keygen --role root --out root.pem > /dev/null
low trust keygen --role builder --out builder.pem > /dev/null
low trust keygen --role builder --out stranger.pem > /dev/null
low trust init --organisation test --root-key root.pem --add builder:builder.pem > /dev/null
mkdir stack && (cd stack && describe ../package '{"version": "b8"}' && pack ../package ../b8.baiengine &&
  printf '[stack]\nname = "m"\n[file.carried]\nsource = "../b8.baiengine"\n' > liftlock.toml &&
  low lock > /dev/null && low fetch > /dev/null && low pack --output "$work/medium/m-1" > /dev/null)
low sign medium/m-1 --role builder --key builder.pem > /dev/null
high trust pin medium/m-1 --fingerprint "$(low --json trust show | json '["fingerprint"]')" > /dev/null
sign_inside() { # sign_inside FOLDER KEY
  mkdir -p "$1/signatures"
  "$signature_tool" sign "$2" "$1/manifest.json" > "$1/signatures/builder.sigstore.json"
}
cp -a package inside && describe inside '{"version": "b6"}' bound && sign_inside inside builder.pem
pack inside inside.baiengine
grep -q 'believed by *signature' <<< "$(high import inside.baiengine > /dev/null && high engine show stand-in/b6-cpu)" || fail "signed inside"
describe inside '{"version": "b7"}' bound && sign_inside inside stranger.pem
pack inside stranger.baiengine
refused unsigned high import stranger.baiengine
describe inside '{"version": "b7"}' && sign_inside inside builder.pem
pack inside unbound.baiengine
refused unsigned high import unbound.baiengine  # what manifest.json does not list, its signature does not cover
describe inside '{"version": "b7"}' bound && sign_inside inside builder.pem
sed -i 's/"b7"/"b9"/' inside/manifest.json
pack inside false.baiengine
refused signature-invalid high import false.baiengine

# --- carried in a bundle, as a file
printf '[source.usb]\npath = "%s/medium"\nrequire_read_only = false\n' "$work" >> "$work/high/config.toml"
high ingest usb/m-1 --expect "$(digest medium/m-1/manifest/bundle.json)" > /dev/null
high engine install carried > /dev/null
show=$(high engine show stand-in/b8-cpu)
grep -q 'believed by *bundle' <<< "$show" || fail "$show"

# --- the watched folder: signed beside, signed inside; what nobody signed stays
mkdir incoming
"$high_exe" --quiet --state "$high_state" serve --listen 127.0.0.1:0 --incoming-engines "$work/incoming" > serve.out 2>&1 &
server=$!
pids+=("$server")
deliver() { cp "$1" "incoming/.$2" && mv "incoming/.$2" "incoming/$2"; }
await() { soon [ -e "incoming/$1" ] || fail "no $1: $(cat serve.out)"; }
describe package '{"version": "b10"}'
pack package b10.baiengine
sha256sum b10.baiengine > incoming/b10.baiengine.sha256
"$signature_tool" sign builder.pem incoming/b10.baiengine.sha256 > incoming/b10.baiengine.sha256.sigstore.json
describe inside '{"version": "b11"}' bound && sign_inside inside builder.pem
pack inside b11.baiengine
deliver bound.baiengine unsigned.baiengine
deliver b10.baiengine b10.baiengine
deliver b11.baiengine b11.baiengine
deliver false.baiengine false.baiengine
await installed/b10.baiengine
await installed/b11.baiengine
await refused/false.baiengine.reason.txt
grep -q 'signature-invalid' incoming/refused/false.baiengine.reason.txt || fail "$(cat incoming/refused/*.txt)"
[ -e incoming/unsigned.baiengine ] || fail "what nobody vouched for was taken"
stop "$server"

# --- two contents under one id: who names one is answered by that one, and an alias goes where its canary was asked
mkdir pair
printf '[stack]\nname = "pair"\n[model.pair]\nsource = "../pair.gguf"\nversion = "1"\n' > pair/liftlock.toml
for content in older newer; do
  python3 "$tools/make_model.py" gguf pair.gguf --say "$content" > /dev/null
  (cd pair && low lock --update-all > /dev/null && low fetch > /dev/null && low pack --output "$work/medium/pair-$content" > /dev/null)
  low sign "medium/pair-$content" --role builder --key builder.pem > /dev/null
  high ingest "usb/pair-$content" --expect "$(digest "medium/pair-$content/manifest/bundle.json")" > /dev/null
  eval "$content=$(digest pair.gguf)"
done
loaded() { # loaded DIGEST WHAT: the last load was that of this content
  local last
  last=$(high --json audit tail --type model.load | value '[e["detail"]["digest"] for e in d["entries"] if e["outcome"] == "success"][-1]')
  [ "$last" = "sha256:$1" ] || fail "$2 was answered by $last, and not by $1"
}
high ask pair hello > /dev/null
loaded "$newer" "the id"
# What happened to one content is no evidence of the other.
grep -q '6 load *good' <<< "$(high chain show pair)" || fail "the chain lacks the load: $(high chain show pair)"
for verb in show replay; do
  chain=$(high chain $verb "pair@sha256:${older:0:12}" || true)  # the exit status tells of all steps
  grep -q '6 load *absent' <<< "$chain" || fail "chain $verb takes the other content's load: $chain"
  ! grep -q 'last given to the engine' <<< "$chain" || fail "chain $verb takes the other content's engine: $chain"
done
high ask "pair@sha256:${older:0:12}" hello > /dev/null
loaded "$older" "a content by its name"
grep -q "last loaded .* as sha256:$older" <<< "$(high chain show "pair@sha256:${older:0:12}")" || fail "$(high chain show "pair@sha256:${older:0:12}")"
grep -q "last loaded .* as sha256:$newer" <<< "$(high chain show pair)" || fail "$(high chain show pair)"
high ask pair hello > /dev/null
loaded "$newer" "the id again"
high ask "pair@1@sha256:${older:0:12}" hello > /dev/null
[ "$(high --json model show "pair@sha256:${older:0:12}" | value 'd["last_load"]["entry"]')" -gt \
  "$(high --json model show "pair@sha256:${newer:0:12}" | value 'd["last_load"]["entry"]')" ] || fail "model show tells of the other content's load"
high ask pair hello > /dev/null
high model swap chat "pair@sha256:${older:0:12}" > /dev/null
loaded "$older" "the canary"
high ask pair@1 hello > /dev/null
loaded "$newer" "name and version"
high ask chat hello > /dev/null
loaded "$older" "the alias"
high model swap chat pair > /dev/null
loaded "$newer" "the second canary"
high model rollback chat > /dev/null
high ask chat hello > /dev/null
loaded "$older" "the alias after the rollback"
# What is to follow a swap (M13): where it fails, the alias is back, and the log says so.
high model swap chat pair --then 'echo "$LIFTLOCK_ALIAS $LIFTLOCK_MODEL" > then' > /dev/null
[ "$(cat then)" = "chat model:pair@1" ] || fail "the command after the swap: $(cat then)"
high model rollback chat > /dev/null
refused tool-failed high model swap chat pair --then 'echo not this one >&2; exit 3'
high ask chat hello > /dev/null
loaded "$older" "the alias after a command that failed"
last=$(high --json audit tail -n 1 --type model.rollback | value 'd["entries"][0]["detail"]')
grep -q 'the command of --then failed' <<< "$last" || fail "the rollback in the log: $last"
! grep -q 'not this one' <<< "$last" || fail "what a command said is in the log: $last"
# What it leaves running is not waited for.
timeout 60 "$high_exe" --state "$high_state" model swap kept pair --then 'sleep 600 & echo $! > left' > /dev/null || fail "a command that leaves another one running"
kill "$(cat left)" || fail "what the command left running was ended"
refused tool-failed high model swap fresh pair --then false
[ "$(high --json model show pair | value 'd["aliases"]')" = "['kept']" ] || fail "the aliases: $(high --json model show pair)"
grep -q '  aliases   chat$' <<< "$(high model show "pair@sha256:${older:0:12}")" || fail "$(high model show "pair@sha256:${older:0:12}")"
! grep -q '"fresh"' "$high_state/aliases.json" || fail "an alias stays although the command failed"
refused tool-failed high model swap chat "pair@sha256:${older:0:12}" --then false
high ask chat hello > /dev/null
loaded "$older" "an alias that led there before"

# --- room for the canary's one slot, and not for those of the server, which would refuse it: no alias
cp --preserve=all "$high_state/config.toml" as_it_was.toml
printf '[models]\nmemory = "%s"\n' "$(($(high --json model fit pair | json '["total"]') - 1))" >> "$high_state/config.toml"
refused model-unfit high model swap roomy pair
! grep -q '"roomy"' "$high_state/aliases.json" || fail "an alias of what the server has no room for"
printf 'slots = 1\n' >> "$high_state/config.toml"
high model swap roomy pair > /dev/null || fail "no alias of what the server has room for"
cp --preserve=all as_it_was.toml "$high_state/config.toml"

# --- an alias of a model that answers without words, after it answered in its own way
python3 "$tools/make_model.py" gguf near.gguf --pooling mean > /dev/null
python3 "$tools/make_model.py" gguf order.gguf --pooling rank > /dev/null
for model in near order; do
  high import "$model.gguf" --expect "$(digest "$model.gguf")" > /dev/null
  high model swap "the-$model" "$model" > /dev/null || fail "no alias of $model"
  loaded "$(digest "$model.gguf")" "the canary of $model"
  refused engine-failed high model swap "the-$model" "$model" --prompt blank
  refused usage high model swap "the-$model" "$model" --expect words
done
[ "$(high --json embed the-near 'a boat lift' | value 'd["embedding"]')" = '[0.5, -0.25]' ] || fail "an alias makes no vectors"

# --- sealed memory: what the engine has is what was hashed, whatever happens to the file
blob=$(find "$work/high/store/blobs" -name "$(digest tiny.gguf)*")
sealed() {
  chmod u+w "$blob" && printf 'XXXX' | dd of="$blob" conv=notrunc status=none
  socket=$(sed -n 's/^ready: //p' run.out)
  grep -q 'GGUF' <<< "$(curl -fsS --unix-socket "$socket" http://engine/v1/chat/completions -d '{"say": "recite"}' | head -c 100 | tr -d '\0')" ||
    fail "the engine sees what was written after the check"
  grep -q refused <<< "$(curl -fsS --unix-socket "$socket" http://engine/v1/chat/completions -d '{"say": "scribble"}')" || fail "it wrote"
  printf 'GGUF' | dd of="$blob" conv=notrunc status=none
}
policy 'model_memory = "melted"'
refused config-invalid high model fit tiny
policy 'model_memory = "sealed"'
[ "$(high --json model fit tiny | value 'd["sealed"]')" = "$(stat -c %s tiny.gguf)" ] || fail "fit does not count the copy"
ask_engine stand-in hello sealed > /dev/null
grep -q '(sealed-memory)' <<< "$(high chain show tiny || true)" || fail "chain show does not name the level"
grep -q '(sealed-memory)' <<< "$(high model show tiny)" || fail "model show does not name the level"
[ "$(high gate tiny -- sha256sum {} | cut -d' ' -f1)" = "$(digest tiny.gguf)" ] || fail "gate"
[ -z "$(high gate tiny -- sh -c 'printf X >> {}' 2> /dev/null && echo written)" ] || fail "gate: it was written to"
mkdir sharded && python3 "$tools/make_model.py" gguf sharded/tiny.gguf --shards 3 > /dev/null
(cd sharded && sha256sum tiny-*.gguf > SHA256SUMS)
high import sharded --name sharded --expect "$(digest sharded/SHA256SUMS)" > /dev/null
[ "$(high gate sharded -- sh -c 'cat {}/*.gguf | sha256sum' | cut -d' ' -f1)" = "$(cat sharded/*.gguf | sha256sum | cut -d' ' -f1)" ] || fail "gate of several files"

# --- a signature by a key that retired is as good as none, and ends no import that is allowed without
low trust keygen --role builder --out builder-2.pem > /dev/null
low trust rotate "$(openssl pkey -pubin -in builder.pem.pub -outform DER | sha256sum | cut -c1-16)" --with builder-2.pem.pub --root-key root.pem > /dev/null
high trust update "$low_state/trust" > /dev/null
describe inside '{"version": "b12"}' bound && sign_inside inside builder.pem
pack inside retired.baiengine
policy ""
refused unsigned high import retired.baiengine
policy 'unsigned_imports = true'
high import retired.baiengine --reason "its key retired meanwhile" > /dev/null
high audit verify > /dev/null
echo "ok"
