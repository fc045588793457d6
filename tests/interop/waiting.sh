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
# free_port: a port of loopback where nobody listens; none of those that the system gives to whoever asks for any.
free_port() {
  python3 -c '
import random, socket
while True:
    port = random.randrange(10240, 32768)
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        continue
    print(port)
    break'
}
# tidy: $work goes, at the end of a test, whose exit status stays its own. What still ends may write meanwhile.
tidy() {
  chmod -R u+w "$work" 2> /dev/null || true
  rm -rf "$work" 2> /dev/null || { sleep 1; rm -rf "$work" || true; }
}
