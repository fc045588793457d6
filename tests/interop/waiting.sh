# Sourced where tests start things and wait for them, on a machine that may be busy with others.
# soon COMMAND…: as soon as the command succeeds; false when it does not within a minute.
soon() { for _ in $(seq 600); do "$@" > /dev/null 2>&1 && return; sleep 0.1; done; return 1; }
# soon_of PID COMMAND…: the same; false at once when this process ended.
soon_of() {
  local pid=$1; shift
  for _ in $(seq 600); do
    "$@" > /dev/null 2>&1 && return
    kill -0 "$pid" 2> /dev/null || return 1
    sleep 0.1
  done
  return 1
}
tests=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# free_port [COUNT]: so many ports of loopback where nobody listens, each another one; none of those that the system gives to whoever asks for
# any. Each script has a share of its own: what it asks for and binds later, no other test has taken meanwhile.
free_port() {
  python3 - "$tests" "${0##*/}" "${1:-1}" << 'PY'
import pathlib, random, socket, sys
first, end = 10240, 32768
scripts = sorted({path.name for path in pathlib.Path(sys.argv[1]).glob("*/*.*")})
share = (end - first) // (len(scripts) + 1)  # the last is for scripts of elsewhere
first += share * (scripts.index(sys.argv[2]) if sys.argv[2] in scripts else len(scripts))
held = []
for port in random.sample(range(first, first + share), share):
    try:
        held.append(socket.create_server(("127.0.0.1", port)))
    except OSError:
        continue
    if len(held) == int(sys.argv[3]):
        break
else:
    sys.exit("all ports are taken")
print(*(one.getsockname()[1] for one in held))
PY
}
# tidy: $work goes, at the end of a test, whose exit status stays its own. What still ends may write meanwhile.
tidy() {
  chmod -R u+w "$work" 2> /dev/null || true
  rm -rf "$work" 2> /dev/null || { sleep 1; rm -rf "$work" || true; }
}
