#!/usr/bin/env bash
# Builds without a network: a real pip build against the real mirror, programs that phone home and swallow the failure, static
# programs, Ctrl-C, setuid, sockets of programs outside; the switches for telemetry, egress watch, Dockerfiles, the checklist.
# npm, cargo and go where they are installed.   offline_test.sh LIFTLOCK_LOW LIFTLOCK_HIGH      Exit status 77: skipped.
source "$(dirname "$0")/crossing_machines.sh" || exit 1
if ! unshare --user --net true 2> /dev/null; then echo "no user namespaces can be made here"; exit 77; fi
export HOME=$work/home XDG_CACHE_HOME=$work/home/cache
mkdir -p "$HOME"
cd "$work"
off() { low offline --mirror none "$@"; }
# left STATUS TARGET COMMAND…: the command runs, tried for this target, and the run says so.
left() {
  local target=$1 got=0; shift
  off -- "$@" > out 2> err || got=$?
  [ "$got" = 3 ] && grep -q 'error\[left-network\]' err || fail "$*: status $got: $(cat out err)"
  grep -qF -- "$target" err || fail "$* is not said to have tried for '$target': $(cat err)"
  echo "named: $target"
}

# --- attempts that the program swallows, of a name and of an address
cat > phone.py <<'PY'
import urllib.request
for url in ("http://203.0.113.9/x", "http://telemetry.example.com/x"):
    try:
        urllib.request.urlopen(url, timeout=5)
    except OSError:
        pass
print("built")
PY
left "203.0.113.9 port 80 (tcp)" python3 phone.py
grep -q '^built$' out || fail "the output of the command is lost"
grep -q 'python3.* name .*telemetry.example.com' err || fail "the name is not named: $(cat err)"
left www.example.org getent hosts www.example.org
if command -v curl > /dev/null; then left "192.0.2.1 port 443 (tcp)" curl -s -m 5 https://192.0.2.1/; fi
got=0; off --json -- python3 phone.py > report.json 2> err || got=$?
[ "$got" = 3 ] && [ "$(json '["attempts"].__len__()' < report.json)" = 2 ] || fail "--json: $got $(cat report.json)"
grep -q '^built$' err || fail "with --json the command's output goes to standard error"
got=0; off --report - -- python3 phone.py > report.json 2> err || got=$?
[ "$got" = 3 ] && [ "$(json '["attempts"].__len__()' < report.json)" = 2 ] || fail "--report -: $got $(cat report.json)"
grep -q '^built$' err || fail "with --report - the command's output goes to standard error"
off --json --report - -- true > report.json 2> err && json '["good"]' < report.json > /dev/null || fail "the report twice: $(cat report.json)"
[ ! -e ./- ] || fail "a file of the name -"
python3 - > static.c <<'PY'
print('''#include <arpa/inet.h>
#include <sys/socket.h>
int main(void) { struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = 0x5000}; inet_pton(AF_INET, "198.51.100.4", &a.sin_addr);
  connect(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr*)&a, sizeof a); return 0; }''')
PY
if cc -static -o static static.c 2> /dev/null; then left "198.51.100.4 port 80 (tcp)" ./static; fi
if [ "$(id -u)" = 0 ]; then
  cp "$low_exe" liftlock-low && chmod 755 liftlock-low && mkdir -m 777 nobody
  other=(setpriv --reuid=65534 --regid=65534 --clear-groups env HOME="$work/nobody" XDG_CACHE_HOME="$work/nobody")
  "${other[@]}" ./liftlock-low offline -- /usr/bin/python3 "$work/phone.py" > out 2> err && fail "another user's attempt was accepted"
  grep -q '203.0.113.9 port 80' err || fail "as another user: $(cat err)"
fi

# --- what stays inside is no attempt; the status is the command's
off -- sh -c 'exit 42' && fail "the status is lost" || [ $? = 42 ] || fail "the status is lost"
[ "$(off -- sh -c 'cat; echo err >&2' <<< "through" 2> err)" = through ] && grep -q '^err$' err || fail "standard files"
[ "$(off -- printf '%s|' '[ -n "x" ]' '[a,b]' '' '{}' 2> err)" = '[ -n "x" ]|[a,b]||{}|' ] || fail "the words of the command are not what was given: $(cat err)"
off -- python3 -m http.server --help > /dev/null || fail "a plain program"
refused not-found off -- no-such-program
refused usage off --mirror 'http://user:secret@mirror' -- true
low offline -- true || fail "without an installation"

