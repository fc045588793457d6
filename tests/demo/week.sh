#!/usr/bin/env bash
# An operator's week, in view: what makes a crossing hard, one day after the other. Everything runs in a network namespace without a
# route; the wheels are made here. LIFTLOCK_BUILD and LIFTLOCK_WEEK choose the build and the folder.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD
build=${LIFTLOCK_BUILD:-$root/build/release}
if [ "${1:-}" != inside ]; then
  if [ "$(id -u)" -ne 0 ]; then
    echo "the week needs a network namespace, read-only mounts and a small disk: going on as root with sudo"
    exec sudo --preserve-env=LIFTLOCK_BUILD,LIFTLOCK_WEEK "$0" "$@"
  fi
  exec unshare --net --mount --propagation private "$0" inside
fi
run=${LIFTLOCK_WEEK:-$root/week-run}
ip link set lo up
[ -z "$(ip route)" ] || { echo "there is a route" >&2; exit 1; }

say() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
show() { printf '\033[2m$ %s\033[0m\n' "$*"; "$@"; }
fail() { echo "WEEK FAILED: $*" >&2; exit 1; }
proven=()
prove() { proven+=("$1"); }
# refused CODE COMMAND…: the command must fail with exactly this code.
refused() {
  local code=$1 out; shift
  printf '\033[2m$ %s\033[0m\n' "$*"
  if out=$("$@" 2>&1); then fail "'$*' was accepted"; fi
  grep -q "error\[$code\]" <<< "$out" || fail "'$*' was refused, but not with $code: $out"
  grep "error\[" <<< "$out"
}
member() { python3 -c "import json,sys; print(json.load(sys.stdin)$1)"; }
servers=()
stop() {  # whatever was not started, or ended by itself, is no error here
  for pid in "${servers[@]}"; do kill "$pid" 2> /dev/null || true; done
  for home in "$run"/disk/ingest/keys/mirror-gnupg "$run"/node/keys/mirror-gnupg; do
    [ ! -d "$home" ] || gpgconf --homedir "$home" --kill all 2> /dev/null || true
  done
}
trap stop EXIT

rm -rf "$run"
mkdir -p "$run/stack" "$run/media" "$run/mnt" "$run/keys" "$run/disk" "$run/stick"
# The ingest node's disk: small, so that it can be filled.
mount -t tmpfs -o size=256M,mode=755 tmpfs "$run/disk"
low() { "$build/src/cli/liftlock-low" --state "$run/low" "$@"; }
ingest_node() { "$build/src/cli/liftlock-high" --state "$run/disk/ingest" "$@"; }
node() { "$build/src/cli/liftlock-high" --state "$run/node" "$@"; }
archive() { "$build/src/cli/liftlock-high" --state "$run/archive" "$@"; }
officer() { "$build/src/cli/liftlock-high" --state "$run/officer-$1" "${@:2}"; }
digest() { sha256sum < "$run/media/$1/manifest/bundle.json" | cut -d' ' -f1; }
# The medium is read-only wherever it is plugged in; the first time nothing is there to be pulled out.
plug() { umount "$run/mnt" 2> /dev/null || true; mount --bind "$run/media" "$run/mnt"; mount -o remount,bind,ro "$run/mnt"; }
live() { "$1" --quiet --json ls --publications | python3 -c 'import json,sys; print(*["{channel}/{sequence}".format(**p) for p in json.load(sys.stdin)["publications"]])'; }
serve() {  # serve STATE PORT; not by a function, whose process id is that of a shell
  "$build/src/cli/liftlock-high" --state "$1" --quiet serve --listen "127.0.0.1:$2" > "$run/serve-$2.log" 2>&1 &
  servers+=($!)
  for _ in $(seq 600); do curl -sf "http://127.0.0.1:$2/healthz" > /dev/null && return; sleep 0.1; done
  fail "nothing serves on port $2: $(cat "$run/serve-$2.log")"
}

say "Before: who may say what, a stack of wheels and a model, and the first bundle"
cd "$run/stack"
low init --zone low --organisation "Plant builders" > /dev/null
for role in root builder builder2 scanner; do low trust keygen --role "${role%2}" --out "$run/keys/$role.pem" > /dev/null; done
for person in ada carol; do low trust keygen --role approver --out "$run/keys/$person.pem" > /dev/null; done
low trust init --organisation "Plant" --root-key "$run/keys/root.pem" --add "builder:$run/keys/builder.pem.pub" --add "scanner:$run/keys/scanner.pem.pub" > /dev/null
for person in ada carol; do low trust add-key "$run/keys/$person.pem.pub" --role approver --owner "$person" --root-key "$run/keys/root.pem" > /dev/null; done
for wheel in "idna 3.4" "colour 1.0" "colour 2.0"; do python3 "$root/tests/tools/make_wheel.py" "$run/wheels" $wheel > /dev/null; done
export PIP_NO_INDEX=1 PIP_FIND_LINKS=$run/wheels
stack() {  # stack COLOUR NOTE
  printf 'Note %s.\n' "$2" > notes.txt
  cat > liftlock.toml <<TOML
[stack]
name = "plant"
[python.tools]
requirements = ["idna", "colour==$1"]
[model.demo]
source = "$root/models/demo/liftlock-demo.gguf"
license = "Apache-2.0"
[file.notes]
source = "notes.txt"
TOML
  rm -f liftlock.lock
  low --quiet lock > /dev/null && low --quiet fetch > /dev/null
}
cat > "$run/kiosk.toml" <<'TOML'
[profile]
name = "Scan kiosk"
types = ["text", "json", "gguf", "zip"]
max_file_size = "1GB"
max_files = 500
[unpack]
max_nesting = 1
TOML
stack 1.0 1
cat liftlock.toml
show low pack --output "$run/media/plant-1" --profile "$run/kiosk.toml"
show low sign "$run/media/plant-1" --role builder --key "$run/keys/builder.pem"
prove "packed by the kiosk's own profile: types by content, names, sizes, nesting"

