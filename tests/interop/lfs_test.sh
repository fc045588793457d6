#!/usr/bin/env bash
# Files of Git LFS cross with their repository, from a folder and from a server, and the real git-lfs takes them from the mirror,
# where there is no network. The upstream server is a stand-in (tests/tools/lfs_server.py): none can be had from Debian.
#   lfs_test.sh LIFTLOCK_LOW LIFTLOCK_HIGH
# Exit status 77: there is no git, no git-lfs, no bubblewrap, or no network namespace here.
source "$(dirname "$0")/crossing_machines.sh" || exit 1
source "$(dirname "$0")/package_crossing.sh"
command -v git > /dev/null || skip "there is no git"
command -v bwrap > /dev/null || skip "there is no bubblewrap"
git lfs version > /dev/null 2>&1 || skip "there is no git-lfs"
export HOME=$work/home GIT_CONFIG_GLOBAL=$work/gitconfig GIT_CONFIG_NOSYSTEM=1 GIT_TERMINAL_PROMPT=0
export GIT_AUTHOR_NAME=A GIT_AUTHOR_EMAIL=a@example.test GIT_COMMITTER_NAME=A GIT_COMMITTER_EMAIL=a@example.test
unset NETRC http_proxy https_proxy all_proxy HTTPS_PROXY ALL_PROXY
mkdir -p "$HOME" "$work/stack" "$work/lfs"
cd "$work/stack"
git lfs install --skip-repo > /dev/null

# --- an upstream: two versions of one file, and one in a folder, as git-lfs itself stores them
up() { git -C up "$@"; }
git init -q -b main up
(cd up && git lfs track '*.bin' > /dev/null)
mkdir "up/a folder"
seq 1 300000 > up/weights.bin
echo "a small one" > "up/a folder/small.bin"
up add -A && up commit -q -m one && up tag v1.0 && up branch old
cp up/weights.bin "$work/older.bin"
seq 2 300001 > up/weights.bin
up add -A && up commit -q -m two
[ "$(find up/.git/lfs/objects -type f | wc -l)" = 3 ] || fail "git-lfs did not store three files"
first_line=$(up cat-file blob HEAD:weights.bin | head -1)
[ "$first_line" = "version https://git-lfs.github.com/spec/v1" ] || fail "git-lfs wrote another pointer: $first_line"
sha_of() { sha256sum < "$1" | cut -d' ' -f1; }
weights=$(sha_of up/weights.bin) older=$(sha_of "$work/older.bin") small=$(sha_of "up/a folder/small.bin")

# --- a server of it, which wants a login, and leads to another origin for the files
git clone -q --bare up "$work/lfs/tool.git"
rm -rf "$work/lfs/tool.git/lfs" && cp -r up/.git/lfs "$work/lfs/tool.git/lfs"
cp -r "$work/lfs/tool.git" "$work/lfs/plain.git"
: > "$work/lfs/evil"
: > "$work/log"
mkfifo "$work/lfs.stdin" && exec 8<> "$work/lfs.stdin"
# Where a file is stays true for no time, so that it is asked for again when the file is fetched.
python3 "$root/tests/tools/lfs_server.py" "$work/lfs" --login ci:s3cret --log "$work/log" --good-for 0 < "$work/lfs.stdin" > "$work/ports" 2> "$work/lfs.log" &
pids+=($!)
lines() { [ "$(wc -l < "$1")" -ge "$2" ]; }
soon lines "$work/ports" 2 || fail "the stand-in for an LFS server did not start: $(cat "$work/lfs.log")"
port=$(head -1 "$work/ports")
# Not ~/.netrc, which git-lfs would take for the mirror, too.
printf 'machine 127.0.0.1 login ci password s3cret\n' > "$work/netrc" && chmod 600 "$work/netrc"
export NETRC=$work/netrc
cat > liftlock.toml <<TOML
[stack]
name = "sources"

[git.local]
url = "up"
refs = ["old"]

[git.tool]
url = "http://127.0.0.1:$port/tool.git"
refs = ["main", "v1.*"]

[git.plain]
url = "http://127.0.0.1:$port/plain.git"
lfs = false
TOML

