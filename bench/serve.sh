#!/usr/bin/env bash
# `liftlock serve` against nginx over loopback, in one run: requests per second for small files, bytes per second for one
# large file, over plain HTTP and over TLS 1.3; then indexes of packages, the same bytes from nginx. Every read of ours is audited; nginx logs nothing.
# Besides the rates it prints the server's CPU time for each request or MiB, which says more on a busy machine.
#   bench/serve.sh [BUILD_FOLDER] [SECONDS]
# Needs wrk, nginx, curl, openssl. Prints one line per measurement, and the ratio.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
build=${1:-$root/build/release}
seconds=${2:-5}
small_count=200
small_bytes=8192
large_mib=${LARGE_MIB:-512}

work=$(mktemp -d)
pids=()
cleanup() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
  rm -rf "$work"
}
trap cleanup EXIT

liftlock=${LIFTLOCK:-$build/src/cli/liftlock-high}
fixture=${FIXTURE:-$build/bench/serve_fixture}
[ -n "${FIXTURE:-}" ] || cmake --build "$build" --target serve_fixture liftlock-high >/dev/null
"$fixture" "$work/state" "$large_mib" "$small_count" "$small_bytes"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=bench \
  -addext subjectAltName=IP:127.0.0.1 -keyout "$work/key.pem" -out "$work/cert.pem" 2>/dev/null

start_ours() {  # NAME ARGUMENTS…: sets $url
  local name=$1
  shift
  "$liftlock" --state "$work/state" serve --listen 127.0.0.1:0 "$@" >"$work/$name.out" 2>"$work/$name.err" &
  pids+=($!)
  for _ in $(seq 300); do
    url=$(sed -n 's/^listening on //p' "$work/$name.out")
    [ -n "$url" ] && return
    sleep 0.1
  done
  cat "$work/$name.err" >&2
  exit 1
}

start_ours plain
ours=$url plain_pid=$!
start_ours tls --tls-cert "$work/cert.pem" --tls-key "$work/key.pem"
ours_tls=$url tls_pid=$!

# The same bytes for nginx, as plain files.
mkdir -p "$work/www" "$work/nginx"
for name in large $(seq -f 'small%g' 0 $((small_count - 1))); do
  curl -sSf -o "$work/www/$name" "$ours/files/file/$name/1/$name"
done
# Indexes: name, path of ours, what a client accepts.
pages=("simple /simple/paged/ application/vnd.pypi.simple.v1+json"
  "simple.html /simple/paged/ text/html"
  "projects /simple/ application/vnd.pypi.simple.v1+json"
  "packument /npm/paged application/vnd.npm.install-v1+json"
  "Packages /debian/dists/bench/main/binary-amd64/Packages */*"
  "Packages.gz /debian/dists/bench/main/binary-amd64/Packages.gz */*"
  "InRelease /debian/dists/bench/InRelease */*")
for page in "${pages[@]}"; do
  read -r name path accept <<<"$page"
  curl -sSf -H "Accept: $accept" -o "$work/www/$name" "$ours$path"
done
chmod 755 "$work" "$work/www"
port=$((20000 + RANDOM % 20000))
cat >"$work/nginx.conf" <<CONF
daemon off;
worker_processes 2;
pid $work/nginx/pid;
error_log $work/nginx/error.log;
events { worker_connections 4096; }
http {
  access_log off;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 100000000;
  open_file_cache max=2000 inactive=60s;
  client_body_temp_path $work/nginx/body;
  proxy_temp_path $work/nginx/proxy;
  fastcgi_temp_path $work/nginx/fastcgi;
  uwsgi_temp_path $work/nginx/uwsgi;
  scgi_temp_path $work/nginx/scgi;
  server {
    listen 127.0.0.1:$port reuseport;
    root $work/www;
  }
  server {
    listen 127.0.0.1:$((port + 1)) ssl reuseport;
    ssl_certificate $work/cert.pem;
    ssl_certificate_key $work/key.pem;
    ssl_protocols TLSv1.3;
    root $work/www;
  }
}
CONF
nginx -p "$work/nginx" -c "$work/nginx.conf" 2>/dev/null &
nginx_pid=$!
pids+=("$nginx_pid")
for _ in $(seq 50); do
  curl -sf -o /dev/null "http://127.0.0.1:$port/small0" && break
  sleep 0.1
