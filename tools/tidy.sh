#!/bin/sh
# clang-tidy over src/, or over what changed against TIDY_BASE. Takes about five seconds of a core for each file.
set -eu
build=${1:?usage: tidy.sh BUILD_FOLDER}
command -v clang-tidy-16 > /dev/null || { echo "clang-tidy-16 is not installed: run make deps" >&2; exit 1; }
if [ -n "${TIDY_BASE:-}" ]; then
  sources=$(git diff --name-only --diff-filter=d "$TIDY_BASE" -- 'src/*.cpp')
else
  sources=$(git ls-files 'src/*.cpp')
fi
sources=$(echo "$sources" | grep -v -e _fuzz.cpp -e _test.cpp || true)  # none may be left
status=0
# shellcheck disable=SC2086
echo $sources | tr ' ' '\n' | xargs -r -P "$(nproc)" -n 4 clang-tidy-16 --quiet -p "$build" > "$build/tidy.log" 2> "$build/tidy.err" || status=$?
if grep -E 'warning:|error:' "$build/tidy.log" | sort -u | grep .; then
  echo "clang-tidy found the above"; exit 1
fi
if [ $status -ne 0 ]; then
  tail -n 20 "$build/tidy.err" >&2
  echo "clang-tidy did not get through all files (xargs: $status); $build/tidy.err says why" >&2; exit 1
fi
echo "clang-tidy is content"
