#!/usr/bin/env bash
# The register of media, and two copies of a bundle of which each rots elsewhere (G7 G65); the kinds that a site takes in (S4).
# media_test.sh LIFTLOCK_LOW LIFTLOCK_HIGH
source "$(dirname "$0")/crossing_machines.sh" || exit 1
mkdir "$work/stack" "$work/one" "$work/two"
cd "$work/stack"
for role in root builder; do low trust keygen --role "$role" --out "../$role.pem" > /dev/null; done
low init > /dev/null
low trust init --organisation Acme --root-key ../root.pem --add builder:../builder.pem.pub > /dev/null
printf '[stack]\nname = "plant"\n[file.a]\nsource = "a.txt"\n[file.b]\nsource = "b.txt"\n[file.c]\nsource = "c.txt"\n' > liftlock.toml
for name in a b c; do echo "$name says something" > "$name.txt"; done
low lock > /dev/null && low fetch > /dev/null && low pack --form tree --output ../one/plant-1 --expires 2099-12-31 > /dev/null
[ "$(json '["expires"]' < ../one/plant-1/manifest/bundle.json)" = 2100-01-01T00:00:00Z ] || fail "a day is meant to its end: $(cat ../one/plant-1/manifest/bundle.json)"
grep -q "^valid until the end of 2099-12-31$" <<< "$(low inspect ../one/plant-1)" || fail "the last day: $(low inspect ../one/plant-1)"
low sign ../one/plant-1 --role builder --key ../builder.pem > /dev/null
cp -a ../one/plant-1 ../two/
high init --zone ingest --organisation Acme > /dev/null
high trust pin ../one/plant-1 --fingerprint "$(low --json trust show | json '["fingerprint"]')" > /dev/null
printf '[source.one]\npath = "%s/one"\nrequire_read_only = false\n' "$work" >> "$high_state/config.toml"
digest=$(sha256sum < ../one/plant-1/manifest/bundle.json | cut -d' ' -f1)

high media in ../one --serial STICK-1 --carrier "Bea Courier" --ticket CHG-4711 > ../told
grep -q "in: medium STICK-1" ../told && grep -q "  plant/1 sha256:$digest" ../told || fail "what came in: $(cat ../told)"
high media in ../two/plant-1 --serial STICK-2 > /dev/null
"$high_exe" --state "$high_state" media in --serial STICK-2 > /dev/null 2> ../told
grep -q "the register has it in already" ../told || fail "twice in: $(cat ../told)"
high media out --serial STICK-1 --carrier "Bea Courier" > /dev/null
refused usage high media out
refused usage high media out --serial $'two\nlines'
register=$(high media ls)
[ "$(wc -l <<< "$register")" = 3 ] || fail "one line for each medium: $register"
grep -Eq "^STICK-1 .* out .*Bea Courier" <<< "$register" && grep -Eq "^STICK-2 .* in .*" <<< "$register" || fail "the register: $register"
[ "$(high --json media ls --all | value 'len(d["media"])')" = 4 ] || fail "each move: $(high --json media ls --all)"
[ "$(high --json media ls --all | json '["media"][0]["bundles"][0]["digest"]')" = "sha256:$digest" ] || fail "the digest of what came in"
# What lies on a medium is foreign: names, links, and how many there are.
mkdir "$work/odd" && ln -s "$work/one/plant-1" "$work/odd/link" && mkdir "$work/odd/x" && ln -s manifest "$work/odd/x/manifest"
python3 - "$work/odd" <<'PY'
import os, sys
for i in range(150):
    folder = os.path.join(os.fsencode(sys.argv[1]), b"\x01\xff\x1b" * 60 + b"%03d" % i, b"manifest")
    os.makedirs(folder)
    open(os.path.join(folder, b"bundle.json"), "w").write("{}")
