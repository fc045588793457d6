# Sourced where real clients take what crossed.
# tested KIND CLIENT VERSION: this client took a thing of this kind just now. For the table of README.md (make kinds).
tested() {
  [ -n "$3" ] || fail "no version of $2"
  [ -z "${LIFTLOCK_CLIENTS:-}" ] || printf '%s\t%s\t%s\n' "$1" "$2" "$3" >> "$LIFTLOCK_CLIENTS"
  echo "ok: $1, taken by $2 $3"
}