# --- no way out: setuid, other namespaces, sockets of programs outside
off -- sh -c 'grep -q "NoNewPrivs:.1" /proc/self/status' || fail "privileges can be gained"
for way in "nsenter --net=/proc/1/ns/net true" "nsenter --net=/proc/$$/ns/net true"; do
  # shellcheck disable=SC2086
  off -- $way 2> /dev/null && fail "the namespace can be left: $way"
done
python3 -c "
import socket, time
s = socket.socket(socket.AF_UNIX); s.bind('$work/docker.sock'); s.listen(); time.sleep(600)" &
pids+=($!)
soon [ -S docker.sock ] || fail "there is no socket"
knock="import socket; socket.socket(socket.AF_UNIX).connect('docker.sock')"
left "$work/docker.sock" python3 -c "try:
  $knock
except OSError: pass"
# Ways around the judgement of a path: names that mean another thing to the kernel than to who reads them.
cat > around.py <<'PY'
import ctypes, os, socket, sys, threading
door = sys.argv[1]
fd = os.open(door, os.O_PATH)
os.symlink("/proc/self", "me")
got_out = []
def knock(name, path):
    s = socket.socket(socket.AF_UNIX)
    try:
        s.connect(path)
        got_out.append(name)
    except OSError:
        pass
for path in (f"/proc/self/fd/{fd}", f"//proc/self/fd/{fd}", f"/proc/thread-self/fd/{fd}", f"me/fd/{fd}"):
    knock(path, path)
def elsewhere():
    ctypes.CDLL(None).unshare(0x200)  # CLONE_FS: a folder of this thread's own
    os.chdir(os.path.dirname(door))
    knock("a thread's own folder", os.path.basename(door))
os.mkdir("other"); os.chdir("other")
thread = threading.Thread(target=elsewhere); thread.start(); thread.join()
try:
    socket.create_connection(("203.0.113.53", 53), timeout=3)
    got_out.append("port 53")
except OSError:
    pass
long = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
name = (ctypes.c_char * 200)(*(b"\1\0" + door.encode()))
if ctypes.CDLL(None).syscall(44, long.fileno(), b"x", 1, 0, name, ctypes.c_long((1 << 32) + 2 + len(door))) >= 0:
    got_out.append("a length of 64 bits")
print("OUT:", got_out)
PY
off -- python3 around.py "$work/docker.sock" > out 2> err && fail "no attempt was seen"
grep -q '^OUT: \[\]$' out || fail "there is a way around: $(cat out err)"
grep -q '203.0.113.53 port 53 (tcp)' err || fail "a connection to port 53 of another host is not named: $(cat err)"
off --allow-socket "$work/docker.sock" -- python3 -c "$knock" || fail "the socket that was allowed"
for door in /nosuch "$work/around.py" docker.sock; do refused usage off --allow-socket "$door" -- true; done

# --- nothing outlives the command; Ctrl-C and SIGTERM
off -- sh -c 'setsid sleep 300 & echo $! > left.pid'
kill -0 "$(cat left.pid)" 2> /dev/null && fail "a child outlived its command"
interrupted() {
  local signal=$1 wanted=$2 got=0
  rm -f begun
  # In a session of its own: a terminal's Ctrl-C goes to all of its foreground group.
  env --default-signal=INT setsid "$low_exe" --quiet offline -- sh -c 'touch begun; sleep 300' & local pid=$!
  soon [ -e begun ] || fail "$signal: the command did not begin"
  if [ "$signal" = INT ]; then kill -INT -- "-$pid"; else kill "-$signal" "$pid"; fi
  wait "$pid" || got=$?
  [ "$got" = "$wanted" ] || fail "$signal: status $got instead of $wanted"
  soon is_gone || fail "$signal: the command is still there"
}
is_gone() { ! pgrep -f 'touch begun; sleep 300'; }
interrupted INT 130
interrupted TERM 143
interrupted KILL 137

