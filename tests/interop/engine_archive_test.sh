#!/bin/bash
# An engine from an archive laid out as llama.cpp publishes its own (llama-bNNNN/ with programs and libraries in one folder),
# with a C library of Debian packages: across the gap, installed, and asked with the demo model (label: online). The archive
# is made here, of Debian's llama.cpp. Then the same package as a file of its own: refused, announced, signed, and found in the
# watched folder. Then a .baiengine of it, on Debian's C library, with the model in sealed memory. Usage: engine_archive_test.sh LIFTLOCK_LOW LIFTLOCK_HIGH SIGNATURE_TOOL      Exit status 77: skipped.
set -euo pipefail
low_exe=$(realpath "$1") high_exe=$(realpath "$2") signature_tool=$(realpath "$3")
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
# shellcheck source=waiting.sh
source "$here/waiting.sh"
engine=""
stop() { [ -z "$engine" ] || { kill "$engine" 2> /dev/null || true; wait "$engine" 2> /dev/null || true; engine=""; }; }
trap 'stop; tidy' EXIT
skip() { echo "skipped: $*"; exit 77; }
fail() { echo "FAILED: $*" >&2; exit 1; }
command -v bwrap > /dev/null || skip "bubblewrap is not installed"
[ "$(dpkg --print-architecture)" = amd64 ] || skip "written for amd64"
low() { "$low_exe" --quiet --state "$work/low" "$@"; }
high() { "$high_exe" --quiet --state "$work/high" "$@"; }
json() { python3 -c "import json, sys; print(json.load(sys.stdin)$1)"; }

low init
low trust keygen --role root --out "$work/root.pem" > /dev/null
low trust keygen --role builder --out "$work/builder.pem" > /dev/null
low trust init --organisation Interop --root-key "$work/root.pem" --add builder:"$work/builder.pem.pub" > /dev/null

# Debian's engine, only to have programs to put into an archive.
mkdir -p "$work/debian" "$work/stack"
cat > "$work/debian/liftlock.toml" << 'TOML'
[stack]
name = "debian"
[engine.llama]
packages = ["llama.cpp-tools"]
suites = ["forky"]
accept_expired = "600d"
TOML
(cd "$work/debian" && low lock) || skip "the suite cannot be had"
(cd "$work/debian" && low fetch > /dev/null && low pack --output "$work/debian/out" > /dev/null)
mkdir "$work/root" && tar -xf "$work"/debian/out/engines/llama-*.tar -C "$work/root"
release=$work/llama-b1
mkdir "$release"
cp "$work/root/usr/bin/llama-server" "$release/"
find "$work/root/usr/lib" \( -name 'libllama*' -o -name 'libggml*' -o -name 'libmtmd*' \) ! -type d -exec cp -P {} "$release/" \;
echo MIT > "$release/LICENSE"
tar -czf "$work/stack/llama-b1-bin-ubuntu-x64.tar.gz" -C "$work" llama-b1

cat > "$work/stack/liftlock.toml" << TOML
[stack]
name = "chat"
[engine.llama-release]
archive = "llama-b1-bin-ubuntu-x64.tar.gz"
sha256 = "$(sha256sum < "$work/stack/llama-b1-bin-ubuntu-x64.tar.gz" | cut -d' ' -f1)"
version = "b1"
packages = ["libc6", "libstdc++6", "libgomp1", "libssl3t64"]
suites = ["forky"]
accept_expired = "600d"
[model.demo]
source = "$here/../../models/demo/liftlock-demo.gguf"
[model.sharded]
source = "sharded"
TOML
mkdir "$work/stack/sharded"
python3 "$here/../tools/make_model.py" gguf "$work/stack/sharded/tiny.gguf" --shards 3
cd "$work/stack"
low lock && low fetch > /dev/null
# Thrown away and made again from the lock: the same bytes.
low pack --output ../first > /dev/null
# What it was made of is known by what advisories and bills of materials call it.
grep -q '"source": *"glibc' liftlock.lock || fail "the lock does not say the source of libc6"
grep -q '"pkg:deb/debian/libc6@' ../first/manifest/sbom.cdx.json || fail "the bill of materials does not take the engine apart"
find "$work/low/store/blobs" -type f -size +50M -delete
low fetch > /dev/null && low pack --output ../medium/chat-1 > /dev/null
cmp ../first/engines/llama-release-b1-cpu-amd64.tar ../medium/chat-1/engines/llama-release-b1-cpu-amd64.tar
low sign ../medium/chat-1 --role builder --key ../builder.pem > /dev/null
# What people carry names the engine and its hardware (B16).
grep -q '^ENGINES      engine:llama-release@b1.* (cpu, amd64)$' <<< "$(low transfer sheet ../medium/chat-1)" || fail "the sheet has no engine: $(low transfer sheet ../medium/chat-1)"
# An archive that is not what the stack states.
sed -i 's/^sha256 = "..../sha256 = "0000/' liftlock.toml
if low lock 2> ../refused; then fail "another archive was locked"; fi
grep -q 'digest-mismatch' ../refused || fail "$(cat ../refused)"

