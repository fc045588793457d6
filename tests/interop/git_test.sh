#!/usr/bin/env bash
# Git repositories cross: git itself clones and fetches from the mirror, where there is no network; lies are refused.
# git_test.sh LIFTLOCK_LOW LIFTLOCK_HIGH
# Exit status 77: there is no git, no bubblewrap, or no network namespace here.
source "$(dirname "$0")/crossing_machines.sh" || exit 1
source "$(dirname "$0")/package_crossing.sh"
tools=$(cd "$(dirname "$0")/../tools" && pwd)
command -v git > /dev/null || skip "there is no git"
command -v bwrap > /dev/null || skip "there is no bubblewrap"
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 GIT_TERMINAL_PROMPT=0 HOME=$work/home
export GIT_AUTHOR_NAME=A GIT_AUTHOR_EMAIL=a@example.test GIT_COMMITTER_NAME=A GIT_COMMITTER_EMAIL=a@example.test
mkdir -p "$work/stack/up/demo" "$work/home"
cd "$work/stack"
up() { git -C up "$@"; }
change() { printf '%s\n' "$2" > "up/$1" && up add -A && up commit -q -m "$2"; }
# A package whose build backend is its own, so that pip needs nothing from an index.
printf 'word = "carried"\n' > up/demo/__init__.py
printf '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n' > up/pyproject.toml
cat > up/backend.py <<'PY'
import zipfile


