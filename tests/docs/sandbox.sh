#!/bin/bash
# A shell for docs_test.py on a machine of its own, as far as a document can tell: this machine's files as the lower layer of
# an overlay, whatever is written kept in memory, no network unless asked for, `liftlock` of one side, the medium at /mnt/usb.
#   sandbox.sh LIFTLOCK MEDIUM EXCHANGE SOURCE rw|ro offline|online
# Reads commands from standard input. Ends with 77 where the kernel lets nobody make such a place.
set -euo pipefail
if [ "${1:-}" != inside ]; then
  self=$(realpath "$0")
  map=""; [ "$(id -u)" -eq 0 ] || map=--map-root-user
  net=--net; [ "$6" = offline ] || net=""
  # shellcheck disable=SC2086
  unshare $map --mount --pid true 2>/dev/null || { echo "no namespaces can be made here" >&2; exit 77; }
  # shellcheck disable=SC2086
  exec unshare $map $net --mount --pid --fork --kill-child bash "$self" inside "$@"
fi
shift
liftlock=$1 medium=$2 exchange=$3 source=$4 mode=$5 network=$6

base=$(mktemp -d)
mount --make-rprivate /
mount -t tmpfs tmpfs "$base"
mkdir "$base/upper" "$base/work" "$base/root"
root=$base/root
mount -t overlay overlay -o "lowerdir=/,upperdir=$base/upper,workdir=$base/work" "$root"
rm -rf "$root"/var/lib/liftlock "$root"/etc/liftlock "$root"/mnt/usb
mkdir -p "$root"/usr/local/bin "$root"/usr/src/liftlock "$root"/mnt/usb "$root"/home/reader "$root"/proc "$root"/dev
for folder in tmp run home/reader; do mount -t tmpfs tmpfs "$root/$folder"; done
chmod 1777 "$root/tmp"
mkdir "$root/run/docs-test"
touch "$root/usr/local/bin/liftlock"
mount --bind "$liftlock" "$root/usr/local/bin/liftlock"
mount --bind "$source" "$root/usr/src/liftlock"
mount --bind "$exchange" "$root/run/docs-test"
mount --bind "$medium" "$root/mnt/usb"
[ "$mode" = rw ] || mount -o remount,bind,ro "$root/mnt/usb"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount --rbind /sys "$root/sys" 2>/dev/null || true
[ "$network" = online ] || ip link set lo up

cd "$root"
mkdir -p .before
pivot_root . .before
umount -l /.before
rmdir /.before
cd /home/reader

keep=()
if [ "$network" = online ]; then
  for name in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY PIP_INDEX_URL PIP_FIND_LINKS PIP_CERT SSL_CERT_FILE; do
    [ -z "${!name:-}" ] || keep+=("$name=${!name}")
  done
else
  keep=(PIP_CONFIG_FILE=/dev/null)
fi
exec env -i PATH=/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin HOME=/home/reader LANG=C.UTF-8 TERM=dumb USER=root \
  PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore SOURCE=/usr/src/liftlock "${keep[@]}" bash --noprofile --norc