high init --zone ingest
printf '[source.usb]\npath = "%s/medium"\nrequire_read_only = false\n' "$work" >> "$work/high/config.toml"
high trust pin ../medium/chat-1 --fingerprint "$(low --json trust show | json '["fingerprint"]')" > /dev/null
high ingest usb/chat-1 --expect "$(sha256sum < ../medium/chat-1/manifest/bundle.json | cut -d' ' -f1)" > /dev/null
high engine install llama-release > /dev/null
grep -q 'llama-b1-bin-ubuntu-x64.tar.gz b1' <<< "$(high engine show llama-release)" || fail "show does not name the archive"
ask() { # ask MODEL [ENGINE]
  : > "$work/run.out"  # of the engine before: its line would be read before the new one's shell empties the file
  "$high_exe" --quiet --state "$work/high" engine run "${2:-llama-release}" --model "$1" > "$work/run.out" 2> "$work/run.err" &
  engine=$!
  soon_of "$engine" grep -q '^ready' "$work/run.out" || fail "$(cat "$work/run.err")"
  curl -fsS --unix-socket "$(sed -n 's/^ready: //p' "$work/run.out")" http://engine/v1/chat/completions \
    -H 'Content-Type: application/json' \
    -d '{"messages": [{"role": "user", "content": "What is Liftlock?"}], "max_tokens": 60}' > "$work/answer"
  stop
  answer=$(json '["choices"][0]["message"]["content"]' < "$work/answer")
}
ask sharded
case "$answer" in *'inside the gap'*) ;; *) fail "the sharded model answered: $answer" ;; esac
ask demo
case "$answer" in *iftlock*) ;; *) fail "it answered: $answer" ;; esac

# The package as a file.
package=$work/carried/engine.tar
mkdir "$work/carried" "$work/incoming"
cp "$work"/medium/chat-1/engines/llama-release-*.tar "$package"
digest=$(sha256sum < "$package" | cut -d' ' -f1)
refused() {
  local slug=$1
  shift
  if "$@" > "$work/refused" 2>&1; then fail "not refused: $*"; fi
  grep -q "\[$slug\]" "$work/refused" || fail "not $slug: $(cat "$work/refused")"
}
high engine remove llama-release --force > /dev/null
refused unsigned high engine install "$package"
refused digest-mismatch high engine install "$package" --expect "${digest/?????/00000}"
high engine install "$package" --expect "$digest" > /dev/null
high engine remove llama-release --force > /dev/null
(cd "$work/carried" && sha256sum engine.tar > engine.tar.sha256)
"$signature_tool" sign "$work/builder.pem" "$package.sha256" > "$package.sha256.sigstore.json"
high engine install "$package" > /dev/null
high engine remove llama-release --force > /dev/null

# The watched folder: the signature first, then the package, renamed when it is whole.
"$high_exe" --quiet --state "$work/high" serve --listen 127.0.0.1:0 --incoming-engines "$work/incoming" > "$work/serve.out" 2>&1 &
engine=$!
deliver() {
  cp "$package.sha256" "$work/incoming/$1.sha256"
  sed -i "s/engine.tar/$1/" "$work/incoming/$1.sha256"
  "$signature_tool" sign "$work/builder.pem" "$work/incoming/$1.sha256" > "$work/incoming/$1.sha256.sigstore.json"
  cp "$2" "$work/incoming/.$1" && mv "$work/incoming/.$1" "$work/incoming/$1"
}
await() { soon [ -e "$work/incoming/$1" ] || fail "no $1: $(cat "$work/serve.out")"; }
cp "$package" "$work/incoming/unsigned.tar"
deliver good.tar "$package"
await installed/good.tar
printf x | cat "$package" - > "$work/other.tar"
deliver changed.tar "$work/other.tar"
await refused/changed.tar.reason.txt
grep -q 'digest-mismatch' "$work/incoming/refused/changed.tar.reason.txt" || fail "$(cat "$work"/incoming/refused/*.txt)"
[ -e "$work/incoming/unsigned.tar" ] || fail "a package that nobody vouched for was taken"
stop
grep -q 'llama-release/b1-cpu .*gguf' <<< "$(high engine ls)" || fail "$(high engine ls)"
high --json audit tail --type engine.import > "$work/imports" || fail "audit tail"
grep -q '"signature"\|signature' "$work/imports" || fail "$(cat "$work/imports")"
# A .baiengine: llama-server and its own libraries, as its makers lay it out, on the C library of Debian's closure.
bare=$work/bare
mkdir -p "$bare/libs"
cp "$work/root/usr/bin/llama-server" "$bare/"
find "$work/root/usr/lib" \( -name 'libllama*' -o -name 'libggml*' -o -name 'libmtmd*' \) ! -type d -exec cp -P {} "$bare/libs/" \;
printf '{"id": "bare", "version": "b1", "os": "linux", "arch": "x86_64", "accelerator": "cpu"}' > "$bare/manifest.json"
tar -czf "$work/bare.baiengine" -C "$bare" manifest.json llama-server libs
base=$(ls "$work"/debian/out/engines/llama-*.tar)
high engine remove llama-release --force > /dev/null
refused engine-unfit high engine install "$work/bare.baiengine" --expect "$(sha256sum < "$work/bare.baiengine" | cut -d' ' -f1)"
high engine install "$base" --expect "$(sha256sum < "$base" | cut -d' ' -f1)" > /dev/null
high import "$work/bare.baiengine" --expect "$(sha256sum < "$work/bare.baiengine" | cut -d' ' -f1)" > "$work/imported"
grep -q 'its C library is that of llama/' "$work/imported" || fail "$(cat "$work/imported")"
sed -i 's/^\[policy\]$/&\nmodel_memory = "sealed"/' "$work/high/config.toml"
ask demo bare
case "$answer" in *iftlock*) ;; *) fail "the .baiengine answered: $answer" ;; esac
ask sharded bare
case "$answer" in *'inside the gap'*) ;; *) fail "the sharded model answered through the .baiengine: $answer" ;; esac
high chain show demo > "$work/chain" || true
grep -q 'sealed-memory' "$work/chain" || fail "$(cat "$work/chain")"
grep -q 'whose C library is that of llama/' "$work/chain" || fail "$(cat "$work/chain")"
high audit verify > /dev/null
echo "ok: $answer"
