#!/bin/sh
# clang-tidy over src/, or over what changed against TIDY_BASE. Takes about five seconds of a core for each file.
set -eu
build=${1:?usage: tidy.sh BUILD_FOLDER}
sources=$(git ls-files 'src/*.cpp' | grep -v -e _fuzz.cpp -e _test.cpp)
if [ -n "${TIDY_BASE:-}" ]; then
  sources=$(git diff --name-only --diff-filter=d "$TIDY_BASE" -- 'src/*.cpp' | grep -v -e _fuzz.cpp -e _test.cpp || true)
fi
# shellcheck disable=SC2086
echo $sources | tr ' ' '\n' | xargs -r -P "$(nproc)" -n 4 clang-tidy-16 --quiet -p "$build" 2> /dev/null > "$build/tidy.log" || true
if grep -E 'warning:|error:' "$build/tidy.log" | sort -u | grep .; then
  echo "clang-tidy found the above"; exit 1
fi
echo "clang-tidy is content"
