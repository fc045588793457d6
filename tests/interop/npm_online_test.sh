#!/usr/bin/env bash
# Real packages of the registry of this machine's npm: scopes, capitals, a native program for each platform. Locked, fetched,
# packed, ingested; then npm ci, by this machine's npm and by an old one, where no route leads out, and the program runs.
#   npm_online_test.sh LIFTLOCK_LOW LIFTLOCK_HIGH      Exit status 77: no npm, or no registry (skipped).
source "$(dirname "$0")/crossing_machines.sh" || exit 1
command -v npm > /dev/null || skip "no npm here"
export npm_config_cache=$work/cache npm_config_fund=false npm_config_audit=false npm_config_update_notifier=false
export npm_config_omit_lockfile_registry_resolved=false
mkdir -p "$work/site" "$work/media" "$work/home"
cd "$work/site"
cat > package.json <<'JSON'
{"name": "site", "version": "1.0.0",
 "dependencies": {"esbuild": "0.25.12", "chalk": "4.1.2", "JSONStream": "1.3.5", "@types/node": "22.10.0", "uuid": "3.4.0"},
 "devDependencies": {"typescript": "5.7.2", "prettier": "3.4.1"}}
JSON
npm install --package-lock-only > "$work/npm.log" 2>&1 || { tail -3 "$work/npm.log"; skip "the registry of this machine's npm gives no packages"; }
npm install --prefix "$work/npm9" npm@9.2.0 > "$work/npm.log" 2>&1 || skip "no npm 9.2"  # that of Debian 12
npm install --prefix "$work/others" pnpm@9.15.0 yarn@1.22.22 > "$work/npm.log" 2>&1 || skip "no pnpm, no Yarn"
# A second project whose lock says nothing of where its packages are.
mkdir ../bare && (cd ../bare && echo '{"name": "bare", "version": "1.0.0", "dependencies": {"ms": "2.1.3"}}' > package.json &&
  npm_config_omit_lockfile_registry_resolved=true npm install --package-lock-only > /dev/null 2>&1)
if [ "$(npm --version | cut -d. -f1)" -ge 9 ]; then ! grep -q resolved ../bare/package-lock.json || fail "npm wrote resolved"; fi

cat > liftlock.toml <<TOML
[stack]
name = "site"
platform = "linux/$(dpkg --print-architecture)"
[npm.site]
lock = "package-lock.json"
[npm.bare]
lock = "../bare/package-lock.json"
TOML
low init --zone low > /dev/null
for role in root builder; do low trust keygen --role $role --out "$work/$role.pem" > /dev/null; done
low trust init --organisation test --root-key "$work/root.pem" --add "builder:$work/builder.pem" > /dev/null
"$low_exe" --state "$low_state" lock > "$work/lock.log" 2>&1 || { cat "$work/lock.log"; fail "lock"; }
grep -q "npm:esbuild@0.25.12 runs code" "$work/lock.log" || fail "esbuild's install script is not named: $(cat "$work/lock.log")"
low fetch > /dev/null
count=$(python3 -c 'import json; print(sum(len(e["artifacts"]) for e in json.load(open("liftlock.lock"))["entries"]))')
cp liftlock.lock ../first.lock
grep -q '"fetched": 0' <<< "$(low --json fetch)" || fail "a second fetch got something"
low lock --offline > /dev/null && cmp liftlock.lock ../first.lock || fail "a second lock"
low pack --output "$work/media/one" > /dev/null
low sign "$work/media/one" --role builder --key "$work/builder.pem" > /dev/null
low verify "$work/media/one" > /dev/null
[ "$(find "$work/media/one/packages/npm/@esbuild" -name '*.tgz' | wc -l)" -eq 1 ] || fail "more than this platform's esbuild"
step "$count packages locked, fetched, packed"

high init --zone ingest > /dev/null
printf 'zone = "ingest"\n[policy]\nreserve = "1MiB"\n[source.usb]\npath = "%s"\nrequire_read_only = false\n' "$work/media" > "$high_state/config.toml"
high trust pin "$work/media/one" --fingerprint "$(low --json trust show | json '["fingerprint"]')" > /dev/null
high ingest usb/one --expect "$(sha256sum < "$work/media/one/manifest/bundle.json" | cut -d' ' -f1)" > /dev/null

