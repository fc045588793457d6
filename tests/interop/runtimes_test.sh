#!/usr/bin/env bash
# An image crosses and comes to nodes that no registry serves: containerd imports it, has the digest that was signed, and runs
# it; podman loads both archives; both, and a stand-in for docker, get it from `export --into`. Then the same runtimes pull it from the mirror under the name that its upstream had.
# A containerd of this test's own; containers run in it, without a network.
#   runtimes_test.sh LIFTLOCK_LOW LIFTLOCK_HIGH
source "$(dirname "$0")/crossing_machines.sh" || exit 1
for program in containerd ctr podman docker-registry; do
  command -v "$program" > /dev/null || skip "no $program here"
done
[ "$(id -u)" = 0 ] || skip "containerd wants root"

# --- fixtures: an image that says a sentence, in an upstream registry
read -r upstream mirror <<< "$(free_port 2)"
upstream=127.0.0.1:$upstream mirror=127.0.0.1:$mirror
cat > "$work/registry.yml" <<YAML
version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: $work/registry}}
http: {addr: '$upstream'}
YAML
docker-registry serve "$work/registry.yml" > "$work/registry.log" 2>&1 & pids+=($!)
mkdir -p "$work/fs/bin" && cp "$(command -v busybox)" "$work/fs/bin/busybox" && ln -s busybox "$work/fs/bin/echo"
(
  cd "$work" && tar -C fs --owner 0 --group 0 --numeric-owner -cf fs.tar . && umoci init --layout image &&
    umoci new --image image:app && umoci raw add-layer --image image:app fs.tar &&
    umoci config --image image:app --config.cmd /bin/echo --config.cmd "it crossed" &&
    skopeo copy -q --retry-times 5 --dest-tls-verify=false oci:image:app "docker://$upstream/team/app:1.0"
) > "$work/umoci.log" 2>&1 || { cat "$work/umoci.log"; fail "umoci"; }
mkdir "$work/stack" && cd "$work/stack"
cat > liftlock.toml <<TOML
[stack]
name = "nodes"
[image.app]
source = "docker://$upstream/team/app:1.0"
insecure = true
TOML
low init --zone low > /dev/null
low trust keygen --role root --out "$work/root.pem" > /dev/null
low trust keygen --role builder --out "$work/builder.pem" > /dev/null
low trust init --organisation test --root-key "$work/root.pem" --add "builder:$work/builder.pem" > /dev/null
low lock > /dev/null && low fetch > /dev/null && low pack --output "$work/media/one" > /dev/null
low sign "$work/media/one" --role builder --key "$work/builder.pem" > /dev/null
kill "${pids[0]}" && wait "${pids[0]}" 2> /dev/null || true  # from here on there is no upstream

high init --zone ingest > /dev/null
printf 'zone = "ingest"\n[policy]\nreserve = "1MiB"\n[serve]\nlisten = "%s"\n[source.drop]\npath = "%s"\nrequire_read_only = false\n' \
  "$mirror" "$work/media" > "$work/high/config.toml"
high trust pin "$work/media/one" --fingerprint "$(low --json trust show | json '["fingerprint"]')" > /dev/null
high ingest drop/one --expect "$(sha256sum < "$work/media/one/manifest/bundle.json" | cut -d' ' -f1)" > /dev/null
digest=$(skopeo inspect --raw "oci:$work/image:app" | sha256sum | cut -d' ' -f1)

# --- containerd, as a cluster's node has it
mkdir "$work/node"
cat > "$work/node/config.toml" <<TOML
version = 2
root = "$work/node/root"
state = "$work/node/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "$work/node/socket"
[plugins."io.containerd.internal.v1.opt"]
  path = "$work/node/opt"
TOML
containerd --config "$work/node/config.toml" > "$work/node/log" 2>&1 & node=$!
pids+=("$node")
ctr() { command ctr -a "$work/node/socket" -n k8s.io "$@"; }
soon_of "$node" ctr version || { tail -5 "$work/node/log"; ! kill -0 "$node" 2> /dev/null || fail "containerd does not answer"; skip "containerd does not start here"; }
has() { awk -v name="$1" '$1 == name { print $3 }' <<< "$(ctr images ls)"; }
ran=yes
# It failed once, under load, with its word lost; so it may say it at the third time.
says() {
  local said
  for _ in 1 2 3; do
    said=$(ctr run --snapshotter native --rm "$1" "run$RANDOM" 2> "$work/run.log") || true
    [ "$said" != "it crossed" ] || return 0
    echo "$1 said '$said' $(tail -3 "$work/run.log")"
    if grep -qi -e cgroup -e "operation not permitted" "$work/run.log"; then
      echo "not run: this machine lets nobody start containers"
      ran=no
      return 0
    fi
  done
  fail "$1 does not run: $(tail -3 "$work/node/log")"
}

