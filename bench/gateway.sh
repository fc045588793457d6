#!/usr/bin/env bash
# The gateway next to nginx's proxy and LiteLLM's, each before an engine that answers at once, in one run; then many
# streams at a time.
#   bench/gateway.sh [BUILD_FOLDER] [REQUESTS]
# Needs nginx and curl. LITELLM=FOLDER is a Python environment with `litellm[proxy]`; without it that row is left out.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
build=${1:-$root/build/release}
requests=${2:-2000}
cmake --build "$build" --target gateway_bench instant_engine >/dev/null

work=$(mktemp -d)
pids=()
cleanup() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
  rm -rf "$work"
}
trap cleanup EXIT

port=$((20000 + RANDOM % 20000))
engine=$port nginx=$((port + 1)) litellm=$((port + 2))
"$build/bench/instant_engine" --host "$engine" &
pids+=($!)

cat >"$work/nginx.conf" <<CONF
daemon off;
worker_processes 2;
pid $work/pid;
error_log $work/error.log;
events { worker_connections 4096; }
http {
  access_log off;
  keepalive_requests 100000000;
  client_body_temp_path $work/body;
  proxy_temp_path $work/proxy;
  fastcgi_temp_path $work/fastcgi;
  uwsgi_temp_path $work/uwsgi;
  scgi_temp_path $work/scgi;
  upstream engine {
    server 127.0.0.1:$engine;
    keepalive 128;
  }
  server {
    listen 127.0.0.1:$nginx reuseport;
    location / {
      proxy_pass http://engine;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
    }
  }
}
CONF
nginx -p "$work" -c "$work/nginx.conf" 2>/dev/null &
pids+=($!)
peers=(--direct "$engine" --peer "nginx's proxy=$nginx")

if [ -n "${LITELLM:-}" ]; then
  cat >"$work/litellm.yaml" <<YAML
model_list:
  - model_name: demo
    litellm_params: {model: openai/demo, api_base: "http://127.0.0.1:$engine/v1", api_key: none}
general_settings: {master_key: sk-bench}
litellm_settings: {telemetry: false, num_retries: 0}
YAML
  LITELLM_LOCAL_MODEL_COST_MAP=True "$LITELLM/bin/litellm" --config "$work/litellm.yaml" --host 127.0.0.1 --port "$litellm" \
    --num_workers 2 >"$work/litellm.log" 2>&1 &
  pids+=($!)
  for _ in $(seq 120); do
    curl -sf -o /dev/null "http://127.0.0.1:$litellm/health/liveliness" && break
    sleep 1
  done
  peers+=(--peer "LiteLLM's proxy, two workers=$litellm=Bearer sk-bench")
fi

"$build/bench/gateway_bench" "$build/bench/instant_engine" --requests "$requests" "${peers[@]}"
"$build/bench/gateway_bench" "$build/bench/instant_engine" --streams 2000
