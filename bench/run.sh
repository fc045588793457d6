#!/usr/bin/env bash
# Measures this build on this machine and prints the tables of bench/README.md. GIB, SMALL and ROUNDS set the size.
set -euo pipefail
cd "$(dirname "$0")/.."
build=${LIFTLOCK_BUILD:-$PWD/build/release}
work=${LIFTLOCK_BENCH:-$PWD/build/bench-work}
trap 'rm -rf "$work"' EXIT
python3 bench/crossing.py "$build" "$work" --gib "${GIB:-4}" --small "${SMALL:-20000}" --rounds "${ROUNDS:-3}"
bench/serve.sh "$build"
python3 bench/skopeo.py "$build" "$work" --mib "${IMAGE_MIB:-512}"
"$build/bench/record_bench" "$work/record" 100000 2000 500
bench/gateway.sh "$build"
python3 bench/load.py "$build" "$work"
python3 bench/engine.py "$build" "$work"
