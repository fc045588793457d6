#!/usr/bin/env bash
# A package of the real Zarf and a haul of the real Hauler, each with an image, a chart and a file, whole and cut into parts, and one of
# each with more in it (below more/); for tests/interop/others_test.sh.
#   ZARF=… HAULER=… make_others_samples.sh FOLDER
# Either may be missing. It needs docker-registry, umoci and skopeo.
set -euo pipefail
# shellcheck source=../interop/waiting.sh
source "$(dirname "$0")/../interop/waiting.sh"
out=$(realpath "$1")
work=$(mktemp -d)
registries=()
trap 'kill "${registries[@]}" 2> /dev/null || true; rm -rf "$work"' EXIT
start_registry() {  # its port in $port
  port=$(free_port)
  printf 'version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage: {filesystem: {rootdirectory: %s/registry-%s}}\nhttp: {addr: "127.0.0.1:%s"}\n' "$work" "$port" "$port" > "$work/registry.yml"
  docker-registry serve "$work/registry.yml" > "$work/registry.log" 2>&1 &
  registries+=($!)
  soon curl -fsS "http://127.0.0.1:$port/v2/" || { cat "$work/registry.log" >&2; exit 1; }
}
start_registry

# An image, and a signature beside it under cosign's tag: its content is made up, its shape is not.
image=127.0.0.1:$port/site/app
cd "$work"
mkdir root && echo "hello from the sample" > root/motd
{ umoci init --layout layout && umoci new --image layout:app
  tar -C root --owner 0 --group 0 --numeric-owner --mtime @0 -cf layer.tar motd && umoci raw add-layer --image layout:app layer.tar
  umoci new --image layout:sig && echo '{"critical": "made up"}' > root/payload
  tar -C root --owner 0 --group 0 --numeric-owner --mtime @0 -cf sig.tar payload && umoci raw add-layer --image layout:sig sig.tar; } > /dev/null 2>&1
skopeo copy -q --dest-tls-verify=false oci:layout:app "docker://$image:1.0"
digest=$(skopeo inspect --raw --tls-verify=false "docker://$image:1.0" | sha256sum | cut -d' ' -f1)
skopeo copy -q --dest-tls-verify=false oci:layout:sig "docker://$image:sha256-$digest.sig"
# More: another image, by the same name in another registry; an index of both.
start_registry
elsewhere=127.0.0.1:$port/site/app
multi=${image%/app}/multi
{ umoci config --image layout:app --tag arm --architecture arm64; } > /dev/null 2>&1
skopeo copy -q --dest-tls-verify=false oci:layout:arm "docker://$elsewhere:1.0"
for tag in app arm; do skopeo copy -q --dest-tls-verify=false "oci:layout:$tag" "docker://$multi:$tag"; done
python3 - "http://${multi/\///v2/}/manifests/" > index.digest <<'PY'
import hashlib, json, sys, urllib.request
kinds = "application/vnd.oci.image."
entries = []
for tag, architecture in (("app", "amd64"), ("arm", "arm64")):
    ask = urllib.request.Request(sys.argv[1] + tag, headers={"Accept": kinds + "manifest.v1+json"})
    data = urllib.request.urlopen(ask).read()
    entries.append({"mediaType": kinds + "manifest.v1+json", "digest": "sha256:" + hashlib.sha256(data).hexdigest(), "size": len(data),
                    "platform": {"os": "linux", "architecture": architecture}})
index = json.dumps({"schemaVersion": 2, "mediaType": kinds + "index.v1+json", "manifests": entries}).encode()
urllib.request.urlopen(urllib.request.Request(sys.argv[1] + "1.0", data=index, method="PUT", headers={"Content-Type": kinds + "index.v1+json"}))
print("sha256:" + hashlib.sha256(index).hexdigest())
PY
mkdir "$out/more"
mkdir -p demo/templates
printf 'apiVersion: v2\nname: demo\nversion: 1.2.3\n' > demo/Chart.yaml
printf 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: demo\ndata:\n  word: {{ .Values.word }}\n' > demo/templates/map.yaml
echo 'word: hello' > demo/values.yaml
tar --owner 0 --group 0 --numeric-owner --mtime @0 -czf demo-1.2.3.tgz demo
echo "a tool of the sample" > tool.txt
head -c 6000 /dev/zero | openssl enc -aes-128-ctr -K 00 -iv 00 2> /dev/null > filler.bin