# --- the real mirror and the real pip
low init --zone low > /dev/null
low trust keygen --role root --out root.pem > /dev/null
low trust keygen --role builder --out builder.pem > /dev/null
low trust init --organisation test --root-key root.pem --add "builder:builder.pem" > /dev/null
mkdir -p stack/wheels media
for name in alpha beta; do python3 "$root/tests/tools/make_wheel.py" stack/wheels $name 1.0 > /dev/null; done
printf '[stack]\nname = "test"\n[python.tools]\nrequirements = ["alpha", "beta"]\n' > stack/liftlock.toml
(cd stack && PIP_NO_INDEX=1 PIP_FIND_LINKS=$work/stack/wheels low lock > /dev/null && low fetch > /dev/null && low pack --output "$work/media/one" > /dev/null)
low sign media/one --role builder --key builder.pem > /dev/null
high init --zone ingest > /dev/null
printf '[source.drop]\npath = "%s"\nrequire_read_only = false\n' "$work/media" >> "$high_state/config.toml"
high trust pin media/one --fingerprint "$(low --json trust show | json '["fingerprint"]')" > /dev/null
high ingest drop/one --expect "$(sha256sum < media/one/manifest/bundle.json | cut -d' ' -f1)" > /dev/null
"$high_exe" --quiet --state "$high_state" serve --listen 127.0.0.1:0 > serve.out 2> serve.err &
pids+=($!)
soon grep -q listening serve.out || fail "the mirror did not start: $(cat serve.err)"
url=$(sed -n 's/^listening on //p' serve.out); url=${url%/}
python3 -m venv venv
unset PIP_FIND_LINKS PIP_INDEX_URL
for run in first second; do
  low --json offline --mirror "$url" --report "$run.json" -- venv/bin/pip install --no-cache-dir --force-reinstall alpha beta > /dev/null 2> err ||
    fail "pip with the mirror: $(cat err)"
done
[ "$(json '["run"]["mirror_misses"]' < second.json)" = 0 ] && [ "$(json '["run"]["mirror_hits"]' < second.json)" -ge 4 ] || fail "hits: $(cat second.json)"
[ "$(json '["good"]' < second.json)" = True ] && [ "$(json '["previous"]["status"]' < second.json)" = 0 ] || fail "$(cat second.json)"
[ "$(json '["run"]["mirror_bytes"]' < second.json)" -gt 500 ] || fail "bytes: $(cat second.json)"
low offline --mirror "$url" --report missed.json -- venv/bin/pip install gamma > /dev/null 2>&1 && fail "pip found what is not there"
grep -q '/simple/gamma/' missed.json || fail "what the mirror lacks is not named: $(cat missed.json)"
# The user's own configuration does not lead away from the mirror.
mkdir -p "$HOME/.config/pip" && printf '[global]\nextra-index-url = http://198.51.100.9/simple/\n' > "$HOME/.config/pip/pip.conf"
http_proxy=http://198.51.100.8:3128 low offline --mirror "$url" -- venv/bin/pip install --no-cache-dir --force-reinstall alpha > /dev/null 2> err ||
  fail "pip with another index: $(cat err)"
# What containers are given is enough by itself: nothing else of the environment, and no file of ours.
low render telemetry --mirror "$url" --form env-file > mirror.env 2> err && grep -q 'loopback of its own' err || fail "render telemetry --mirror: $(cat err)"
mapfile -t variables < mirror.env
env -i PATH="$PATH" HOME="$HOME" "${variables[@]}" venv/bin/pip install --no-cache-dir --force-reinstall alpha > out 2>&1 || fail "pip with the variables alone: $(cat out)"
grep -qF "Looking in indexes: $url/simple/" out && ! grep -q '198.51.100.9' out || fail "pip asks elsewhere: $(cat out)"
[ "$(high offline -- sh -c 'echo $PIP_INDEX_URL' 2> /dev/null)" = "http://127.0.0.1:8480/simple/" ] || fail "the installation's own mirror"
refused network low offline --mirror http://no-such-mirror.invalid:8480 -- true

# --- other clients, as far as they are here
if command -v npm > /dev/null && npm --version > /dev/null 2>&1; then
  mkdir -p js && printf '{"name":"a","version":"1.0.0","dependencies":{"nosuch-liftlock":"1.0.0"}}' > js/package.json
  (cd js && low offline --mirror "$url" --report "$work/npm.json" -- npm install > /dev/null 2>&1) && fail "npm found what is not there"
  [ "$(json '["left_network"]' < npm.json)" = False ] || fail "npm leaves: $(cat npm.json)"
  grep -q '/npm/nosuch-liftlock' npm.json || fail "npm does not ask the mirror: $(cat npm.json)"
