#!/usr/bin/env bash
# The high side of the demonstration; demo.sh runs it in a network namespace without a route, and a mount namespace.
set -euo pipefail
export LIFTLOCK_STATE=$RUN/high GNUPGHOME=$RUN/high-gnupg
unset PIP_INDEX_URL PIP_EXTRA_INDEX_URL PIP_FIND_LINKS PIP_CERT http_proxy https_proxy all_proxy
install -d -m 700 "$GNUPGHOME"
proven=()
say() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
show() { printf '\033[2m$ %s\033[0m\n' "$*"; "$@"; }
prove() { proven+=("$1"); }
fail() { echo "DEMO FAILED: $*" >&2; exit 1; }
# shellcheck source=../interop/tested.sh
source "$(dirname "$0")/../interop/tested.sh"
# shellcheck source=../interop/waiting.sh
source "$(dirname "$0")/../interop/waiting.sh"
server="" engine=""
stop() { [ -z "$server" ] || kill "$server" 2>/dev/null || true; [ -z "$engine" ] || kill "$engine" 2>/dev/null || true; gpgconf --kill all 2>/dev/null || true; }
trap stop EXIT

# refused CODE COMMAND…: the command must fail with exactly this code.
refused() {
  local code=$1; shift
  printf '\033[2m$ %s\033[0m\n' "$*"
  local out; if out=$("$@" 2>&1); then fail "'$*' was accepted"; fi
  grep -q "error\[$code\]" <<< "$out" || fail "'$*' was refused, but not with $code: $out"
  grep "error\[" <<< "$out"
}

ip link set lo up
[ -z "$(ip route)" ] || fail "there is a route"
say "High side: ip route is empty, the medium is mounted read-only"
mkdir -p "$RUN/mnt"
mount --bind "$RUN/media" "$RUN/mnt" && mount -o remount,ro,bind "$RUN/mnt"
show liftlock init --zone ingest --organisation "Demo plant"
cat > "$LIFTLOCK_STATE/config.toml" <<TOML
zone = "ingest"
organisation = "Demo plant"
[policy]
reserve = "64MiB"
[source.usb]
path = "$RUN/mnt"
TOML
show liftlock trust pin "$RUN/mnt/demo-1" --fingerprint "$ROOT_FINGERPRINT"
show liftlock verify "$RUN/mnt/demo-1" --expect "$DIGEST"
prove "verified: two signatures of two roles, every byte, on a read-only mount, without a network"

say "The same check with coreutils and gpg alone, as the bundle's own README.txt says"
gpg --batch --quiet --import "$RUN/approver.asc" 2>/dev/null
(
  cd "$RUN/mnt/demo-1"
  sed -n 's/^ *\$ //p' README.txt > "$RUN/readme-commands"
  while IFS= read -r line; do printf '\033[2m$ %s\033[0m\n' "$line"; bash -c "$line"; done < "$RUN/readme-commands"
) > "$RUN/readme.log" 2>&1 || { cat "$RUN/readme.log"; fail "README.txt"; }
grep -v '^$' "$RUN/readme.log"
grep -q "Good signature" "$RUN/readme.log" && grep -q "every file is as listed" "$RUN/readme.log" || fail "README.txt did not prove it"
prove "checked by hand: README.txt's own commands with sha256sum, diff and gpg"

say "Refusals, each with its code"
refused digest-mismatch liftlock ingest usb/flipped --expect "$DIGEST"
refused extra-file liftlock ingest usb/extra --expect "$DIGEST"
refused key-unknown liftlock ingest usb/foreign --expect "$DIGEST"
refused expect-mismatch liftlock ingest usb/demo-1 --expect "$DIGEST2"
refused expect-required liftlock ingest usb/demo-1
prove "refused: a flipped byte, an extra file, a foreign key, another bundle than announced"

say "Ingest: verify, inspect in cells, publish"
show liftlock ingest usb/demo-2 --expect "$DIGEST2"
refused replayed liftlock ingest usb/demo-1 --expect "$DIGEST"
show liftlock ingest usb/demo-2 --expect "$DIGEST2"
prove "ingested once: the older sequence is a replay, the same one again is already present"
show liftlock ls

say "Serve, and real clients"
liftlock serve --listen 127.0.0.1:0 > "$RUN/serve.out" 2> "$RUN/serve.log" &
server=$!
soon_of "$server" grep -q listening "$RUN/serve.out" || { cat "$RUN/serve.log"; fail "the mirror did not start"; }
url=$(sed -n 's/^listening on //p' "$RUN/serve.out"); url=${url%/}
echo "the mirror is at $url"

python3 -m venv "$RUN/venv"
show "$RUN/venv/bin/pip" install --isolated --no-cache-dir --disable-pip-version-check --index-url "$url/simple/" packaging idna
"$RUN/venv/bin/python" -c 'import packaging, idna; print("imported packaging and idna")'