PY
high media in "$work/odd" --serial ODD > ../told || fail "odd names on a medium: $(cat ../told)"
grep -q "and 50 bundles that are not registered" ../told || fail "what is not registered is not told: $(tail -3 ../told)"
if grep -q "$digest" ../told; then fail "a bundle of another place counts as one of the medium"; fi
refused usage high media in "$work/told" --serial FILE
# told_of FOLDER: what the register remarks.
told_of() { "$high_exe" --state "$high_state" media in "$1" --serial "${1##*/}" 2>&1 > /dev/null || fail "$1 is not registered"; }
mkdir -p "$work/deep/box" "$work/others" "$work/bare" && cp -a ../one/plant-1 "$work/deep/box/" && : > "$work/others/images.tar"
grep -q "^  plant/1 sha256:$digest" <<< "$(high media in "$work/deep" --serial deep)" || fail "a bundle in a folder of the medium is not registered"
grep -q "warning: no bundle is registered with it: .*but 'images.tar'; .*liftlock import" <<< "$(told_of "$work/others")" || fail "a medium of others: $(told_of "$work/others")"
warnings=$(high --json media in "$work/others" --serial others | json '["warnings"]')
grep -q "the register has it in already.*no bundle is registered with it: .*but 'images.tar'" <<< "$warnings" || fail "what is warned of is not in --json: $warnings"
# What the device says of itself depends on the machine.
warnings=$(high --json media in ../one/plant-1 --serial NEW | json '["warnings"]') || fail "NEW is not registered"
if grep "already\|no bundle" <<< "$warnings"; then fail "nothing is to be warned of"; fi
for place in bare deep deep/box; do told_of "$work/$place" > ../told && ! grep -q "no bundle" ../told || fail "$place: $(cat ../told)"; done
high audit verify > /dev/null
step "the register says what came in and left, on what, with whom"

high media verify ../one/plant-1 ../two/plant-1 --expect "$digest" > ../told || fail "two good copies: $(cat ../told)"
[ "$(grep -c '^good ' ../told)" = 2 ] || fail "two good copies: $(cat ../told)"
printf X | dd of=../one/plant-1/files/a.txt bs=1 seek=3 conv=notrunc status=none
printf X | dd of=../two/plant-1/files/b.txt bs=1 seek=3 conv=notrunc status=none
status=0; high media verify ../one/plant-1 ../two/plant-1 > ../told || status=$?
[ "$status" = 4 ] || fail "rotten copies end with $status"
grep -q "^files/a.txt: bad in ../one/plant-1; whole in ../two/plant-1" ../told || fail "what rotted where: $(cat ../told)"
grep -q "^files/b.txt: bad in ../two/plant-1; whole in ../one/plant-1" ../told || fail "what rotted where: $(cat ../told)"
grep -q "together they are whole" ../told || fail "together: $(cat ../told)"
printf X | dd of=../two/plant-1/files/a.txt bs=1 seek=5 conv=notrunc status=none
high --json media verify ../one/plant-1 ../two/plant-1 > ../told || true
[ "$(json '["together_whole"]' < ../told)" = False ] || fail "one file is whole in none: $(cat ../told)"
refused usage high media verify ../one/plant-1
refused usage high media verify ../one/plant-1 ../one/../one/plant-1
cp a.txt ../one/plant-1/files/a.txt
cp -a ../one/plant-1 ../one/other
high media verify ../one/plant-1 ../one/other > /dev/null || fail "mended: $(high media verify ../one/plant-1 ../one/other)"
# rotten FILE WORDS…: a byte of that file of the second copy is broken, and the words are said.
rotten() {
  local file=$1 words; shift
  printf '\001' | dd of="../one/other/$file" bs=1 seek=9 conv=notrunc status=none
  status=0; high media verify ../one/plant-1 ../one/other > ../told 2>&1 || status=$?
  [ "$status" = 4 ] || fail "$file rotted, and it ends with $status: $(cat ../told)"
  for words in "$@"; do grep -qF -- "$words" ../told || fail "$file rotted, and nobody says '$words': $(cat ../told)"; done
  rm -r ../one/other; cp -a ../one/plant-1 ../one/other
}
rotten manifest/bundle.json "manifest/bundle.json: bad in ../one/other; whole in ../one/plant-1"
printf X | dd of=../one/plant-1/files/c.txt bs=1 seek=3 conv=notrunc status=none
rotten manifest/files.jsonl "its content was not read" "files/c.txt: bad in ../one/plant-1; WHOLE IN NONE THAT WAS READ" "mend the lists first"
cp c.txt ../one/plant-1/files/c.txt && cp c.txt ../one/other/files/c.txt
rm ../one/other/manifest/bundle.json
high media verify ../one/plant-1 ../one/other > ../told || true
grep -q "manifest/bundle.json: bad in ../one/other; whole in ../one/plant-1" ../told || fail "a bundle.json that is gone: $(cat ../told)"
cp ../one/plant-1/manifest/bundle.json ../one/other/manifest/
echo junk > ../one/other/files/Thumbs.db
high media verify ../one/plant-1 ../one/other > ../told || true
grep -q "files/Thumbs.db: belongs to no bundle, and is in ../one/other" ../told || fail "a file that is too much: $(cat ../told)"
rm ../one/other/files/Thumbs.db
if strace -f -o /dev/null true 2> /dev/null; then
  strace -f -qq -o /dev/null -P ../one/other/files/b.txt -e inject=pread64,read:error=EIO \
    "$high_exe" --quiet --state "$high_state" media verify ../one/plant-1 ../one/other > ../told || true
  grep -q "files/b.txt: bad in ../one/other; whole in ../one/plant-1" ../told || fail "a sector that cannot be read: $(cat ../told)"
