#!/bin/sh
# Makes build/liftlock-low_VERSION_ARCH.deb and build/liftlock-high_VERSION_ARCH.deb.
set -eu
build=${1:?usage: package.sh BUILD_FOLDER}
cpack --config "$build/CPackConfig.cmake" -B "$build/packages" > "$build/cpack.log" 2>&1 || { cat "$build/cpack.log" >&2; exit 1; }
for deb in "$build"/packages/*.deb; do
  cp "$deb" build/
  echo "build/$(basename "$deb")"
done
