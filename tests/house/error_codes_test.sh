#!/bin/sh
# error_codes_test.sh SRC: every error code is raised or told somewhere in the program, not only listed.
set -eu
unused=0
for code in $(sed -n 's/^LIFTLOCK_ERROR(\([a-z0-9_]*\),.*/\1/p' "$1/base/error_codes.def"); do
  grep -rqw "ErrorCode::$code" "$1" --include='*.cpp' --include='*.hpp' --exclude='*_test.cpp' --exclude='*_fuzz.cpp' && continue
  echo "nothing uses ErrorCode::$code: raise it where it belongs, or take it out of error_codes.def"
  unused=1
done
exit $unused