def build_wheel(folder, config_settings=None, metadata_directory=None):
    name = "demo-1.0-py3-none-any.whl"
    with zipfile.ZipFile(f"{folder}/{name}", "w") as out:
        out.write("demo/__init__.py", "demo/__init__.py")
        out.writestr("demo-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n")
        out.writestr("demo-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        out.writestr("demo-1.0.dist-info/RECORD", "demo/__init__.py,,\n")
    return name
PY
up init -q -b main
change a.txt one
change a.txt two
change c.txt three
up tag -a -m one v1.0
first=$(up rev-parse HEAD)
up checkout -q -b side
change side.txt aside
side=$(up rev-parse HEAD)
up checkout -q main
printf '[stack]\nname = "sources"\n\n[git.tool]\nurl = "up"\nrefs = ["main", "v1.*", "%s"]\n' "$side" > liftlock.toml

cross git-1
grep -q "refs/heads/main is pinned to $first" liftlock.lock || fail "the lock does not say what it pinned: $(cat liftlock.lock)"
cp liftlock.lock "$work/before.lock"
low lock --update git.tool > /dev/null
cmp -s liftlock.lock "$work/before.lock" || fail "a second lock of the same commits is another one"
git clone -q "$work/medium/git-1/packages/git/tool.bundle" "$work/from-bundle"
[ "$(git -C "$work/from-bundle" rev-parse HEAD)" = "$first" ] || fail "the bundle alone is cloned elsewhere"
step "a branch, a tag and a commit crossed; the bundle is cloned without Liftlock"

cut_off '
  git -c protocol.version=2 clone -q "$mirror/git/tool" "$work/clone"
  git -C "$work/clone" rev-parse HEAD > "$work/head"
  git -C "$work/clone" fsck --strict 2> "$work/fsck.log" || { cat "$work/fsck.log" >&2; exit 1; }
  [ "$(git -C "$work/clone" describe)" = v1.0 ]
  for version in 0 1 2; do git -c protocol.version=$version ls-remote "$mirror/git/tool.git" > "$work/refs.$version"; done
  cmp "$work/refs.0" "$work/refs.1" && cmp "$work/refs.0" "$work/refs.2"
  git -c protocol.version=0 clone -q "$mirror/git/tool.git" "$work/clone0"
  git clone -q --depth 1 "$mirror/git/tool" "$work/shallow"
  [ "$(git -C "$work/shallow" rev-list --count HEAD)" = 1 ]
  git -C "$work/shallow" fetch -q --unshallow
  [ "$(git -C "$work/shallow" rev-list --count HEAD)" = 3 ]
  git clone -q --filter=blob:none "$mirror/git/tool" "$work/partial"
  git -C "$work/clone" fetch -q origin '"$side"'
  [ "$(git -C "$work/clone" rev-parse FETCH_HEAD)" = '"$side"' ]
  curl -fsS "$mirror/git/" > "$work/list.json"
  curl -fsS -o "$work/tool.bundle" "$mirror/git/tool.bundle" && git -C "$work/clone" bundle verify -q "$work/tool.bundle"' ||
  fail "git does not clone from the mirror: $(tail -5 "$work/serve.log")"
[ "$(cat "$work/head")" = "$first" ] || fail "the clone is elsewhere: $(cat "$work/head")"
[ "$(json '["repositories"][0]["refs"]["refs/heads/main"]' < "$work/list.json")" = "$first" ] || fail "/git/ says: $(cat "$work/list.json")"
[ "$(find "$high_state/cache/git" -mindepth 1 -maxdepth 1 | wc -l)" = 1 ] || fail "more than a repository is in the cache: $(ls "$high_state/cache/git")"
tested git git "$(git --version | cut -d' ' -f3)"
step "git clone (protocols 0, 1 and 2), ls-remote, shallow, partial, and a commit by its id, without a route"

out=$(cut_off '
  ask() { curl -s -o /dev/null -w "%{http_code} " "$@"; }
  git -C "$work/clone" push "$mirror/git/tool" HEAD:refs/heads/mine 2>&1 && { echo "pushed" >&2; exit 1; }
  git ls-remote "$mirror/git/nothing" 2>&1 && exit 1
  upload=$mirror/git/tool/git-upload-pack type="Content-Type: application/x-git-upload-pack-request"
  ask -X POST --data-binary 0000 "$mirror/git/tool/git-receive-pack"
  ask -X POST "$upload"
  ask "$upload"
  ask -H "$type" -H "Content-Encoding: gzip" --data-binary nonsense "$upload"
  ask -H "$type" -H "Content-Encoding: br" --data-binary nonsense "$upload"
  head -c 80000000 /dev/zero | gzip > "$work/bomb.gz"
  ask -H "$type" -H "Content-Encoding: gzip" --data-binary "@$work/bomb.gz" "$upload"
  head -c 40000000 /dev/zero | ask -H "$type" -H "Expect:" --data-binary @- "$upload"
  for path in HEAD objects/info/packs info/refs config ../x; do ask --path-as-is "$mirror/git/tool/$path"; done
  ask -X POST -H "Content-Encoding: gzip" --data-binary x "$mirror/simple/"
  git ls-remote "$mirror/git/tool" > /dev/null') || fail "refusals: $out"
grep -q 'read-only' <<< "$out" || fail "git push is not told why: $out"
grep -q "no repository 'nothing'" <<< "$out" || fail "what is not there: $out"
grep -q '403 415 405 400 415 413 413 404 404 403 404 400 405 ' <<< "$out" || fail "other answers: $out"
step "git push is refused with a reason; so are nonsense, bombs and the dumb protocol"

# Many refs make the client's request long, and then git compresses it.
change a.txt four
for i in $(seq 60); do change n.txt "$i" && up tag "v1.$i"; done
head -c 16000000 /dev/urandom > up/big.bin
change a.txt big
newest=$(up rev-parse HEAD)
# A request that is longer than http.postBuffer is sent in chunks, after an empty one. As many commits as branches: what is
# had already is not asked for twice.
for i in $(seq 1700); do printf 'commit refs/heads/b/%s\ncommitter A <a@example.test> 1700000000 +0000\ndata <<E\n%s\nE\n' "$i" "$i"; done |
  up fast-import --quiet
low lock > /dev/null
cmp -s liftlock.lock "$work/before.lock" || fail "a lock moved by itself"
sed -i 's|"v1\.\*"|"v1.*", "b/*"|' liftlock.toml
low lock --update git.tool > /dev/null
cross git-2
cut_off '
  # Its first client does not wait for it.
  curl -s -o /dev/null "$mirror/git/tool/info/refs?service=git-upload-pack" & client=$!
  is_begun() { compgen -G "$high_state/cache/git/*.new" || ! kill -0 $client; }
  soon is_begun || { echo "the making does not begin" >&2; exit 1; }
  # A fast machine has answered it by now.
  kill $client 2> /dev/null || true
  wait $client 2> /dev/null || true
  are_made() { [ "$(ls -d "$high_state"/cache/git/*.git | wc -l)" = 2 ]; }
  soon are_made || { echo "the making ended with its client" >&2; exit 1; }
  git -C "$work/clone" fetch -q --tags
  git -C "$work/clone" rev-parse origin/main > "$work/head"
  GIT_TRACE_CURL=1 GIT_TRACE_CURL_NO_DATA=1 git clone -q "$mirror/git/tool" "$work/clone2" 2> "$work/trace"
  git -C "$work/clone2" fsck --strict 2> /dev/null
  [ "$(git -C "$work/clone2" tag | wc -l)" = 61 ]
  GIT_TRACE_CURL=1 GIT_TRACE_CURL_NO_DATA=1 git -c http.postBuffer=65536 clone -q "$mirror/git/tool" "$work/clone3" 2> "$work/trace3"
  [ "$(git -C "$work/clone3" branch -r --list "origin/b/*" | wc -l)" = 1700 ]' || fail "fetch of the newer bundle: $(tail -5 "$work/serve.log")"
[ "$(cat "$work/head")" = "$newest" ] || fail "the newer bundle is not served"
grep -qi 'content-encoding: gzip' "$work/trace" || fail "no compressed request was tried"
grep -qi 'transfer-encoding: chunked' "$work/trace3" || fail "no request in chunks was tried"
step "git fetch takes what a newer bundle brought; compressed requests are read, and long ones in chunks"

cat > "$work/slow.py" <<'PY'
import socket, sys, time

def line(text):
    return b"%04x" % (len(text) + 4) + text

body = line(b"command=fetch") + b"0001" + line(b"want " + sys.argv[1].encode() + b"\n") + line(b"done\n") + b"0000"
clients = []
for _ in range(8):
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(("127.0.0.1", 8480))
    client.sendall(b"POST /git/tool/git-upload-pack HTTP/1.1\r\nHost: x\r\nGit-Protocol: version=2\r\nContent-Type: "
                   b"application/x-git-upload-pack-request\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    clients.append(client)
# Six of the eight are let in, and no matter which. They take a little until all have begun: who takes nothing for 30 s is
# hung up on.
for client in clients:
    client.setblocking(False)
begun = set()
while len(begun) < 6:
    for client in clients:
        try:
            if not client.recv(2048):
                sys.exit("an answer ended")
            begun.add(client)
        except BlockingIOError:
            pass
    time.sleep(0.2)
print("ready", flush=True)
time.sleep(120)
PY
out=$(cut_off '
  ask() { curl -s -m "$1" -o /dev/null -w "%{http_code} " "${@:2}" || true; }
  python3 "$work/slow.py" '"$newest"' > "$work/slow.log" &
  slow=$!
  soon grep -q ready "$work/slow.log" || { echo "the clients that do not read got nothing to read" >&2; exit 1; }
  ask 30 "$mirror/git/tool/info/refs?service=git-upload-pack"
  ask 1 -H "Content-Type: application/x-git-upload-pack-request" --data-binary 0000 "$mirror/git/tool/git-upload-pack"
  ask 20 --interface 127.0.0.2 -H "Content-Type: application/x-git-upload-pack-request" --data-binary 0000 "$mirror/git/tool/git-upload-pack"
  kill $slow
  ask 20 -H "Content-Type: application/x-git-upload-pack-request" --data-binary 0000 "$mirror/git/tool/git-upload-pack"')
[ "$out" = "200 000 200 200 " ] || fail "beside clients that do not read: $out $(cat "$work/slow.log")"
step "clients that do not read keep nobody from the refs, and those at another address from nothing"

out=$(cut_off '
  with_tokens
  if GIT_SSL_CAINFO=$ca git ls-remote "$guarded/git/tool" > /dev/null 2>&1; then echo "without a token" >&2; exit 1; fi
  GIT_SSL_CAINFO=$ca git clone -q "https://x:$token@${guarded#https://}/git/tool" "$work/guarded"
  git -C "$work/guarded" rev-parse HEAD') || fail "with a token: $out"
[ "$out" = "$newest" ] || fail "with a token: $out"
step "over TLS with a read token"

# The mirror is an upstream, too: the collector over HTTP, and from a bundle.
mkdir -p "$work/second"
printf '[stack]\nname = "second"\n[git.again]\nurl = "http://127.0.0.1:8480/git/tool.git"\n[git.packed]\nurl = "%s"\nrefs = ["main"]\n' \
  "$work/medium/git-2/packages/git/tool.bundle" > "$work/second/liftlock.toml"
low_exe=$low_exe cut_off 'cd "$work/second" && "$low_exe" --quiet --state "$work/low2" init > /dev/null && "$low_exe" --quiet --state "$work/low2" lock > /dev/null && "$low_exe" --quiet --state "$work/low2" fetch > /dev/null' ||
  fail "the mirror as an upstream"
[ "$(grep -c "$newest" "$work/second/liftlock.lock")" -ge 2 ] || fail "the second lock: $(cat "$work/second/liftlock.lock")"
step "a repository is locked from smart HTTP, and from a bundle"

if python3 -m pip --version > /dev/null 2>&1; then
  cut_off '
    grep -q "protocol" <<< "$("$high_exe" --quiet --state "$high_state" render clients --client git --base-url "$mirror")"
    printf "[url \"%s/git/tool~\"]\n\tinsteadOf = https://git.example.test/team/tool\n" "$mirror" > "$work/gitconfig"
    for origin in tool tool.git tool/; do
      GIT_CONFIG_GLOBAL=$work/gitconfig git ls-remote "https://git.example.test/team/$origin" HEAD > "$work/head"
      grep -q '"$newest"' "$work/head" || { echo "$origin leads elsewhere" >&2; exit 1; }
    done
    if GIT_CONFIG_GLOBAL=$work/gitconfig git ls-remote https://git.example.test/team/toolbox 2> /dev/null; then exit 1; fi
    GIT_CONFIG_GLOBAL=$work/gitconfig python3 -m pip install -q --no-index --disable-pip-version-check --no-build-isolation --no-deps \
      --target "$work/site" "git+https://git.example.test/team/tool.git@'"$first"'" > "$work/pip.log" 2>&1 || { cat "$work/pip.log" >&2; exit 1; }
    [ "$(PYTHONPATH=$work/site python3 -c "import demo; print(demo.word)")" = carried ]' || fail "pip install git+https"
  tested git pip "$(python3 -m pip --version | cut -d' ' -f2)"
  step "pip install git+https://ORIGIN@COMMIT, led to the mirror; what only begins like the origin is not"
fi

# Lies. First an upstream that attacks, then a low side that does: its signature is good, its repositories are not.
up config -f .gitmodules submodule.x.path x
up config -f .gitmodules submodule.x.url -u./payload
up add -A && up commit -q -m evil
refused tool-failed low lock --update git.tool
up reset -q --hard HEAD~1
python3 "$tools/make_evil_bundles.py" "$work/lies"
change a.txt five
low lock --update git.tool > /dev/null
{ low fetch && low pack --output "$work/medium/git-3"; } > /dev/null
lie() { # lie NAME [SEQUENCE]: the medium of a low side that has this bundle in the place of the repository
  rm -rf "$work/medium/lie"
  cp -r "$work/medium/git-3" "$work/medium/lie"
  python3 "$tools/lie_in_git.py" "$work/medium/lie" "$work/lies/$1.bundle" "${2:-3}"
  low sign "$work/medium/lie" --role builder --key "$work/keys/builder.pem" > /dev/null
}
take() { high ingest "usb/lie" --expect "$(sha256sum < "$work/medium/lie/manifest/bundle.json" | cut -d' ' -f1)"; }
for name in truncated trailer after ref_elsewhere ref_is_tree prerequisite filter object_missing parent_missing bomb count delta_copy; do
  lie evil_$name
  refused package-malformed take
done
lie evil_huge && refused limit-exceeded take
for name in dot_git dot_dot slash modules_link; do lie evil_$name && refused path-unsafe take; done
[ "$(high --json ls --publications | json '["publications"].__len__()')" = 2 ] || fail "a refused bundle is visible"
cut_off '[ "$(git ls-remote "$mirror/git/tool" HEAD | cut -f1)" = '"$newest"' ]' || fail "a lie changed what is served"
step "seventeen lies of a low side are refused before anything is visible"

# What only git knows: it lands, and is never served.
sequence=3
for name in git_modules_option=gitmodulesUrl git_modules_name=gitmodulesName git_dot_git_folded=hasDotgit; do
  lie "${name%=*}" $((sequence += 1))
  take > /dev/null || fail "ingest of ${name%=*}"
  out=$(cut_off '
    if git clone -q "$mirror/git/tool" "$work/evil" 2>&1; then exit 1; fi
    [ "$(curl -s -o "$work/evil.bundle" -w "%{http_code}" "$mirror/git/tool.bundle")" = 422 ] || { echo "the bundle is served"; exit 1; }
    if [ -n "$(find "$high_state/cache/git" -name "*.new")" ]; then exit 1; fi') || fail "${name%=*} is served: $out"
  head -c 100 "$work/evil.bundle" | grep -q "git refuses" || fail "${name%=*}: the bundle is refused with $(head -c 300 "$work/evil.bundle")"
  grep -q "remote: .*${name#*=}" <<< "$out" || fail "git is not told why: $out"
done
step "a repository that attacks its clients in ways that git knows is not served: git looks before, in the sandbox"
lie good_small $((sequence += 1))
take > /dev/null
cut_off 'git clone -q "$mirror/git/tool" "$work/after"' || fail "the next good one is not served"
step "and the next good one is"