archive init --zone transfer --organisation "Plant" > /dev/null
witness=$(archive --quiet audit witness key --name plant/archive)
ingest_node init --zone ingest --organisation "Plant" > /dev/null
cat > "$run/disk/ingest/config.toml" <<TOML
zone = "ingest"
organisation = "Plant"
[policy]
approvals = 2
reserve = "32MiB"
[source.usb]
path = "$run/mnt"
[channel.plant]
every = "90d"
[audit]
witness = ["$witness"]
TOML
fingerprint=$(low --quiet --json trust show | member '["fingerprint"]')
plug
ingest_node trust pin "$run/mnt/plant-1" --fingerprint "$fingerprint" > /dev/null
meet() {  # the node's log continues what the archive saw, or the archive does not cosign
  ingest_node --quiet audit witness request --output "$run/stick/request" > /dev/null
  archive --quiet audit witness cosign "$run/stick/request" --output "$run/stick/answer" "$@" > /dev/null
  ingest_node --quiet audit witness accept "$run/stick/answer" > /dev/null
}
approve() {  # approve PERSON BUNDLE: on a machine of their own, from the read-only medium
  if [ ! -d "$run/officer-$1" ]; then
    officer "$1" init --zone transfer > /dev/null
    officer "$1" trust pin "$run/mnt/plant-1" --fingerprint "$fingerprint" > /dev/null
  fi
  officer "$1" --quiet verify "$run/mnt/$2" > /dev/null
  officer "$1" sign "$run/mnt/$2" --role approver --key "$run/keys/$1.pem" --out "$run/stick/$1-$2"
}
take() { ingest_node ingest "usb/$1" --expect "$(digest "$1")" --signatures "$run/stick/ada-$1" --signatures "$run/stick/carol-$1"; }

another() {  # another SEQUENCE: one more bundle, packed, signed and approved, out of view
  export PIP_NO_INDEX=1 PIP_FIND_LINKS=$run/wheels
  stack 2.0 "$1"
  unset PIP_NO_INDEX PIP_FIND_LINKS
  low pack --output "$run/media/plant-$1" --sequence "$1" > /dev/null
  low sign "$run/media/plant-$1" --role builder --key "$run/keys/builder2.pem" > /dev/null
  plug
  approve ada "plant-$1" > /dev/null; approve carol "plant-$1" > /dev/null
}

say "A new ingest node meets its witness before it takes anything in, and two people approve on two machines"
refused witness-required ingest_node ingest usb/plant-1 --expect "$(digest plant-1)"
meet --new-log --reason "the plant's first ingest node" --fingerprint "$(ingest_node --quiet --json audit witness show | member '["fingerprint"]')"
refused unsigned ingest_node ingest usb/plant-1 --expect "$(digest plant-1)"
prove "a new ingest node took nothing in before it had met its witness"
show approve ada plant-1
refused unsigned ingest_node ingest usb/plant-1 --expect "$(digest plant-1)" --signatures "$run/stick/ada-plant-1"
show approve carol plant-1
show take plant-1
prove "two people approved on two machines; one of them, or the same twice, was not enough"

say "Monday: the quarterly bundle goes to the scan kiosk, and waits there"
stack 2.0 2
show low pack --output "$run/media/plant-2" --sequence 2 --profile "$run/kiosk.toml" --since "$run/media/plant-1"
show low sign "$run/media/plant-2" --role builder --key "$run/keys/builder.pem"

say "Tuesday: an urgent one overtakes it"
stack 1.0 urgent
show low pack --output "$run/media/plant-3" --sequence 3 --pending 2 --expedited "CVE-2026-1234" --since "$run/media/plant-1"
show low sign "$run/media/plant-3" --role builder --key "$run/keys/builder.pem"
plug
approve ada plant-3 > /dev/null; approve carol plant-3 > /dev/null
show take plant-3
show ingest_node status
[ "$(live ingest_node)" = "plant/1 plant/3" ] || fail "in use: $(live ingest_node)"
prove "an urgent bundle (sequence 3) overtook the quarterly one (2), which may still come"