done

cat >"$work/small.lua" <<LUA
local n = 0
local prefix = os.getenv("PREFIX")
local ours = os.getenv("OURS")
request = function()
  n = (n + 1) % $small_count
  local name = "small" .. n
  return wrk.format("GET", ours == "1" and ("/files/file/" .. name .. "/1/" .. name) or ("/" .. name))
end
LUA

# CPU time in clock ticks of a process and its children (nginx's workers).
ticks() {
  local pid
  for pid in "$1" $(cat "/proc/$1/task/$1/children"); do awk '{ print $14 + $15 }' "/proc/$pid/stat"; done |
    awk '{ n += $1 } END { print n }'
}
# Sets $rate (requests or MiB per second) and $cpu (CPU microseconds of the server for each request or MiB).
measure() {  # UNIT PID WRK_ARGUMENTS…
  local unit=$1 pid=$2 before after
  shift 2
  before=$(ticks "$pid")
  wrk -d"${seconds}s" "$@" >"$work/wrk.out"
  after=$(ticks "$pid")
  if grep -q 'Non-2xx' "$work/wrk.out"; then grep 'Non-2xx' "$work/wrk.out" >&2; fi
  read -r rate cpu < <(awk -v unit="$unit" -v ticks=$((after - before)) -v hz="$(getconf CLK_TCK)" '
    function number(text, scale) {
      scale = 1
      if (text ~ /GB$/) scale = 1024; if (text ~ /KB$/) scale = 1 / 1024
      sub(/[A-Z]+$/, "", text)
      return text * scale
    }
    /requests in/ { requests = $1; time = $4; sub(/s,?$/, "", time); mib = number($5) }
    time ~ /m$/ { sub(/m$/, "", time); time *= 60 }
    END { amount = (unit == "req") ? requests : mib; printf "%.1f %.2f\n", amount / time, ticks / hz * 1e6 / amount }' "$work/wrk.out")
}
report() {  # WHAT UNIT: from ours_rate, ours_cpu, rate, cpu
  awk -v w="$1" -v u="$2" -v o="$ours_rate" -v oc="$ours_cpu" -v n="$rate" -v nc="$cpu" 'BEGIN {
    printf "%-30s liftlock %9.1f %s/s %8.2f us/%s   nginx %9.1f %s/s %8.2f us/%s   speed ratio %.2f   cpu ratio %.2f\n",
      w, o, u, oc, u, n, u, nc, u, o / n, nc / oc }'
}
compare() {  # WHAT UNIT OUR_PID OUR_PATH_URL NGINX_URL WRK_ARGUMENTS…
  local what=$1 unit=$2 pid=$3 ours_url=$4 nginx_url=$5
  shift 5
  OURS=1 measure "$unit" "$pid" "$@" "$ours_url"
  ours_rate=$rate ours_cpu=$cpu
  OURS=0 measure "$unit" "$nginx_pid" "$@" "$nginx_url"
  report "$what" "$unit"
}

nginx=http://127.0.0.1:$port
nginx_tls=https://127.0.0.1:$((port + 1))
large=/files/file/large/1/large
for page in "${pages[@]}"; do
  read -r name path accept <<<"$page"
  compare "$name, $(stat -c %s "$work/www/$name") B" req "$plain_pid" "$ours$path" "$nginx/$name" -t2 -c64 -H "Accept: $accept"
done
compare "small files, ${small_bytes} B" req "$plain_pid" "$ours" "$nginx" -t2 -c64 -s "$work/small.lua"
compare "small files, TLS 1.3" req "$tls_pid" "$ours_tls" "$nginx_tls" -t2 -c64 -s "$work/small.lua"
compare "one file of ${large_mib} MiB" MiB "$plain_pid" "$ours$large" "$nginx/large" -t1 -c2
compare "the same over TLS 1.3" MiB "$tls_pid" "$ours_tls$large" "$nginx_tls/large" -t1 -c2
