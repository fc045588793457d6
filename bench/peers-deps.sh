#!/bin/sh
# Installs what races against Liftlock in `make bench-peers` beside tar, gzip and zstd, and gnuplot for the plots: casync and nix of
# Debian, and Zarf and Hauler, built from their Go modules into build/peers. Nothing else needs them, so that `make deps` leaves them
# out: 15 MB of packages, and more than 2 GB of Go modules. A racer that cannot be had is named, and the race goes on without it.
set -eu
cd "$(dirname "$0")/.."
out=$PWD/build/peers
as_root=""
[ "$(id -u)" -eq 0 ] || as_root=sudo
$as_root apt-get update -q
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends gnuplot-nox casync nix-bin

# built NAME MODULE@VERSION PACKAGE. Not by `go install`, which takes no module that replaces others, as Zarf's does.
built() {
  # What cannot be had is told below, and the race goes on without it.
  folder=$(go mod download -json "$2" | python3 -c 'import json, sys; print(json.load(sys.stdin).get("Dir", ""))') || true
  [ -n "$folder" ] && CGO_ENABLED=0 go build -C "$folder" -trimpath -o "$out/$1" "$3" || echo "$1: cannot be built here from $2" >&2
}
mkdir -p "$out"
built zarf github.com/zarf-dev/zarf@v0.84.0 .
built hauler hauler.dev/go/hauler/v2@v2.0.3 ./cmd/hauler
