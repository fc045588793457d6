#!/usr/bin/env bash
# A production node takes from an ingest node's mirror, verifies everything again, follows its ring, and is cut off, lied to
# and killed meanwhile (G11 G33 B18).   sync_test.sh LIFTLOCK_LOW LIFTLOCK_HIGH
source "$(dirname "$0")/crossing_machines.sh" || exit 1
mkdir "$work/stack" "$work/medium" "$work/between"
cd "$work/stack"
prod_state=$work/prod
prod() { "$high_exe" --quiet --state "$prod_state" "$@"; }
trust_of() { low --json trust show | json '["fingerprint"]'; }
digest() { sha256sum < "../medium/$1/manifest/bundle.json" | cut -d' ' -f1; }
ship() {  # ship NAME [PACK OPTION…]: locks, fetches, packs and signs what the stack is now
  local name=$1; shift
  rm -f liftlock.lock
  low lock > /dev/null && low fetch > /dev/null
  low pack --output "../medium/$name" "$@" > /dev/null
  low sign "../medium/$name" --role builder --key ../builder.pem > /dev/null
}
land() { high ingest "usb/$1" --expect "$(digest "$1")" "${@:2}" > /dev/null; }
has() { "$1" --json ls --publications | json '["publications"]' | { grep -o "'channel': '[a-z]*'\|'sequence': [0-9]*" || true; } | sed "s/.*: //; s/'//g" | paste -sd'/ '; }
sound() { "$1" scrub > /dev/null && "$1" audit verify > /dev/null || fail "the store or the log of $1 is not sound"; }
mode() { echo "${1:-honest}" > "$work/between/mode"; echo "${2:-.}" > "$work/between/match"; : > "$work/between/log"; }
start() {  # start FILE COMMAND…: in the background; sets $server
  : > "$1"
  "${@:2}" > "$1" 2> "$1.err" &
  server=$!
  pids+=("$server")
  soon_of "$server" [ -s "$1" ] && return
  cat "$1.err" >&2; fail "$* did not start"
}
# The mirror looks once a second for what changed; shows SEQUENCE: it has this bundle.
shows() { [ "$(curl -fsS "$plain/sync/rings/canary.json" | value "any(b['sequence'] == $1 for b in d['bundles'])")" = True ]; }
news() { out=$(prod store sync) && [ "$out" != "nothing new" ]; }
node() {  # node STATE PEER RING [LINE…]: a new production node
  prod_state=$1
  rm -rf "$1"
  prod init --zone production --organisation Acme > /dev/null
  sed -i 's/^reserve = .*/reserve = "1MiB"/' "$1/config.toml"
  printf '[sync]\npeer = "%s"\nring = "%s"\n' "$2" "$3" >> "$1/config.toml"
  printf '%s\n' "${@:4}" >> "$1/config.toml"
  prod trust pin ../medium/demo-1 --fingerprint "$(trust_of)" > /dev/null
}

# --- the low side, and the ingest node
python3 "$root/tests/tools/make_wheel.py" "$work/wheels" idna 3.4
export PIP_NO_INDEX=1 PIP_FIND_LINKS=$work/wheels
head -c 3000000 /dev/urandom > big.bin; head -c 70000 /dev/urandom > small.bin; : > empty.bin
printf '[stack]\nname = "demo"\n[python.idna]\nrequirements = ["idna"]\n[file.big]\nsource = "big.bin"\n[file.small]\nsource = "small.bin"\n[file.empty]\nsource = "empty.bin"\n' > liftlock.toml
low init > /dev/null
for role in root builder scanner; do low trust keygen --role "$role" --out "../$role.pem" > /dev/null; done
low trust init --organisation Acme --root-key ../root.pem --add builder:../builder.pem.pub --add scanner:../scanner.pem.pub > /dev/null
ship demo-1
high init --zone ingest --organisation Acme > /dev/null
printf '[source.usb]\npath = "%s/medium"\nrequire_read_only = false\n' "$work" >> "$high_state/config.toml"
high trust pin ../medium/demo-1 --fingerprint "$(trust_of)" > /dev/null
land demo-1
unset PIP_NO_INDEX PIP_FIND_LINKS

# --- TLS and a token, a real pip behind it
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=ingest -addext subjectAltName=IP:127.0.0.1 \
  -keyout ../mirror.key -out ../mirror.pem 2> /dev/null