cross lfs-1
grep -q '\[git.tool\]: 3 files of Git LFS with 3.8 MiB cross with it' liftlock.lock || fail "the lock does not say what crosses: $(grep 'Git LFS' liftlock.lock)"
grep -q 'Git LFS: weights.bin, 1.9 MiB' liftlock.lock || fail "the lock does not list the file"
grep -q '\[git.plain\]: 3 files of Git LFS with 3.8 MiB are left out' liftlock.lock || fail "the lock does not say what is left out"
grep -q 'not crossing: a folder/small.bin of Git LFS, 12 B' liftlock.lock || fail "what is left out has no name"
if grep -E 's3cret|signature=|X-Ticket' liftlock.lock; then fail "the lock has what is nobody's business"; fi
grep -q "GET /tool.git/$weights" "$work/log" || fail "the file was not fetched from the server: $(cat "$work/log")"
if grep -q "^GET .* Basic .* $(tail -1 "$work/ports")\$" "$work/log"; then fail "the login of the server went to the other origin that has the files"; fi
if grep -q 'POST /plain.git/info/lfs' "$work/log"; then fail "the server was asked for what is left out"; fi
cp liftlock.lock "$work/before.lock" && : > "$work/log"
low lock --update git.tool > /dev/null
cmp -s liftlock.lock "$work/before.lock" || fail "a second lock of the same commits is another one"
if grep -q 'info/lfs' "$work/log"; then fail "a second lock asked the LFS server"; fi
step "files of Git LFS are locked and fetched from a folder and from a server; the switch leaves them out, by name"

