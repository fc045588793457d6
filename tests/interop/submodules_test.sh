#!/usr/bin/env bash
# `check` names the repositories that others have as submodules, with lines that make it content once they are in the stack; what
# Git LFS stands for is a note, for no line of the stack brings it.
#   submodules_test.sh LIFTLOCK_LOW
source "$(dirname "$0")/crossing_machines.sh" || exit 1
export GIT_CONFIG_GLOBAL=$work/gitconfig GIT_CONFIG_NOSYSTEM=1
git config --global user.name test && git config --global user.email test@test.example
git config --global init.defaultBranch main && git config --global protocol.file.allow always

for name in sub other up; do
  git init -q "$work/$name" && echo "$name" > "$work/$name/file" && git -C "$work/$name" add file && git -C "$work/$name" commit -q -m "$name"
done
git -C "$work/up" submodule --quiet add "$work/sub" x/lib 2> /dev/null
git -C "$work/up" submodule --quiet add ../other y/lib 2> /dev/null || git -C "$work/up" submodule --quiet add "$work/other" y/lib
git -C "$work/up" config -f .gitmodules submodule.y/lib.url ../other
printf 'version https://git-lfs.github.com/spec/v1\noid sha256:%064d\nsize 12345\n' 1 > "$work/up/weights.bin"
git -C "$work/up" add -A && git -C "$work/up" commit -q -m submodules

mkdir "$work/stack" && cd "$work/stack"
low init --zone low > /dev/null
printf '[stack]\nname = "sources"\n[git.tool]\nurl = "%s"\n' "$work/up" > liftlock.toml
low lock > /dev/null && low fetch > /dev/null
refused stack-incomplete low check
found=$(low --json check || true)
[ "$(json '["entries"][0]["missing"].__len__()' <<< "$found")" = 2 ] || fail "not the two submodules: $found"
grep -q "of Git LFS" <<< "$(json '["entries"][0]["notes"]' <<< "$found")" || fail "no note of Git LFS: $found"
# The lines that it says, as it says them.
for i in 0 1; do { echo; json "[\"entries\"][0][\"missing\"][$i][\"add\"]" <<< "$found"; } >> liftlock.toml; done
low lock > /dev/null && low fetch > /dev/null
low check > "$work/checked" || fail "still missing: $(cat "$work/checked")"
grep -q '✓ \[git.tool\]' "$work/checked" || fail "$(cat "$work/checked")"
echo "submodules are named with lines that bring them"
