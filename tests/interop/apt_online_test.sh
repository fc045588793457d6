#!/bin/bash
# Is what we lock enough for the real apt, and the same that it would choose? Needs the machine's own mirror (label: online).
# The real apt resolves against the mirror with only the Essential set installed; then again against a repository made of
# nothing but our packages. Usage: apt_online_test.sh LIFTLOCK_LOW      Exit status 77: no mirror (skipped).
set -euo pipefail
liftlock=$(realpath "$1")
packages=(jq tree curl)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
skip() { echo "skipped: $*"; exit 77; }
command -v apt-get >/dev/null || skip "no apt here"
for sources in /etc/apt/sources.list.d/{debian,ubuntu}.sources /etc/apt/sources.list; do [ -e "$sources" ] && break; done
[ -e "$sources" ] || skip "no sources are configured"

# apt with a root of its own: $1 names it, its sources are in parts/.
apt_in() {
  local root=$work/$1 program=$2
  shift 2
  mkdir -p "$root"/{parts,var/lib/apt/lists/partial,var/cache/apt/archives/partial,var/lib/dpkg,etc/apt/apt.conf.d,etc/apt/preferences.d}
  [ -e "$root/status" ] || : >"$root/status"
  : >"$root/apt.conf"
  # A mirror may lag behind the Valid-Until of its Release; what is compared here is the choice of packages.
  APT_CONFIG=$root/apt.conf LC_ALL=C "$program" -q -o Dir="$root" -o Dir::State::status="$root/status" -o Dir::Etc::sourcelist=/dev/null \
    -o Dir::Etc::sourceparts="$root/parts" -o Dir::Etc::trustedparts=/etc/apt/trusted.gpg.d -o APT::Sandbox::User= -o Debug::NoLocking=1 \
    -o Acquire::Languages=none -o Acquire::Check-Valid-Until=false -o APT::Install-Recommends=false "$@"
}
chosen() { sed -n 's/^Inst \([^ ]*\) .*(\([^ )]*\).*/\1 \2/p' | sort; }

mkdir -p "$work/real/parts" "$work/ours/parts"
cp "$sources" "$work/real/parts/"
apt_in real apt-get update >"$work/update.log" 2>&1 || { cat "$work/update.log"; skip "the mirror cannot be reached"; }
essential=$(apt_in real apt-cache dumpavail | awk '/^Package: /{p=$2} /^Essential: yes/{print p}' | sort -u)
apt_in real apt-get -s install $essential | chosen >"$work/essential"
apt_in real apt-cache show $(tr ' ' '=' <"$work/essential") | sed 's/^Package: .*/&\nStatus: install ok installed/' >"$work/status"
cp "$work/status" "$work/real/status"
cp "$work/status" "$work/ours/status"
apt_in real apt-get -s install "${packages[@]}" | chosen >"$work/expected"

mkdir "$work/stack"
cat >"$work/stack/liftlock.toml" <<TOML
[stack]
name = "interop"
platform = "linux/$(dpkg --print-architecture)"

[apt.tools]
packages = [$(printf '"%s", ' "${packages[@]}")]
sources_file = "$sources"
base = "essential"
accept_expired = "600d"
TOML
export LIFTLOCK_STATE=$work/state
"$liftlock" init --zone low --organisation Interop >/dev/null
cd "$work/stack"
"$liftlock" lock
"$liftlock" fetch
# The evidence stays: gc takes nothing of it, and gpgv and coreutils lead from the keyring to each .deb.
"$liftlock" gc --abandoned-after 0s >/dev/null
python3 - liftlock.lock <<'PY' >"$work/proofs"
import json
for entry in json.load(open("liftlock.lock"))["entries"]:
    for artifact in entry["artifacts"]:
        if artifact["kind"] == "apt-index":
            print("{kind}:{name}@{version}".format(**artifact))
PY
[ -s "$work/proofs" ]
while read -r id; do "$liftlock" export "$id" --to "$work/evidence" --tree >/dev/null; done <"$work/proofs"
keyring=$(sed -n 's/^Signed-By: *//p' "$sources" | head -1)
for release in "$work"/evidence/evidence/apt/*/InRelease; do
  gpgv --keyring "${keyring:-/usr/share/keyrings/debian-archive-keyring.gpg}" "$release" 2>/dev/null
  find "$(dirname "$release")" -name 'Packages*' | while read -r index; do
    grep -q "$(sha256sum <"$index" | cut -d' ' -f1)" "$release"
    case $index in *.xz) xzcat "$index" ;; *.gz) zcat "$index" ;; *) cat "$index" ;; esac
  done
done >"$work/proven"
python3 - "$LIFTLOCK_STATE/store" liftlock.lock "$work/ours/pool" >"$work/locked" <<'PY'
import json, os, pathlib, shutil, sys
store, lock, pool = map(pathlib.Path, sys.argv[1:])
pool.mkdir()
def artifacts(value):
    if isinstance(value, dict):
        if value.get("kind") == "deb":
            yield value
        else:
            for inner in value.values():
                yield from artifacts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from artifacts(inner)
for artifact in sorted(artifacts(json.loads(lock.read_text())), key=lambda one: one["name"]):
    digest = artifact["files"][0]["digests"]["sha256"]
    shutil.copy(store / "blobs/sha256" / digest[:2] / digest, pool / os.path.basename(artifact["files"][0]["path"]))
    print(artifact["name"], artifact["version"])
PY
sort -o "$work/locked" "$work/locked"

(cd "$work/ours" && apt-ftparchive packages pool >Packages)
echo "deb [trusted=yes] copy:$work/ours ./" >"$work/ours/parts/ours.list"
apt_in ours apt-get update >"$work/update.log" 2>&1 || { cat "$work/update.log"; exit 1; }
apt_in ours apt-get -y install --download-only "${packages[@]}" >"$work/install.log" 2>&1 || { cat "$work/install.log"; exit 1; }
for deb in "$work"/ours/pool/*.deb; do grep -q "^SHA256: $(sha256sum <"$deb" | cut -d' ' -f1)" "$work/proven"; done
diff -u "$work/expected" "$work/locked"
echo "ok: $(wc -l <"$work/locked") packages, exactly those that apt chooses"