high export team/app --to "$work/app.tar" --oci-archive > /dev/null
ctr images import --snapshotter native "$work/app.tar" > /dev/null
[ "$(has "$upstream/team/app:1.0")" = "sha256:$digest" ] || fail "the node has another digest, or name: $(ctr images ls)"
says "$upstream/team/app:1.0"
high export team/app --to "$work/named.tar" --oci-archive --image-name registry.example/app:2 > /dev/null
ctr images import --snapshotter native "$work/named.tar" > /dev/null
[ "$(has registry.example/app:2)" = "sha256:$digest" ] || fail "--image-name"
refused usage high export team/app --to "$work/x.tar" --oci-archive --image-name app:2
refused usage high export team/app --to - --oci-archive
high export team/app --to "$work/app.tar" --oci-archive > /dev/null || fail "the same file again"
refused immutable high export team/app --to "$work/named.tar" --oci-archive
[ "$(skopeo inspect --raw "oci-archive:$work/app.tar:team/app:1.0" | sha256sum | cut -d' ' -f1)" = "$digest" ] || fail "skopeo"
tested image "containerd (import)" "$(containerd --version | awk '{print $3}' | cut -d'~' -f1)"

# --- podman: the archive with the digest, and the one of docker
podman() { command podman --root "$work/podman" --runroot "$work/podman-run" --storage-driver vfs --events-backend file --cgroup-manager cgroupfs "$@"; }
podman load -q -i "$work/app.tar" > /dev/null
[ "$(podman image inspect --format '{{.Digest}}' "$(podman images -q)")" = "sha256:$digest" ] || fail "podman has another digest"
podman rmi -a -f > /dev/null
high export team/app --to "$work/docker.tar" --docker-archive > /dev/null
podman load -q -i "$work/docker.tar" > /dev/null
config=$(skopeo inspect --raw "oci:$work/image:app" | json '["config"]["digest"]')
[ "sha256:$(podman image inspect --format '{{.Id}}' "$(podman images -q)")" = "$config" ] || fail "podman has another image"
podman rmi -a -f > /dev/null

# --- given to the engines of this host, by their own programs; of docker's a stand-in
mkdir "$work/bin" "$work/none"
printf '#!/bin/sh\nexec "%s" --root "%s/podman" --runroot "%s/podman-run" --storage-driver vfs --events-backend file --cgroup-manager cgroupfs "$@"\n' \
  "$(type -P podman)" "$work" "$work" > "$work/bin/podman"
chmod 755 "$work/bin/podman"
cp "$root/tests/tools/fake_docker.py" "$work/bin/docker"
export CONTAINERD_ADDRESS=$work/node/socket CONTAINERD_SNAPSHOTTER=native FAKE_DOCKER=$work/docker.json
unset CONTAINERD_NAMESPACE
into() { PATH=$work/bin:$PATH high export team/app --into "$@"; }
without() { PATH=$work/none high export team/app --into "$@"; }
ctr images rm "$upstream/team/app:1.0" registry.example/app:2 > /dev/null
for engine in podman ctr docker; do
  refused tool-missing without "$engine"
  out=$(into "$engine" 2> "$work/into.log") || fail "--into $engine: $(cat "$work/into.log")"
  [ "$out" = "sha256:$digest is $upstream/team/app:1.0 in $engine" ] || fail "--into $engine says: $out"
  out=$(into "$engine" 2> "$work/into.log") || fail "--into $engine again: $(cat "$work/into.log")"
  [ "$out" = "sha256:$digest was $upstream/team/app:1.0 in $engine" ] || fail "--into $engine sends it again: $out"
  into "$engine" --image-name registry.example/app:2 > /dev/null 2> "$work/into.log" || fail "--into $engine --image-name: $(cat "$work/into.log")"