token=$(openssl rand -hex 32)
echo "plant $(printf %s "$token" | sha256sum | cut -d' ' -f1)" > ../tokens
start ../serve-tls "$high_exe" --quiet --state "$high_state" serve --listen 127.0.0.1:0 --tls-cert ../mirror.pem --tls-key ../mirror.key --tokens ../tokens
tls=$(sed -n 's/^listening on //p' ../serve-tls)
echo "$token" > ../token
node "$work/prod" "$tls" canary "ca_file = \"$work/mirror.pem\"" "token_file = \"$work/token\""
grep -q "^took demo/1: 4 files" <<< "$(prod store sync --from "$tls" --once)" || fail "the first sync"
[ "$(has prod)" = demo/1 ] || fail "the node has $(has prod)"
[ "$(prod store sync)" = "nothing new" ] || fail "a second sync finds something"
grep -q "bundle.ingest" <<< "$(prod audit tail)" || fail "no entry of the ingest in the node's log"
has_reads() { grep -q "mirror.read" <<< "$(high audit tail)"; }
soon has_reads || fail "the log of the ingest node has no reads"
start ../serve-prod "$high_exe" --quiet --state "$prod_state" serve --listen 127.0.0.1:0
url=$(sed -n 's/^listening on //p' ../serve-prod)
python3 -m venv ../venv && ../venv/bin/pip --quiet --disable-pip-version-check install --index-url "$url/simple/" idna && ../venv/bin/python -c 'import idna' || fail "pip install from the production node"
cmp big.bin <(curl -fsS "$url/bundles/demo/latest/files/big.bin") || fail "latest at the node"
sound prod
step "over TLS, with a token; pip installs from the node"

# --- what the node refuses before it asks anybody
refused wrong-zone high store sync
refused source-unknown prod store sync --from https://127.0.0.1:1
echo "x$token" > ../token; refused unauthorized prod store sync; echo "$token" > ../token
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=other -addext subjectAltName=IP:127.0.0.1 -keyout ../o.key -out ../other.pem 2> /dev/null
sed -i "s/mirror.pem/other.pem/" "$prod_state/config.toml"; refused tls-invalid prod store sync; sed -i "s/other.pem/mirror.pem/" "$prod_state/config.toml"
# The certificate is good for two days, by this machine's clock (docs/guides/time.md).
if [ -n "$faketime" ]; then for moved in +3d -3d; do at "$moved" refused tls-invalid prod store sync; done; fi
refused usage prod store sync --every 1s --restore-retired
refused state-missing "$high_exe" --state "$work/none" store sync
sed -i 's|^peer = .*|peer = "http://10.1.2.3:8480"|' "$prod_state/config.toml"; refused config-invalid prod store sync
sed -i 's|^peer = .*|peer = "http://ingest.example:8480"|' "$prod_state/config.toml"; refused config-invalid prod store sync
step "a wrong zone, another peer, a wrong token, a certificate of somebody else, http to another machine"

# --- a plain mirror with a liar in front, for what follows
start ../serve "$high_exe" --quiet --state "$high_state" serve --listen 127.0.0.1:0
plain=$(sed -n 's/^listening on //p' ../serve)
mode honest
start ../liar python3 "$root/tests/tools/lying_peer.py" "${plain##*:}" "$work/between"
liar=http://127.0.0.1:$(cat ../liar)

# --- the connection ends after N bytes, for many N, until it goes through: no byte of a blob travels twice
big=$(sha256sum < big.bin | cut -d' ' -f1)
for n in 700 5000 30011 65536 400000 1000003; do
  node "$work/cut" "$liar" canary
  mode "cut $n" "$([ "$n" -gt 30000 ] || echo "^(?!.*$big)")"  # in pieces of 700 bytes the large one takes a minute
  prod store sync > /dev/null || fail "cut after $n bytes"
  [ "$(has prod)" = demo/1 ] || fail "cut after $n: the node has $(has prod)"
  python3 - "$work/between/log" "$big" 3000000 <<'PY' || fail "cut after $n bytes: resumed badly"
import sys
log, digest, size = sys.argv[1], sys.argv[2], int(sys.argv[3])
at = 0
for line in open(log):
    target, first, count = line.split()
    if digest in target:
        assert int(first) == at, f"began at {first} instead of {at}"
        at += int(count)
assert at == size, f"{at} bytes of {size}"
PY
  sound prod
done
node "$work/cut" "$liar" canary
mode "cut 60"
refused network prod store sync
[ -z "$(has prod)" ] || fail "something is visible"
mode "no-ranges"; prod store sync > /dev/null && [ "$(has prod)" = demo/1 ] || fail "a peer without ranges"
step "cut off after 700 … 1,000,003 bytes, each byte of a blob travelled once; 60 bytes bring nothing, and end it"

