#!/bin/bash
# Open WebUI from PyPI against the gateway, as an OpenAI connection and as an Ollama connection, cut off from the network
# (label: online; it takes 2.2 GB of disk and some minutes, so only where LIFTLOCK_TEST_WEBUI is set).
# LIFTLOCK_TEST_WEBUI=1 installs it; LIFTLOCK_TEST_WEBUI=/a/venv uses one where it is installed.
# Usage: webui_test.sh LIFTLOCK_LOW LIFTLOCK_HIGH      Exit status 77: skipped.
set -euo pipefail
low_exe=$(realpath "$1") high_exe=$(realpath "$2")
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
. "$here/demo_site.sh"
webui=""
stop_webui() { [ -z "$webui" ] || { kill "$webui" 2> /dev/null || true; wait "$webui" 2> /dev/null || true; webui=""; }; }
trap 'stop_webui; stop TERM; [ -z "${network:-}" ] || kill "$network" || true; tidy' EXIT
[ -n "${LIFTLOCK_TEST_WEBUI:-}" ] || skip "set LIFTLOCK_TEST_WEBUI=1 to install Open WebUI (2.2 GB) and run it"
python3 -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' || skip "Open WebUI needs Python 3.11 or 3.12"

if [ "$LIFTLOCK_TEST_WEBUI" = 1 ]; then
  venv=$work/venv
  python3 -m venv "$venv"
  # Without PyTorch and CUDA, which only its own embedding models need: those come from the gateway.
  "$venv/bin/pip" install -q --dry-run --report "$work/report.json" open-webui > "$work/pip.log" 2>&1 || skip "Open WebUI cannot be had: $(tail -3 "$work/pip.log")"
  python3 - "$work/report.json" > "$work/requirements.txt" <<'PY'
import json, sys
for one in json.load(open(sys.argv[1]))["install"]:
    data = one["metadata"]
    if not data["name"].lower().startswith(("torch", "triton", "nvidia-", "cuda-")):
        print(f"{data['name']}=={data['version']}")
PY
  "$venv/bin/pip" install -q --no-deps -r "$work/requirements.txt" > "$work/pip.log" 2>&1 || skip "Open WebUI cannot be had: $(tail -3 "$work/pip.log")"
else
  venv=$LIFTLOCK_TEST_WEBUI
fi

make_site
alice=$(key alice)
within="" network="" where="with this machine's network"
if [ "$(id -u)" -eq 0 ]; then
  unshare -n sleep 3600 &
  network=$!
  is_apart() { [ "$(readlink "/proc/$network/ns/net")" != "$(readlink /proc/self/ns/net)" ]; }
  soon is_apart || fail "no network of its own"
  within="nsenter -t $network -n" where="cut off from every network"
  $within ip link set lo up
fi
serve

# The environment that docs/guides/gateway.md shows.
port=$(free_port)
mkdir "$work/webui"
sed -n '/^OFFLINE_MODE=/,/^```/p' "$here/../../docs/guides/gateway.md" | grep = \
  | sed -e "s#http://127.0.0.1:8480#$url#; s#KEY#$alice#" > "$work/webui.env"
grep -q "^OLLAMA_BASE_URLS=$url" "$work/webui.env" || fail "the guide does not say how to connect it"
(cd "$work/webui" && exec $within env $(cat "$work/webui.env") DATA_DIR="$work/webui" "$venv/bin/open-webui" serve --host 127.0.0.1 --port "$port" > "$work/webui.log" 2>&1) &
webui=$!
$within python3 "$here/webui_client.py" "http://127.0.0.1:$port" "$url" "$alice" || { tail -30 "$work/webui.log" >&2; fail "Open WebUI"; }

# What was asked in the browser is on record as of the key's user.
[ "$(high --json record find --user alice --text 'asked in Open WebUI' | json '["records"].__len__()')" -ge 4 ] || fail "the questions are not on record"
echo "ok: $("$venv/bin/pip" freeze | grep -i '^open.webui=='), $where"
