#!/usr/bin/env bash
# A project with a real package-lock.json, made by a real npm against a made-up registry, crosses; then a real npm installs
# it from the mirror in a network namespace without any route.   npm_test.sh LIFTLOCK_LOW LIFTLOCK_HIGH
# Exit status 77: no npm 8 or later here.
source "$(dirname "$0")/crossing_machines.sh" || exit 1
command -v npm > /dev/null || skip "no npm here"
[ "$(npm --version | cut -d. -f1)" -ge 8 ] || skip "npm $(npm --version) is older than 8"
unshare --net true 2> /dev/null || unshare --map-root-user --net true || skip "no network namespaces here"
# Nothing of this machine's npm counts, and nothing is left in its caches.
export HOME=$work/home npm_config_userconfig=$work/home/.npmrc npm_config_globalconfig=/dev/null npm_config_cache=$work/cache
export npm_config_fund=false npm_config_audit=false npm_config_update_notifier=false
export npm_config_omit_lockfile_registry_resolved=false npm_config_replace_registry_host=npmjs
unset npm_config_registry NPM_CONFIG_REGISTRY NODE_ENV
mkdir -p "$HOME" "$work/packages" "$work/site" "$work/media"

# --- a registry with a token, and packages: a scope, a command, a dependency in two versions, one for another machine
package() {  # package FOLDER JSON [FILE CONTENT]…
  mkdir -p "$work/packages/$1"
  printf '%s' "$2" > "$work/packages/$1/package.json"
  local folder=$work/packages/$1; shift 2
  while [ $# -gt 0 ]; do printf '%s\n' "$2" > "$folder/$1"; shift 2; done
}
package greet '{"name":"@made/greet","version":"1.1.0","license":"MIT","bin":{"greet":"cli.js"},"dependencies":{"words":"^2.0.0"},
  "optionalDependencies":{"@made/native-linux":"1.0.0","@made/native-mac":"1.0.0"}}' \
  cli.js '#!/usr/bin/env node
console.log(require("words").hello + " from " + require("@made/native-linux"))'
package words2 '{"name":"words","version":"2.0.0"}' index.js 'exports.hello = "hello"'
package words1 '{"name":"words","version":"1.0.0"}' index.js 'exports.hello = "hallo"'
package linux "{\"name\":\"@made/native-linux\",\"version\":\"1.0.0\",\"os\":[\"linux\"],\"cpu\":[\"$(node -p process.arch)\"]}" index.js 'module.exports = "linux"'
package mac '{"name":"@made/native-mac","version":"1.0.0","os":["darwin"]}' index.js 'module.exports = "mac"'
package setup '{"name":"setup","version":"3.0.0","scripts":{"postinstall":"node -e 0"}}' index.js 'x'
coproc registry { exec python3 "$root/tests/tools/npm_registry.py" "$work/packages" --prefix /npm/ --log "$work/log" --token s3cret; }
read -r url <&"${registry[0]}"
registry_pid=$registry_PID
pids+=("$registry_pid")
printf 'registry=%s\n%s:_authToken=${MADE_TOKEN}\n' "$url" "${url#http:}" > "$HOME/.npmrc"
export MADE_TOKEN=s3cret
cd "$work/site"
printf '{"name":"site","version":"1.0.0","dependencies":{"@made/greet":"^1","words":"1.0.0"},"devDependencies":{"setup":"*"}}' > package.json
npm install --package-lock-only > "$work/npm.log" 2>&1 || { cat "$work/npm.log"; fail "npm install --package-lock-only"; }
grep -q '"lockfileVersion": [23]' package-lock.json || fail "what did npm write?"

