#!/usr/bin/env bash
# Images of the store into a docker-registry of the site, with a plan first, again, cut off, and with a login (issue "Under pressure", 4).
# push_test.sh LIFTLOCK_LOW LIFTLOCK_HIGH
source "$(dirname "$0")/crossing_machines.sh" || exit 1
mkdir "$work/stack" "$work/medium"
cd "$work/stack"
registry() {  # registry NAME PORT [YAML…]: a docker-registry of its own; its process id in $pid
  { printf 'version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage: {filesystem: {rootdirectory: %s/%s}}\n' "$work" "$1"
    printf '%s\n' "${@:3}"; } > "$work/$1.yml"
  docker-registry serve "$work/$1.yml" > "$work/$1.log" 2>&1 &
  pid=$!
  pids+=("$pid")
  soon curl -sk "http://127.0.0.1:$2/v2/" && return
  cat "$work/$1.log" >&2; fail "the registry $1 did not start"
}

# Two images that share a layer of 20 MiB (so that it goes in pieces), and a second tag.
read -r from to tls <<< "$(free_port 3)"
registry upstream "$from" "http: {addr: '127.0.0.1:$from'}"
head -c 20971520 /dev/urandom > layer.bin
umoci init --layout oci && umoci new --image oci:base
tar --owner 0 --group 0 -cf layer.tar layer.bin && umoci raw add-layer --image oci:base layer.tar
for name in app db; do
  echo "$name" > note.txt
  tar --owner 0 --group 0 -cf note.tar note.txt
  umoci tag --image oci:base "$name" && umoci raw add-layer --image "oci:$name" note.tar
  skopeo copy -q --dest-tls-verify=false "oci:oci:$name" "docker://127.0.0.1:$from/team/$name:1"
done
{ printf '[stack]\nname = "demo"\n'
  for name in app db; do printf '[image.%s]\nsource = "docker://127.0.0.1:%s/team/%s:1"\nname = "team/%s"\ninsecure = true\n' "$name" "$from" "$name" "$name"; done
} > liftlock.toml
low init > /dev/null
for role in root builder; do low trust keygen --role $role --out "../$role.pem" > /dev/null; done
low trust init --organisation Acme --root-key ../root.pem --add builder:../builder.pem.pub > /dev/null
{ low lock && low fetch && low pack --output ../medium/demo-1 && low sign ../medium/demo-1 --role builder --key ../builder.pem; } > /dev/null
high init --zone ingest --organisation Acme > /dev/null
printf '[source.usb]\npath = "%s/medium"\nrequire_read_only = false\n' "$work" >> "$high_state/config.toml"
high trust pin ../medium/demo-1 --fingerprint "$(low --json trust show | json '["fingerprint"]')" > /dev/null
high ingest usb/demo-1 --expect "$(sha256sum < ../medium/demo-1/manifest/bundle.json | cut -d' ' -f1)" > /dev/null

