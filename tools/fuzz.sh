#!/bin/sh
# Runs every fuzz target for a while, two at a time: fuzz.sh BUILD_FOLDER SECONDS. New finds stay in BUILD_FOLDER/corpus;
# a crash ends with its input under BUILD_FOLDER/crashes and status 1.
set -eu
build=${1:?usage: fuzz.sh BUILD_FOLDER SECONDS}
seconds=${2:?usage: fuzz.sh BUILD_FOLDER SECONDS}
source=$(pwd)
mkdir -p "$build/crashes"
run_one() {
  target=$1
  binary=$(find "$build/src" -type f -name "$target" -perm -u+x | head -n 1)
  mkdir -p "$build/corpus/$target"
  seeds=""; [ ! -d "$source/fuzz/$target" ] || seeds="$source/fuzz/$target"
  # shellcheck disable=SC2086
  if "$binary" -max_total_time="$seconds" -rss_limit_mb=2560 -timeout=25 -max_len=65536 -print_final_stats=1 \
      -artifact_prefix="$build/crashes/$target-" "$build/corpus/$target" $seeds > "$build/corpus/$target.log" 2>&1; then
    printf '%-24s clean, %s runs\n' "$target" "$(sed -n 's/stat::number_of_executed_units: *//p' "$build/corpus/$target.log")"
  else
    printf '%-24s FAILED, see %s\n' "$target" "$build/corpus/$target.log"
    return 1
  fi
}
failed=0
count=0
pids=""
while read -r target; do
  [ -n "$target" ] || continue
  run_one "$target" &
  pids="$pids $!"
  count=$((count + 1))
  if [ $((count % 2)) -eq 0 ]; then
    for pid in $pids; do wait "$pid" || failed=1; done
    pids=""
  fi
done < "$build/fuzzers.txt"
for pid in $pids; do wait "$pid" || failed=1; done
echo "$count targets, ${seconds}s each"
exit $failed
