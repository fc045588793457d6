#!/usr/bin/env bash
# An RPM repository crosses: dnf and zypper install from the mirror, where there is no network, and check both signatures.
# rpm_test.sh LIFTLOCK_LOW LIFTLOCK_HIGH
# Exit status 77: rpmbuild, createrepo_c or dnf is missing here.
source "$(dirname "$0")/crossing_machines.sh" || exit 1
source "$(dirname "$0")/package_crossing.sh"
for tool in rpmbuild rpmsign createrepo_c dnf gpg; do command -v $tool > /dev/null || skip "there is no $tool"; done
[ "$(id -u)" -eq 0 ] || skip "only root installs packages"

# The vendor: a key, and a repository of packages. HOME is where rpm looks for settings and keeps what it knows.
export HOME=$work/home GNUPGHOME=$work/gnupg
mkdir -p "$HOME" "$work/vendor/Packages" "$work/stack"
mkdir -m 700 "$GNUPGHOME"
gpg --batch --quiet --passphrase "" --quick-gen-key "Vendor <vendor@example.test>" rsa2048 sign never 2> /dev/null
gpg --armor --export vendor@example.test > "$work/stack/vendor.asc"
gpg --batch --quiet --passphrase "" --quick-gen-key "Stranger <stranger@example.test>" rsa2048 sign never 2> /dev/null
gpg --armor --export stranger@example.test > "$work/stack/stranger.asc"
# build NAME VERSION [LINES OF THE SPEC]
build() {
  printf '%s\n' "Name: $1" "Version: $2" "Release: 1" "Summary: The <$1> of the test" "License: MIT" "BuildArch: noarch" "${@:3}" \
    "%description" "Text & \"more\"." "%install" "mkdir -p %{buildroot}/usr/bin %{buildroot}/usr/share/$1" \
    "echo 'echo $1 $2' > %{buildroot}/usr/bin/$1" "echo data > %{buildroot}/usr/share/$1/data" \
    "%files" "%attr(0755,root,root) /usr/bin/$1" "/usr/share/$1" "%changelog" "* Thu Jan 01 2026 Vendor <vendor@example.test> - $2-1" "- first" > "$work/$1.spec"
  rpmbuild --quiet --define "_topdir $work/rpmbuild" --define "_rpmdir $work/vendor/Packages" \
    --define "_build_name_fmt %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm" -bb "$work/$1.spec" > "$work/rpmbuild.log" 2>&1 || { cat "$work/rpmbuild.log"; fail "rpmbuild $1"; }
}
sign_packages() { rpmsign --addsign --define "__gpg $(command -v gpg)" --define "_gpg_name vendor@example.test" "$@" > "$work/rpmsign.log" 2>&1 || { cat "$work/rpmsign.log"; fail "rpmsign"; }; }
index() {
  createrepo_c --quiet "$1"
  gpg --batch --yes --local-user vendor@example.test --armor --detach-sign "$1/repodata/repomd.xml"
}
build libcanal 1.4
build libcanal '1.5~rc1+git^2'
build painting 1.0 "Epoch: 2"
build gondola 1.0 "Requires: libcanal >= 1.5~"
build lift 2.0 "Requires: libcanal >= 1.5~" "Requires: /usr/share/painting/data"
build boat 1.0 "Requires: sea >= 1"
build sea 1.0
sign_packages "$work"/vendor/Packages/*.rpm
mkdir -p "$work/distribution"
mv "$work"/vendor/Packages/sea-*.rpm "$work/distribution"
index "$work/distribution"
index "$work/vendor"
cp -r "$work/vendor" "$work/unsigned-index"
rm "$work/unsigned-index/repodata/repomd.xml.asc"
(cd "$work" && exec python3 -u -m http.server 0 --bind 127.0.0.1 > "$work/http.out" 2> "$work/http.log") &
pids+=($!)
soon grep -q port "$work/http.out" || fail "the repository did not start: $(cat "$work/http.log")"
upstream=http://127.0.0.1:$(sed -n 's/.* port \([0-9]*\) .*/\1/p' "$work/http.out")

