#!/usr/bin/env bash
# The whole crossing, in view. Low side first, with the package registries of this machine's own clients; then the same
# machine in a network namespace that has no route anywhere plays the high side (high.sh).
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD
build=${LIFTLOCK_BUILD:-$root/build/release}
run=${LIFTLOCK_DEMO:-$root/demo-run}

if [ "$(id -u)" -ne 0 ]; then
  echo "the demonstration makes a network namespace and a read-only mount: going on as root with sudo"
  exec sudo --preserve-env=LIFTLOCK_BUILD,LIFTLOCK_DEMO,PIP_INDEX_URL,PIP_FIND_LINKS,PIP_CERT,http_proxy,https_proxy,no_proxy "$0" "$@"
fi

say() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
show() { printf '\033[2m$ %s\033[0m\n' "$*"; "$@"; }

# shellcheck source=../interop/waiting.sh
source "$root/tests/interop/waiting.sh"

rm -rf "$run"
mkdir -p "$run/bin/low" "$run/bin/high" "$run/stack" "$run/fixtures" "$run/media" "$run/keys"
ln -s "$build/src/cli/liftlock-low" "$run/bin/low/liftlock"
ln -s "$build/src/cli/liftlock-high" "$run/bin/high/liftlock"
export LIFTLOCK_STATE=$run/low GNUPGHOME=$run/gnupg
high_path=$run/bin/high:$PATH
PATH=$run/bin/low:$PATH
install -d -m 700 "$GNUPGHOME"

stop() { [ -z "${registry:-}" ] || kill "$registry" 2>/dev/null || true; gpgconf --kill all 2>/dev/null || true; }
trap stop EXIT

say "Fixtures: an image in a registry on loopback, a file; the model is that of models/demo"
printf 'Carried by Liftlock.\n' > "$run/fixtures/notes.txt"
port=$(free_port)
cat > "$run/registry.yml" <<YML
version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: $run/registry}}
http: {addr: "127.0.0.1:$port"}
YML
docker-registry serve "$run/registry.yml" > "$run/registry.log" 2>&1 &
registry=$!
(
  cd "$run/fixtures"
  umoci init --layout image && umoci new --image image:1
  tar --owner 0 --group 0 --numeric-owner -cf layer.tar notes.txt && umoci raw add-layer --image image:1 layer.tar
) > "$run/umoci.log" 2>&1
soon_of "$registry" curl -sf "http://127.0.0.1:$port/v2/" || { echo "the registry did not start: $(cat "$run/registry.log")" >&2; exit 1; }
skopeo copy -q --dest-tls-verify=false "oci:$run/fixtures/image:1" "docker://127.0.0.1:$port/hello:1"

say "Low side: an installation, keys, and who may say what"
show liftlock init --zone low --organisation "Demo builders"
show liftlock trust keygen --role root --out "$run/keys/root.pem"
show liftlock trust keygen --role builder --out "$run/keys/builder.pem"
gpg --batch --quiet --passphrase '' --quick-generate-key 'Demo approver <approver@demo.example>' ed25519 sign 1y 2>/dev/null
approver=$(gpg --batch --with-colons --list-keys approver@demo.example | awk -F: '$1 == "fpr" {print $10; exit}')
show liftlock trust init --organisation "Demo" --root-key "$run/keys/root.pem" --add "builder:$run/keys/builder.pem" --add "approver:gpg:$approver" --threshold approver:1
root_fingerprint=$(liftlock --json trust show | python3 -c 'import json,sys; print(json.load(sys.stdin)["fingerprint"])')

cat > "$run/stack/liftlock.toml" <<TOML
[stack]
name = "demo"
channel = "demo"
platform = "linux/amd64"

[python.tools]
requirements = ["packaging", "idna"]

[apt.tools]
packages = ["tree"]
base = "essential"

[engine.llama]
packages = ["llama.cpp-tools"]
suites = ["forky"]
variant = "cpu"
accept_expired = "60d"

