#!/bin/sh
# Installs what building and testing Liftlock needs, on Debian 12. Does nothing when all of it is there.
set -eu

packages="build-essential cmake ninja-build ccache pkg-config mold git git-lfs ca-certificates curl
 clang-16 clang-tidy-16 clang-format-16 libclang-rt-16-dev cppcheck
 libboost1.81-dev libcurl4-openssl-dev libssl-dev libarchive-dev libsqlite3-dev libseccomp-dev libzstd-dev zlib1g-dev
 libedit-dev libyaml-dev libexpat1-dev
 nlohmann-json3-dev libtomlplusplus-dev libcli11-dev libspdlog-dev libfmt-dev libgtest-dev libgmock-dev libbenchmark-dev
 gnupg gpgv gpg-agent openssl bubblewrap strace valgrind python3-fusepy iproute2 xz-utils zstd zip unzip jq file time
 fsverity skopeo umoci docker-registry nginx-light aptly reprepro wrk apt-utils dpkg-dev python3 python3-pip python3-venv
 python3-jsonschema faketime nftables mmdebstrap clamav podman containerd busybox-static
 rpm createrepo-c dnf dnf-plugins-core libzypp1722 libaugeas0"

missing=""
for package in $packages; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
# Clients that packages cross for; without one, its test is skipped. They come to many machines in other ways (rustup, NodeSource,
# go.dev), beside which Debian's would only be in the way. cargo-web is Debian's newer cargo: the other has no sparse protocol.
# Together 300 MB to download, 1.4 GB on the disk; npm is 388 packages.
command -v npm >/dev/null || missing="$missing npm"
command -v go >/dev/null || missing="$missing golang-go"
command -v cargo >/dev/null || missing="$missing cargo-web"
# Debian's dnf-plugins-core and zypper exclude each other, for one file that both have (needs-restarting). Of zypper its
# program alone is taken, out of the package that apt checked.
zypper=""
command -v zypper >/dev/null || zypper=/usr/local/bin/zypper
[ -n "$missing$zypper" ] || exit 0

as_root=""
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || { echo "install these packages as root first:$missing $zypper" >&2; exit 1; }
  as_root=sudo
fi
echo "installing:$missing $zypper"
# A service that a package would start (nginx, docker-registry) is not wanted: the tests start their own on loopback.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
  printf '#!/bin/sh\nexit 101\n' | $as_root tee $policy >/dev/null
  $as_root chmod 755 $policy
  trap '$as_root rm -f $policy' EXIT
fi
$as_root apt-get update -q
[ -z "$missing" ] || $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing
if [ -n "$zypper" ]; then
  folder=$(mktemp -d)
  (cd "$folder" && apt-get download -q zypper && dpkg-deb --extract zypper_*.deb .)
  $as_root install -m 755 "$folder/usr/bin/zypper" "$zypper"
  rm -r "$folder"
fi
