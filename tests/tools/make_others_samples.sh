#!/usr/bin/env bash
# A package of the real Zarf and a haul of the real Hauler, each with an image, a chart and a file, whole and cut into parts; for
# tests/interop/others_test.sh.
#   ZARF=… HAULER=… make_others_samples.sh FOLDER
# Either may be missing. It needs docker-registry, umoci and skopeo.
set -euo pipefail
out=$(realpath "$1")
work=$(mktemp -d)
trap 'kill "$registry" 2> /dev/null || true; rm -rf "$work"' EXIT
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
printf 'version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage: {filesystem: {rootdirectory: %s/registry}}\nhttp: {addr: "127.0.0.1:%s"}\n' "$work" "$port" > "$work/registry.yml"
docker-registry serve "$work/registry.yml" > "$work/registry.log" 2>&1 &
registry=$!
for _ in $(seq 100); do curl -fsS -o /dev/null "http://127.0.0.1:$port/v2/" 2> /dev/null && break; sleep 0.1; done

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
  "$HAULER" version 2> /dev/null | sed -n 's/^GitVersion: *//p' > "$out/hauler.version"
fi