say "Wednesday: the kiosk takes a wheel out of the quarterly bundle; the rest lands"
show low withhold "$run/media/plant-2" packages/pypi/colour-2.0-py3-none-any.whl --reason "finding 17 of the kiosk" --key "$run/keys/scanner.pem"
rm "$run/media/plant-2/packages/pypi/colour-2.0-py3-none-any.whl"
plug
low transfer sheet "$run/mnt/plant-2" --ticket CHG-4711 | sed -n 1,30p
approve ada plant-2 > /dev/null; approve carol plant-2 > /dev/null
show take plant-2
show ingest_node status
serve "$run/disk/ingest" 8480
unset PIP_NO_INDEX PIP_FIND_LINKS
install() { pip install --quiet --disable-pip-version-check --no-cache-dir --root-user-action ignore --target "$run/$1" --index-url "http://127.0.0.1:$2/simple/" "$3"; }
show install from-ingest 8480 idna==3.4
if install from-ingest 8480 colour==2.0 2> /dev/null; then fail "the withheld wheel can be installed"; fi
echo "pip does not find colour 2.0: it was withheld"
prove "the kiosk withheld a wheel: pip installs the rest, and not that one"

say "Thursday: a builder's key retires; what it signed stands, what it signs from now on does not land"
id() { openssl pkey -pubin -in "$run/keys/$1.pem.pub" -outform DER | sha256sum | cut -c1-16; }
show low trust rotate "$(id builder)" --with "$run/keys/builder2.pem.pub" --root-key "$run/keys/root.pem"
export PIP_NO_INDEX=1 PIP_FIND_LINKS=$run/wheels
stack 2.0 4
unset PIP_NO_INDEX PIP_FIND_LINKS
show low pack --output "$run/media/plant-4" --sequence 4
refused key-retired low sign "$run/media/plant-4" --role builder --key "$run/keys/builder.pem"
show low sign "$run/media/plant-4" --role builder --key "$run/keys/builder2.pem"
plug
approve ada plant-4 > /dev/null; approve carol plant-4 > /dev/null
show take plant-4
[ "$(live ingest_node)" = "plant/1 plant/2 plant/3 plant/4" ] || fail "in use: $(live ingest_node)"
prove "a builder's key was replaced offline; the bundles that it signed stay"

say "A production node takes from the ingest node alone, and verifies everything again"
node init --zone production --organisation "Plant" > /dev/null
printf '[sync]\npeer = "http://127.0.0.1:8480"\nring = "line-1"\n' >> "$run/node/config.toml"
node trust pin "$run/mnt/plant-1" --fingerprint "$fingerprint" > /dev/null
refused not-found node store sync
show ingest_node ring promote line-1 plant 4
# The mirror looks once a second for what changed.
for _ in $(seq 600); do [[ "$(curl -s http://127.0.0.1:8480/sync/rings/line-1.json)" != *'"sequence"'* ]] || break; sleep 0.1; done
show node store sync
[ "$(live node)" = "plant/4" ] || fail "in use at the node: $(live node)"
serve "$run/node" 8490
show install from-node 8490 colour==2.0
prove "a production node follows its ring; pip installs from it"

say "The disk of the ingest node fills: ingests stop, reads and their log go on"
another 5
dd if=/dev/zero of="$run/disk/filler" bs=4k status=none 2> /dev/null || true
df -h "$run/disk" | tail -1
refused disk-full take plant-5
rm -rf "$run/from-ingest"
show install from-ingest 8480 idna==3.4
rm "$run/disk/filler"
show take plant-5
prove "on a full disk an ingest is refused, and the log of what is read goes on with its reserve"

say "Friday: an old copy of the ingest node is put back, and its witness does not take it"
cp -a "$run/disk/ingest" "$run/disk/copy"
another 6
show take plant-6
show meet
mv "$run/disk/ingest" "$run/disk/newest"
mv "$run/disk/copy" "$run/disk/ingest"
refused witness-required take plant-6
ingest_node --quiet audit witness request --output "$run/stick/request" > /dev/null
refused log-rolled-back archive audit witness cosign "$run/stick/request" --output "$run/stick/answer"
mv "$run/disk/ingest" "$run/disk/old"
mv "$run/disk/newest" "$run/disk/ingest"
meet
show take plant-6
prove "an old copy of the whole node: nothing lands, and the witness calls it rolled back"

say "The auditor gets the report, and checks the log with no Liftlock code"
show ingest_node audit report
ingest_node --quiet audit report --csv > "$run/report.csv"
show ingest_node audit export "$run/audit"
show python3 "$run/audit/check_log.py" "$run/audit" --witness "$witness"
show ingest_node scrub
show node audit verify
prove "the auditor has a report, and a log that check_log.py and the witness vouch for"

say "What was proven"
printf '  * %s\n' "${proven[@]}"
[ "${#proven[@]}" = 10 ] || fail "${#proven[@]} things were proven, not 10"
