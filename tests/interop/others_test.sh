#!/usr/bin/env bash
# A package of Zarf and a haul of Hauler come in, whole and in parts, and what was in them is served: skopeo pulls the image, curl
# gets chart and file; and one of each with more in it: a signature, an index, one name in two registries, one chart twice. Those made by
# hand always, and those of the real programs where ZARF and HAULER name them.
#   others_test.sh LIFTLOCK_LOW LIFTLOCK_HIGH      Exit status 77: no skopeo, curl or umoci.
source "$(dirname "$0")/crossing_machines.sh" || exit 1
for program in skopeo curl umoci; do command -v "$program" > /dev/null || skip "no $program"; done
cd "$work"
mkdir root stand-ins && echo "hello from the sample" > root/motd
{ umoci init --layout layout && umoci new --image layout:app && tar -C root --owner 0 --group 0 --numeric-owner -cf layer.tar motd &&
  umoci raw add-layer --image layout:app layer.tar; } > umoci.log 2>&1 || fail "umoci: $(cat umoci.log)"
python3 "$root/tests/tools/make_others_stand_ins.py" stand-ins layout
samples=("$work/stand-ins")
if [ -n "${ZARF:-}${HAULER:-}" ]; then
  mkdir fresh
  LARGE=1 "$root/tests/tools/make_others_samples.sh" fresh > make.log 2>&1 || { tail -20 make.log; fail "no samples were made"; }
  samples+=("$work/fresh")
fi

fresh_high() {
  rm -rf "$high_state"
  high init --zone ingest > /dev/null
  printf 'zone = "ingest"\n[policy]\nreserve = "1MiB"\nunsigned_imports = true\n' > "$high_state/config.toml"
}
# trusting PUBLIC_KEY: what this key signs is a builder's word
trusting() {
  low_state=$(mktemp -d "$work/low.XXXX")
  low init --zone low > /dev/null
  low trust keygen --role root --out "$low_state.pem" > /dev/null
  low trust init --organisation test --root-key "$low_state.pem" --add "builder:$1" > /dev/null
  high trust pin "$(find "$low_state/trust" -name '1.root.json')" --fingerprint "$(low --json trust show | value 'd["fingerprint"]')" > /dev/null
}
# both_of_one_name: out.json has the images that two registries call site/app:1.0
both_of_one_name() {
  [ "$(value 'sum(one.startswith("image:127.0.0.1-") and one.endswith("/site/app@1.0") for one in d["artifacts"])' < out.json)" = 2 ] || fail "one image takes another's place: $(cat out.json)"
  grep -q "several images are called 'site/app:1.0'" out.json || fail "no word of the names: $(cat out.json)"
}
# both_platforms: of the index site/multi in out.json
both_platforms() {
  local multi
  multi=$(value 'next(one for one in d["artifacts"] if one.startswith("image:site/multi@"))' < out.json)
  [ "$(high --json show "$multi" | value '" ".join(d["facts"]["platforms"])')" = "linux/amd64 linux/arm64" ] || fail "the index: $(high --json show "$multi")"
}
# served PATH: the mirror gives the image, the chart, and at this path the tool to their clients
served() {
  local address pid
  address=127.0.0.1:$(free_port)
  "$high_exe" --quiet --state "$high_state" serve --listen "$address" > serve.log 2>&1 &
  pid=$!
  pids+=("$pid")
  wait_for "http://$address/"
  rm -rf pulled && skopeo copy -q --src-tls-verify=false "docker://$address/site/app:1.0" oci:pulled:app || fail "skopeo does not pull the image"
  umoci unpack --rootless --image pulled:app unpacked > umoci.log 2>&1 || fail "umoci: $(cat umoci.log)"
  grep -q "hello from the sample" unpacked/rootfs/motd || fail "the image is another"
  chmod -R u+w unpacked && rm -rf unpacked
  grep -q "demo-1.2.3.tgz" <<< "$(curl -fsS "http://$address/charts/index.yaml")" || fail "no chart in the index"
  curl -fsS -o demo.tgz "http://$address/charts/demo-1.2.3.tgz" && grep -q "word: hello" <<< "$(tar -xzOf demo.tgz demo/values.yaml)" || fail "the chart"
  grep -q "a tool of the sample" <<< "$(curl -fsS "http://$address/bundles/import/latest/$1")" || fail "the file: $(curl -sS "http://$address/bundles/import/latest/")"
  kill "$pid" && wait "$pid" 2> /dev/null || true
}

