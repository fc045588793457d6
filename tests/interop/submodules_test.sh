#!/usr/bin/env bash
# `check` names the repositories that others have as submodules, or that a Cargo.lock takes crates from, with lines that make it
# content once they are in the stack. A file of Git LFS that a checkout needs and the upstream lacks is missing, too; left out by the
# stack it is a note.
#   submodules_test.sh LIFTLOCK_LOW
source "$(dirname "$0")/crossing_machines.sh" || exit 1
export GIT_CONFIG_GLOBAL=$work/gitconfig GIT_CONFIG_NOSYSTEM=1
git config --global user.name test && git config --global user.email test@test.example
git config --global init.defaultBranch main && git config --global protocol.file.allow always

for name in sub other crates up; do
  git init -q "$work/$name" && echo "$name" > "$work/$name/file" && git -C "$work/$name" add file && git -C "$work/$name" commit -q -m "$name"
done
git -C "$work/up" submodule --quiet add "$work/sub" x/lib 2> /dev/null
git -C "$work/up" submodule --quiet add ../other y/lib 2> /dev/null || git -C "$work/up" submodule --quiet add "$work/other" y/lib
git -C "$work/up" config -f .gitmodules submodule.y/lib.url ../other
printf 'version https://git-lfs.github.com/spec/v1\noid sha256:%064d\nsize 12345\n' 1 > "$work/up/weights.bin"
git -C "$work/up" add -A && git -C "$work/up" commit -q -m submodules

mkdir "$work/stack" && cd "$work/stack"
low init --zone low > /dev/null
# A crate of a registry beside the one from git.
port=$(free_port)
python3 "$root/tests/tools/make_crates.py" "$work/registry" "http://127.0.0.1:$port"
python3 -m http.server "$port" --bind 127.0.0.1 --directory "$work/registry" > "$work/registry.log" 2>&1 &
pids+=("$!")
soon curl -fs "http://127.0.0.1:$port/index/config.json" || fail "the registry did not start: $(cat "$work/registry.log")"
plainlib=$(grep -m1 -A3 'name = "plainlib"' "$work/registry/Cargo.lock")
mkdir app && printf 'version = 4\n[[package]]\n%s\n[[package]]\nname = "thing"\nversion = "1.0.0"\nsource = "git+file://%s?branch=main#%s"\n' \
  "$plainlib" "$work/crates" "$(git -C "$work/crates" rev-parse HEAD)" > app/Cargo.lock
printf '[stack]\nname = "sources"\n[git.tool]\nurl = "%s"\n[cargo.app]\nlock = "app/Cargo.lock"\nindex = "http://127.0.0.1:%s/index/"\n' \
  "$work/up" "$port" > liftlock.toml
low lock > /dev/null
low fetch > /dev/null
grep -q "thing 1.0.0 from git at" liftlock.lock || fail "the lock has no note of the crate from git"
refused stack-incomplete low check
found=$(low --json check || true)
python3 - "$found" << 'PY' || fail "weights.bin of Git LFS is not missing: $found"
import json, sys
missing = {entry["entry"]: entry for entry in json.loads(sys.argv[1])["entries"]}["[git.tool]"]["missing"]
assert any("weights.bin in Git LFS, 12.1 KiB" in one["what"] for one in missing)
PY
sed -i 's|^\[git.tool\]|&\nlfs = false|' liftlock.toml
low lock > /dev/null
low fetch > /dev/null
refused stack-incomplete low check
found=$(low --json check || true)
python3 - "$found" >> liftlock.toml << 'PY' || fail "not two submodules and a crate from git: $found"
import json, sys
entries = {entry["entry"]: entry for entry in json.loads(sys.argv[1])["entries"]}
assert len(entries["[git.tool]"]["missing"]) == 2 and len(entries["[cargo.app]"]["missing"]) == 1
assert any("of Git LFS" in note for note in entries["[git.tool]"]["notes"])
# The lines that it says, as it says them.
for entry in entries.values():
    for missing in entry["missing"]:
        print("\n" + missing["add"])
PY
low lock > /dev/null
low fetch > /dev/null
low check > "$work/checked" || fail "still missing: $(cat "$work/checked")"
grep -q '✓ \[git.tool\]' "$work/checked" || fail "$(cat "$work/checked")"
grep -q '✓ \[cargo.app\]' "$work/checked" || fail "$(cat "$work/checked")"
echo "submodules and crates from git are named with lines that bring them"
