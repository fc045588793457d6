#!/bin/bash
# Does cosign accept what we sign, and do we accept what cosign signs? Needs the machine's own Debian mirror (label: online):
# cosign is only in suites newer than Debian 12, so its .deb is fetched through apt and unpacked aside, never installed.
# Usage: cosign_test.sh SIGNATURE_TOOL      Exit status 77: there is no mirror or no such package (skipped).
set -euo pipefail
tool=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
skip() { echo "skipped: $*"; exit 77; }

fetch_cosign() {
  command -v apt-get >/dev/null || skip "no apt here"
  local source uri signed_by suite
  for source in /etc/apt/sources.list.d/*.sources; do
    [ -e "$source" ] || skip "no deb822 sources are configured"
    uri=$(sed -n 's/^URIs:[[:space:]]*\([^[:space:]]*\/debian\/\{0,1\}\)\([[:space:]].*\)\{0,1\}$/\1/p' "$source" | head -n 1)
    signed_by=$(sed -n 's/^Signed-By:[[:space:]]*//p' "$source" | head -n 1)
    [ -n "$uri" ] && break
  done
  [ -n "$uri" ] || skip "no Debian mirror is configured"
  mkdir -p "$work"/apt/{state/lists/partial,cache/archives/partial,etc}
  : >"$work/apt/status"
  local options=(-o "Dir::State=$work/apt/state" -o "Dir::State::status=$work/apt/status" -o "Dir::Cache=$work/apt/cache"
    -o "Dir::Etc::sourcelist=/dev/null" -o "Dir::Etc::sourceparts=$work/apt/etc" -o "APT::Sandbox::User="
    -o "Acquire::Languages=none" -o "APT::Architecture=$(dpkg --print-architecture)")
  for suite in forky sid; do
    # A mirror may lag behind the Valid-Until of its Release; for a test program that is no harm.
    printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: %s\nCheck-Valid-Until: no\n' \
      "$uri" "$suite" "$signed_by" >"$work/apt/etc/aside.sources"
    if apt-get "${options[@]}" -qq update >"$work/apt.log" 2>&1 &&
      (cd "$work" && apt-get "${options[@]}" -qq download cosign >>"$work/apt.log" 2>&1); then
      dpkg-deb -x "$work"/cosign_*.deb "$work/aside"
      return
    fi
  done
  cat "$work/apt.log"
  skip "cosign could not be fetched"
}

cosign=${COSIGN:-$(command -v cosign || true)}
if [ -z "$cosign" ]; then
  fetch_cosign
  cosign=$work/aside/usr/bin/cosign
fi
export HOME=$work COSIGN_PASSWORD=secret
"$cosign" version 2>/dev/null | grep GitVersion || true

cd "$work"
printf '{"channel": "main"}\n' >document
printf '{"channel": "mine"}\n' >other

for type in p256 ed25519 p384; do
  "$tool" keygen "$type" "$type.pem"
  "$tool" sign "$type.pem" document >"$type.sigstore.json"
  "$cosign" verify-blob --key "$type.pem.pub" --bundle "$type.sigstore.json" --insecure-ignore-tlog=true document
  if "$cosign" verify-blob --key "$type.pem.pub" --bundle "$type.sigstore.json" --insecure-ignore-tlog=true other 2>/dev/null; then
    echo "cosign accepted other bytes"; exit 1
  fi
  echo "ok: cosign verifies ours ($type)"
done

sign_with_cosign() {  # KEY BUNDLE: cosign 3 wants to be told that there is no service to ask
  "$cosign" sign-blob --yes --key "$1" --bundle "$2" --new-bundle-format=true --use-signing-config=false \
    --tlog-upload=false document >sign.log 2>&1 ||
    "$cosign" sign-blob --yes --key "$1" --bundle "$2" --new-bundle-format=true --tlog-upload=false document >>sign.log 2>&1 ||
    { cat sign.log; exit 1; }
}
"$cosign" generate-key-pair >/dev/null 2>&1
sign_with_cosign cosign.key theirs.sigstore.json
"$tool" judge cosign.pub document theirs.sigstore.json
if "$tool" judge cosign.pub other theirs.sigstore.json; then echo "we accepted other bytes"; exit 1; fi
if "$tool" judge p256.pem.pub document theirs.sigstore.json; then echo "we accepted another key"; exit 1; fi
echo "ok: we judge cosign's"

for type in p256 ed25519 p384; do  # our key files in cosign's hands
  if "$cosign" import-key-pair --yes --key "$type.pem" --output-key-prefix "imported-$type" >import.log 2>&1; then
    sign_with_cosign "imported-$type.key" "imported-$type.sigstore.json"
    # cosign 3.1.1 writes Ed25519 without a digest and P-384 with SHA-384, and then verifies neither itself: who refuses,
    # refuses together.
    verdict=0; "$tool" judge "$type.pem.pub" document "imported-$type.sigstore.json" || verdict=1
    theirs=0; "$cosign" verify-blob --key "$type.pem.pub" --bundle "imported-$type.sigstore.json" \
      --insecure-ignore-tlog=true document >/dev/null 2>&1 || theirs=1
    [ "$verdict" = "$theirs" ] || { echo "cosign says $theirs and we say $verdict of $type"; exit 1; }
    [ "$type" != p256 ] || [ "$verdict" = 0 ]
    echo "done: our $type key through cosign"
  else
    echo "cosign does not import $type: $(tail -n 1 import.log)"
    [ "$type" != p256 ]
  fi
done