cd "$work/stack"
# stack FOLDER PACKAGE KEY [LINES]: liftlock.toml for a repository of the vendor.
stack() {
  printf '%s\n' '[stack]' 'name = "tools"' '' '[rpm.tools]' "url = \"$upstream/$1\"" "packages = [\"$2\"]" "key = \"$3\"" "${@:4}" > liftlock.toml
}
stack vendor 'lift", "gondola' vendor.asc
cross tools-1
artifacts() { python3 -c 'import json; print(*(a["kind"] + ":" + a["name"] + "@" + a["version"] for e in json.load(open("liftlock.lock"))["entries"] for a in e["artifacts"] if a["kind"] in ("rpm", *'"$1"')))'; }
[ "$(artifacts '[]')" = "rpm:gondola@1.0-1 rpm:libcanal@1.5~rc1+git^2-1 rpm:lift@2.0-1 rpm:painting@2:1.0-1" ] || fail "locked: $(artifacts '[]')"
python3 - << 'PYTHON' || fail "the evidence of the lock"
import json
artifacts = {a["name"]: a for e in json.load(open("liftlock.lock"))["entries"] for a in e["artifacts"] if a["kind"] == "rpm"}
for artifact in artifacts.values():
    assert [e["type"] for e in artifact["files"][0]["evidence"]] == ["rpm-repomd", "rpm-signature"], artifact
    assert artifact["license"] == "MIT", artifact
