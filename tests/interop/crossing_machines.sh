# What the tests of this folder share; sourced by them with their own arguments: LIFTLOCK_LOW [LIFTLOCK_HIGH]
set -euo pipefail
low_exe=$(realpath "$1") high_exe=$(realpath "${2:-$1}")
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=$(mktemp -d)
chmod 755 "$work"  # for what runs as nobody
low_state=$work/low high_state=$work/high
# shellcheck source=waiting.sh
source "$root/tests/interop/waiting.sh"
pids=()  # processes to end at the end
cleanup() {
  # Whatever a test left behind or never made, its exit status stays its own.
  for pid in "${pids[@]}"; do kill "$pid" 2> /dev/null || true; done
  for pid in "${pids[@]}"; do
    for _ in $(seq 100); do kill -0 "$pid" 2> /dev/null || continue 2; sleep 0.1; done
    kill -KILL "$pid" 2> /dev/null || true  # it may have ended just now
  done
  for home in "$work/gnupg" "$high_state/keys/mirror-gnupg" "$high_state/keys/mirror-gnupg-rsa"; do
    [ ! -d "$home" ] || gpgconf --homedir "$home" --kill all 2> /dev/null || true
  done
  tidy
}
trap cleanup EXIT

low() { "$low_exe" --quiet --state "$low_state" "$@"; }
high() { "$high_exe" --quiet --state "$high_state" "$@"; }
step() { echo "ok: $*"; }
fail() { echo "FAILED: $*" >&2; exit 1; }
# Exit status 77: something that the test needs is not here.
skip() { echo "skipped: $*"; exit 77; }
wait_for() { soon curl -sk -o /dev/null "$1" || fail "nobody answers at $1"; }  # wait_for URL
# at +400d COMMAND…: with the wall clock moved; the steady clock is left alone. $faketime is empty where libfaketime is not installed.
faketime=$(find /usr/lib -name libfaketimeMT.so.1 -print -quit 2> /dev/null)
at() ( export LD_PRELOAD=$faketime DONT_FAKE_MONOTONIC=1 FAKETIME=$1; shift; "$@" )
# refused CODE COMMAND…: the command fails with exactly this code.
refused() {
  local code=$1 out; shift
  if out=$("$@" 2>&1); then fail "$* was accepted"; fi
  grep -q "error\[$code\]" <<< "$out" || fail "$*: expected $code, got: $out"
  echo "refused as it must be: $code"
}
# json '["a"][0]': this member of the JSON on standard input.
# damage FILE OFFSET: one byte of it becomes another one, whatever it was.
damage() {
  local byte
  byte=$(od -An -tu1 -j"$2" -N1 "$1")
  printf "\\$(printf %o $((byte ^ 1)))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}
json() { python3 -c "import json,sys; print(json.load(sys.stdin)$1)"; }
# value 'len(d["files"])': this expression, with d the JSON on standard input.
value() { python3 -c "import json,sys; d = json.load(sys.stdin); print($1)"; }
# shellcheck source=tested.sh
source "$root/tests/interop/tested.sh"