[image.hello]
source = "docker://127.0.0.1:$port/hello:1"
name = "hello"
insecure = true

[model.demo]
source = "$root/models/demo/liftlock-demo.gguf"
license = "Apache-2.0"

[file.notes]
source = "$run/fixtures/notes.txt"
TOML
cd "$run/stack"
say "Low side: lock and fetch, from the registries of this machine's own clients"
cat liftlock.toml
show liftlock lock
show liftlock fetch

say "The same again where there is no network: not one request is needed"
cp liftlock.lock "$run/first.lock"
show unshare --net "$run/bin/low/liftlock" lock
show unshare --net "$run/bin/low/liftlock" fetch --frozen
cmp liftlock.lock "$run/first.lock" && echo "the lock is byte for byte the same"

say "Low side: pack, and two people sign (a builder's key, an approver's GnuPG key)"
show liftlock pack --output "$run/media/demo-1" --expires 90d
digest=$(liftlock --json pack --output "$run/media/demo-1" | python3 -c 'import json,sys; print(json.load(sys.stdin)["digest"])')
show liftlock sign "$run/media/demo-1" --role builder --key "$run/keys/builder.pem"
show liftlock sign "$run/media/demo-1" --role approver --key "gpg:$approver"
show liftlock inspect "$run/media/demo-1"

say "Low side: bundles that must be refused later"
cp -r "$run/media/demo-1" "$run/media/flipped"
python3 - "$run/media/flipped/files/notes.txt" <<'PY'
import sys
data = bytearray(open(sys.argv[1], "rb").read()); data[3] ^= 1; open(sys.argv[1], "wb").write(data)
PY
cp -r "$run/media/demo-1" "$run/media/extra"; echo x > "$run/media/extra/files/stowaway"
cp -r "$run/media/demo-1" "$run/media/foreign"; rm "$run"/media/foreign/signatures/*
liftlock trust keygen --role builder --out "$run/keys/mallory.pem" > /dev/null
LIFTLOCK_STATE=$run/nowhere liftlock sign "$run/media/foreign" --role builder --key "$run/keys/mallory.pem" > /dev/null 2>&1 || {
  openssl dgst -sha256 -sign "$run/keys/mallory.pem" -out "$run/mallory.sig" "$run/media/foreign/manifest/bundle.json"
  python3 - "$run" <<'PY'
import base64, hashlib, json, pathlib, sys
run = pathlib.Path(sys.argv[1]); document = (run / "media/foreign/manifest/bundle.json").read_bytes()
bundle = {"mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json", "verificationMaterial": {"publicKey": {"hint": "mallory"}},
          "messageSignature": {"messageDigest": {"algorithm": "SHA2_256", "digest": base64.b64encode(hashlib.sha256(document).digest()).decode()},
                               "signature": base64.b64encode((run / "mallory.sig").read_bytes()).decode()}}
(run / "media/foreign/signatures/builder.mallory.sigstore.json").write_text(json.dumps(bundle))
PY
}
liftlock --quiet pack --output "$run/media/demo-2" --sequence 2 > /dev/null
liftlock --quiet sign "$run/media/demo-2" --role builder --key "$run/keys/builder.pem" > /dev/null
liftlock --quiet sign "$run/media/demo-2" --role approver --key "gpg:$approver" > /dev/null
digest2=$(sha256sum < "$run/media/demo-2/manifest/bundle.json" | cut -d' ' -f1)
gpg --batch --armor --export "$approver" > "$run/approver.asc"

stop
registry=""
unset LIFTLOCK_STATE
say "The gate closes: from here on there is no route anywhere"
export RUN=$run ROOT=$root BUILD=$build DIGEST=$digest DIGEST2=$digest2 ROOT_FINGERPRINT=$root_fingerprint PATH=$high_path
exec unshare --net --mount bash "$root/tests/demo/high.sh"
