#!/usr/bin/env bash
# The crossing without any upstream: local wheels, an image in a registry on loopback, a model, a file; packed twice, killed
# and resumed, checked by hand, refused when damaged, ingested, served to pip, skopeo and curl, exported, garbage-collected.
#   crossing_test.sh LIFTLOCK_LOW LIFTLOCK_HIGH
source "$(dirname "$0")/crossing_machines.sh" || exit 1
high_state=$work/state

# --- fixtures
export PIP_NO_INDEX=1 PIP_FIND_LINKS=$work/wheels PIP_CONFIG_FILE=/dev/null
python3 "$root/tests/tools/make_wheel.py" "$work/wheels" lifttest 1.2 "liftdep>=1"
python3 "$root/tests/tools/make_wheel.py" "$work/wheels" liftdep 1.0
python3 "$root/tests/tools/make_wheel.py" "$work/wheels" liftdep 2.0
python3 "$root/tests/tools/make_model.py" gguf "$work/tiny.gguf"
head -c 3000000 /dev/urandom > "$work/big.bin"
mkdir "$work/umoci" && (
  cd "$work/umoci" && umoci init --layout image && umoci new --image image:1.0 && mkdir fs && echo carried > fs/hello &&
    tar -C fs --owner 0 --group 0 --numeric-owner -cf layer.tar hello && umoci raw add-layer --image image:1.0 layer.tar
) > /dev/null 2>&1
port=$(free_port)
printf 'version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage: {filesystem: {rootdirectory: %s}}\nhttp: {addr: "127.0.0.1:%s"}\n' "$work/registry" "$port" > "$work/registry.yml"
docker-registry serve "$work/registry.yml" > "$work/registry.log" 2>&1 &
pids+=($!)
soon curl -sf "http://127.0.0.1:$port/v2/" || fail "the registry did not start: $(cat "$work/registry.log")"
skopeo copy -q --dest-tls-verify=false "oci:$work/umoci/image:1.0" "docker://127.0.0.1:$port/team/web:1.0"
mkdir "$work/stack" && cd "$work/stack"
cat > liftlock.toml <<TOML
[stack]
name = "test"
channel = "test"
platform = "linux/amd64"
[python.tools]
requirements = ["lifttest"]
[image.web]
source = "docker://127.0.0.1:$port/team/web:1.0"
name = "web"
insecure = true
[model.tiny]
source = "$work/tiny.gguf"
[file.big]
source = "$work/big.bin"
TOML

# --- low side
low init --zone low > /dev/null
low trust keygen --role root --out "$work/root.pem" > /dev/null
low trust keygen --role builder --out "$work/builder.pem" > /dev/null
low trust init --organisation test --root-key "$work/root.pem" --add "builder:$work/builder.pem" > /dev/null
fingerprint=$(low --json trust show | json '["fingerprint"]')
sed 's/requirements/requirments/' liftlock.toml > bad.toml
refused unknown-key low lock --stack bad.toml
low lock && low fetch
grep -q '"liftdep"' liftlock.lock || fail "the closure misses liftdep"
cp liftlock.lock first.lock
unshare --net "$low_exe" --quiet --state "$work/low" lock > /dev/null
unshare --net "$low_exe" --quiet --state "$work/low" fetch --frozen > /dev/null
cmp liftlock.lock first.lock
low pack --output "$work/media/one" > /dev/null
low sign "$work/media/one" --role builder --key "$work/builder.pem" > /dev/null
low pack --output "$work/media/tar" --form tar --sequence 2 > /dev/null
low sign "$work/media/tar" --role builder --key "$work/builder.pem" > /dev/null
low verify "$work/media/one" && low verify "$work/media/tar"
grep -q "no difference" <<< "$(low diff "$work/media/one" "$work/media/tar")" || fail "diff"

# A second machine packs the same lock: content and lists are byte for byte the same.
cp -r "$work/low" "$work/low2"
"$low_exe" --quiet --state "$work/low2" pack --output "$work/second" > /dev/null
[ "$(diff -rq "$work/media/one" "$work/second" | grep -v signatures)" = "Files $work/media/one/manifest/bundle.json and $work/second/manifest/bundle.json differ" ] ||
  [ -z "$(diff -rq "$work/media/one" "$work/second" | grep -v signatures)" ] || fail "two packs of one lock differ"