# A throw-away root: this machine's, with everything that is written kept in memory.
mkdir -p "$RUN/apt"
mount -t tmpfs tmpfs "$RUN/apt" && mkdir "$RUN/apt/upper" "$RUN/apt/work" "$RUN/apt/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$RUN/apt/upper,workdir=$RUN/apt/work" "$RUN/apt/root"
mount -t proc proc "$RUN/apt/root/proc" && mount --bind /dev "$RUN/apt/root/dev"
liftlock render clients --base-url "$url" --client apt > "$RUN/apt.sources.txt"
curl -sf "$url/mirror-key.asc" > "$RUN/apt/root/etc/apt/liftlock.asc"
rm -rf "$RUN"/apt/root/etc/apt/sources.list "$RUN"/apt/root/etc/apt/sources.list.d "$RUN"/apt/root/var/lib/apt/lists
mkdir -p "$RUN"/apt/root/etc/apt/sources.list.d
cat > "$RUN/apt/root/etc/apt/sources.list.d/liftlock.sources" <<SOURCES
Types: deb
URIs: $url/debian/
Suites: demo
Components: main
Signed-By: /etc/apt/liftlock.asc
SOURCES
chroot "$RUN/apt/root" dpkg --remove --force-depends tree > /dev/null 2>&1 || true
show chroot "$RUN/apt/root" apt-get -o Acquire::http::Proxy=false update
show chroot "$RUN/apt/root" env DEBIAN_FRONTEND=noninteractive apt-get -o Acquire::http::Proxy=false install -y --no-install-recommends tree
show chroot "$RUN/apt/root" tree --version
umount -R "$RUN/apt/root"
tested apt apt "$(apt-get --version | sed -n '1s/^apt \([0-9.]*\).*/\1/p')"
prove "pip installed from the mirror; apt-get checked its signature and installed"

show skopeo copy --src-tls-verify=false "docker://${url#http://}/hello:1" "oci:$RUN/pulled:1"
size=$(curl -sfI "$url/files/file/notes/" > /dev/null; stat -c %s "$RUN/mnt/demo-2/files/notes.txt")
show curl -sf -r 0-6 "$url/bundles/demo/latest/files/notes.txt"; echo
[ "$(curl -sf -r 0-6 "$url/bundles/demo/latest/files/notes.txt")" = "Carried" ] || fail "curl with a range"
[ "$(curl -sf -o /dev/null -w '%{http_code}' -r "$size"- "$url/bundles/demo/latest/files/notes.txt" || true)" = 416 ] || fail "a range past the end"
prove "skopeo pulled the image; curl read ranges"

say "The carried engine answers with the carried model, cut off from everything"
show liftlock engine install llama
liftlock engine run llama --model demo > "$RUN/engine.out" 2> "$RUN/engine.log" &
engine=$!
soon_of "$engine" grep -q "^ready" "$RUN/engine.out" || { cat "$RUN/engine.log"; fail "the engine did not start"; }
socket=$(sed -n 's/^ready: //p' "$RUN/engine.out")
question="What is Liftlock?"
answer=$(curl -sf --unix-socket "$socket" http://engine/v1/chat/completions -H 'Content-Type: application/json' \
  -d "{\"messages\": [{\"role\": \"user\", \"content\": \"$question\"}], \"max_tokens\": 100, \"temperature\": 0}" | python3 -c 'import json,sys; print(json.load(sys.stdin)["choices"][0]["message"]["content"])')
grep -q "air gap" <<< "$answer" || fail "the model answered: $answer"
echo "asked: $question"
echo "the model says: $answer"
prove "a model answered over a Unix socket: $answer"
show liftlock engine try llama "$BUILD/tests/try_leave" "${url##*:}" || fail "try_leave got out"
prove "a program in the engine's place could not reach a network, the host's files or another namespace"
kill "$engine"; wait "$engine" 2>/dev/null || true; engine=""
say "People and programs ask through the gateway: with a key, verified again, on record"
key=$(liftlock --json key add visitor | python3 -c 'import json, sys; print(json.load(sys.stdin)["secret"])')
sleep 1  # a running server knows a new key within a second
refused=$(curl -s -o /dev/null -w '%{http_code}' "$url/v1/models")
[ "$refused" = 401 ] || fail "without a key the gateway answered $refused"
body="{\"model\": \"demo\", \"stream\": true, \"temperature\": 0, \"max_tokens\": 100, \"messages\": [{\"role\": \"user\", \"content\": \"$question\"}]}"
curl -sfN -D "$RUN/gateway.head" "$url/v1/chat/completions" -H "Authorization: Bearer $key" -d "$body" > "$RUN/gateway.events" || fail "the gateway did not answer"
streamed=$(python3 - "$RUN/gateway.events" <<'PY'
import json, sys
events = [line[6:] for line in open(sys.argv[1]) if line.startswith("data: ")]
assert events[-1].strip() == "[DONE]", events
print("".join(c["delta"].get("content") or "" for e in events[:-1] for c in json.loads(e)["choices"]))
PY
)
[ "$streamed" = "$answer" ] || fail "streamed: $streamed"
echo "streamed in $(grep -c '^data: ' "$RUN/gateway.events") events: $streamed"
record=$(tr -d '\r' < "$RUN/gateway.head" | sed -n 's/^X-Liftlock-Record: //p')
show liftlock record show "$record"
show liftlock record verify "$record"
show liftlock chain show demo
show liftlock chain replay demo
prove "the gateway streamed it to a caller with a key; its record fits the log, and the model's chain was replayed"
kill "$server"; wait "$server" 2>/dev/null || true; server=""

say "The log, checked by a script that knows no Liftlock"
show liftlock audit verify
show liftlock audit export "$RUN/audit"
show python3 "$RUN/audit/check_log.py" "$RUN/audit"
prove "the audit log's tree, checkpoint and signature hold"
tail -3 "$LIFTLOCK_STATE/transfers.log"

say "What was proven"
for i in "${!proven[@]}"; do printf '%2d. %s\n' $((i + 1)) "${proven[$i]}"; done
