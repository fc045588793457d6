#!/bin/sh
# tools/tidy.sh is content only where clang-tidy was there, ran to its end and found nothing.   tidy_test.sh TOOLS_FOLDER
set -eu
tidy=$(realpath "$1")/tidy.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
git init -q . && mkdir src bin && : > src/a.cpp && git add src/a.cpp
for program in git grep nproc sort tail tr xargs; do ln -s "$(command -v $program)" bin/; done
shell=$(command -v sh)
# says STATUS WORDS: how tidy.sh ends, and a part of what it says.
says() {
  got=0
  out=$(PATH=$work/bin "$shell" "$tidy" . 2>&1) || got=$?
  [ "$got" = "$1" ] || { echo "FAILED: ended with $got instead of $1: $out"; exit 1; }
  case "$out" in *"$2"*) ;; *) echo "FAILED: '$2' is not said: $out"; exit 1 ;; esac
}
# tidy_that SHELL…: clang-tidy does this.
tidy_that() { printf '#!%s\n%s\n' "$shell" "$1" > bin/clang-tidy-16; chmod 755 bin/clang-tidy-16; }
says 1 "is not installed"
tidy_that 'echo "2 warnings generated." >&2'
says 0 "is content"
tidy_that 'echo "src/a.cpp:1:1: warning: odd [bugprone-odd]"'
says 1 "[bugprone-odd]"
tidy_that 'echo "no compilation database" >&2; exit 1'
says 1 "no compilation database"
tidy_that 'kill -SEGV $$'
says 1 "did not get through"
TIDY_BASE=nosuch says 128 "nosuch"
echo "clang-tidy is believed only when it ran to its end"
