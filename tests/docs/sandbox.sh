#!/bin/bash
# A shell for docs_test.py on a machine of its own, as far as a document can tell: this machine's programs as the lower layer
# of overlays, whatever is written kept in memory, no network unless asked for, `liftlock` of one side, the medium at /mnt/usb.
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
root=$base/root
mkdir "$root"
mount -t tmpfs tmpfs "$root"
# One overlay for each folder that programs are in: one of / as a whole needs root. What stands in an upper layer beforehand
# is ours, so that it can be written to without being root, too.
mkdir -p "$base"/upper/{usr/local/bin,usr/src/liftlock,var/lib/liftlock,var/tmp,etc,opt}
chmod 1777 "$base/upper/var/tmp"
for entry in /*; do
  name=${entry#/}
  if [ -L "$entry" ]; then
    cp -P "$entry" "$root/"
  elif [ -d "$base/upper/$name" ]; then
    mkdir -p "$base/scratch/$name" "$root/$name"
    mount -t overlay overlay -o "lowerdir=$entry,upperdir=$base/upper/$name,workdir=$base/scratch/$name" "$root/$name"
  fi
done
rm -rf "$root/var/lib/liftlock" 2> /dev/null || mount -t tmpfs tmpfs "$root/var/lib/liftlock"
mkdir -p "$root"/{mnt/usb,home/reader,proc,dev,sys,tmp,run,root}
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
