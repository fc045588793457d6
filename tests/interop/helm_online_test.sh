#!/usr/bin/env bash
# Charts that Helm itself made and indexed cross the gap; then Helm reads the mirror's index, pulls and renders them where no
# route leads out. Helm is its Go SDK behind a Python module, for Debian has no helm.
#   helm_online_test.sh LIFTLOCK_LOW LIFTLOCK_HIGH      Exit status 77: the module cannot be had (skipped).
source "$(dirname "$0")/crossing_machines.sh" || exit 1
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check helm-python-sdk==0.2.2 > "$work/pip.log" 2>&1 || { tail -1 "$work/pip.log"; skip "no Helm SDK"; }
export HOME=$work/home HELM_CACHE_HOME=$work/helm-cache HELM_CONFIG_HOME=$work/helm-config HELM_DATA_HOME=$work/helm-data
mkdir -p "$HOME" "$work/upstream" "$work/media" "$work/site"
cd "$work/site"
"$work/venv/bin/python" - "$work/upstream" <<'PY'
import pathlib, sys
import helm_python as helm
from helm_python import registry
upstream = pathlib.Path(sys.argv[1])
for name in ("storage", "kube-monitoring"):
    helm.Chart.create(name, ".")
    for version in ("1.2.0", "1.10.0"):
        helm.package(name, destination=upstream, version=version, app_version="1.10")
registry.repo_index_generate(upstream)
PY
# The same index again with a wrong digest, for a repository that was tampered with.
mkdir "$work/tampered" && cp "$work"/upstream/* "$work/tampered/" && sed -i 's/digest: [0-9a-f]\{8\}/digest: 00000000/' "$work/tampered/index.yaml"
(cd "$work" && exec python3 -u -m http.server 0 --bind 127.0.0.1 > "$work/http.out" 2> "$work/http.log") &
upstream=$!
pids+=("$upstream")
soon grep -q port "$work/http.out" || fail "the repository did not start: $(cat "$work/http.log")"
url=http://127.0.0.1:$(sed -n 's/.*port \([0-9]*\).*/\1/p' "$work/http.out")

stack() { printf '[stack]\nname = "cluster"\n[chart.storage]\n%s\n' "$1"; }
{ stack "repository = \"$url/upstream\"
version = \"1.10.0\""
  printf '[chart.monitoring]\nsource = "%s"\n[chart.old]\nsource = "%s"\n' "$url/upstream/kube-monitoring-1.2.0.tgz" "../upstream/storage-1.2.0.tgz"; } > liftlock.toml
low init --zone low > /dev/null
for role in root builder; do low trust keygen --role $role --out "$work/$role.pem" > /dev/null; done
low trust init --organisation test --root-key "$work/root.pem" --add "builder:$work/builder.pem" > /dev/null
low lock > /dev/null
grep -q '"type": "index-hash"' liftlock.lock || fail "the index's digest is not in the lock"
low fetch > /dev/null
: > "$work/http.log"
cp liftlock.lock ../first.lock; low lock > /dev/null; low fetch > /dev/null; cmp liftlock.lock ../first.lock || fail "the lock changed"
[ ! -s "$work/http.log" ] || fail "a second lock and fetch asked: $(cat "$work/http.log")"
low pack --output "$work/media/one" > /dev/null
low sign "$work/media/one" --role builder --key "$work/builder.pem" > /dev/null
mkdir "$work/other" && cd "$work/other"
stack "repository = \"$url/tampered\"
version = \"1.10.0\"" > liftlock.toml
refused digest-mismatch low lock
stack "repository = \"$url/upstream\"
version = \"9.9.9\"" > liftlock.toml
refused unresolvable low lock
stack "repository = \"$url/upstream\"" > liftlock.toml
refused stack-invalid low lock
cd "$work/site"
command -v helm > /dev/null || [ ! -x "$(go env GOPATH 2> /dev/null)/bin/helm" ] || PATH=$PATH:$(go env GOPATH)/bin
if ! command -v helm > /dev/null && command -v go > /dev/null; then
  # Debian has no helm; its source is a Go module.
  GOBIN=$work/bin GOFLAGS=-modcacherw timeout 600 go install helm.sh/helm/v3/cmd/helm@v3.16.4 > "$work/go.log" 2>&1 && PATH=$PATH:$work/bin