for one in "tool $weights" "tool $older" "tool $small" "local $older" "local $small"; do
  oid=${one#* } file=$work/medium/lfs-1/packages/git/${one% *}.lfs/objects
  file=$file/${oid:0:2}/${oid:2:2}/$oid
  [ "$(sha_of "$file")" = "$oid" ] || fail "$file is not what its name says"
done
[ ! -e "$work/medium/lfs-1/packages/git/plain.lfs" ] || fail "what is left out crossed"
# Without Liftlock: git and git-lfs alone.
GIT_LFS_SKIP_SMUDGE=1 git clone -q "$work/medium/lfs-1/packages/git/tool.bundle" "$work/from-medium"
mkdir -p "$work/from-medium/.git/lfs" && cp -r "$work/medium/lfs-1/packages/git/tool.lfs/." "$work/from-medium/.git/lfs"
git -C "$work/from-medium" lfs checkout > /dev/null
cmp "$work/from-medium/weights.bin" up/weights.bin || fail "from the medium alone"
step "the medium alone is enough for git and git-lfs"

cut_off '
  git clone -q "$mirror/git/tool" "$work/clone"
  cmp "$work/clone/weights.bin" up/weights.bin
  cmp "$work/clone/a folder/small.bin" "up/a folder/small.bin"
  git -C "$work/clone" lfs fsck > "$work/fsck.log" || { cat "$work/fsck.log" >&2; exit 1; }
  git -C "$work/clone" checkout -q v1.0
  cmp "$work/clone/weights.bin" "$work/older.bin"
  GIT_LFS_SKIP_SMUDGE=1 git clone -q "$mirror/git/tool.git" "$work/later"
  [ "$(wc -c < "$work/later/weights.bin")" -lt 200 ]
  git -C "$work/later" lfs pull
  cmp "$work/later/weights.bin" up/weights.bin
  rm -rf "$work/later/.git/lfs/objects" && git -C "$work/later" lfs fetch --all > /dev/null
  [ "$(find "$work/later/.git/lfs/objects" -type f | wc -l)" = 3 ]
  git lfs clone "$mirror/git/local" "$work/old-command" > /dev/null 2>&1
  cmp "$work/old-command/weights.bin" "$work/older.bin"' || fail "git-lfs does not take its files from the mirror: $(tail -5 "$work/serve.log")"
tested git git-lfs "$(git lfs version | cut -d/ -f2 | cut -d' ' -f1)"
step "git clone, checkout of an older version, git lfs pull, fetch --all and git lfs clone, without a route"

export weights small
out=$(cut_off '
  ask() { curl -s -o "$work/answer" -w "%{http_code} " "$@"; }
  lfs=$mirror/git/tool/info/lfs type="Content-Type: application/vnd.git-lfs+json"
  ask -r 10-19 "$lfs/objects/$weights"
  cmp "$work/answer" <(head -c 20 up/weights.bin | tail -c 10) || { echo "another range" >&2; exit 1; }
  ask "$lfs/objects/$(printf "%064d" 1)"
  ask -X PUT --data-binary x "$lfs/objects/$weights"
  ask "$lfs/objects/batch"
  ask -H "$type" --data-binary "{\"operation\":\"upload\",\"objects\":[{\"oid\":\"$weights\",\"size\":1}]}" "$lfs/objects/batch"
  grep -q "read-only" "$work/answer" || { echo "an upload is not told why: $(cat "$work/answer")" >&2; exit 1; }
  ask -H "$type" --data-binary nonsense "$lfs/objects/batch"
  ask -H "$type" --data-binary "{\"operation\":\"download\",\"objects\":[{\"oid\":\"$weights\",\"size\":1}]}" "$lfs/objects/batch"
  grep -q "\"code\":422" "$work/answer" || { echo "a size that lies: $(cat "$work/answer")" >&2; exit 1; }
  ask -H "$type" --data-binary "{\"operation\":\"download\",\"objects\":[{\"oid\":\"$weights\",\"size\":1}]}" "$mirror/git/plain/info/lfs/objects/batch"
  grep -q "\"code\":404" "$work/answer" || { echo "of what was left out: $(cat "$work/answer")" >&2; exit 1; }
  head -c 2000000 /dev/zero | ask -H "$type" -H "Expect:" --data-binary @- "$lfs/objects/batch"
  # What has the file in another repository only is not its own.
  ask "$mirror/git/plain/info/lfs/objects/$weights"') || fail "refusals: $out"
[ "$out" = "206 404 405 405 403 422 200 200 413 404 " ] || fail "other answers: $out"
out=$(cut_off '
  cd "$work/later" && echo more > more.bin && git add -A && git commit -q -m more
  if git lfs push origin main 2>&1; then echo "uploaded" >&2; exit 1; fi') || fail "git lfs push: $out"
grep -q 'read-only' <<< "$out" || fail "git-lfs does not say why nothing can be uploaded: $out"
step "ranges are served; uploads, nonsense and files of other repositories are refused"

cut_off '
  { cat "$GIT_CONFIG_GLOBAL"; "$high_exe" --quiet --state "$high_state" render clients --client git --base-url "$mirror"; } > "$work/led"
  GIT_CONFIG_GLOBAL=$work/led git clone -q "http://127.0.0.1:'"$port"'/tool.git" "$work/by-origin"
  cmp "$work/by-origin/weights.bin" up/weights.bin
  with_tokens
  GIT_SSL_CAINFO=$ca git clone -q "https://x:$token@${guarded#https://}/git/tool" "$work/guarded"
  cmp "$work/guarded/weights.bin" up/weights.bin' || fail "led by its origin, or with a read token"
step "what asks for its origin is led to the mirror for its files, too; so is who has a read token, over TLS"

# --- an upstream that lies, on a machine that has nothing yet
printf '[stack]\nname = "lies"\n[git.tool]\nurl = "http://127.0.0.1:%s/tool.git"\n' "$port" > "$work/lies.toml"
mkdir "$work/lies" && mv "$work/lies.toml" "$work/lies/liftlock.toml" && cd "$work/lies"
fresh() { rm -rf "$work/low3" liftlock.lock && low3 init > /dev/null; }
low3() { "$low_exe" --quiet --state "$work/low3" "$@"; }
lie() { printf '%s' "$1" > "$work/lfs/evil"; }
for name in fewer=schema-violation more=schema-violation twice=schema-violation file=schema-violation other-size=size-mismatch \
  error=http-status batch-redirect=network html=json-invalid; do
  fresh && lie "${name%=*}"
  refused "${name#*=}" low3 lock
  [ ! -e liftlock.lock ] || fail "${name%=*} is locked"
done
for name in bytes=digest-mismatch size=size-mismatch redirect=http-status file=schema-violation fewer=schema-violation; do
  fresh && lie ""
  low3 lock > /dev/null
  lie "${name%=*}"
  refused "${name#*=}" low3 fetch
done
if grep -q "/batch .* $(tail -1 "$work/ports")\$" "$work/log"; then fail "a question with a login went to where a redirect led"; fi
lie "" && : > "$work/log"
low3 fetch > /dev/null || fail "the honest answer, after the lies"
[ "$(grep -c 'POST /tool.git/info/lfs/objects/batch Basic' "$work/log")" = 3 ] || fail "not asked again for each of three files: $(cat "$work/log")"
step "answers that lie in their number, names, sizes and addresses, files that lie, and redirects are refused"

# --- a forge that has Git LFS switched off: nothing is at the address that git-lfs takes where nobody names one
fresh && lie no-lfs
low3 lock > /dev/null
grep -q '3 files of Git LFS with 3.8 MiB are not at the upstream' liftlock.lock || fail "what has no server is not named as lacking: $(grep 'Git LFS' liftlock.lock)"
cp liftlock.toml "$work/unnamed.toml"
printf 'lfs_url = "http://127.0.0.1:%s/tool.git/info/lfs"\n' "$port" >> liftlock.toml
fresh
refused http-status low3 lock
cp "$work/unnamed.toml" liftlock.toml && lie ""
step "where nobody names a server of Git LFS and none answers, the lock names what does not cross"

# --- an upstream that lacks one, and one whose .lfsconfig leads elsewhere
rm "$work/lfs/tool.git/lfs/objects/${small:0:2}/${small:2:2}/$small" "$work/lfs/tool.git/lfs/objects/${older:0:2}/${older:2:2}/$older"
fresh
low3 lock > /dev/null
grep -q 'not crossing: a folder/small.bin of Git LFS' liftlock.lock || fail "what is lacking has no name"
low3 fetch > /dev/null
refused stack-incomplete low3 check
found=$(low3 check 2>&1) && fail "check is content"
grep -q 'a folder/small.bin in Git LFS' <<< "$found" || fail "check does not name it: $found"
grep -q '1 file of Git LFS in its history' <<< "$found" || fail "check does not speak of the older file: $found"
# More than are listed: a folder's, of which it has none.
git init -q -b main "$work/many"
for n in $(seq 101); do
  printf 'version https://git-lfs.github.com/spec/v1\noid sha256:%064d\nsize 7\n' "$n" > "$work/many/$n.txt"
done
git -C "$work/many" add -A && git -C "$work/many" commit -q -m many
mkdir "$work/check" && printf '[stack]\nname = "many"\n[git.many]\nurl = "%s"\n' "$work/many" > "$work/check/liftlock.toml"
{ (cd "$work/check" && low3 lock && low3 fetch); } > /dev/null
found=$(cd "$work/check" && low3 check 2>&1) && fail "check is content without 101 files"
grep -q 'many has 1 file more in Git LFS' <<< "$found" || fail "check does not count what is not listed: $found"
if grep -q 'in its history' <<< "$found"; then fail "check takes a file of the checkout for one of the history: $found"; fi
GIT_LFS_SKIP_SMUDGE=1 git clone -q "$work/lfs/plain.git" "$work/config"
git -C "$work/config" config -f .lfsconfig lfs.url https://elsewhere.example/lfs
git -C "$work/config" add .lfsconfig && git -C "$work/config" commit -q -m elsewhere && git -C "$work/config" -c core.hooksPath=/dev/null push -q
sed -i 's|tool.git|plain.git|' liftlock.toml
fresh
refused unresolvable low3 lock
printf 'lfs_url = "http://127.0.0.1:%s/plain.git/info/lfs"\n' "$port" >> liftlock.toml
fresh
{ low3 lock && low3 fetch; } > /dev/null || fail "a server that the stack names"
grep -q '3 files of Git LFS' liftlock.lock || fail "not all of them are locked: $(grep 'Git LFS' liftlock.lock)"
grep -q "/plain.git/info/lfs/objects/$weights" liftlock.lock || fail "the lock does not say who has the file"
sed -i 's|^lfs_url.*|lfs_url = "http://127.0.0.1:'"$port"'/other.git/info/lfs"|' liftlock.toml
cp -r "$work/lfs/plain.git" "$work/lfs/other.git"
low3 lock > /dev/null
grep -q "/other.git/info/lfs/objects/$weights" liftlock.lock || fail "another server of the stack is not asked"
step "what the upstream lacks is named; .lfsconfig leads to no other host, and the stack does"
