#!/bin/bash
# Locks and builds llama.cpp from the machine's own Debian mirror (suite forky), unpacks it with tar and runs it without network
# in a root of its own (label: online). Usage: engine_online_test.sh LIFTLOCK_LOW      Exit status 77: skipped.
set -euo pipefail
liftlock=$(realpath "$1")
work=$(mktemp -d)
# shellcheck source=waiting.sh
source "$(dirname "$0")/waiting.sh"
trap 'tidy' EXIT
skip() { echo "skipped: $*"; exit 77; }
command -v bwrap >/dev/null || skip "bubblewrap is not installed"
[ "$(dpkg --print-architecture)" = amd64 ] || skip "written for amd64"

mkdir "$work/stack"
cat >"$work/stack/liftlock.toml" <<'TOML'
[stack]
name = "interop"
platform = "linux/amd64"

[engine.llama]
name = "llama.cpp"
packages = ["llama.cpp-tools"]
suites = ["forky"]
executables = ["llama-server"]
accept_expired = "600d"
TOML
export LIFTLOCK_STATE=$work/state
"$liftlock" init --zone low --organisation Interop >/dev/null
cd "$work/stack"
"$liftlock" lock || skip "the suite cannot be had"
"$liftlock" fetch
python3 - liftlock.lock >"$work/engine" <<'PY'
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
digest=$(cat "$work/engine")
blob=$LIFTLOCK_STATE/store/blobs/sha256/${digest:0:2}/$digest
echo "$digest  $blob" | sha256sum -c --quiet

# The same packages must give the same bytes: throw the package away and have it made again.
rm -f "$blob"
"$liftlock" fetch
echo "$digest  $blob" | sha256sum -c --quiet

mkdir "$work/root"
tar -xf "$blob" -C "$work/root"
library_path=$(python3 -c 'import json,sys; print(":".join("/" + p for p in json.load(open(sys.argv[1]))["library_path"]))' "$work/root/engine.json")
bwrap --unshare-all --unshare-user --disable-userns --cap-drop ALL --clearenv --new-session --die-with-parent \
  --ro-bind "$work/root/usr" /usr --symlink usr/bin /bin --symlink usr/lib /lib --symlink usr/lib64 /lib64 --proc /proc --dev /dev \
  --size 16777216 --tmpfs /tmp --remount-ro / --setenv LD_LIBRARY_PATH "$library_path" --chdir /tmp \
  /usr/bin/llama-server --version
echo "ok: $(stat -c %s "$blob") bytes"
