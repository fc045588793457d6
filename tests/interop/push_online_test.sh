#!/usr/bin/env bash
# What crossed goes into package indexes and an npm registry of the site: pypiserver, devpi, verdaccio, each a real one; then pip and
# npm install from them, and Helm's SDK pulls a chart from a registry (issue 5, 2b). The servers themselves come from the package indexes of this machine (label: online).
# push_online_test.sh LIFTLOCK_LOW LIFTLOCK_HIGH
# Exit status 77: the servers cannot be had.
source "$(dirname "$0")/crossing_machines.sh" || exit 1
source "$(dirname "$0")/package_crossing.sh"
command -v npm > /dev/null || skip "there is no npm"
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check pypiserver==2.4.2 devpi-server==6.20.3 > "$work/pip.log" 2>&1 || { tail -1 "$work/pip.log"; skip "pypiserver and devpi cannot be had"; }
# verdaccio names a dist-tag of one of its needs, which some mirrors do not have.
mkdir -p "$work/verdaccio" && printf '{"name":"x","version":"1.0.0","overrides":{"node-fetch":"2.7.0"}}' > "$work/verdaccio/package.json"
(cd "$work/verdaccio" && npm install --no-audit --no-fund verdaccio@5.33.0 > "$work/npm.log" 2>&1) || { tail -1 "$work/npm.log"; skip "verdaccio cannot be had"; }

"$work/venv/bin/pip" install -q --disable-pip-version-check helm-python-sdk==0.2.2 > "$work/pip.log" 2>&1 || { tail -1 "$work/pip.log"; skip "Helm's SDK cannot be had"; }