for folder in "${samples[@]}"; do
  zarf=$folder/zarf-package-sample-amd64-0.1.0.tar.zst
  if [ -f "$zarf" ]; then
    version=$(cat "$folder/zarf.version")
    fresh_high
    refused reason-required high import "$zarf"
    [ "$(high --json import "$zarf" --plan | value 'd["preview"]["package"] + " " + d["preview"]["version"]')" = "sample 0.1.0" ] || fail "the plan: $(high --json import "$zarf" --plan)"
    digest=$(sha256sum < "$zarf" | cut -d' ' -f1)
    [ "$(high --json import "$zarf" --expect "$digest" | value 'd["believed_by"] + " " + " ".join(d["artifacts"])')" = "digest chart:demo@1.2.3 file:sample-app@0.1.0 image:site/app@1.0" ] ||
      fail "Zarf: $(high --json ls)"
    served files/sample/app/files/0/tool.txt
    # What a liar would do: another file in the place of one that checksums.txt names.
    mkdir lie && tar --zstd -C lie -xf "$zarf" && chmod -R u+w lie && echo x >> lie/components/app.tar
    refused digest-mismatch high import lie --reason test
    rm -rf lie
    step "zarf: a package of Zarf $version comes in and is served"
    if [ -f "$zarf.part000" ]; then
      fresh_high
      high import "$zarf.part000" --expect "$(value 'd["Sha256Sum"]' < "$zarf.part000")" > /dev/null || fail "Zarf's parts"
      served files/sample/app/files/0/tool.txt
      damage "$zarf.part001" 100
      refused digest-mismatch high import "$zarf.part000" --reason test
      step "zarf: $(value 'd["Count"]' < "$zarf.part000") parts of it, too; a changed one is refused"
    fi
  fi
  haul=$folder/haul.tar.zst
  if [ -f "$haul" ]; then
    version=$(cat "$folder/hauler.version")
    fresh_high
    high --json import "$haul" --reason test > out.json || fail "the haul"
    grep -q "^chart:demo@1.2.3 file:filler.bin@[0-9a-f]* file:tool.txt@[0-9a-f]* image:site/app@1.0$" <<< "$(value '" ".join(d["artifacts"])' < out.json)" || fail "Hauler: $(cat out.json)"
    grep -q "^UNSIGNED IMPORT" <<< "$(high show image:site/app@1.0)" || fail "no label"
    served files/tool.txt
    # The signature that was beside the image upstream is beside it here.
    grep -q '\.sig' <<< "$(high --json show image:site/app@1.0)" || fail "the signature is lost: $(high --json show image:site/app@1.0)"
    step "hauler: a haul of Hauler $version comes in and is served, the signature with its image"
    chunk=$(find "$folder/chunks" -name 'haul*' | LC_ALL=C sort | head -1)
    [ "$(high --json import "$chunk" --reason test | value 'd["shape"]')" = hauler ] || fail "the chunks"
    step "hauler: $(find "$folder/chunks" -type f | wc -l) chunks of it, too"
  fi
  larger=$folder/more/zarf-package-several-amd64-0.2.0.tar.zst
  if [ -f "$larger" ]; then
    fresh_high
    sed -i '/unsigned_imports/d' "$high_state/config.toml"
    refused unsigned high import "$larger"
    trusting "$folder/more/builder.pub"
    high --json import "$larger" > out.json || fail "the signed package"
    [ "$(value 'd["believed_by"]' < out.json)" = signature ] || fail "the signature is not believed: $(cat out.json)"
    both_of_one_name
    both_platforms
    grep -q '"chart:demo@1.2.3"' out.json || fail "the chart: $(cat out.json)"
    [ "$(high --json show file:several-web@0.2.0 | value 'sum(one["path"] == "files/several/web/charts/demo-1.2.3.tgz" for one in d["files"])')" = 1 ] || fail "the other chart: $(high --json show file:several-web@0.2.0)"
    mkdir lie && tar --zstd -C lie -xf "$larger" && chmod -R u+w lie && sed -i 's/0\.2\.0/0.2.1/' lie/zarf.yaml
    refused signature-invalid high import lie
    rm -rf lie
    step "zarf: signed, with an index, one name in two registries, and a chart twice, from Zarf $(cat "$folder/zarf.version")"
  fi
  larger=$folder/more/haul.tar.zst
  if [ -f "$larger" ]; then
    fresh_high
    high --json import "$larger" --reason test > out.json || fail "the larger haul"
    both_platforms
    grep -q '"chart:demo@1.2.3"' out.json || fail "the chart: $(cat out.json)"
    signed=0
    for id in $(value '"\n".join(one for one in d["artifacts"] if one.endswith("site/app@1.0"))' < out.json); do
      ! grep -q '\.sig' <<< "$(high --json show "$id")" || signed=$((signed + 1))
    done
    if [ "$(cat "$folder/hauler.version")" = "(by hand)" ]; then
      both_of_one_name
      [ "$signed" = 1 ] || fail "$signed images have the signature of one"
    else
      # Of two images with one name but for the host, Hauler itself keeps the second, and the signature of the first.
      [ "$signed" = 0 ] || fail "an image has the signature of another"
      grep -q "is attached to no image of it" out.json || fail "no word of the signature: $(cat out.json)"
    fi
    step "hauler: for containerd, with an index, one name in two registries, and a chart twice, from Hauler $(cat "$folder/hauler.version")"
  fi
done