export work high_exe high_state HOME=$work/home npm_config_userconfig=$work/home/.npmrc npm_config_globalconfig=/dev/null
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
"$high_exe" --quiet --state "$high_state" render clients --client npm --base-url "$url" > "$HOME/.npmrc"
unset npm_config_omit_lockfile_registry_resolved
try() {  # try NAME NPM…
  export npm_config_cache=$work/cache-$1
  rm -rf "$work/there-$1"; mkdir "$work/there-$1"; cd "$work/there-$1"
  cp "$work"/site/package*.json .
  "${@:2}" ci > "$work/ci.log" 2>&1 || { cat "$work/ci.log"; fail "npm ci of $1"; }
  [ "$(node_modules/.bin/esbuild --minify <<< 'console.log( "a" + "b" )')" = 'console.log("ab");' ] || fail "esbuild"
  grep -q "2.1" <<< "$(node -p 'require("chalk").green(2.1)')" || fail "chalk"
  [ "$(echo '[1,[2]]' | node -e 'process.stdin.pipe(require("JSONStream").parse("*")).on("data", d => console.log(JSON.stringify(d)))' | tail -1)" = "[2]" ] || fail "JSONStream"
  echo 'export const x: number = 1; process.exit(x)' > a.ts
  node_modules/.bin/tsc --noEmit --types node a.ts || fail "tsc"
  [ "$(echo "a  =  1" | node_modules/.bin/prettier --parser babel)" = "a = 1;" ] || fail "prettier"
  echo "ok: npm ci with npm $("${@:2}" --version); esbuild, tsc, prettier and others run"
}
try new npm
try old node "$work/npm9/node_modules/npm/bin/npm-cli.js"
mkdir "$work/there-bare"; cd "$work/there-bare"; cp "$work"/bare/package*.json .
npm ci > "$work/ci.log" 2>&1 || { cat "$work/ci.log"; fail "npm ci without resolved"; }
[ "$(node -p 'require("ms")("2d")')" = 172800000 ] || fail "ms"
mkdir "$work/there-free"; cd "$work/there-free"
npm install prettier chalk@4 esbuild > "$work/ci.log" 2>&1 || { cat "$work/ci.log"; fail "npm install without a lock"; }
node_modules/.bin/esbuild --version > /dev/null || fail "esbuild without a lock"
echo "ok: a lock without addresses, and no lock at all"
others=$work/others/node_modules/.bin
mkdir "$work/there-pnpm"; cd "$work/there-pnpm"; cp "$work/site/package.json" .
"$others/pnpm" install > "$work/ci.log" 2>&1 || { cat "$work/ci.log"; fail "pnpm install"; }
[ "$(node_modules/.bin/esbuild --minify <<< 'console.log( "a" + "b" )')" = 'console.log("ab");' ] || fail "esbuild by pnpm"
# Yarn 1 wants the packages of every platform, which this bundle does not have, where nothing but package.json is there.
mkdir "$work/there-yarn"; cd "$work/there-yarn"
echo '{"name": "site", "version": "1.0.0", "license": "MIT", "dependencies": {"chalk": "^4", "JSONStream": "1.3.5", "@types/node": "*"}}' > package.json
"$others/yarn" install > "$work/ci.log" 2>&1 || { cat "$work/ci.log"; fail "yarn install"; }
grep -q "2.1" <<< "$(node -p 'require("chalk").green(2.1)')" || fail "chalk by Yarn"
echo "ok: pnpm $("$others/pnpm" --version), Yarn $("$others/yarn" --version)"
SH
inside=(unshare --net); [ "$(id -u)" -eq 0 ] || inside=(unshare --map-root-user --net)
"${inside[@]}" bash "$work/inside.sh" || exit 1
tested npm npm "$(npm --version)"
tested npm pnpm "$("$work/others/node_modules/.bin/pnpm" --version)"
tested npm Yarn "$("$work/others/node_modules/.bin/yarn" --version)"
step "npm online"