fi
if command -v cargo > /dev/null && command -v rustc > /dev/null && rustc --version > /dev/null 2>&1; then
  mkdir -p rs/src && printf '[package]\nname = "a"\nversion = "0.1.0"\nedition = "2021"\n' > rs/Cargo.toml && echo 'fn main() {}' > rs/src/main.rs
  (cd rs && off -- cargo build --offline > "$work/cargo.out" 2>&1) || fail "cargo build: $(cat cargo.out)"
  printf '[dependencies]\nnosuch-liftlock = "1"\n' >> rs/Cargo.toml
  (cd rs && low offline --mirror "$url" --report "$work/cargo.json" -- cargo build > /dev/null 2>&1) && fail "cargo found what is not there"
  [ "$(json '["left_network"]' < cargo.json)" = False ] && grep -q '/cargo/no/su/nosuch-liftlock' cargo.json || fail "cargo: $(cat cargo.json)"
fi
if command -v go > /dev/null; then
  mkdir -p gomod && printf 'module a\ngo 1.19\n' > gomod/go.mod && printf 'package main\nimport _ "example.test/nosuch"\nfunc main() {}\n' > gomod/main.go
  (cd gomod && GOFLAGS=-mod=mod GOPATH=$work/gopath low offline --mirror "$url" --report "$work/go.json" -- go build ./... > /dev/null 2>&1) && fail "go found what is not there"
  [ "$(json '["left_network"]' < go.json)" = False ] && grep -q '/go/example.test/nosuch' go.json || fail "go: $(cat go.json)"
fi