fi
for end in 9999999d 2020-12-31 0d 2099-02-29; do refused usage low pack --output ../two/plant-2 --expires "$end"; done
if [ -n "$faketime" ]; then
  low pack --output ../two/plant-2 --expires 1d > /dev/null && low sign ../two/plant-2 --role builder --key ../builder.pem > /dev/null
  cp -a ../two/plant-2 ../two/again
  at +5d high media verify ../two/plant-2 ../two/again > ../told || fail "what is past its date rotted nowhere: $(cat ../told)"
  grep -q "bundle-expired" ../told || fail "that it is past its date is not told: $(cat ../told)"
fi
# No list names the signatures: they are compared with each other.
for signature in ../one/other/signatures/*; do name=signatures/${signature##*/}; done
rm "$signature"
status=0; high media verify ../one/plant-1 ../one/other > ../told || status=$?
[ "$status" = 4 ] || fail "a signature that is gone ends with $status: $(cat ../told)"
grep -qF "$name: bad in ../one/other; whole in ../one/plant-1" ../told || fail "a signature that is gone: $(cat ../told)"
mv "../one/plant-1/$name" ../kept
for field in signature hint; do  # rotted here, gone there
  python3 - "$field" ../kept > "../one/plant-1/$name" << 'END'
import sys
field, file = sys.argv[1:]
text = open(file).read()
at = text.index(f'"{field}"') + len(field) + 10
sys.stdout.write(text[:at] + ("B" if text[at] != "B" else "C") + text[at + 1:])
END
  status=0; high media verify ../one/plant-1 ../one/other > ../told || status=$?
  [ "$status" = 4 ] && grep -q "have it signed again" ../told ||
    fail "a signature whose $field rotted in the only copy ends with $status: $(cat ../told)"
done
rm "../one/plant-1/$name"
status=0; high media verify ../one/plant-1 ../one/other > ../told || status=$?
[ "$status" = 4 ] && grep -q "have it signed again" ../told || fail "no signature anywhere ends with $status: $(cat ../told)"
mv ../kept "../one/plant-1/$name"
rm -r ../one/other
# Where no bundle lies, none is damaged.
mkdir ../bare-1 ../bare-2
if high media verify ../bare-1 ../bare-2 2> ../told; then fail "two empty folders are good copies"; fi
grep -q "error\[not-a-bundle\]: no copy holds a manifest/bundle.json" ../told || fail "no copy holds a bundle: $(cat ../told)"
for place in bare-1 bare-2; do mkdir "../$place/manifest" && echo '{' > "../$place/manifest/bundle.json"; done
if high media verify ../bare-1 ../bare-2 2> ../told; then fail "two torn bundle.json are good copies"; fi
grep -q "bundle.json is damaged in every copy" ../told || fail "damaged in every copy: $(cat ../told)"
rm -r ../bare-1 ../bare-2
step "two copies: what rotted in each, and where it is whole"

sed -i 's/^\[policy\]/[policy]\naccept_kinds = ["wheel", "modl"]/' "$high_state/config.toml"
refused config-invalid high status
sed -i 's/"modl"/"model"/' "$high_state/config.toml"
refused profile-refused high ingest one/plant-1 --expect "$digest"
status=0; high verify ../one/plant-1 > ../told || status=$?
[ "$status" = 3 ] && grep -q "profile-refused" ../told || fail "verify ends with $status: $(cat ../told)"
mkdir notes && echo words > notes/note.txt && (cd notes && sha256sum note.txt > SHA256SUMS)
refused profile-refused high import notes --expect "$(sha256sum < notes/SHA256SUMS | cut -d' ' -f1)"
sed -i 's/^accept_kinds = .*/accept_kinds = ["file"]/' "$high_state/config.toml"
high ingest one/plant-1 --expect "$digest" > /dev/null
step "a site takes in the kinds that it lists, and no others"