refused source-unknown high push "oci://127.0.0.1:$to"
refused usage high push "docker://127.0.0.1:$to"
printf '[registry.plain]\naddress = "http://127.0.0.1:%s"\nprefix = "airgap"\n' "$to" >> "$high_state/config.toml"
refused network high push "oci://127.0.0.1:$to"
# By its address too where that is written without a port; nobody is there.
printf '[registry.portless]\naddress = "http://127.9.9.9"\n' >> "$high_state/config.toml"
default_port() { python3 -c 'import socket; socket.create_server(("127.9.9.9", 80))' 2> /dev/null; }  # may we have it?
if default_port; then for name in 127.9.9.9 127.9.9.9:80 portless; do refused network high push "oci://$name"; done; fi
for name in 127.9.9.9:81 127.9.9.9:443; do refused source-unknown high push "oci://$name"; done
registry site "$to" "http: {addr: '127.0.0.1:$to'}"
plan=$(high push "oci://127.0.0.1:$to" --dry-run)
[ "$(grep -c "to send" <<< "$plan")" = 2 ] || fail "the plan: $plan"
[ "$(curl -s "http://127.0.0.1:$to/v2/_catalog")" = '{"repositories":[]}' ] || fail "a dry run sent something"
grep -q "to send" <<< "$(high push plain --dry-run)" || fail "the name alone does not do"
high push oci://plain > "$work/out" || fail "push"
for name in app db; do
  skopeo inspect --raw --tls-verify=false "docker://127.0.0.1:$to/airgap/team/$name:1" > pushed.json
  skopeo inspect --raw --tls-verify=false "docker://127.0.0.1:$from/team/$name:1" | cmp - pushed.json || fail "the manifest of $name changed"
  skopeo copy -q --src-tls-verify=false "docker://127.0.0.1:$to/airgap/team/$name:1" "oci:pulled:$name" || fail "skopeo does not get $name"
done
step "images are pushed, manifests byte for byte; skopeo pulls them"
grep -q "nothing to send" <<< "$(high push oci://plain)" || fail "the second push sends something"
[ "$(high --json audit tail -n 50 --type image.push | json '["entries"]' | grep -o "'outcome': 'success'" | wc -l)" = 2 ] || fail "the audit log"
pushed=$(high --json audit tail -n 50 --type image.push | value 'max(e["time"] for e in d["entries"])')
[ "$(high --json retire demo/1 --dry-run | json '["retired"][0]["last_used"]')" = "$pushed" ] || fail "a push is no use: $(high retire demo/1 --dry-run)"
step "the same push again sends nothing, and the log has each once"

# A blob that is lost there, and a tag that somebody moved: the plan sees both.
curl -s -o /dev/null -X PUT -H 'Content-Type: application/vnd.oci.image.manifest.v1+json' --data-binary @pushed.json \
  "http://127.0.0.1:$to/v2/airgap/team/app/manifests/1" || true
skopeo copy -q --src-tls-verify=false --dest-tls-verify=false "docker://127.0.0.1:$to/airgap/team/db:1" "docker://127.0.0.1:$to/airgap/team/app:1"
plan=$(high --json push oci://plain --dry-run)
[ "$(json '["artifacts"][0]["lacking"]' <<< "$plan")" = 1 ] || fail "the moved tag is not seen: $plan"
high push oci://plain team/app:1 > /dev/null
skopeo inspect --raw --tls-verify=false "docker://127.0.0.1:$to/airgap/team/app:1" | sha256sum | cut -d' ' -f1 > got
skopeo inspect --raw --tls-verify=false "docker://127.0.0.1:$from/team/app:1" | sha256sum | cut -d' ' -f1 | cmp - got || fail "the tag was not put back"
step "a tag that somebody moved is put back"

# A blob that rotted in the store is not sent, and a prefix that is none is told so.
sed -i 's|^prefix = "airgap"|prefix = "rotten"|' "$high_state/config.toml"
blob=$(find "$high_state/store/blobs" -type f -size +10M | head -n 1)
chmod u+w "$blob" && cp "$blob" kept && damage "$blob" 9000000
refused blob-corrupt high push oci://plain team/app
cp kept "$blob" && chmod 444 "$blob"
sed -i 's|^prefix = "rotten"|prefix = "Air Gap/../x"|' "$high_state/config.toml"
refused config-invalid high push oci://plain --dry-run
sed -i 's|^prefix = "Air Gap/../x"|prefix = "airgap"|' "$high_state/config.toml"
step "what rotted is not sent"

# Killed in the middle, at several moments: the same command ends it.
kill "$pid"; wait "$pid" 2> /dev/null || true
rm -rf "$work/site"
registry site "$to" "http: {addr: '127.0.0.1:$to'}"
for moment in 0.02 0.05 0.1 0.2; do timeout -s KILL "$moment" "$high_exe" --quiet --state "$high_state" push oci://plain > /dev/null 2>&1 || true; done
high push oci://plain > /dev/null || fail "the push after a kill"
skopeo copy -q --src-tls-verify=false "docker://127.0.0.1:$to/airgap/team/app:1" oci:after:app || fail "skopeo does not get what was cut off"
high audit verify > /dev/null || fail "the log"
step "killed at four moments, the same command ends it"

# TLS by the site's CA, and a login.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=registry -addext subjectAltName=IP:127.0.0.1 \
  -keyout ../registry.key -out ../registry.pem 2> /dev/null
python3 - > ../htpasswd <<'PY'
import crypt
print("plant:" + crypt.crypt("secret", crypt.mksalt(crypt.METHOD_BLOWFISH)))
PY
registry locked "$tls" "http: {addr: '127.0.0.1:$tls', tls: {certificate: $work/registry.pem, key: $work/registry.key}}" \
  "auth: {htpasswd: {realm: site, path: $work/htpasswd}}"
printf '[registry.locked]\naddress = "https://127.0.0.1:%s"\n' "$tls" >> "$high_state/config.toml"
refused config-invalid high push oci://locked
printf 'ca_file = "%s/builder.pem.pub"\n' "$work" >> "$high_state/config.toml"
refused tls-invalid high push oci://locked
sed -i "s|^ca_file.*|ca_file = \"$work/registry.pem\"|" "$high_state/config.toml"
refused unauthorized high push oci://locked
echo "plant:wrong" > ../login
chmod 644 ../login
printf 'login_file = "%s/login"\n' "$work" >> "$high_state/config.toml"
refused config-invalid high push oci://locked
chmod 600 ../login
refused unauthorized high push oci://locked
echo "plant:secret" > ../login
high push oci://locked > /dev/null || fail "push over TLS with a login"
skopeo copy -q --src-creds plant:secret --src-tls-verify=false "docker://127.0.0.1:$tls/team/db:1" oci:locked:db || fail "skopeo"
if grep -rq secret "$high_state/audit/"; then fail "the password is in the audit log"; fi
step "TLS by the site's CA alone, and a login of a file"

# A registry that lies: uploads and tokens elsewhere, a redirect.
lying=$(free_port)
printf '[registry.lying]\naddress = "http://127.0.0.1:%s"\n' "$lying" >> "$high_state/config.toml"
python3 "$root/tests/tools/lying_registry.py" "$lying" ../asked &
pids+=($!)
wait_for "http://127.0.0.1:$lying/"
for mode in location realm redirect garbage; do
  echo "$mode" > ../asked
  refused http-status high push oci://lying team/app
done
[ -z "$(ls ../asked.* 2> /dev/null)" ] || fail "it went elsewhere: $(ls ../asked.*)"
step "a registry that sends elsewhere is not followed"

# One on the default port, with a token server that is named without it.
if default_port; then
  python3 "$root/tests/tools/portless_registry.py" 127.9.9.9 &
  pids+=($!)
  wait_for http://127.9.9.9/
  [ "$(grep -c "to send" <<< "$(high push oci://127.9.9.9 --dry-run)")" = 2 ] || fail "a token server without a port is refused"
  step "a token server on the default port, named without it"
fi

# Of an image of three platforms one crosses: docker-registry refuses its index, and gets the platform under the tag. Where two do, nothing
# can stand for the index.
for arch in amd64 arm64 s390x; do
  umoci tag --image oci:app "$arch" && umoci config --image "oci:$arch" --os linux --architecture "$arch"
  skopeo copy -q --dest-tls-verify=false "oci:oci:$arch" "docker://127.0.0.1:$from/team/many:$arch"
  skopeo inspect --raw --tls-verify=false "docker://127.0.0.1:$from/team/many:$arch" > "$arch.json"
done
python3 - > many.json <<'PY'
import hashlib, json
def child(arch):
    manifest = open(f"{arch}.json", "rb").read()
    return {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": "sha256:" + hashlib.sha256(manifest).hexdigest(),
            "size": len(manifest), "platform": {"os": "linux", "architecture": arch}}
print(json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
                  "manifests": [child(arch) for arch in ("amd64", "arm64", "s390x")]}), end="")
PY
curl -sSf -o /dev/null -X PUT -H 'Content-Type: application/vnd.oci.image.index.v1+json' --data-binary @many.json \
  "http://127.0.0.1:$from/v2/team/many/manifests/1" || fail "the upstream does not take the index"
{ printf '[stack]\nname = "demo"\n'
  for name in one two; do
    printf '[image.%s]\nsource = "docker://127.0.0.1:%s/team/many:1"\nname = "team/%s"\ninsecure = true\n' "$name" "$from" "$name"
    if [ "$name" = one ]; then echo 'platforms = ["linux/arm64"]'; else echo 'platforms = ["linux/amd64", "linux/arm64"]'; fi
  done
} > liftlock.toml
{ low lock && low fetch && low pack --output ../medium/demo-2 && low sign ../medium/demo-2 --role builder --key ../builder.pem; } > /dev/null
high ingest usb/demo-2 --expect "$(sha256sum < ../medium/demo-2/manifest/bundle.json | cut -d' ' -f1)" > /dev/null
refused http-status high push oci://plain team/two
high push oci://plain team/one > out 2> err || fail "the push of one platform of three: $(cat err)"
skopeo inspect --raw --tls-verify=false "docker://127.0.0.1:$to/airgap/team/one:1" | cmp - arm64.json || fail "under the tag is not the platform that crossed"
index=sha256:$(sha256sum < many.json | cut -d' ' -f1) platform=sha256:$(sha256sum < arm64.json | cut -d' ' -f1)
grep -q "team/one.*$platform, and not $index" err || fail "it is not said that the digest differs: $(cat err)"
entry=$(high --json audit tail -n 5 --type image.stand-in)
grep -q "$platform" <<< "$entry" && grep -q "$index" <<< "$entry" || fail "the audit log does not say that the digest differs: $entry"
grep -q "nothing to send" <<< "$(high push oci://plain team/one)" || fail "the platform is sent again"
plan=$(high --json push oci://plain team/one --dry-run)
[ "$(json '["artifacts"][0]["lacking"]' <<< "$plan")" = 0 ] && [ "$(json '["artifacts"][0]["stand_in"]' <<< "$plan")" = "$platform" ] || fail "the plan: $plan"
step "of an index that is refused the one platform that crossed gets the tag, and it is said"

# Models as OCI artifacts: what the registry has is what the mirror serves, byte for byte, and what is there is never moved.
served=$(free_port)
mkdir -p model/sub && cp "$root/models/demo/liftlock-demo.gguf" model/Demo.gguf
echo '{"made": "for a test"}' > model/sub/config.json && echo 'as you like' > model/LICENSE
printf '[stack]\nname = "demo"\n[model.Demo_LLM]\nsource = "model"\nversion = "1.0"\nlicense = "Apache-2.0"\n' > liftlock.toml
{ low lock && low fetch && low pack --output ../medium/demo-3 && low sign ../medium/demo-3 --role builder --key ../builder.pem; } > /dev/null
high ingest usb/demo-3 --expect "$(sha256sum < ../medium/demo-3/manifest/bundle.json | cut -d' ' -f1)" > /dev/null
printf '[repository.models]\nkind = "oci"\naddress = "http://127.0.0.1:%s"\nprefix = "models"\ntakes = ["model"]\n' "$to" >> "$high_state/config.toml"
plan=$(high push models --dry-run)
grep -q "Demo_LLM@1.0 -> .* models/demo-llm:1.0: 5 of 5 files" <<< "$plan" || fail "the plan of a model: $plan"
there() { curl -s -o /dev/null -w '%{http_code}' -H 'Accept: application/vnd.oci.image.manifest.v1+json' "http://127.0.0.1:$to/v2/models/demo-llm/manifests/1.0"; }
[ "$(there)" = 404 ] || fail "a dry run sent a model"
high push models > /dev/null || fail "a model into a registry"
"$high_exe" --quiet --state "$high_state" serve --listen "127.0.0.1:$served" > ../serve.log 2>&1 & pids+=($!)
soon curl -fs "http://127.0.0.1:$served/v2/" || fail "the mirror did not start: $(cat ../serve.log)"
skopeo inspect --raw --tls-verify=false "docker://127.0.0.1:$served/modelpack/demo-llm:1.0" > served.json
skopeo inspect --raw --tls-verify=false "docker://127.0.0.1:$to/models/demo-llm:1.0" | cmp - served.json || fail "the registry has another manifest than the mirror"
[ "$(json '["artifactType"]' < served.json)" = application/vnd.cncf.model.manifest.v1+json ] || fail "what is served is no ModelPack"
skopeo copy -q --src-tls-verify=false "docker://127.0.0.1:$to/models/demo-llm:1.0" "oci:pack:demo" || fail "skopeo does not get the model"
for file in Demo.gguf sub/config.json LICENSE; do
  cmp "model/$file" "pack/blobs/sha256/$(sha256sum < "model/$file" | cut -d' ' -f1)" || fail "$file is not in the artifact"
done
grep -q "nothing to send" <<< "$(high push models)" || fail "the second push of a model sends something"
entry=$(high --json audit tail -n 5 --type model.push)
grep -q "sha256:$(sha256sum < served.json | cut -d' ' -f1)" <<< "$entry" || fail "the audit log does not say which manifest: $entry"
step "a model is pushed as a ModelPack, with the digest that the mirror serves"

# Another tool's manifest of the same files is the model; one of other files is other bytes, and stays.
python3 - <<'PY'
import json
manifest = json.load(open("served.json"))
manifest["annotations"] = {"org.opencontainers.image.created": "2026-01-01T00:00:00Z"}
open("other-tool.json", "w").write(json.dumps(manifest))
del manifest["layers"][0]
open("other-files.json", "w").write(json.dumps(manifest))
PY
put() { curl -sSf -o /dev/null -X PUT -H 'Content-Type: application/vnd.oci.image.manifest.v1+json' --data-binary "@$1" \
  "http://127.0.0.1:$to/v2/models/demo-llm/manifests/1.0" || fail "the registry does not take $1"; }
put other-tool.json
grep -q "nothing to send" <<< "$(high push models)" || fail "what another tool made of the same files is not known"
skopeo inspect --raw --tls-verify=false "docker://127.0.0.1:$to/models/demo-llm:1.0" | cmp - other-tool.json || fail "the tag was moved"
put other-files.json
refused immutable high push models
skopeo inspect --raw --tls-verify=false "docker://127.0.0.1:$to/models/demo-llm:1.0" | cmp - other-files.json || fail "the tag was moved"
step "the tag of a model is never moved"

# A second model whose name becomes the same there stops the push, and says so. One of which the store lacks a file stops nothing.
sed -i 's|^prefix = "models"|prefix = "half"|' "$high_state/config.toml"
cp -r model other && echo 'as you wish' > other/LICENSE
printf '[model.demo-llm]\nsource = "other"\nversion = "1.0"\nlicense = "Apache-2.0"\n' >> liftlock.toml
{ low lock && low fetch && low pack --output ../medium/demo-4 && low sign ../medium/demo-4 --role builder --key ../builder.pem; } > /dev/null
high ingest usb/demo-4 --expect "$(sha256sum < ../medium/demo-4/manifest/bundle.json | cut -d' ' -f1)" > /dev/null
refused immutable high push models
if high push models > out 2> err; then fail "two models went to one place"; fi
grep -q "model:Demo_LLM@1.0 and model:demo-llm@1.0 are both half/demo-llm:1.0" err || fail "which two are one name there is not said: $(cat err)"
digest=$(sha256sum < other/LICENSE | cut -d' ' -f1)
blob=$(find "$high_state/store/blobs" -type f -name "$digest")
[ -n "$blob" ] || fail "the store has no blob of other/LICENSE"
rm "$blob"
for said in "^sent: " "^nothing to send"; do
  rc=0; high push models > out 2> err || rc=$?
  [ "$rc" = 3 ] || fail "a model that lacks a file: $rc $(cat out err)"
  grep -q "warning: model:demo-llm@1.0 is left out: the store does not hold 'models/demo-llm/LICENSE'" err || fail "what is left out is not said: $(cat err)"
  grep -q "$said" out || fail "the other model: $(cat out)"
done
skopeo inspect --raw --tls-verify=false "docker://127.0.0.1:$to/half/demo-llm:1.0" | cmp - served.json || fail "the whole model did not go"
[ "$(high --json push models --dry-run | value '["left_out" in a for a in d["artifacts"]]')" = "[False, True]" ] || fail "the plan does not say what is left out"
step "a model that lacks a file is left out, and two that become one name are told"
