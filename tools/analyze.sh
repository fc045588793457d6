#!/bin/sh
# cppcheck over src/, without tests and fuzzers: one core, a few minutes. What it is wrong about stands, with the reason, in
# tools/cppcheck-suppressions.txt.
set -eu
list=$(mktemp)
trap 'rm -f "$list"' EXIT
git ls-files 'src/*.cpp' | grep -v -e _test.cpp -e _fuzz.cpp > "$list"
cppcheck --std=c++20 --language=c++ -I src --file-list="$list" --enable=warning,performance,portability \
  --suppressions-list=tools/cppcheck-suppressions.txt --suppress=missingInclude --suppress=unmatchedSuppression --suppress=toomanyconfigs \
  --max-configs=1 --quiet --error-exitcode=1 --template='{file}:{line}: {id}: {message}' -j "${JOBS:-1}"
echo "cppcheck is content"