# --- the low side
cat > liftlock.toml <<TOML
[stack]
name = "site"
platform = "linux/$(dpkg --print-architecture 2> /dev/null || echo amd64)"
[npm.site]
lock = "package-lock.json"
TOML
low init --zone low > /dev/null
for role in root builder; do low trust keygen --role $role --out "$work/$role.pem" > /dev/null; done
low trust init --organisation test --root-key "$work/root.pem" --add "builder:$work/builder.pem" > /dev/null
: > "$work/log"
"$low_exe" --state "$low_state" lock > "$work/lock.log" 2>&1 || { cat "$work/lock.log"; fail "lock"; }
grep -q "npm:setup@3.0.0 runs code where it is installed (postinstall: node -e 0)" "$work/lock.log" || fail "install scripts are not named"
[ "$(grep -c 'GET .*\.tgz' "$work/log")" -eq 5 ] || fail "not the five tarballs of this platform were asked for: $(cat "$work/log")"
: > "$work/log"
cp liftlock.lock "$work/first.lock"
low fetch > /dev/null; low lock > /dev/null; low fetch > /dev/null
[ ! -s "$work/log" ] || fail "a second lock and fetch asked for $(cat "$work/log")"
cmp liftlock.lock "$work/first.lock" || fail "the lock changed"
step "five tarballs once, with a token"

# Would it install on the other side? npm is asked, with what the stack has and no network; then with a lock that forgot one.
out=$("$low_exe" --state "$low_state" check 2> "$work/check.log") || fail "check: $out $(cat "$work/check.log")"
grep -q "5 packages install without a network (npm ci, npm $(npm --version))" <<< "$out" || fail "check says: $out"
[ ! -e node_modules ] || fail "check wrote into the project"
mkdir "$work/gap"
(
  cd "$work/gap" && cp ../site/package*.json ../site/liftlock.toml .
  python3 - <<'PY'
import json, pathlib
lock = json.loads(pathlib.Path("package-lock.json").read_text())
gone = [path for path, entry in lock["packages"].items() if path.endswith("node_modules/words") and entry["version"] == "2.0.0"]
for path in gone:
    del lock["packages"][path]
assert len(gone) == 1, gone
pathlib.Path("package-lock.json").write_text(json.dumps(lock))
PY
  low lock > /dev/null && low fetch > /dev/null
  refused stack-incomplete low check
  grep -q "✗ \[npm.site\].*words" <<< "$("$low_exe" --state "$low_state" check 2> /dev/null)" || fail "what the lock forgot is not named"
)
step "npm ci without a network from the stack's tarballs; a lock that forgot a package is found out"

# A change asks for what is new, and for nothing else.
mkdir "$work/first" && cp package.json package-lock.json "$work/first/"
package more '{"name":"more","version":"1.0.0"}' index.js 'x'
npm install --package-lock-only more > /dev/null 2>&1 || fail "npm install more"
: > "$work/log"
low lock > /dev/null
[ "$(cat "$work/log")" = "GET /npm/more/-/more-1.0.0.tgz" ] || fail "one package more asked for $(cat "$work/log")"
low fetch > /dev/null
low pack --output "$work/media/one" > /dev/null
low sign "$work/media/one" --role builder --key "$work/builder.pem" > /dev/null
low verify "$work/media/one" > /dev/null
[ -f "$work/media/one/packages/npm/@made/greet/greet-1.1.0.tgz" ] || fail "no tarball in the bundle"
grep -q 'pkg:npm/%40made/greet@1.1.0' "$work/media/one/manifest/sbom.cdx.json" || fail "no purl in the SBOM"
step "a change costs one request; packed, signed, verified"

