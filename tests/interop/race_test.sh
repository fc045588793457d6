#!/usr/bin/env bash
# Two ingests, gc and scrub at once, for some rounds: each ends well or says that another one is busy, what landed is whole, and
# at the end scrub and `audit verify` have nothing to say.   race_test.sh LIFTLOCK_LOW LIFTLOCK_HIGH [ROUNDS]
rounds=${3:-6}
source "$(dirname "$0")/crossing_machines.sh" || exit 1
mkdir "$work/stack" "$work/medium" "$work/out"
cd "$work/stack"
low init > /dev/null
for role in root builder; do low trust keygen --role "$role" --out "../$role.pem" > /dev/null; done
low trust init --organisation Acme --root-key ../root.pem --add builder:../builder.pem.pub > /dev/null
head -c 4000000 /dev/urandom > shared.bin
# ship CHANNEL N: a bundle with what both channels share, and what changes each round.
ship() {
  head -c 2000000 /dev/urandom > "$1.bin"
  printf '[stack]\nname = "%s"\n[file.shared]\nsource = "shared.bin"\n[file.%s]\nsource = "%s.bin"\n' "$1" "$1" "$1" > liftlock.toml
  rm -f liftlock.lock
  low lock > /dev/null && low fetch > /dev/null && low pack --output "../medium/$1-$2" > /dev/null
  low sign "../medium/$1-$2" --role builder --key ../builder.pem > /dev/null
  cp "$1.bin" "../out/$1-$2.bin"
}
digest() { sha256sum < "../medium/$1/manifest/bundle.json" | cut -d' ' -f1; }
# at_once NAME COMMAND…: again and again until it ends well; anything but `busy` in between is a failure.
at_once() {
  local name=$1 out; shift
  for _ in $(seq 2000); do
    if out=$("$@" 2>&1); then echo "$name ok"; return; fi
    grep -q 'error\[busy\]' <<< "$out" || { echo "$name FAILED: $out"; return; }
    echo "$name busy"
    sleep 0.05
  done
  echo "$name FAILED: busy for ever"
}
for ((n = 1; n <= rounds; n++)); do
  ship a "$n"; ship b "$n"
  if [ "$n" = 1 ]; then
    high init --zone ingest --organisation Acme > /dev/null
    sed -i 's/^reserve = .*/reserve = "1MiB"/' "$high_state/config.toml"
    printf '[source.usb]\npath = "%s/medium"\nrequire_read_only = false\n' "$work" >> "$high_state/config.toml"
    high trust pin ../medium/a-1 --fingerprint "$(low --json trust show | json '["fingerprint"]')" > /dev/null
  else
    high retire --keep 1 --reason "garbage for gc" > /dev/null
  fi
  : > ../round
  jobs=()
  at_once ingest-a high ingest "usb/a-$n" --expect "$(digest "a-$n")" >> ../round & jobs+=($!)
  at_once ingest-b high ingest "usb/b-$n" --expect "$(digest "b-$n")" >> ../round & jobs+=($!)
  at_once gc high gc --abandoned-after 1s >> ../round & jobs+=($!)
  at_once scrub high scrub >> ../round & jobs+=($!)
  at_once gc-again high gc >> ../round & jobs+=($!)
  wait "${jobs[@]}"
  ! grep FAILED ../round || fail "round $n"
  [ "$(grep -c ' ok$' ../round)" = 5 ] || fail "round $n: $(cat ../round)"
  for channel in a b; do
    rm -rf ../exported
    high export "file:$channel@$(sha256sum < "../out/$channel-$n.bin" | cut -c1-12)" --to ../exported > /dev/null
    cmp "../out/$channel-$n.bin" "$(find ../exported -name "$channel.bin")" || fail "round $n: $channel is not what was packed"
  done
  cat ../round >> ../rounds
done
high scrub > /dev/null || fail "scrub"
high audit verify > /dev/null || fail "audit verify"
[ -z "$(find "$high_state/store/staging" -mindepth 1 ! -name '*.lock')" ] || fail "something stays in staging"
high gc > /dev/null
[ "$(find "$high_state/store/blobs" -type f | wc -l)" -lt 60 ] || fail "gc left what was retired"
echo "ok: $rounds rounds, $(grep -c ' busy$' ../rounds || true) times busy, all whole"