if [ -n "${ZARF:-}" ]; then
  mkdir zarf && cp -r demo tool.txt filler.bin zarf/
  printf 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: more\n' > zarf/more.yaml
  cat > zarf/zarf.yaml <<YAML
kind: ZarfPackageConfig
metadata:
  name: sample
  version: 0.1.0
  architecture: amd64
components:
  - name: app
    required: true
    images: ["$image:1.0"]
    charts:
      - {name: demo, version: 1.2.3, localPath: demo, namespace: demo}
    manifests:
      - {name: more, namespace: demo, files: [more.yaml]}
    files:
      - {source: tool.txt, target: /opt/sample/tool.txt}
      - {source: filler.bin, target: /opt/sample/filler.bin}
YAML
  zarf() { HOME=$work "$ZARF" "$@" --no-progress --log-level error --zarf-cache "$work/cache" --tmpdir "$work"; }
  zarf package create zarf --confirm --skip-sbom --plain-http -o "$out"
  mkdir whole && mv "$out"/zarf-package-sample-amd64-0.1.0.tar.zst whole/
  # Zarf cuts in whole megabytes: a larger one.
  if [ -n "${LARGE:-}" ]; then
    head -c 2500000 /dev/urandom > zarf/filler.bin
    zarf package create zarf --confirm --skip-sbom --plain-http --max-package-size 1 -o "$out"
  fi
  mv whole/* "$out"/
  cp -r zarf/demo zarf/again && echo 'more: words' >> zarf/again/values.yaml
  cat > zarf/zarf.yaml <<YAML
kind: ZarfPackageConfig
metadata: {name: several, version: 0.2.0, architecture: amd64}
components:
  - name: app
    required: true
    images: ["$image:1.0", "$multi@$(cat index.digest)"]
    charts:
      - {name: demo, version: 1.2.3, localPath: demo, namespace: demo}
  - name: web
    images: ["$elsewhere:1.0"]
    charts:
      - {name: demo, version: 1.2.3, localPath: again, namespace: web}
    files:
      - {source: tool.txt, target: /opt/web/tool.txt}
YAML
  # It asks for a password on a terminal, twice, and the terminal where its cursor is.
  python3 - "$ZARF" <<'PY'
import os, pty, select, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], [sys.argv[1], "tools", "gen-key"])
seen, answers = b"", 2
while True:
    ready, _, _ = select.select([terminal], [], [], 2)
    if not ready and answers and b"assword" in seen:
        os.write(terminal, b"secret\r")
        answers -= 1
        seen = b""
    if not ready:
        continue
    try:
        data = os.read(terminal, 4096)
    except OSError:
        break
    seen += data
    os.write(terminal, b"\x1b[1;1R" * data.count(b"\x1b[6n"))
if os.waitpid(pid, 0)[1] != 0 or not os.path.exists("cosign.key"):
    sys.exit(seen.decode())
PY
  zarf package create zarf --confirm --plain-http --signing-key cosign.key --signing-key-pass secret -o "$out/more"
  cp cosign.pub "$out/more/builder.pub"
  "$ZARF" version 2> /dev/null | head -1 > "$out/zarf.version"
fi

if [ -n "${HAULER:-}" ]; then
  mkdir hauler && cd hauler
  hauler() { HOME=$work "$HAULER" --log-level error --store "$work/store" --tempdir "$work" "$@"; }
  hauler store add image "$image:1.0"
  hauler store add chart ../demo-1.2.3.tgz --repo .
  hauler store add file ../tool.txt
  hauler store add file ../filler.bin
  hauler store save --filename "$out/haul.tar.zst"
  mkdir "$out/chunks"
  hauler store save --filename "$out/chunks/haul.tar.zst" --chunk-size 4K
  hauler store add image "$elsewhere:1.0"
  hauler store add image "$multi:1.0"
  hauler store save --containerd --filename "$out/more/haul.tar.zst"
  "$HAULER" version 2> /dev/null | sed -n 's/^GitVersion: *//p' > "$out/hauler.version"
fi