assert artifacts["lift"]["needs"] == ["rpm:libcanal@1.5~rc1+git^2-1"], artifacts["lift"]["needs"]
PYTHON
grep -q 'pkg:rpm/painting@1.0-1?arch=noarch&epoch=2' "$work/medium/tools-1/manifest/sbom.cdx.json" || fail "no purl"
for rpm in "$work"/medium/tools-1/packages/rpm/*.rpm; do
  cmp "$rpm" "$work/vendor/Packages/$(basename "$rpm")" || fail "$rpm is not the vendor's"
done
step "four of six packages crossed, as dnf resolves them: $(artifacts '["rpm-index", "rpm-key"]')"

# What the low side refuses.
lock_refused() { refused "$1" low lock; }
# lock_says CODE PATTERN…: refused, with words that match each pattern; on one line each, without what only machines read.
lock_says() {
  local code=$1 out pattern; shift
  if out=$(low lock 2>&1); then fail "lock was accepted"; fi
  grep -q "error\[$code\]" <<< "$out" || fail "expected $code, got: $out"
  for pattern in "$@"; do grep -qE -- "$pattern" <<< "$(tr '\n' ' ' <<< "$out" | tr -s ' ')" || fail "'$pattern' is not in: $out"; done
  ! grep -qF '\x0a' <<< "$out" || fail "a line's end as \\x0a in: $out"
  echo "refused as it must be: $code, $1"
}
stack vendor boat vendor.asc
lock_says unresolvable "dnf finds no set of packages: .*nothing provides sea .*needed by boat-1.0-1.noarch.*dependencies = false"
stack vendor canall vendor.asc
lock_says unresolvable "there is no package 'canall' for $(uname -m) or noarch; looked in $upstream/vendor/ \(6 packages\)" "name the repository that has it"
stack vendor lifd vendor.asc
lock_says unresolvable "no package 'lifd'.*did you mean lift\?"
stack vendor lift-3.0 vendor.asc "with = [\"$upstream/distribution/\"]"
lock_says unresolvable "no package 'lift-3.0'.*looked in $upstream/vendor/ .*, $upstream/distribution/ .*there is lift-2.0-1.noarch"
stack vendor/Packages lift vendor.asc
lock_says not-found "$upstream/vendor/Packages/ is no RPM repository: it has no repodata/repomd.xml" "name the folder that holds repodata/"
stack vendor lift vendor.asc
sed -i "s#^url = .*#url = \"file://$work/vendor/Packages\"#" liftlock.toml
lock_says not-found "is no RPM repository" "createrepo_c"
sed -i "s#^url = .*#url = \"$work/vendor\"#" liftlock.toml
lock_says stack-invalid "is no address" "\"file://$work/vendor\""
step "what was written wrongly is named, with what may be meant"
stack vendor boat vendor.asc 'dependencies = false'
low lock > /dev/null || fail "a package without what it needs"
[ "$(artifacts '[]')" = "rpm:boat@1.0-1" ] || fail "locked: $(artifacts '[]')"
stack vendor boat vendor.asc "with = [\"$upstream/distribution/\"]"
low lock > /dev/null || fail "two repositories"
[ "$(artifacts '["rpm-index"]' | sed 's/@[0-9a-f]\{16\}//g')" = "rpm-index:$upstream/distribution/ rpm-index:$upstream/vendor/ rpm:boat@1.0-1 rpm:sea@1.0-1" ] || fail "locked: $(artifacts '["rpm-index"]')"
stack unsigned-index lift vendor.asc 'signed_index = true'
lock_refused release-unsigned
stack unsigned-index lift vendor.asc
low lock > "$work/lock.log" 2>&1 || { cat "$work/lock.log"; fail "packages that are signed, of an index that is not"; }
grep -q '"rpm-signature"' liftlock.lock || fail "no evidence of their signatures"
fingerprint() { gpg --with-colons --fingerprint "$1@example.test" | awk -F: '$1 == "fpr" { print $10; exit }'; }
stack vendor lift stranger.asc
lock_says release-unsigned "repomd.xml: it is signed by the key $(fingerprint vendor); stranger.asc has $(fingerprint stranger)" \
  "gpg --armor --export $(fingerprint vendor) >> stranger.asc"
stack unsigned-index lift stranger.asc
lock_says release-unsigned "rpm:[a-z]*@[^ ]*: it is signed by the key $(fingerprint vendor); stranger.asc has $(fingerprint stranger)"
cp -r "$work/vendor" "$work/back"
stack back lift vendor.asc
low lock > /dev/null || fail "a copy of the vendor's repository"
rm "$work/back/repodata/repomd.xml.asc"
refused release-unsigned low lock --update-all
sed -i 's#<revision>.*</revision>#<revision>1000000000</revision>#' "$work/back/repodata/repomd.xml"
gpg --batch --local-user vendor@example.test --armor --detach-sign "$work/back/repodata/repomd.xml"
refused replayed low lock --update-all
step "a repository that was signed and is no more, and one with an older index: refused"
step "no closure, no signature of the index, another key: refused"

cp -r "$work/vendor" "$work/tampered"
echo >> "$work/tampered/repodata/repomd.xml"
stack tampered lift vendor.asc
lock_refused release-unsigned
cp "$work/vendor/repodata/repomd.xml" "$work/tampered/repodata/"
printf 'x' | dd of="$work/tampered/Packages/lift-2.0-1.noarch.rpm" bs=1 seek=6000 conv=notrunc 2> /dev/null
(low_state=$work/other-low; low init > /dev/null; lock_refused digest-mismatch) || fail "a tampered package"
# The index fits it, its own signature does not.
rm -rf "$work/tampered/repodata"
createrepo_c --quiet "$work/tampered" 2> /dev/null
(low_state=$work/other-low; lock_refused package-malformed) || fail "a tampered package in an index of its own"
cp "$work/vendor/Packages/lift-2.0-1.noarch.rpm" "$work/tampered/Packages/"
rpmsign --delsign "$work"/tampered/Packages/{lift-2.0,gondola-1.0}-1.noarch.rpm > /dev/null 2>&1
rm -rf "$work/tampered/repodata"
createrepo_c --quiet "$work/tampered"
(low_state=$work/other-low; lock_says release-unsigned "rpm:lift@2.0-1 has no signature of its publisher \(http://.*/Packages/lift-2.0-1.noarch.rpm\)" "rpmsign --addsign") || fail "an unsigned package in an unsigned index"
index "$work/tampered"
(low_state=$work/other-low; lock_says release-unsigned "rpm:lift@2.0-1 has no signature" "unsigned_packages = true in \[rpm.tools\]") || fail "an unsigned package"
step "a changed index, a changed package, an unsigned package: refused"