fi
refused stack-incomplete low check
out=$("$low_exe" --state "$low_state" check 2> /dev/null) || true
# The chart of `helm create`: nginx at the version of the application.
grep -q "✗ \[chart.storage\].*chart:storage@1.10.0 asks for the image nginx:1.10," <<< "$out" || fail "check says: $out"
grep -q 'source = "docker://docker.io/library/nginx:1.10"' <<< "$out" || fail "no line to add: $out"
if command -v helm > /dev/null; then
  printf 'image:\n  repository: team/other\n  tag: "7"\n' > mine.yaml
  { stack "repository = \"$url/upstream\"
version = \"1.10.0\"
values = [\"mine.yaml\"]"; } > liftlock.toml
  low lock > /dev/null && low fetch > /dev/null
  out=$("$low_exe" --state "$low_state" check 2> /dev/null) || true
  grep -q "asks for the image team/other:7," <<< "$out" || fail "with values: $out"
  step "helm template without a network: the images that it asks for, by default and with values"
else
  step "left out: no helm to render with; the images that the chart's files name"
fi
kill "$upstream"; wait "$upstream" 2> /dev/null || true
step "three charts locked, fetched once, packed; a tampered repository is refused"

high init --zone ingest > /dev/null
printf 'zone = "ingest"\n[policy]\nreserve = "1MiB"\n[source.usb]\npath = "%s"\nrequire_read_only = false\n' "$work/media" > "$high_state/config.toml"
high trust pin "$work/media/one" --fingerprint "$(low --json trust show | json '["fingerprint"]')" > /dev/null
high ingest usb/one --expect "$(sha256sum < "$work/media/one/manifest/bundle.json" | cut -d' ' -f1)" > /dev/null
export work high_exe high_state
export -f soon
cat > "$work/inside.sh" <<'SH'
set -euo pipefail
ip link set lo up
"$high_exe" --quiet --state "$high_state" serve --listen 127.0.0.1:0 > "$work/serve.out" 2> "$work/serve.err" &
server=$!
trap 'kill $server 2> /dev/null || true' EXIT
soon [ -s "$work/serve.out" ] || { echo "the mirror did not start: $(cat "$work/serve.err")" >&2; exit 1; }
cd "$work"
"$work/venv/bin/python" - "$(sed -n 's/^listening on //p' "$work/serve.out")/charts" "$work" <<'PY'
import pathlib, sys
import helm_python as helm
from helm_python import registry
url, work = sys.argv[1], pathlib.Path(sys.argv[2])
index = registry.repo_index(url)
listed = {name: sorted(one["version"] for one in versions) for name, versions in index["entries"].items()}
assert listed == {"storage": ["1.10.0", "1.2.0"], "kube-monitoring": ["1.2.0"]}, listed
(work / "pulled").mkdir()
for version in ("1.2.0", None):  # None: the newest, by Helm's own order
    registry.pull("storage", repo_url=url, version=version, destination=work / "pulled")
for archive in ("storage-1.2.0.tgz", "storage-1.10.0.tgz"):
    assert (work / "pulled" / archive).read_bytes() == (work / "upstream" / archive).read_bytes(), archive
rendered = helm.Chart.load(work / "pulled/storage-1.10.0.tgz").render(name="here")
assert any("kind: Deployment" in text and "here-storage" in text for text in rendered.values()), rendered
print("ok: Helm reads the index, pulls both versions, and renders a Deployment")
PY
# The same charts in a folder that export wrote, behind a web server that knows nothing of charts.
"$high_exe" --quiet --state "$high_state" export --charts --to "$work/charts" > /dev/null
(cd "$work/charts" && sha256sum --quiet -c SHA256SUMS && exec python3 -m http.server 8490 --bind 127.0.0.1) > "$work/charts.log" 2>&1 &
folder=$!
trap 'kill $server $folder 2> /dev/null || true' EXIT
soon curl -fs http://127.0.0.1:8490/index.yaml || { echo "the folder is not served: $(cat "$work/charts.log")" >&2; exit 1; }
"$work/venv/bin/python" - http://127.0.0.1:8490 "$work" <<'PY'
import pathlib, sys
from helm_python import registry
url, work = sys.argv[1], pathlib.Path(sys.argv[2])
index = registry.repo_index(url)
listed = {name: sorted(one["version"] for one in versions) for name, versions in index["entries"].items()}
assert listed == {"storage": ["1.10.0", "1.2.0"], "kube-monitoring": ["1.2.0"]}, listed
(work / "from-folder").mkdir()
registry.pull("storage", repo_url=url, version="1.2.0", destination=work / "from-folder")
assert (work / "from-folder/storage-1.2.0.tgz").read_bytes() == (work / "upstream/storage-1.2.0.tgz").read_bytes()
print("ok: Helm reads the index of an exported folder, and pulls from it")
PY
command -v helm > /dev/null || exit 0
registry=$(sed -n 's|^listening on http://||p' "$work/serve.out")
mkdir "$work/as-oci"
helm pull "oci://$registry/charts/storage" --version 1.2.0 --plain-http -d "$work/as-oci"
helm pull "oci://$registry/charts/storage" --plain-http -d "$work/as-oci"  # the newest of its tags
for version in 1.2.0 1.10.0; do cmp "$work/as-oci/storage-$version.tgz" "$work/upstream/storage-$version.tgz"; done
echo "ok: helm pulls both versions as OCI artifacts"
SH
inside=(unshare --net); [ "$(id -u)" -eq 0 ] || inside=(unshare --map-root-user --net)
"${inside[@]}" bash "$work/inside.sh" || exit 1
if command -v helm > /dev/null && unshare --user --net true 2> /dev/null; then
  "$high_exe" --quiet --state "$high_state" serve --listen 127.0.0.1:0 > "$work/serve2.out" 2> "$work/serve2.err" &
  pids+=($!)
  soon grep -q listening "$work/serve2.out" || fail "the mirror did not start: $(cat "$work/serve2.err")"
  mirror=$(sed -n 's|^listening on \(.*[^/]\)/*$|\1|p' "$work/serve2.out")
  mkdir "$work/offline"
  "$low_exe" --quiet --state "$low_state" offline --mirror "$mirror" -- sh -c "cd $work/offline && helm pull storage --repo https://charts.example/stable --version 1.2.0 &&
    helm repo add new https://charts.example/new && helm pull new/storage --version 1.10.0" > "$work/offline.log" 2>&1 || fail "helm in a build without a network: $(cat "$work/offline.log")"
  for version in 1.2.0 1.10.0; do cmp "$work/offline/storage-$version.tgz" "$work/upstream/storage-$version.tgz" || fail "the chart"; done
  step "offline: repositories that helm is given by their address are the mirror's"
fi
! command -v helm > /dev/null || tested helm helm "$(helm version --template '{{.Version}}' | tr -d v)"
tested helm "Helm's SDK (helm-python-sdk)" 0.2.2
step "helm"
