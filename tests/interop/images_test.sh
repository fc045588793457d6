#!/usr/bin/env bash
# Two images that share a layer cross the gap in one bundle, survive gc and scrub, and come out as one OCI layout that
# skopeo copies from.
#   images_test.sh LIFTLOCK_LOW LIFTLOCK_HIGH
source "$(dirname "$0")/crossing_machines.sh" || exit 1

# --- fixtures: web has one layer, worker has that one and another
mkdir "$work/umoci" && (
  cd "$work/umoci" && umoci init --layout image && umoci new --image image:web && mkdir shared own &&
    head -c 100000 /dev/urandom > shared/base && echo worker > own/worker &&
    mkdir -p own/venv/site-packages/tiktoken-0.14.0.dist-info && echo "Name: tiktoken" > own/venv/site-packages/tiktoken-0.14.0.dist-info/METADATA &&
    tar -C shared --owner 0 --group 0 --numeric-owner -cf shared.tar base &&
    tar -C own --owner 0 --group 0 --numeric-owner -cf own.tar worker venv &&
    umoci raw add-layer --image image:web shared.tar && umoci tag --image image:web worker &&
    umoci raw add-layer --image image:worker own.tar
) > /dev/null 2>&1 || fail "umoci"
mkdir "$work/stack" && cd "$work/stack"
cat > liftlock.toml <<TOML
[stack]
name = "images"
channel = "images"
platform = "linux/amd64"
[image.web]
source = "oci:$work/umoci/image:web"
name = "team/web"
[image.worker]
source = "oci:$work/umoci/image:worker"
name = "team/worker"
TOML
low init --zone low > /dev/null
low trust keygen --role root --out "$work/root.pem" > /dev/null
low trust keygen --role builder --out "$work/builder.pem" > /dev/null
low trust init --organisation test --root-key "$work/root.pem" --add "builder:$work/builder.pem" > /dev/null
low lock > /dev/null && low fetch > /dev/null && low gc > /dev/null
# What a package inside an image downloads when it is first used.
out=$(low check) || fail "check: $out"
grep -q '^! image:team/worker@worker  tiktoken in it downloads a vocabulary' <<< "$out" && grep -q '\[file.tiktoken-cache\]' <<< "$out" || fail "check says: $out"
! grep -q '^! image:team/web' <<< "$out" || fail "check finds in an image what is not there: $out"
refused stack-incomplete low check --strict
low pack --output "$work/media/one" > /dev/null
low sign "$work/media/one" --role builder --key "$work/builder.pem" > /dev/null

# --- across
high init --zone ingest > /dev/null
printf 'zone = "ingest"\n[policy]\nreserve = "1MiB"\n[source.drop]\npath = "%s"\nrequire_read_only = false\n' "$work/media" > "$work/high/config.toml"
high trust pin "$work/media/one" --fingerprint "$(low --json trust show | python3 -c 'import json,sys; print(json.load(sys.stdin)["fingerprint"])')" > /dev/null
high ingest drop/one --expect "$(sha256sum < "$work/media/one/manifest/bundle.json" | cut -d' ' -f1)" > /dev/null
high gc --abandoned-after 0s > /dev/null
high scrub > /dev/null

# --- out again: apart, together, and as a tree; skopeo takes each, digest for digest
for image in web worker; do
  high export "image:team/$image@$image" --to "$work/apart-$image" > /dev/null
  high export "image:team/$image@$image" --to "$work/together" > /dev/null
  high export "image:team/$image@$image" --to "$work/tree" --tree > /dev/null
done
for image in web worker; do
  expected=$(skopeo inspect --raw "oci:$work/umoci/image:$image" | sha256sum)
  for layout in "$work/apart-$image" "$work/together" "$work/tree/images"; do
    skopeo copy -q "oci:$layout:team/$image:$image" "oci:$work/copied-$image:x" || fail "skopeo reads no image from $layout"
    [ "$(skopeo inspect --raw "oci:$work/copied-$image:x" | sha256sum)" = "$expected" ] || fail "$image changed on its way"
    rm -r "$work/copied-$image"
  done
done
[ "$(find "$work/together/blobs" -type f | wc -l)" -eq 6 ] || fail "the shared layer is not shared"
echo "two images with one layer crossed"