# The other side. In a root of its own dnf knows no key, and nothing of this machine's repositories.
cat > "$work/dnf.sh" << 'DNF'
# dnf_in ROOT ARGUMENT…
dnf_in() {
  local root=$1; shift
  mkdir -p "$work/$root.log"
  dnf -y --config="$work/dnf.conf" --installroot="$work/$root" --releasever=1 --setopt=plugins=0 --setopt=reposdir="$work/repos" --setopt=cachedir="$work/$root.cache" \
    --setopt=logdir="$work/$root.log" --setopt=persistdir="$work/$root.state" --setopt=varsdir=/dev/null "$@"
}
DNF
printf '[main]\n' > "$work/dnf.conf"
mkdir "$work/repos"
out=$(cut_off '
  . "$work/dnf.sh"
  "$high_exe" --quiet --state "$high_state" render clients --client dnf --base-url "$mirror" > "$work/repos/liftlock.repo"
  dnf_in root install lift > "$work/dnf.log" 2>&1 || { cat "$work/dnf.log" "$work/repos/liftlock.repo"; exit 1; }
  cp -r "$work/root.cache" "$work/copy.cache"
  channel=$(sed -n "s/^baseurl=.*\/rpm\///p" "$work/repos/liftlock.repo")
  for file in repomd.xml repomd.xml.asc repomd.xml.key; do curl -fsS --create-dirs -o "$work/copy/repodata/$file" "$mirror/rpm/$channel/repodata/$file"; done
  for file in $(sed -n "s/.*href=\"\(repodata[^\"]*\)\".*/\1/p" "$work/copy/repodata/repomd.xml"); do curl -fsS -o "$work/copy/$file" "$mirror/rpm/$channel/$file"; done
  for key in $(sed -n "s/.*\(http[^ ]*keys\/[^ ]*\)/\1/p" "$work/repos/liftlock.repo"); do curl -fsS -o "$work/upstream.asc" "$key"; done
  curl -fsS -o "$work/mirror.asc" "$mirror/rpm/mirror-key.asc"
  sh "$work/root/usr/bin/lift"') || fail "dnf does not install from the mirror: $out"
[ "$out" = "lift 2.0" ] || fail "the program says: $out"
[ "$(rpm --root "$work/root" -q --qf '%{NAME}-%{EVR} ' lift libcanal painting)" = "lift-2.0-1 libcanal-1.5~rc1+git^2-1 painting-2:1.0-1 " ] || fail "installed: $(rpm --root "$work/root" -qa)"
cmp "$work/upstream.asc" vendor.asc || fail "the mirror offers another key than the vendor's"
grep -q 'Importing GPG key' "$work/dnf.log" || fail "dnf asked for no key"
high export --rpms --to "$work/exported" > /dev/null
(cd "$work/exported" && sha256sum --quiet -c SHA256SUMS && [ "$(ls ./*.rpm)" = "$(cd "$work/medium/tools-1/packages/rpm" && ls ./*.rpm)" ]) || fail "exported: $(ls "$work/exported")"
tested rpm dnf "$(dnf --version | sed -n 1p)"
step "dnf install from the mirror with gpgcheck and repo_gpgcheck, without a route"

# Packages that came in before their inspection made lists: the mirror asks a cell, once, and what it serves is the same.
python3 -c 'import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); print(db.execute("DELETE FROM inspection").rowcount); db.commit()' "$high_state/store/catalog.db" > "$work/forgotten"
for round in first second; do
  cut_off '
    curl -fsS -o "$work/again.xml" "$mirror/rpm/$(sed -n "s/^baseurl=.*\/rpm\///p" "$work/repos/liftlock.repo")/repodata/repomd.xml"' || fail "$round start without facts"
  cmp "$work/again.xml" "$work/copy/repodata/repomd.xml" || fail "$round start without facts: another repomd.xml"
  [ "$(find "$high_state/cache/rpm" -name '*.json' | wc -l)" = 4 ] || fail "$round start: $(ls "$high_state/cache/rpm")"
done
step "packages that came in without lists are read through a cell: the same repomd.xml"

# zypper, with the same file. Debian's package of it and dnf-plugins-core exclude each other (tools/install-deps.sh).
zypper_in() {
  local root=$work/$1; shift
  zypper --root "$root" --non-interactive --gpg-auto-import-keys "$@"
}
export -f zypper_in
if command -v zypper > /dev/null; then
  out=$(cut_off '
    mkdir -p "$work/zypp/etc/zypp/repos.d"
    "$high_exe" --quiet --state "$high_state" render clients --client zypper --base-url "$mirror" > "$work/zypp/etc/zypp/repos.d/liftlock.repo"
    zypper_in zypp refresh > "$work/zypper.log" 2>&1 && zypper_in zypp install gondola >> "$work/zypper.log" 2>&1 || { cat "$work/zypper.log" "$work/zypp/etc/zypp/repos.d/liftlock.repo"; exit 1; }
    sh "$work/zypp/usr/bin/gondola"') || fail "zypper does not install from the mirror: $out"
  [ "$out" = "gondola 1.0" ] || fail "the program says: $out"
  [ "$(rpm --root "$work/zypp" -q --qf '%{NAME}-%{EVR} ' gondola libcanal)" = "gondola-1.0-1 libcanal-1.5~rc1+git^2-1 " ] || fail "installed: $(rpm --root "$work/zypp" -qa)"
  [ "$(rpm --root "$work/zypp" -qa gpg-pubkey | wc -l)" = 2 ] || fail "zypper's keys: $(rpm --root "$work/zypp" -qa gpg-pubkey)"
  tested rpm zypper "$(zypper --version | sed 's/zypper //')"
  step "zypper install from the mirror, the signatures of list and packages checked, without a route"
else
  echo "not tried: zypper is not here"
fi

# What the mirror lists is what createrepo_c listed, but for times.
python3 - "$work/copy/repodata" "$work/vendor/repodata" << 'PYTHON' || fail "the mirror's list differs from createrepo_c's"
import glob, gzip, sys
import xml.etree.ElementTree as tree

def packages(folder):
    found = {}
    for package in tree.parse(gzip.open(glob.glob(folder + "/*primary.xml.gz")[0])).getroot():
        flat = [(e.tag, (e.text or "").strip(), sorted(e.attrib.items())) for e in package.iter() if not e.tag.endswith("}time")]
        found[next(text for tag, text, _ in flat if tag.endswith("}checksum"))] = sorted(flat)
    return found

mirror, vendor = packages(sys.argv[1]), packages(sys.argv[2])
assert len(mirror) == 4, mirror.keys()
for checksum, package in mirror.items():
    assert package == vendor[checksum], [pair for pair in zip(package, vendor[checksum]) if pair[0] != pair[1]]
PYTHON
step "the mirror lists what createrepo_c lists"

# The signatures count, each by itself: a copy of the mirror, changed.
mkdir "$work/copy/Packages"
cp "$work"/medium/tools-1/packages/rpm/*.rpm "$work/copy/Packages"
repo() { printf '[copy]\nname=copy\nbaseurl=file://%s/copy\nrepo_gpgcheck=1\ngpgcheck=1\ngpgkey=file://%s\n       file://%s\n' "$work" "$work/mirror.asc" "$1" > "$work/repos/copy.repo"; }
rm "$work/repos/liftlock.repo"
. "$work/dnf.sh"
repo "$work/upstream.asc"
dnf_in as-is install lift > "$work/dnf.log" 2>&1 || { cat "$work/dnf.log"; fail "the copy, unchanged"; }
createrepo_c --version > /dev/null && dnf_in as-is repoquery --list lift 2> /dev/null | grep -x /usr/share/lift/data > /dev/null || fail "no list of files"
dnf_in as-is repoquery --changelogs lift 2> /dev/null | grep -- '- first' > /dev/null || fail "no changelog"
# Without the mirror's key, as docs/formats/rpm.md has it: the publisher's alone counts.
printf '[copy]\nname=copy\nbaseurl=file://%s/copy\ngpgcheck=1\ngpgkey=file://%s\n' "$work" "$work/upstream.asc" > "$work/repos/copy.repo"
dnf_in publisher install lift > "$work/dnf.log" 2>&1 || { cat "$work/dnf.log"; fail "the publisher's key alone"; }
repo "$work/stack/stranger.asc"
! dnf_in stranger install lift > "$work/dnf.log" 2>&1 || fail "dnf takes packages that another key than the named one signed"
grep -q 'GPG check FAILED' "$work/dnf.log" || { cat "$work/dnf.log"; fail "dnf refuses for another reason"; }
repo "$work/upstream.asc"
cp "$work/copy/Packages/lift-2.0-1.noarch.rpm" "$work/whole.rpm"
printf 'x' | dd of="$work/copy/Packages/lift-2.0-1.noarch.rpm" bs=1 seek=6000 conv=notrunc 2> /dev/null
! dnf_in bent install lift > "$work/dnf.log" 2>&1 || fail "dnf takes a changed package"
grep -qi 'checksum' "$work/dnf.log" || { cat "$work/dnf.log"; fail "dnf refuses for another reason"; }
cp "$work/whole.rpm" "$work/copy/Packages/lift-2.0-1.noarch.rpm"
sed -i 's/<revision>/<revision>1/' "$work/copy/repodata/repomd.xml"
! dnf_in changed install lift > "$work/dnf.log" 2>&1 || fail "dnf takes a changed repomd.xml"
grep -qi 'signature' "$work/dnf.log" || { cat "$work/dnf.log"; fail "dnf refuses for another reason"; }
step "dnf refuses a repomd.xml that the mirror did not sign, a changed package, and packages that the vendor did not sign"
if command -v zypper > /dev/null; then
  # zypper_repo ROOT KEY…: the copy, with the mirror's key and these.
  zypper_repo() {
    mkdir -p "$work/$1/etc/zypp/repos.d"
    printf '[copy]\nname=copy\nbaseurl=file://%s/copy\nenabled=1\nrepo_gpgcheck=1\ngpgcheck=1\npkg_gpgcheck=1\ngpgkey=file://%s\n       file://%s\n' "$work" "$work/mirror.asc" "$2" > "$work/$1/etc/zypp/repos.d/copy.repo"
  }
  zypper_repo zypp-changed "$work/upstream.asc"
  ! zypper_in zypp-changed refresh > "$work/zypper.log" 2>&1 || fail "zypper takes a changed repomd.xml"
  grep -qi 'signature verification failed' "$work/zypper.log" || { cat "$work/zypper.log"; fail "zypper refuses for another reason"; }
  sed -i 's/<revision>1/<revision>/' "$work/copy/repodata/repomd.xml"
  zypper_repo zypp-stranger "$work/stack/stranger.asc"
  zypper_in zypp-stranger refresh > "$work/zypper.log" 2>&1 || { cat "$work/zypper.log"; fail "the copy, unchanged"; }
  ! zypper_in zypp-stranger install gondola > "$work/zypper.log" 2>&1 || fail "zypper takes packages that another key than the named one signed"
  grep -qi 'signature verification failed' "$work/zypper.log" || { cat "$work/zypper.log"; fail "zypper refuses for another reason"; }
  step "zypper refuses a repomd.xml that the mirror did not sign, and packages that the vendor did not sign"
fi

# An unsigned package may cross where the vendor's index is signed; dnf does not take it.
stack tampered 'lift", "gondola' vendor.asc 'unsigned_packages = true'
cross tools-2
[ "$(sed -n 3p <<< "$(low transfer sheet "$work/medium/tools-2")")" = "OVERRIDES    no signature of the publisher; accepted by unsigned_packages = true (2 artifacts)" ] ||
  fail "the sheet does not say what was overridden: $(low transfer sheet "$work/medium/tools-2")"
out=$(cut_off '
  . "$work/dnf.sh"
  rm "$work/repos/copy.repo"
  "$high_exe" --quiet --state "$high_state" render clients --client dnf --base-url "$mirror" > "$work/repos/liftlock.repo"
  ! dnf_in unsigned install lift > "$work/dnf.log" 2>&1 || { echo "dnf takes an unsigned package"; exit 1; }
  grep "is not signed" "$work/dnf.log" > /dev/null || { cat "$work/dnf.log"; exit 1; }
  dnf_in unsigned install libcanal > "$work/dnf.log" 2>&1 || { cat "$work/dnf.log"; exit 1; }
  command -v zypper > /dev/null || exit 0
  mkdir -p "$work/zypp-unsigned/etc/zypp/repos.d"
  cp "$work/repos/liftlock.repo" "$work/zypp-unsigned/etc/zypp/repos.d/"
  ! zypper_in zypp-unsigned install gondola > "$work/zypper.log" 2>&1 || { echo "zypper takes an unsigned package"; exit 1; }
  grep -i "not signed" "$work/zypper.log" > /dev/null || { cat "$work/zypper.log"; exit 1; }') || fail "an unsigned package: $out"
step "an unsigned package crosses when the stack says so, and dnf and zypper refuse it"

# Without the mirror: the folder of the bundle, and rpm alone.
rpmkeys --define "_dbpath $work/rpmdb" --import "$work"/medium/tools-1/packages/rpm/keys/*.asc
rpmkeys --define "_dbpath $work/rpmdb" --checksig "$work"/medium/tools-1/packages/rpm/*.rpm > "$work/checksig.log" || { cat "$work/checksig.log"; fail "rpmkeys --checksig"; }
[ "$(grep -c 'digests signatures OK' "$work/checksig.log")" = 4 ] || fail "$(cat "$work/checksig.log")"
printf '[main]\n' > "$work/alone.conf"
mkdir "$work/alone.log"
dnf -y --config="$work/alone.conf" --installroot="$work/alone" --releasever=1 --setopt=plugins=0 --setopt=reposdir=/dev/null --setopt=cachedir="$work/alone.cache" --setopt=logdir="$work/alone.log" \
  install "$work"/medium/tools-1/packages/rpm/*.rpm > "$work/dnf.log" 2>&1 || { cat "$work/dnf.log"; fail "dnf does not install from the bundle"; }
[ "$(sh "$work/alone/usr/bin/lift")" = "lift 2.0" ] || fail "installed from the bundle: $(ls "$work/alone/usr/bin")"
gpg --verify "$work"/medium/tools-1/evidence/rpm/*/repomd.xml.asc "$work"/medium/tools-1/evidence/rpm/*/repomd.xml 2> /dev/null || fail "the vendor's signature of repomd.xml did not cross"
step "from the bundle alone: rpmkeys --checksig, dnf install, the vendor's signature of repomd.xml"
