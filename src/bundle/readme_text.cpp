#include "bundle/readme_text.hpp"

#include <fmt/format.h>

namespace liftlock {
namespace {

constexpr std::string_view k_begin = R"README(LIFTLOCK BUNDLE: HOW TO CHECK IT WITHOUT LIFTLOCK
==================================================

Run the commands in this folder. Each line that begins with "$" is one command.

1. Is it the bundle that was announced?

   Compare this digest with the one that the sender announced by another way
   (telephone, paper, a second medium). It is the one thing to compare.

   $ sha256sum manifest/bundle.json

2. Who signed it?

   Every file in signatures/ is one signature over manifest/bundle.json. The
   keys must reach you by another way than this medium.

   GnuPG (files that end in .asc):

   $ for s in signatures/*.asc; do [ ! -e "$s" ] || gpg --verify "$s" manifest/bundle.json; done

   gpg also accepts keys that you merely have: compare the fingerprint that it
   prints. OpenSSL (files that end in .sigstore.json; ROLE.pem is the public key):

     grep -o '"signature": *"[^"]*"' signatures/ROLE.KEY.sigstore.json | cut -d'"' -f4 | base64 -d > /tmp/signature
     openssl dgst -sha256 -verify ROLE.pem -signature /tmp/signature manifest/bundle.json

   cosign, with the same file and key:

     cosign verify-blob --key ROLE.pem --bundle signatures/ROLE.KEY.sigstore.json --insecure-ignore-tlog=true manifest/bundle.json

3. Does what was signed bind the list of checksums?

   bundle.json holds the digest of checksums.txt:

   $ grep -q "$(sha256sum < checksums.txt | cut -d' ' -f1)" manifest/bundle.json && echo "checksums.txt is the one that was signed"

)README";

constexpr std::string_view k_tar = R"README(4. Unpack the content.

   $ tar -xf content.tar

5. Is every file what the list says?
)README";

constexpr std::string_view k_tree = R"README(4. Is every file what the list says?
)README";

constexpr std::string_view k_end = R"README(
   $ sha256sum --check --strict --quiet checksums.txt && echo "every file is as listed"

   PowerShell:

     Get-Content checksums.txt | ForEach-Object { $h, $f = $_ -split '  ', 2; if ((Get-FileHash -Algorithm SHA256 -LiteralPath $f).Hash -ne $h) { "BAD $f" } }

{}. Is there anything that no list names? This must print nothing.

   $ find . ! -type d ! -path ./manifest/bundle.json ! -path './signatures/*'{} ! -path ./checksums.txt | cut -c3- | LC_ALL=C sort > /tmp/liftlock-found; cut -c67- checksums.txt | LC_ALL=C sort | diff - /tmp/liftlock-found

{}. Use it.

   Python    pip install --no-index --find-links packages/pypi NAME
   Debian    apt-get install ./packages/apt/*.deb
   RPM       rpmkeys --import packages/rpm/keys/*.asc; rpmkeys --checksig packages/rpm/*.rpm;
             dnf install ./packages/rpm/*.rpm
   npm       find packages/npm -name '*.tgz' | xargs npm cache add; then npm ci --offline
   Rust      mkdir vendor; for c in packages/cargo/*.crate; do tar -xzf $c -C vendor; d=vendor/$(basename $c .crate);
             echo "{\"files\":{},\"package\":\"$(sha256sum < $c | cut -c-64)\"}" > $d/.cargo-checksum.json; done
             and vendor is a directory source of cargo ([source.crates-io] replace-with)
   Go        GOPROXY=file://$PWD/packages/go GOSUMDB=off go build
   Images    skopeo copy oci:images:NAME:TAG docker-archive:image.tar
   Models    models/ holds the files as their publisher made them

manifest/files.jsonl lists every file with its size and digest, manifest/artifacts.jsonl
what they are, where they came from and why their digests are believed, and
manifest/sbom.cdx.json is the bill of materials (CycloneDX), sbom.spdx.json the same as SPDX. Where there is a
manifest/left-out.jsonl, it lists files that are not here, for the receiver has them.
)README";

}  // namespace

std::string readme_text(ContentForm form) {
  const bool tar = form == ContentForm::tar;
  std::string end(k_end);
  // k_end holds braces of its own, so it is filled in by hand.
  const auto fill = [&](std::string_view value) { end.replace(end.find("{}"), 2, value); };
  fill(tar ? "6" : "5");
  fill(tar ? " ! -path ./content.tar" : "");
  fill(tar ? "7" : "6");
  return std::string(k_begin) + std::string(tar ? k_tar : k_tree) + end;
}

}  // namespace liftlock