# --- telemetry
line=$(head -1 <<< "$(off -- "$low_exe" health telemetry)")
[[ $line =~ ^"✓ telemetry: Telemetry: "([0-9]+)/([0-9]+)" disables verified"$ ]] && [ "${BASH_REMATCH[1]}" = "${BASH_REMATCH[2]}" ] || fail "telemetry: $line"
total=${BASH_REMATCH[1]}
[ "$total" = "$(off -- env | grep -cxFf <("$low_exe" render telemetry | sed "s/^export //; s/'//g"))" ] || fail "the count is not the number of switches"
high offline --mirror "$url" -- "$high_exe" health telemetry > /dev/null 2>&1 || fail "with the mirror in place of offline switches"
refused telemetry-on low health telemetry
(eval "$("$low_exe" render telemetry)"; "$low_exe" health telemetry > /dev/null) || fail "the rendered exports are not enough"
out=$( (eval "$("$low_exe" render telemetry)"; VLLM_NO_USAGE_STATS=true "$low_exe" health telemetry 2>&1) ) && fail "a wrong value was accepted"
grep -q "✗ telemetry: Telemetry: $((total - 1))/$total" <<< "$out" && grep -q 'set: VLLM_NO_USAGE_STATS=1;' <<< "$out" || fail "$out"
env -i sleep 600 & pids+=($!); bare=$!
(eval "$("$low_exe" render telemetry)"; exec sleep 600) & pids+=($!); quiet=$!
is_asleep() { [ "$(cat "/proc/$1/comm")" = sleep ]; }
soon is_asleep "$bare" && soon is_asleep "$quiet" || fail "nothing sleeps"
low health telemetry --pid "$quiet" > /dev/null || fail "the process with the switches"
refused telemetry-on low health telemetry --pid "$bare" --pid "$quiet"
refused not-found low health telemetry --pid 4194304
# In a process tree of its own: other tests run engines meanwhile.
if unshare --pid --fork --mount-proc true 2> /dev/null; then
  refused not-found unshare --pid --fork --mount-proc "$low_exe" --quiet --state "$low_state" health telemetry --engines
fi
[ "$(low --json health telemetry --pid "$bare" | json '["verified"]')" = 0 ] || fail "--json"
grep -q '^ENV ANONYMIZED_TELEMETRY=False' <<< "$(low render telemetry --form dockerfile)" || fail "as ENV"
grep -q '^  VLLM_NO_USAGE_STATS: "1"' <<< "$(low render telemetry --form compose)" || fail "for compose"
cmp -s <(low render telemetry --form document) "$root/docs/formats/telemetry.md" || fail "docs/formats/telemetry.md is not the table"

# --- egress watch, in a network namespace of its own
unshare --user --map-root-user --net bash -euc '
  ip link set lo up
  "$0" --json egress watch --for 1s --strict > '"$work"'/quiet.json
  ip address add 203.0.113.5/32 dev lo
  python3 -c "
import socket, time
s = socket.socket(); s.bind((\"203.0.113.5\", 0)); s.listen(); c = socket.socket(); c.connect(s.getsockname()); open(\"ready\", \"w\"); time.sleep(600)" & pid=$!
  for _ in $(seq 600); do [ -e ready ] && break; sleep 0.1; done
  "$0" --json egress watch --for 1s > '"$work"'/loud.json && exit 9 || [ $? = 3 ]
  "$0" egress watch --for 1s --allow 203.0.113.0/24 > /dev/null
  kill $pid' "$low_exe" || fail "egress watch"
[ "$(json '["could_leave"]' < quiet.json)" = False ] || fail "egress: $(cat quiet.json)"
# Two ends: one of them waits to be accepted, and is no program's yet.
grep -q python3 <<< "$(json '["left"]' < loud.json)" || fail "egress names no program: $(cat loud.json)"
refused usage low egress watch --for soon

# --- Dockerfiles
low render dockerfile --base "registry.example/python@sha256:$(printf 4%.0s {1..64})" --package curl --requirements requirements.txt > Dockerfile
grep -q 'good: nothing is wrong' <<< "$(low lint dockerfile Dockerfile)" || fail "lint of what is rendered"
(cd stack && printf '[apt.tools]\nsuite = "bookworm"\npackages = ["libgomp1"]\n' > more.toml && printf '[stack]\nname = "b"\n[image.base]\nsource = "docker://registry.example/python:3.11"\n' > b.toml)
grep -q 'FROM registry.example/python:3.11$' <<< "$(low render dockerfile --stack stack/b.toml)" || fail "the image of the stack"
printf 'FROM python\nRUN --mount=type=cache,target=/root/.cache/pip pip install --no-cache-dir x\n' > Bad
got=0; low --json lint dockerfile Bad > lint.json || got=$?
[ "$got" = 3 ] && grep -q '"pip-no-cache-dir"' lint.json && grep -q '"moving-tag"' lint.json || fail "lint: $got $(cat lint.json)"
printf 'FROM a\nRUM x\n' > Wrong && refused usage low lint dockerfile Wrong
refused not-found low lint dockerfile nosuch

# --- the checklist
mkdir -p list && cd list
got=0; low checklist > ../checklist || got=$?
[ "$got" = 3 ] && grep -q '^0 of 6 boxes done; ' ../checklist && [ "$(grep -c '^      next: ' ../checklist)" = 6 ] || fail "an empty folder: $(cat ../checklist)"
tar -czf wheelhouse.tgz -C ../stack wheels
python3 "$root/tests/tools/make_model.py" gguf chat.gguf
printf '[models]\nllm_path = "chat.gguf"\n' > config.toml
cp ../Dockerfile Dockerfile
mkdir bin && printf '#!/bin/sh\necho "buildah version 1.33"\n' > bin/buildah && chmod 755 bin/buildah
for name in python3 sh true env; do ln -sf "$(command -v $name)" bin/$name; done
off -- true
got=0; PATH=$work/list/bin low checklist --digest "sha256:$(sha256sum < wheelhouse.tgz | cut -d' ' -f1)" > ../checklist || got=$?
[ "$got" = 0 ] && grep -q '^6 of 6 boxes done$' ../checklist && ! grep -q 'next:' ../checklist || fail "the full list: $got $(cat ../checklist)"
off -- python3 ../phone.py > /dev/null 2>&1 || true
got=0; PATH=$work/list/bin low checklist --digest "$(printf 0%.0s {1..64})" > ../checklist || got=$?
[ "$got" = 3 ] && grep -q '^- \[ \] Transfer' ../checklist && grep -q '^- \[ \] Verify no external' ../checklist || fail "$(cat ../checklist)"
echo "builds without a network: all as it must be"