# --- what the low side refuses
printf 'not a tarball' > "$work/packages/words1/.swap"
rm -rf "$work/other"; mkdir "$work/other"
(
  cd "$work/other" && cp "$work"/first/package*.json . && cp ../site/liftlock.toml .
  low_state=$work/low2
  low init --zone low > /dev/null
  refused digest-mismatch low lock
  rm "$work/packages/words1/.swap"
  sed -i 's/"name":"words","version":"1.0.0"/"name":"words","version":"1.0.1"/' "$work/packages/words1/package.json"
  cp "$work/packages/words1/package.json" "$work/lying.json"
  python3 - "$work" <<'PY'
import base64, gzip, hashlib, io, json, pathlib, sys, tarfile
work = pathlib.Path(sys.argv[1]); plain = io.BytesIO()
with tarfile.open(fileobj=plain, mode="w") as tar:
    data = (work / "lying.json").read_bytes(); info = tarfile.TarInfo("package/package.json"); info.size = len(data)
    tar.addfile(info, io.BytesIO(data))
data = gzip.compress(plain.getvalue(), mtime=0)
(work / "packages/words1/.swap").write_bytes(data)
lock = json.loads(pathlib.Path("package-lock.json").read_text())
lock["packages"]["node_modules/words"]["integrity"] = "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode()
pathlib.Path("package-lock.json").write_text(json.dumps(lock))
PY
  sed -i 's/"version":"1.0.1"/"version":"1.0.0"/' "$work/packages/words1/package.json"
  refused package-malformed low lock
  rm "$work/packages/words1/.swap"
  cp "$work/first/package-lock.json" . && MADE_TOKEN=wrong refused http-status low lock
  sed -i 's/"lockfileVersion": [23]/"lockfileVersion": 1/' package-lock.json
  refused stack-invalid low lock
)
step "other bytes, a lying version, a wrong token and an old lock are refused"

# --- the gate closes
kill "$registry_pid"
wait "$registry_pid" 2> /dev/null || true
rm -rf "$work/cache"
high init --zone ingest > /dev/null
printf 'zone = "ingest"\n[policy]\nreserve = "1MiB"\n[source.usb]\npath = "%s"\nrequire_read_only = false\n' "$work/media" > "$high_state/config.toml"
export work high_exe high_state root MADE_TOKEN=
fingerprint=$(low --json trust show | json '["fingerprint"]')
high trust pin "$work/media/one" --fingerprint "$fingerprint" > /dev/null
high ingest usb/one --expect "$(sha256sum < "$work/media/one/manifest/bundle.json" | cut -d' ' -f1)" > /dev/null

export -f soon
cat > "$work/inside.sh" <<'SH'
set -euo pipefail
fail() { echo "FAILED: $*" >&2; exit 1; }
ip link set lo up
"$high_exe" --quiet --state "$high_state" serve --listen 127.0.0.1:0 > "$work/serve.out" 2> "$work/serve.err" &
server=$!
trap 'kill $server 2> /dev/null || true' EXIT
soon [ -s "$work/serve.out" ] || fail "the mirror did not start: $(cat "$work/serve.err")"
url=$(sed -n 's/^listening on //p' "$work/serve.out")
rm -rf "$work/there"; mkdir -p "$work/there"; cd "$work/there"
cp "$work"/site/package*.json .
"$high_exe" --quiet --state "$high_state" render clients --client npm --base-url "$url" > "$HOME/.npmrc"
unset npm_config_replace_registry_host npm_config_audit
grep -q "^replace-registry-host=always" "$HOME/.npmrc" || fail "what is this .npmrc?"

npm ci > "$work/ci.log" 2>&1 || { cat "$work/ci.log"; fail "npm ci from the mirror"; }
[ "$(node_modules/.bin/greet)" = "hello from linux" ] || fail "the program does not run"
[ "$(node -p 'require("words").hello')" = hallo ] || fail "the project's own version of words"
[ ! -e node_modules/@made/native-mac ] || fail "a package of another platform was installed"
npm ls --all > /dev/null || fail "npm ls"
echo "ok: npm ci from a lock that names another registry; the program runs"

