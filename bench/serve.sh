#!/usr/bin/env bash
# `liftlock serve` against nginx over loopback, in one run: requests per second for small files, bytes per second for one
# large file, over plain HTTP and over TLS 1.3. Every read of ours is audited; nginx logs nothing.
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
ours=$url
start_ours tls --tls-cert "$work/cert.pem" --tls-key "$work/key.pem"
ours_tls=$url

# The same bytes for nginx, as plain files.
mkdir -p "$work/www" "$work/nginx"
for name in large $(seq -f 'small%g' 0 $((small_count - 1))); do
  curl -sSf -o "$work/www/$name" "$ours/files/file/$name/1/$name"
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
pids+=($!)
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

small() {  # OURS URL CONNECTIONS
  OURS=$1 wrk -t2 -c"$3" -d"${seconds}s" -s "$work/small.lua" "$2" | awk '/Requests\/sec/ {print $2} /Non-2xx/ {print "errors:", $0 > "/dev/stderr"}'
}
large() {  # URL
  wrk -t1 -c2 -d"${seconds}s" "$1" | awk '/Transfer\/sec/ {
    v = $2; u = v; sub(/[0-9.]+/, "", u); sub(/[A-Z]+$/, "", v)
    f = (u == "GB") ? 1024 : (u == "MB") ? 1 : (u == "KB") ? 1/1024 : 1/1048576
    printf "%.1f\n", v * f }'
}
report() {  # WHAT UNIT OURS NGINX
  awk -v w="$1" -v u="$2" -v o="$3" -v n="$4" 'BEGIN { printf "%-34s liftlock %10.1f %s   nginx %10.1f %s   ratio %.2f\n", w, o, u, n, u, o / n }'
}

report "small files, ${small_bytes} B, 64 conn" req/s "$(small 1 "$ours" 64)" "$(small 0 "http://127.0.0.1:$port" 64)"
report "small files, TLS 1.3, 64 conn" req/s "$(small 1 "$ours_tls" 64)" "$(small 0 "https://127.0.0.1:$((port + 1))" 64)"
report "one file of ${large_mib} MiB, 2 conn" MiB/s "$(large "$ours/files/file/large/1/large")" "$(large "http://127.0.0.1:$port/large")"
report "the same over TLS 1.3" MiB/s "$(large "$ours_tls/files/file/large/1/large")" "$(large "https://127.0.0.1:$((port + 1))/large")"
