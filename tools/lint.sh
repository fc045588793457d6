#!/bin/sh
# Formatting, room boundaries, and words that must not stand in the repository. clang-tidy is tools/tidy.sh.
set -eu
build=${1:?usage: lint.sh BUILD_FOLDER}
status=0

files=$(git ls-files '*.cpp' '*.hpp')
# shellcheck disable=SC2086
if ! clang-format-16 --dry-run --Werror $files 2> "$build/format.log"; then
  head -n 20 "$build/format.log"; echo "run make format"; status=1
fi

python3 tools/check_rooms.py . "$build/rooms.json" || status=1

# Upstreams come from the clients' own configuration, and unfinished work does not land.
if git grep -nIE 'pypi\.org|pythonhosted\.org|deb\.debian\.org|registry\.npmjs|crates\.io|proxy\.golang|repo1?\.maven' -- . ':!tools/lint.sh' ':!LICENSE'; then
  echo "a package registry's host name stands in the repository"; status=1
fi
if git grep -nIwE 'TODO|FIXME|XXX|HACK' -- . ':!tools/lint.sh'; then
  echo "unfinished work stands in the repository"; status=1
fi

race() { sed -n '/^| | Liftlock | tar, zstd/,/^$/p' "$1"; }
if [ -z "$(race README.md)" ] || [ "$(race README.md)" != "$(race bench/README.md)" ]; then
  echo "the table of the race in README.md is not that of bench/README.md: copy it"; status=1
fi

[ $status -eq 0 ] && echo "lint is clean"
exit $status