# Without a lock, by packuments; from a cache; and what people ask for by hand.
mkdir ../fresh; cd ../fresh
npm install @made/greet more@1 > "$work/install.log" 2>&1 || { cat "$work/install.log"; fail "npm install"; }
[ "$(node_modules/.bin/greet)" = "hello from linux" ] || fail "the program does not run without a lock"
npm ping > /dev/null 2>&1 || fail "npm ping"
[ "$(npm view @made/greet version license --json | node -p 'JSON.parse(require("fs").readFileSync(0)).license')" = MIT ] || fail "npm view"
[ "$(npm view words versions --json | tr -d ' \n')" = '["1.0.0","2.0.0"]' ] || fail "versions: $(npm view words versions --json)"
grep -q "@made/greet" <<< "$(npm search greet --parseable)" || fail "npm search"
[ "$(npm dist-tag ls words)" = "latest: 2.0.0" ] || fail "npm dist-tag"
[ "$(npm pack words@1 2> /dev/null)" = words-1.0.0.tgz ] || fail "npm pack"
if out=$(npm install no-such-package 2>&1); then fail "what is not there was installed"; fi
grep -q E404 <<< "$out" || fail "what is not there: $out"
etag=$(curl -sI "$url/npm/@made%2fgreet" | tr -d '\r' | sed -n 's/^[Ee][Tt]ag: //p')
[ "$(curl -s -o /dev/null -w '%{http_code}' -H "If-None-Match: $etag" "$url/npm/@made%2fgreet")" = 304 ] || fail "no 304"
echo "ok: install, ping, view, search, dist-tag, pack; 304"

# Nobody here knows advisories: npm audit says so, soon, and an install goes on without.
begin=$SECONDS
export npm_config_fetch_retry_mintimeout=600000 npm_config_fetch_retry_maxtimeout=600000  # who waits at all waits for ten minutes
if out=$(npm audit --audit=true 2>&1); then fail "npm audit found nothing, and nobody looked: $out"; fi
rm -rf node_modules && npm install --audit=true > "$work/audited.log" 2>&1 || { cat "$work/audited.log"; fail "install with audit"; }
unset npm_config_fetch_retry_mintimeout npm_config_fetch_retry_maxtimeout
[ $((SECONDS - begin)) -lt 300 ] || fail "npm waited $((SECONDS - begin)) s for advisories"
echo "ok: no advisories, and nobody waits for them"

# Without Liftlock: npm's own cache is filled from the bundle.
kill $server; wait $server 2> /dev/null || true
mkdir ../plain; cd ../plain
cp "$work"/site/package*.json .
: > "$HOME/.npmrc"
export npm_config_cache=$work/plain-cache
find "$work/media/one/packages/npm" -name '*.tgz' | xargs npm cache add > "$work/cache.log" 2>&1 || { cat "$work/cache.log"; fail "npm cache add"; }
npm ci --offline > "$work/plain.log" 2>&1 || { cat "$work/plain.log"; fail "npm ci --offline from the bundle's files"; }
[ "$(node_modules/.bin/greet)" = "hello from linux" ] || fail "the program does not run from the bundle's files"
echo "ok: npm ci --offline with nothing but the bundle"

# npm's cache as export gives it back.
"$high_exe" --quiet --state "$high_state" export --npm-cache --to "$work/exported" > /dev/null
(cd "$work/exported" && sha256sum --quiet -c SHA256SUMS) || fail "SHA256SUMS of the exported cache"
mkdir ../exported-site; cd ../exported-site
cp "$work"/site/package*.json .
npm ci --offline --cache "$work/exported" > "$work/exported.log" 2>&1 || { cat "$work/exported.log"; fail "npm ci from the exported cache"; }
[ "$(node_modules/.bin/greet)" = "hello from linux" ] || fail "the program does not run from the exported cache"
echo "ok: npm ci --offline from a cache that export wrote"
SH
inside=(unshare --net); [ "$(id -u)" -eq 0 ] || inside=(unshare --map-root-user --net)
"${inside[@]}" bash "$work/inside.sh" || exit 1
high audit verify > /dev/null || fail "the audit log"
tested npm npm "$(npm --version)"
step "npm"