done
for name in "$upstream/team/app:1.0" registry.example/app:2; do
  [ "$(podman image inspect --format '{{.Digest}}' "$name")" = "sha256:$digest" ] || fail "podman has another digest as $name"
  [ "$(has "$name")" = "sha256:$digest" ] || fail "the node has another digest as $name: $(ctr images ls)"
  [ "sha256:$(podman image inspect --format '{{.Id}}' "$name")" = "$(json "['$name']" < "$FAKE_DOCKER")" ] || fail "docker's stand-in has another image as $name"
done
says registry.example/app:2
[ "$(high --json audit tail -n 50 --type image.push | json '["entries"]' | grep -o "'outcome': 'success'" | wc -l)" = 6 ] || fail "the audit log does not have each once: $(high audit tail -n 50 --type image.push)"
# containerd keeps the name of an image of which it lost a layer: that one is sent again.
ctr content rm "$(json '["layers"][0]["digest"]' <<< "$(skopeo inspect --raw "oci:$work/image:app")")" > /dev/null
grep -q " incomplete " <<< "$(ctr images check "name==$upstream/team/app:1.0")" || fail "the node still has all of the image"
out=$(into ctr 2> "$work/into.log") || fail "--into ctr, of which a layer is lost: $(cat "$work/into.log")"
[ "$out" = "sha256:$digest is $upstream/team/app:1.0 in ctr" ] || fail "a name without a layer passes for the image: $out"
grep -q " complete " <<< "$(ctr images check "name==$upstream/team/app:1.0")" || fail "the layer did not come back"
refused usage into nerdctl
refused usage into podman --oci-archive
refused usage into podman --image-name app:2
refused usage into docker --image-name "registry.example/app@sha256:$digest"
echo refuse > "$FAKE_DOCKER.mode"
refused tool-failed into docker --image-name registry.example/app:3
echo lie > "$FAKE_DOCKER.mode"
refused digest-mismatch into docker --image-name registry.example/app:3
rm "$FAKE_DOCKER.mode"
into docker --image-name registry.example/app:3 > /dev/null 2>&1 || fail "what had the name does not lose it"
blob=$(find "$high_state/store/blobs" -type f -size +100k | head -n 1)
chmod u+w "$blob" && damage "$blob" 50000
refused blob-corrupt into docker --image-name registry.example/app:4
if grep -q app:4 "$FAKE_DOCKER"; then fail "docker's stand-in took an image that has rotted"; fi
damage "$blob" 50000 && chmod 444 "$blob"
high audit verify > /dev/null || fail "the audit log"
podman rmi -a -f > /dev/null
step "podman, containerd and a stand-in for docker get the image from export itself, and their digests are compared"

# --- both from the mirror, by the name that the upstream had
"$high_exe" --quiet --state "$high_state" serve > "$work/serve.log" 2>&1 & pids+=($!)
soon curl -fs "http://$mirror/v2/" || fail "the mirror did not start: $(cat "$work/serve.log")"
rendered=$(high render clients --base-url "http://$mirror" --client containerd)
mkdir -p "$work/hosts/$upstream"
sed -n '/^server = /,/override_path/p' <<< "$rendered" > "$work/hosts/$upstream/hosts.toml"
ctr images rm "$upstream/team/app:1.0" registry.example/app:2 > /dev/null
ctr images pull --snapshotter native --hosts-dir "$work/hosts" "$upstream/team/app:1.0" > "$work/pull.log" 2>&1 || { cat "$work/pull.log"; fail "containerd does not pull"; }
[ "$(has "$upstream/team/app:1.0")" = "sha256:$digest" ] || fail "containerd pulled another digest"
says "$upstream/team/app:1.0"
sed -n '/^\[\[registry\]\]/,/^$/p' <<< "$rendered" > "$work/registries.conf"
CONTAINERS_REGISTRIES_CONF=$work/registries.conf podman pull -q "$upstream/team/app:1.0" > /dev/null
[ "$(podman image inspect --format '{{.Digest}}' "$upstream/team/app:1.0")" = "sha256:$digest" ] || fail "podman pulled another digest"
tested image "containerd (pull)" "$(containerd --version | awk '{print $3}' | cut -d'~' -f1)"
tested image podman "$(command podman --version | awk '{print $3}')"
[ "$ran" = yes ] || skip "nodes hold the image that was signed; this machine lets nobody start containers"
echo "nodes without a registry, and with the mirror, run the image that was signed"
