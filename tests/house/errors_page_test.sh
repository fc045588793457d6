#!/bin/sh
# docs/manual/errors.md is what `liftlock explain --markdown` prints; ACCEPT=1 writes it.
set -eu
liftlock=$1 page=$2
if [ "${ACCEPT:-}" = 1 ]; then "$liftlock" explain --markdown > "$page"; echo "written, skipped"; exit 77; fi
"$liftlock" explain --markdown | diff "$page" -
