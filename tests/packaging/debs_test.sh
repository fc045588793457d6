#!/bin/bash
# Do the two packages install on a clean Debian 12, and is what they install usable there? The clean system is made by
# mmdebstrap from the machine's own Debian mirror (label: online). Needs root.
#   debs_test.sh BUILD_FOLDER       Exit status 77: there is no mirror, or this is not root (skipped)
set -euo pipefail
build=$(realpath "$1")
skip() { echo "skipped: $*"; exit 77; }
fail() { echo "FAILED: $*" >&2; exit 1; }
[ "$(id -u)" -eq 0 ] || skip "only root can make a system in a folder"
command -v mmdebstrap > /dev/null || skip "mmdebstrap is not installed"
sources=/etc/apt/sources.list.d/debian.sources
[ -e "$sources" ] || sources=/etc/apt/sources.list
[ -s "$sources" ] || skip "no Debian mirror is configured"

work=$(mktemp -d)
trap 'rm -rf --one-file-system "$work"' EXIT
cpack --config "$build/CPackConfig.cmake" -B "$work/packages" > "$work/cpack.log" 2>&1 || { cat "$work/cpack.log"; fail "cpack"; }
mkdir "$work/debs" && mv "$work"/packages/*.deb "$work/debs/"
ls -l "$work/debs"

# Documentation and man pages stay, unlike in many container images; systemd is there to check the unit, not to run.
# The dependencies come from the mirror, by apt, as on any machine. Both packages cannot be there at once: high, then low.
cat > "$work/inside.sh" <<'INSIDE'
set -euo pipefail
fail() { echo "FAILED: $*" >&2; exit 1; }
side=$1
echo "-- $side"
liftlock --version | grep -q "($side side)" || fail "the $side package has another side: $(liftlock --version)"
[ "$(dpkg-query -S /usr/bin/liftlock)" = "liftlock-$side: /usr/bin/liftlock" ]
dpkg --verify "liftlock-$side"

for page in liftlock liftlock-trust-init liftlock-audit-verify; do
  MANWIDTH=100 LC_ALL=C.UTF-8 man --warnings "$page" > /tmp/page 2> /tmp/page.err || fail "man $page"
  [ ! -s /tmp/page.err ] || fail "man $page: $(cat /tmp/page.err)"
  grep -q "EXIT STATUS" /tmp/page || fail "man $page shows: $(head -n 20 /tmp/page)"
done
man -f liftlock > /dev/null || fail "whatis does not know liftlock"

# A line of a user's, by the completion that bash-completion finds by itself.
completed=$(bash --norc -ic '. /usr/share/bash-completion/bash_completion; _completion_loader liftlock
  COMP_WORDS=(liftlock trust "") COMP_CWORD=2; _liftlock; echo "${COMPREPLY[@]}"
  COMP_WORDS=(liftlock audit ver) COMP_CWORD=2; _liftlock; echo "${COMPREPLY[@]}"' 2> /dev/null)
grep -q 'keygen.*sign-root' <<< "$completed" && grep -qx 'verify' <<< "$completed" || fail "completion offers: $completed"

if [ "$side" = high ]; then
  ! ldd /usr/bin/liftlock | grep -q libcurl || fail "libcurl"
  systemd-analyze verify --man=yes /usr/lib/systemd/system/liftlock.service /usr/lib/systemd/system/liftlock-sync.service /usr/lib/systemd/system/liftlock-{expire,logins}.{service,timer} > /tmp/unit.log 2>&1 || fail "systemd-analyze: $(cat /tmp/unit.log)"
  ! grep liftlock /tmp/unit.log || fail "systemd-analyze has remarks"
  [ "$(stat -c '%U:%G %a' /var/lib/liftlock)" = "liftlock:liftlock 750" ] || fail "the state folder: $(stat -c '%U:%G %a' /var/lib/liftlock)"
  as_liftlock() { runuser -u liftlock -- env LIFTLOCK_STATE=/var/lib/liftlock "$@"; }
  as_liftlock liftlock init --zone ingest
  set -m  # a process group of its own, to end it as a whole
  as_liftlock liftlock serve > /tmp/serve.log 2>&1 &
  for _ in $(seq 600); do grep -q listening /tmp/serve.log && break; sleep 0.1; done
  exec 3<> /dev/tcp/127.0.0.1/8480
  printf 'GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' >&3
  answer=$(head -n 1 <&3)
  kill -- -$!
  wait || true
  grep -q '200 OK' <<< "$answer" || fail "/healthz: $answer $(cat /tmp/serve.log)"
else
  liftlock --state /tmp/low init --stack-file /tmp/liftlock.toml
fi
INSIDE

cat > "$work/all.sh" <<'ALL'
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive
install_deb() { apt-get install -y -q --no-install-recommends "$@" > /tmp/apt.log 2>&1 || { cat /tmp/apt.log; exit 1; }; }
install_deb /debs/liftlock-high_*.deb
bash /debs/inside.sh high
install_deb /debs/liftlock-high_*.deb --reinstall
[ "$(stat -c %U /var/lib/liftlock/config.toml)" = liftlock ]
install_deb /debs/liftlock-low_*.deb
! dpkg-query -W -f '${Status}' liftlock-high | grep -q '^install ok installed' || { echo "both packages are installed"; exit 1; }
bash /debs/inside.sh low
apt-get purge -y -q liftlock-high liftlock-low > /tmp/apt.log 2>&1 || { cat /tmp/apt.log; exit 1; }
[ -e /var/lib/liftlock/audit/checkpoint ] || { echo "purge removed the audit log"; exit 1; }
[ ! -e /usr/bin/liftlock ]
echo "-- removed; the state stayed"
ALL
cp "$work/inside.sh" "$work/debs/"
chmod -R a+rX "$work"

# Everything happens while mmdebstrap has the system open, so that apt has its mirror; nothing of this machine is in it.
mmdebstrap --quiet --variant=minbase --include=man-db,bash-completion,systemd,passwd \
  --setup-hook='mkdir -p "$1/debs"' --customize-hook="copy-in $work/debs/. /debs" --customize-hook="copy-in $work/all.sh /" \
  --customize-hook='chroot "$1" bash /all.sh' bookworm "$work/root" "$sources" > "$work/log" 2>&1 || {
  cat "$work/log"
  grep -q -e "-- high" "$work/log" || ! grep -qE 'Could not (resolve|connect)|Failed to fetch|Temporary failure' "$work/log" || skip "the mirror cannot be reached"
  fail "the packages on a clean system"
}
grep -e '^--' "$work/log"
echo "the packages install, work and leave on a clean Debian 12"