# --- killed while it takes, and again
node "$work/kill" "$liar" canary
mode "cut 200000"
for delay in 0.05 0.1 0.15 0.2 0.3 0.4; do
  timeout -s KILL "$delay" "$high_exe" --quiet --state "$prod_state" store sync > /dev/null 2>&1 || true
  [[ "$(has prod)" =~ ^(|demo/1)$ ]] || fail "half of it is visible: $(has prod)"
done
prod store sync > /dev/null && [ "$(has prod)" = demo/1 ] || fail "after the kills"
[ ! -e "$prod_state/sync" ] || fail "something stays in sync/"
sound prod
step "killed at six moments: nothing half visible, and the same command goes on"

# --- a liar
node "$work/lied" "$liar" canary 'patience = "2s"'
blob=$(sha256sum < small.bin | cut -d' ' -f1)
lie() {  # lie CODE MODE [MATCH]
  mode "$2" "${3:-/blobs/$blob}"
  rm -rf "$prod_state"/store/staging/*/ "$prod_state/sync"  # nothing that an earlier lie brought
  refused "$1" timeout 300 "$high_exe" --quiet --state "$prod_state" store sync
  [ -z "$(has prod)" ] || fail "$2: something is visible"
}
lie digest-mismatch flip
lie size-mismatch longer
lie size-mismatch shorter
lie size-mismatch more
lie size-mismatch less
lie size-mismatch endless
lie limit-exceeded headers
lie network drip
lie network drip-head
lie network silent
lie http-status redirect
lie network busy
lie limit-exceeded headers /rings/
lie network drip /rings/
lie http-status redirect /rings/
lie limit-exceeded endless /rings/
lie json-invalid flip /rings/
for document in bundle.json files.jsonl; do
  lie digest-mismatch flip "/blobs/$(sha256sum < "../medium/demo-1/manifest/$document" | cut -d' ' -f1)"
done
signature=$(sha256sum < "$(find ../medium/demo-1/signatures -type f)" | cut -d' ' -f1)
lie digest-mismatch flip "/blobs/$signature"
mode honest
curl -fsS "$plain/sync/publications/demo/1.json" | python3 -c 'import json,sys; d=json.load(sys.stdin); d["files"]=[f for f in d["files"] if not f["path"].startswith("signatures/")]; print(json.dumps(d))' > ../unsigned.json
lie unsigned "file $work/unsigned.json" /publications/
grep -q "failure" <<< "$(prod audit tail)" || fail "the refusals are not in the node's log"
mode honest; prod store sync > /dev/null && [ "$(has prod)" = demo/1 ] || fail "after the lies"
sound prod
step "a liar is refused, each lie with its code, and nothing of it is visible"

# --- a second bundle, a delta; a node without its base takes it all the same, and one with it only what is new
cp -r "$low_state" "$work/low-2"
head -c 60000 /dev/urandom > small.bin
ship demo-2 --since ../medium/demo-1
land demo-2
soon shows 2 || fail "the mirror does not have the second bundle"
mode honest
prod store sync > /dev/null && [ "$(has prod)" = "demo/1 demo/2" ] || fail "the second bundle: $(has prod)"
! grep -q "$big" "$work/between/log" || fail "what the store had travelled again"
node "$work/fresh" "$liar" canary
prod store sync > /dev/null && [ "$(has prod)" = demo/2 ] || fail "a fresh node takes the newest: $(has prod)"
prod export big --to ../out > /dev/null && cmp big.bin "$(find ../out -name big.bin)" || fail "what the delta left out"
step "only what is new travels, and a delta needs no base"

# --- rollback, fork, another channel
curl -fsS "$plain/sync/rings/canary.json" > ../ring.json
edit() { python3 -c "import json,sys; d=json.load(open('../ring.json')); b=d['bundles']; $1; print(json.dumps(d))" > ../lie.json; }
lie_of_ring() {  # lie_of_ring CODE EDIT
  edit "$2"; mode "file $work/lie.json" /rings/
  local before; before=$(has prod)
  refused "$1" prod store sync
  [ "$(has prod)" = "$before" ] || fail "$2 changed what is visible"
}
lie_of_ring replayed "del b[1]"
grep -q "replayed" <<< "$(prod audit tail)" || fail "the rollback is not in the node's log"
lie_of_ring not-found "b[1]['sequence'] = 3"
lie_of_ring expect-mismatch "b[1]['digests'] = b[0]['digests']"
lie_of_ring not-found "del b[0]; b[0]['channel'] = 'zother'"
lie_of_ring schema-violation "b[1]['channel'] = '../demo'"
lie_of_ring schema-violation "d['ring'] = 'plant'"
lie_of_ring too-new "d['min_reader'] = 2"
mode honest; [ "$(prod store sync)" = "nothing new" ] || fail "after the lies about the ring"
mode "rename demo zother" "/rings/|/publications/"
refused expect-mismatch prod store sync
[ "$(has prod)" = demo/2 ] || fail "a bundle under the name of another channel is visible"
mode honest
# Another ingest node, where another bundle with the same sequence landed: the builder's key signed both.
low() { "$low_exe" --quiet --state "$work/low-2" "$@"; }
first=$high_state high_state=$work/high-2
ship demo-2b
high init --zone ingest --organisation Acme > /dev/null
printf '[source.usb]\npath = "%s/medium"\nrequire_read_only = false\n' "$work" >> "$high_state/config.toml"
high trust pin ../medium/demo-1 --fingerprint "$(trust_of)" > /dev/null
land demo-2b
start ../serve-2 "$high_exe" --quiet --state "$high_state" serve --listen 127.0.0.1:0
sed -i "s|^peer = .*|peer = \"$(sed -n 's/^listening on //p' ../serve-2)\"|" "$prod_state/config.toml"
refused forked prod store sync
[ "$(has prod)" = demo/2 ] || fail "a fork changed what is visible"
grep -q "forked" <<< "$(prod audit tail)" || fail "the fork is not in the node's log"
high_state=$first
low() { "$low_exe" --quiet --state "$low_state" "$@"; }
step "an older bundle, a fork, another channel, another ring"

# --- rings
node "$work/plant" "$liar" plant
refused not-found prod store sync
refused usage high ring promote canary demo 2
refused not-found high ring promote plant demo 9
high ring promote plant demo 1 > /dev/null
grep -q "^plant *demo/1 *[1-9]" <<< "$(high ring list)" || fail "ring list: $(high ring list)"
members=$(high --json ring list | value '[one["artifacts"] for one in d["rings"] if one["ring"] == "plant"][0]')
[ "$members" = "$(curl -fsS "$plain/sync/publications/demo/1.json" | json '["artifacts"]')" ] || fail "what the bundle of a ring holds: $members"
grep -q "ring.promote" <<< "$(high audit tail)" || fail "the promotion is not in the log"
prod store sync > /dev/null && [ "$(has prod)" = demo/1 ] || fail "the ring has $(has prod)"
[ "$(prod store sync)" = "nothing new" ] || fail "a ring goes ahead by itself"
# What the ring runs is no old version, whatever its age; what it has left is.
kept="in use: demo/1, for the ring plant"
[ "$(high retire --keep 1 --dry-run)" = "$kept"$'\n'"nothing to retire" ] || fail "the dry run: $(high retire --keep 1 --dry-run)"
grep -qx "$kept" <<< "$(high retire --keep 1 --reason "old ones")" && [ "$(has high)" = "demo/1 demo/2" ] || fail "what the ring runs is retired: $(has high)"
high ring promote plant demo 2 > /dev/null
prod store sync > /dev/null && [ "$(has prod)" = "demo/1 demo/2" ] || fail "after the promotion: $(has prod)"
[ "$(high --json retire --keep 1 --dry-run | value '[one["publication"] for one in d["retired"]], d["kept_for_rings"]')" = "['demo/1'] []" ] || fail "what the ring has left stays: $(high retire --keep 1 --dry-run)"
step "the canary follows what lands, the others what a person promoted"

# --- retired at the peer, and what a scanner withheld
"$high_exe" --state "$high_state" retire demo/2 --reason "a bad one" > /dev/null 2> ../told
grep -q "demo/2 is what the ring plant runs" ../told || fail "retired by name, and no word of the ring: $(cat ../told)"
soon news && grep -q "out of use, as at the peer: demo/2" <<< "$out" || fail "the retirement"
[ "$(has prod)" = demo/1 ] || fail "after the retirement: $(has prod)"
grep -q "bundle.retire" <<< "$(prod audit tail)" || fail "the retirement is not in the node's log"
high ingest usb/demo-2 --expect "$(digest demo-2)" --restore-retired --reason "it was good" > /dev/null
soon shows 2 || fail "the mirror does not have what was restored"
[ "$(prod store sync)" = "nothing new" ] || fail "what was retired comes back by itself"
prod store sync --restore-retired --reason "it was good" > /dev/null && [ "$(has prod)" = "demo/1 demo/2" ] || fail "restored: $(has prod)"
printf 'follow_retired = false\n' >> "$prod_state/config.toml"
cp -a "$prod_state/audit" ../old-audit
head -c 50000 /dev/urandom > small.bin
ship demo-3
low withhold ../medium/demo-3 files/small.bin --reason Test.Signature --key ../scanner.pem > /dev/null
land demo-3
high ring promote plant demo 3 > /dev/null
soon news && grep -q "withheld: files/small.bin" <<< "$out" || fail "what is withheld"
[ "$(prod --json status | json '["channels"][0]["withheld"]')" != "[]" ] || fail "status does not say that something is withheld"
rm -r ../medium/demo-3/withheld
land demo-3
is_whole() { curl -fsS "$plain/bundles/demo/3/files/small.bin" | cmp - small.bin; }
soon is_whole || fail "the ingest node has not the whole"
follows() {
  rm -rf ../out3
  prod store sync && prod export "file:small@$(sha256sum < small.bin | cut -c1-12)" --to ../out3 && cmp small.bin "$(find ../out3 -name small.bin)"
}
soon follows || fail "the rest did not follow"
rm -rf "$prod_state/audit" && cp -a ../old-audit "$prod_state/audit"
# Exit status 3 while there is an alarm: what it says is looked at.
{ prod status || true; } > ../told
grep -q "^unlogged: .*liftlock store sync" ../told && grep -q "^  demo/3 is not in the audit log$" ../told || fail "an old copy of the node's log: $(cat ../told)"
grep -q "^took demo/3" <<< "$(prod store sync)" || fail "what the log lacks is not taken again"
{ prod status || true; } > ../told
if grep -q "unlogged" ../told; then fail "taken again, and still unlogged: $(cat ../told)"; fi
sound prod; sound high
step "what is retired goes out of use, what is withheld stays withheld, and the rest follows later"

# --- a loop, without a terminal
"$high_exe" --state "$prod_state" store sync --every 1s > ../loop 2> ../loop.err & loop=$!; pids+=("$loop")
head -c 40000 /dev/urandom > small.bin
ship demo-4
land demo-4
high ring promote plant demo 4 > /dev/null
took_4() { [[ "$(has prod)" == *demo/4* ]]; }
soon took_4 || fail "the loop takes nothing: $(cat ../loop ../loop.err)"
mode "cut 10"; met() { grep -q "the next look is in 1s" ../loop.err; }
soon met || fail "the loop does not tell that the peer is away: $(cat ../loop ../loop.err)"
kill -0 "$loop" || fail "the loop ended when the peer was away"
mode honest
kill "$loop"; wait "$loop" 2> /dev/null || true
grep -q "^took demo/4" ../loop || fail "the loop: $(cat ../loop ../loop.err)"
! grep -q $'\r' ../loop.err || fail "progress for a terminal, and there is none"
step "a loop goes on, whatever the peer does"

# --- of two contents under one name, one is taken out of use at the peer
node "$work/recall" "$plain" canary
printf '[model.tiny]\nsource = "tiny.gguf"\nversion = "1"\n' >> liftlock.toml
contents=()
for n in 5 6; do
  python3 "$root/tests/tools/make_model.py" gguf tiny.gguf --seed "$n"
  contents+=("model:tiny@1@sha256:$(sha256sum < tiny.gguf | cut -c1-16)")
  ship "demo-$n"
  land "demo-$n"
  soon shows "$n" || fail "the mirror does not have demo/$n"
  prod store sync > /dev/null || fail "the sync of demo/$n"
done
[ "$(has prod)" = "demo/5 demo/6" ] || fail "the node has $(has prod)"
prod show "${contents[0]}" > /dev/null || fail "the older content"
high model rm "${contents[0]}" > /dev/null
soon news && grep -q "out of use, as at the peer: model:tiny@1" <<< "$out" || fail "the recall: $(prod store sync)"
refused not-found prod show "${contents[0]}"
prod show "${contents[1]}" > /dev/null || fail "the newer content went, too"
grep -q "artifact.withdraw" <<< "$(prod audit tail)" || fail "the recall is not in the node's log"
[ "$(prod store sync)" = "nothing new" ] || fail "after the recall"
sound prod
step "a content that the peer took out of use goes, and another one under its name stays"