# --- what crosses: two wheels, packages of a real lock, a chart; and a source distribution
export PIP_NO_INDEX=1 PIP_FIND_LINKS=$work/wheels PIP_CONFIG_FILE=/dev/null
export HOME=$work/home npm_config_userconfig=$work/home/.npmrc npm_config_globalconfig=/dev/null npm_config_cache=$work/cache npm_config_fund=false npm_config_audit=false npm_config_update_notifier=false
unset npm_config_registry NPM_CONFIG_REGISTRY
mkdir -p "$HOME" "$work/stack" "$work/packages"
python3 "$root/tests/tools/make_wheel.py" "$work/wheels" lift_test 1.2 "liftdep>=1"
python3 "$root/tests/tools/make_wheel.py" "$work/wheels" liftdep 1.0
package() { mkdir -p "$work/packages/$1"; printf '%s' "$2" > "$work/packages/$1/package.json"; echo "$3" > "$work/packages/$1/index.js"; }
package greet '{"name":"@made/greet","version":"1.1.0","license":"MIT","dependencies":{"words":"1.10.0"}}' 'module.exports = require("words")'
package words10 '{"name":"words","version":"1.10.0"}' 'module.exports = "hello"'
package words9 '{"name":"words","version":"1.9.0"}' 'module.exports = "old"'
coproc upstream { exec python3 "$root/tests/tools/npm_registry.py" "$work/packages" --prefix /npm/ --log "$work/log"; }
read -r url <&"${upstream[0]}"
pids+=("$upstream_PID")
cd "$work/stack"
printf 'registry=%s\n' "$url" > "$HOME/.npmrc"
printf '{"name":"site","version":"1.0.0","dependencies":{"@made/greet":"^1","words":"1.9.0"}}' > package.json
npm install --package-lock-only > "$work/npm.log" 2>&1 || { cat "$work/npm.log"; fail "npm install"; }
printf '[stack]\nname = "site"\n[python.tools]\nrequirements = ["lift-test"]\n[npm.site]\nlock = "package-lock.json"\n' > liftlock.toml
mkdir -p "$work/chart" && (cd "$work/chart" && "$work/venv/bin/python" -c 'import helm_python as helm; helm.Chart.create("demo", "."); helm.package("demo", destination=".", version="1.2.3+site")')
printf '[chart.demo]\nsource = "%s/chart/demo-1.2.3+site.tgz"\n' "$work" >> liftlock.toml
cross site-1
mkdir -p "$work/sdist/liftsrc-1.0" "$work/sdists" && printf 'Metadata-Version: 2.1\nName: liftsrc\nVersion: 1.0\nSummary: made up\n' > "$work/sdist/liftsrc-1.0/PKG-INFO"
tar --owner 0 --group 0 -C "$work/sdist" -czf "$work/sdists/liftsrc-1.0.tar.gz" liftsrc-1.0
sed -i 's|^\[policy\]|[policy]\nunsigned_imports = true|' "$high_state/config.toml"
high import "$work/sdists" --reason test > /dev/null || fail "the sdist is not imported"
echo "plant:secret" > "$work/login" && chmod 600 "$work/login"
repository() { printf '[repository.%s]\nkind = "%s"\naddress = "%s"\n' "$1" "$2" "$3"; printf '%s\n' "${@:4}"; }
printf 'plant:%s\n' "$(openssl passwd -apr1 secret)" > "$work/users"
pip_from() {  # pip_from INDEX: a fresh environment with what the index has, and nothing else
  rm -rf "$work/fresh" && python3 -m venv "$work/fresh"
  env -u PIP_NO_INDEX -u PIP_FIND_LINKS "$work/fresh/bin/pip" install -q --disable-pip-version-check --no-cache-dir --index-url "$1" lift-test > "$work/pip.log" 2>&1 || { cat "$work/pip.log"; return 1; }
  "$work/fresh/bin/pip" list --format freeze 2> /dev/null | grep -i lift | LC_ALL=C sort | tr '\n' ' '
}
# --- pypiserver, which wants a login for everything
port=$(free_port)
mkdir "$work/pypi"
"$work/venv/bin/pypi-server" run -i 127.0.0.1 -p "$port" -P "$work/users" -a update,list,download --disable-fallback "$work/pypi" > "$work/pypi.log" 2>&1 &
pids+=($!)
wait_for "http://127.0.0.1:$port/"
repository pypi pypi "http://127.0.0.1:$port" "login_file = \"$work/login\"" >> "$high_state/config.toml"
echo "plant:wrong" > "$work/login"
refused unauthorized high push pypi --dry-run
echo "plant:secret" > "$work/login"
plan=$(high push pypi --dry-run)
[ "$(grep -c "1 of 1 file" <<< "$plan")" = 3 ] || fail "the plan: $plan"
[ -z "$(ls "$work/pypi")" ] || fail "a dry run sent something"
high push pypi > "$work/out" || { cat "$work/pypi.log"; fail "pypiserver"; }
for wheel in "$work"/wheels/* "$work"/sdists/*; do cmp "$wheel" "$work/pypi/$(basename "$wheel")" || fail "$wheel"; done
grep -q "nothing to send" <<< "$(high push pypi)" || fail "the second push to pypiserver"
[ "$(pip_from "http://plant:secret@127.0.0.1:$port/simple/")" = "lift_test==1.2 liftdep==1.0 " ] || fail "pip from pypiserver: $(cat "$work/pip.log")"
step "wheel: pip $("$work/fresh/bin/pip" --version | cut -d' ' -f2) takes it from pypiserver 2.4.2"
# Another file of that name there.
echo x >> "$work/pypi/liftdep-1.0-py3-none-any.whl"
sleep 1
refused immutable high push pypi
grep -q "other bytes" <<< "$(high push pypi --dry-run || true)" || fail "the plan does not show it"
[ "$(high --json audit tail -n 50 --type wheel.push | json '["entries"]' | grep -o "'outcome': 'success'" | wc -l)" = 2 ] || fail "the audit log"
step "pypiserver: two wheels, nothing again, pip installs them; other bytes are refused"

# --- devpi
port=$(free_port)
"$work/venv/bin/devpi-init" --serverdir "$work/devpi" --no-root-pypi > "$work/devpi.log" 2>&1 || { cat "$work/devpi.log"; fail "devpi-init"; }
"$work/venv/bin/devpi-server" --serverdir "$work/devpi" --host 127.0.0.1 --port "$port" > "$work/devpi.log" 2>&1 &
pids+=($!)
devpi=http://127.0.0.1:$port
wait_for "$devpi/+api"
ask() { curl -sf -H 'Content-Type: application/json' -H 'Accept: application/json' "$@"; }
ask -o /dev/null -X PUT -d '{"password": "secret"}' "$devpi/plant" || fail "a user of devpi"
token=$(ask -X POST -d '{"user": "plant", "password": "secret"}' "$devpi/+login" | json '["result"]["password"]')
ask -o /dev/null -X PUT -H "X-Devpi-Auth: $(printf 'plant:%s' "$token" | base64 -w0)" -d '{"bases": [], "volatile": false}' "$devpi/plant/site" || fail "an index of devpi"
repository devpi pypi "$devpi/plant/site" "login_file = \"$work/login\"" 'index = "+simple"' >> "$high_state/config.toml"
high push devpi > "$work/out" || { tail -20 "$work/devpi.log"; fail "devpi"; }
grep -q "nothing to send" <<< "$(high push devpi)" || fail "the second push to devpi"
[ "$(pip_from "$devpi/plant/site/+simple/")" = "lift_test==1.2 liftdep==1.0 " ] || fail "pip from devpi: $(cat "$work/pip.log")"
step "wheel: pip $("$work/fresh/bin/pip" --version | cut -d' ' -f2) takes it from devpi 6.20.3"
step "devpi: the same, at +simple"

# --- verdaccio
port=$(free_port)
mkdir "$work/npm-storage"
cat > "$work/verdaccio/config.yaml" <<YAML
storage: $work/npm-storage
auth: {htpasswd: {file: $work/users, max_users: -1}}
packages: {'**': {access: \$authenticated, publish: \$authenticated}}
log: {type: stdout, format: pretty, level: warn}
YAML
"$work/verdaccio/node_modules/.bin/verdaccio" --config "$work/verdaccio/config.yaml" --listen "127.0.0.1:$port" > "$work/verdaccio.log" 2>&1 &
pids+=($!)
wait_for "http://127.0.0.1:$port/-/ping"
repository npm npm "http://127.0.0.1:$port" "login_file = \"$work/login\"" >> "$high_state/config.toml"
echo "plant:wrong" > "$work/login"
refused unauthorized high push npm
echo "plant:secret" > "$work/login"
[ "$(grep -c "1 of 1 file" <<< "$(high push npm --dry-run)")" = 3 ] || fail "the plan: $(high push npm --dry-run)"
high push npm > "$work/out" || { tail -20 "$work/verdaccio.log"; fail "verdaccio"; }
grep -q "nothing to send" <<< "$(high push npm)" || fail "the second push to verdaccio"
kill "$upstream_PID"
auth=$(printf 'plant:secret' | base64 -w0)
printf 'registry=http://127.0.0.1:%s/\n//127.0.0.1:%s/:_auth=%s\n' "$port" "$port" "$auth" > "$HOME/.npmrc"
[ "$(npm view words dist-tags.latest)" = 1.10.0 ] || fail "latest is $(npm view words dist-tags.latest)"
mkdir "$work/there" && cd "$work/there" && printf '{"name":"there","version":"1.0.0"}' > package.json
npm install --cache "$work/other-cache" @made/greet > "$work/npm.log" 2>&1 || { cat "$work/npm.log" "$work/verdaccio.log"; fail "npm install from verdaccio"; }
[ "$(node -p 'require("@made/greet")')" = hello ] || fail "the package does not run"
step "npm: npm $(npm --version) takes it from verdaccio 5.33.0"
# A token instead of a login, as `npm login` gets one.
npm_token=$(ask -X PUT -d '{"name": "plant", "password": "secret"}' -u plant:secret "http://127.0.0.1:$port/-/user/org.couchdb.user:plant" | json '["token"]')
echo "$npm_token" > "$work/token" && chmod 600 "$work/token"
repository tokened npm "http://127.0.0.1:$port" "token_file = \"$work/token\"" >> "$high_state/config.toml"
grep -q "nothing to send" <<< "$(high push tokened)" || fail "with a token"
# Other bytes: another package of that name and version, in a registry that has it already.
sed -i 's/"shasum": *"[0-9a-f]*"/"shasum": "0000000000000000000000000000000000000000"/; s/"integrity": *"sha512-[^"]*"/"integrity": "sha512-AAAA"/' "$work/npm-storage/words/package.json"
refused immutable high push npm
step "verdaccio: three packages, latest is the newest, npm installs them; other bytes are refused"

# --- a registry that lies
odd=$(free_port)
python3 "$root/tests/tools/odd_repository.py" "$odd" "$work/mode" &
pids+=($!)
repository odd npm "http://127.0.0.1:$odd" >> "$high_state/config.toml"
wait_for "http://127.0.0.1:$odd/"
echo redirect > "$work/mode"; refused http-status high push odd
echo garbage > "$work/mode"; refused schema-violation high push odd
echo silent > "$work/mode"; refused network high push odd
echo endless > "$work/mode"; refused limit-exceeded high push odd
rm "$work/mode"; refused http-status high push odd
[ ! -e "$work/mode.elsewhere" ] || fail "it went elsewhere: $(cat "$work/mode.elsewhere")"
step "an npm registry that redirects, makes no sense, breaks off, has no end, takes nothing"

# --- a chart in a registry: Helm pulls what was pushed; what Helm pushed itself is known by its archive
port=$(free_port)
printf 'version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage: {filesystem: {rootdirectory: %s/registry}}\nhttp: {addr: "127.0.0.1:%s"}\n' "$work" "$port" > "$work/registry.yml"
docker-registry serve "$work/registry.yml" > "$work/registry.log" 2>&1 &
pids+=($!)
wait_for "http://127.0.0.1:$port/v2/"
for prefix in ours theirs; do repository $prefix oci "http://127.0.0.1:$port" "prefix = \"$prefix\"" 'takes = ["chart"]' >> "$high_state/config.toml"; done
high push ours > /dev/null || fail "the chart into a registry"
cat > "$work/helm.py" <<'PY'
import pathlib, sys
import helm_python as helm
from helm_python import registry
port, work = sys.argv[1], pathlib.Path(sys.argv[2])
(work / "pulled").mkdir()
registry.pull(f"oci://127.0.0.1:{port}/ours/demo", version="1.2.3+site", destination=work / "pulled", plain_http=True)
got = next((work / "pulled").iterdir())
assert got.read_bytes() == (work / "chart/demo-1.2.3+site.tgz").read_bytes(), got
assert "Deployment" in str(helm.Chart.load(got).render(name="here"))
registry.push(work / "chart/demo-1.2.3+site.tgz", f"oci://127.0.0.1:{port}/theirs", plain_http=True)
PY
"$work/venv/bin/python" "$work/helm.py" "$port" "$work" > "$work/helm.log" 2>&1 || { tail -5 "$work/helm.log"; fail "Helm does not take the chart"; }
grep -q "nothing to send" <<< "$(high push theirs)" || fail "what helm pushed is sent again"
step "helm: Helm's SDK 0.2.2 pulls the chart from docker-registry, and what it pushed is known"
high audit verify > /dev/null || fail "the audit log"
if grep -rq "secret" "$high_state/audit/"; then fail "the password is in the audit log"; fi
