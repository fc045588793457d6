#!/bin/bash
# Locks and builds llama.cpp from the machine's own Debian mirror (suite forky), unpacks it with tar and runs it without network
# in a root of its own; the same with its BLAS backend, which is loaded; with its Vulkan backend it is locked, for no engine gets a GPU
# (label: online). Usage: engine_online_test.sh LIFTLOCK_LOW      Exit status 77: skipped.
set -euo pipefail
liftlock=$(realpath "$1")
work=$(mktemp -d)
# shellcheck source=waiting.sh
source "$(dirname "$0")/waiting.sh"
trap 'tidy' EXIT
skip() { echo "skipped: $*"; exit 77; }
command -v bwrap >/dev/null || skip "bubblewrap is not installed"
[ "$(dpkg --print-architecture)" = amd64 ] || skip "written for amd64"

# stack VARIANT PACKAGE…: a folder with a stack of that one engine; goes there.
stack() {
  local variant=$1; shift
  mkdir "$work/$variant" && cd "$work/$variant"
  cat >liftlock.toml <<TOML
[stack]
name = "interop-$variant"
platform = "linux/amd64"

[engine.llama]
name = "llama.cpp"
variant = "$variant"
packages = [$(printf '"%s", ' "$@")]
suites = ["forky"]
executables = ["llama-server"]
accept_expired = "600d"
TOML
}
# engine_in LOCK: the digest of its engine.
engine_in() {
  python3 - "$1" <<'PY'
import json, sys
def find(value):
    if isinstance(value, dict):
        if value.get("kind") == "engine":
            return value["files"][0]["digests"]["sha256"]
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            if found := find(inner):
                return found
print(find(json.load(open(sys.argv[1]))))
PY
}
blob_of() { echo "$LIFTLOCK_STATE/store/blobs/sha256/${1:0:2}/$1"; }
# run_engine BLOB OPTION: unpacked with tar, in a root of its own, without a network
run_engine() {
  local root library_path
  root=$(mktemp -d -p "$work")
  tar -xf "$1" -C "$root"
  library_path=$(python3 -c 'import json,sys; print(":".join("/" + p for p in json.load(open(sys.argv[1]))["library_path"]))' "$root/engine.json")
  bwrap --unshare-all --unshare-user --disable-userns --cap-drop ALL --clearenv --new-session --die-with-parent \
    --ro-bind "$root/usr" /usr --symlink usr/bin /bin --symlink usr/lib /lib --symlink usr/lib64 /lib64 --proc /proc --dev /dev \
    --size 16777216 --tmpfs /tmp --remount-ro / --setenv LD_LIBRARY_PATH "$library_path" --chdir /tmp \
    /usr/bin/llama-server "$2"
}

stack cpu llama.cpp-tools
export LIFTLOCK_STATE=$work/state
"$liftlock" init --zone low --organisation Interop >/dev/null
"$liftlock" lock || skip "the suite cannot be had"
"$liftlock" fetch
digest=$(engine_in liftlock.lock)
blob=$(blob_of "$digest")
echo "$digest  $blob" | sha256sum -c --quiet

# The same packages must give the same bytes: throw the package away and have it made again.
rm -f "$blob"
"$liftlock" fetch
echo "$digest  $blob" | sha256sum -c --quiet

run_engine "$blob" --version
echo "ok: $(stat -c %s "$blob") bytes"

# A backend in a package of its own is loaded from the engine's own files, and so is the library that it needs.
stack blas llama.cpp-tools libggml0-backend-blas
"$liftlock" lock && "$liftlock" fetch
devices=$(run_engine "$(blob_of "$(engine_in liftlock.lock)")" --list-devices 2>&1)
grep -q 'BLAS: ' <<<"$devices" || { echo "FAILED: the BLAS backend is not loaded: $devices"; exit 1; }
if grep -q 'BLAS: ' <<<"$(run_engine "$blob" --list-devices 2>&1)"; then echo "FAILED: BLAS without its backend"; exit 1; fi
echo "ok: the BLAS backend"

stack vulkan llama.cpp-tools libggml0-backend-vulkan
"$liftlock" lock
tar -tf "$(blob_of "$(engine_in liftlock.lock)")" | grep 'libggml-vulkan\.so$' || { echo "FAILED: the Vulkan backend is not in it"; exit 1; }