# --- high side
high init --zone ingest > /dev/null
printf 'zone = "ingest"\n[policy]\nreserve = "1MiB"\n[source.drop]\npath = "%s"\nrequire_read_only = false\n' "$work/media" > "$work/state/config.toml"
refused trust-missing high verify "$work/media/one"
refused confirmation-required high trust pin "$work/media/one" --fingerprint "${fingerprint%?}$([ "${fingerprint: -1}" = 0 ] && echo 1 || echo 0)"
high trust pin "$work/media/one" --fingerprint "$fingerprint" > /dev/null
digest=$(sha256sum < "$work/media/tar/manifest/bundle.json" | cut -d' ' -f1)
refused wrong-zone low init --zone ingest
cp -r "$work/media/tar" "$work/media/damaged"
damage "$work/media/damaged/content.tar" 5000
refused digest-mismatch high ingest drop/damaged --expect "$digest"
[ "$(high --json ls --publications | json '["publications"].__len__()')" = 0 ] || fail "a refused bundle is visible"
high ingest drop/tar --expect "$digest" --dry-run > /dev/null
high ingest drop/tar --expect "$digest" > /dev/null
grep -q "already present" <<< "$(high ingest drop/tar --expect "$digest")" || fail "the same bundle again"
refused replayed high ingest drop/one --expect "$(sha256sum < "$work/media/one/manifest/bundle.json" | cut -d' ' -f1)"
high export tiny --to "$work/exported" > /dev/null
cmp "$work/tiny.gguf" "$(find "$work/exported" -name tiny.gguf)"
high gc > /dev/null && high scrub > /dev/null

# --- serve to real clients, with no proxy between
unset PIP_NO_INDEX PIP_FIND_LINKS
export no_proxy=127.0.0.1
"$high_exe" --quiet --state "$work/state" serve --listen 127.0.0.1:0 > "$work/serve.out" 2> "$work/serve.err" &
pids+=($!)
soon grep -q listening "$work/serve.out" || fail "the mirror did not start: $(cat "$work/serve.err")"
url=$(sed -n 's/^listening on //p' "$work/serve.out"); url=${url%/}
python3 -m pip install --quiet --isolated --no-cache-dir --disable-pip-version-check --index-url "$url/simple/" --target "$work/site" lifttest
PYTHONPATH=$work/site python3 -c 'import lifttest, liftdep; assert liftdep.VERSION == "2.0"'
tested python pip "$(python3 -m pip --version | cut -d' ' -f2)"
skopeo copy -q --src-tls-verify=false "docker://${url#http://}/web:1.0" "oci:$work/pulled:1.0"
tested image skopeo "$(skopeo --version | cut -d' ' -f3)"
[ "$(curl -sf -r 10-19 "$url/bundles/test/latest/files/big.bin" | sha256sum)" = "$(tail -c +11 "$work/big.bin" | head -c 10 | sha256sum)" ] || fail "a range"
[ "$(curl -s -o /dev/null -w '%{http_code}' --path-as-is "$url/bundles/test/latest/../../etc/passwd")" = 400 ] || fail "traversal"
[ "$(curl -s -o /dev/null -w '%{http_code}' -H "X: $(head -c 1000000 /dev/zero | tr '\0' a | head -c 100000)" "$url/")" = 431 ] || fail "headers"
curl -sf "$url/healthz" > /dev/null && curl -sf "$url/metrics" | grep liftlock > /dev/null || fail "metrics"
kill "${pids[-1]}" && wait "${pids[-1]}" || true

# --- the log
high audit verify > /dev/null
high audit export "$work/log" > /dev/null
python3 "$work/log/check_log.py" "$work/log" > /dev/null || fail "check_log.py"
grep -q 'BUNDLE_INGEST .* bundle_test-2 sha256=' "$work/state/transfers.log" || fail "the transfer log"
grep -q 'BUNDLE_REFUSED .* error=digest-mismatch' "$work/state/transfers.log" || fail "the transfer log"
echo "the crossing holds"
