#!/bin/bash
# What operators see of a server with the real engine and the demo model: /readyz, ps, top, the access log, metrics (with
# promtool where it is installed), traces (to a stand-in for a collector), SIGTERM (label: online).
# Usage: watching_test.sh LIFTLOCK_LOW LIFTLOCK_HIGH      Exit status 77: skipped.
set -euo pipefail
low_exe=$(realpath "$1") high_exe=$(realpath "$2")
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
. "$here/demo_site.sh"
trap 'stop TERM; kill "${collector:-}" 2> /dev/null || true; tidy' EXIT
make_site
ready() { [ "$(curl -s -o "$work/ready" -w '%{http_code}' "$url/readyz")" = "$1" ]; }

# Where no sandbox can be made (no bubblewrap, say), that is known before a request fails.
mkdir "$work/bin"
for program in gpg gpgconf gpg-agent; do ln -s "$(command -v $program)" "$work/bin/"; done
within="env PATH=$work/bin" serve
soon ready 503 || fail "ready without a sandbox: $(cat "$work/ready")"
[ "$(json '["checks"]["sandbox"]["why"]' < "$work/ready")" = "no sandbox can be set up for engines on this machine" ] || fail "readyz: $(cat "$work/ready")"
[ "$(json '["checks"]["engine"]["ok"]' < "$work/ready")" = True ] || fail "readyz: $(cat "$work/ready")"
stop TERM

sed -i '/^\[serve\]/a drain = "10s"' "$work/high/config.toml"
cat > "$work/collector.py" <<'PY'
import http.server, sys
class Collector(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with open(sys.argv[1], "ab") as out:
            out.write(self.path.encode() + b" " + body + b"\n")
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")
    def log_message(self, *_):
        pass
server = http.server.HTTPServer(("127.0.0.1", 0), Collector)
print(server.server_port, flush=True)
server.serve_forever()
PY
python3 "$work/collector.py" "$work/traces" > "$work/port" &
collector=$!
soon [ -s "$work/port" ] || fail "the collector did not start"
printf '[telemetry]\notlp_endpoint = "http://127.0.0.1:%s"\n' "$(cat "$work/port")" >> "$work/high/config.toml"
alice=$(key alice)
log=$work/high/logs/access.jsonl
ask() { curl -sS -m 60 -H "Authorization: Bearer $alice" -H "X-Request-Id: $1" \
  -H "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" -H "Content-Type: application/json" \
  -d "{\"model\":\"demo\",\"messages\":[{\"role\":\"user\",\"content\":\"$2\"}]}" "$url/v1/chat/completions"; }

high ps > "$work/out" 2>&1 && fail "ps without a server" || grep -q 'no server answers' "$work/out" || fail "$(cat "$work/out")"
serve
soon ready 200 || fail "not ready: $(cat "$work/ready")"
[ "$(json '["checks"]["sandbox"]["ok"]' < "$work/ready")" = True ] || fail "readyz: $(cat "$work/ready")"
grep -q 'no model is loaded' <<< "$(high ps)" || fail "ps: $(high ps)"
ask first 'What is Liftlock?' | json '["choices"][0]["message"]["content"]' > /dev/null || fail "no answer"
high ps > "$work/ps"
grep -q '^demo *ready *llama/.*sha256:.*0/2 *0 .* min *0' "$work/ps" || fail "ps: $(cat "$work/ps")"
mapfile -t columns < <(sed -n '1s/  \+/\n/gp' "$work/ps")
[ "${#columns[@]}" = 10 ] || fail "the columns of ps: ${columns[*]}"
for column in "${columns[@]}"; do
  grep -qF "| \`$column\` |" "$here/../../docs/guides/watching.md" || fail "the guide does not explain $column"
done
high --json ps | json '["models"][0]["resident"]' | grep -q '^[1-9]' || fail "ps --json"

grep -q '^✓ telemetry: Telemetry: .* disables verified$' <<< "$(high health telemetry --engines)" || fail "the engine's switches"

# top, while somebody asks; and the prompt with the secret.
(sleep 2; ask second 'my password is zebra-in-the-canal' > /dev/null) &
high top --once --interval 10 > "$work/top"
wait $!
grep -q '^demo *ready .* 0\.1 .* ms' "$work/top" || fail "top: $(cat "$work/top")"
if grep -q $'\x1b' "$work/top"; then fail "top moves a cursor that is none"; fi

soon grep -q '"request":"second"' "$log" || fail "the access log: $(cat "$log")"
python3 - "$log" <<'PY' || fail "the access log: $(cat "$log")"
import json, sys
lines = [json.loads(line) for line in open(sys.argv[1])]
asked = {line["request"]: line for line in lines if line["path"] == "/v1/chat/completions"}
first = asked["first"]
assert first["user"] == "alice" and first["model"] == "demo" and first["status"] == 200, first
assert first["key"].startswith("key_") and 0 < first["first_ms"] <= first["total_ms"], first
assert any(line["path"] == "/readyz" for line in lines)
PY
if grep -rqF zebra-in-the-canal "$work/high/logs" "$work/serve.out" "$work/serve.err"; then fail "a prompt is in a log"; fi
if grep -rqF "$alice" "$work/high/logs" "$work/serve.out" "$work/serve.err"; then fail "a key is in a log"; fi
grep -q " alice " <<< "$(high record find --text zebra-in-the-canal)" || fail "the secret prompt is not on record"

curl -sS "$url/metrics" > "$work/metrics"
for name in requests_total tokens_total first_token_seconds_bucket model_requests engine_resident_bytes \
  engine_restarts_total model_verification_seconds_sum access_log_lines_total; do
  grep -q "^liftlock_$name" "$work/metrics" || fail "metrics lack $name"
done
if command -v promtool > /dev/null; then promtool check metrics < "$work/metrics" || fail "promtool"; fi

# The collector got a tree for each of the two requests, in the client's trace.
soon grep -q '"stringValue":"second"' "$work/traces" || fail "no traces: $(cat "$work/traces")"
python3 - "$work/traces" <<'PY' || fail "the traces: $(cat "$work/traces")"
import json, sys
spans = []
for line in open(sys.argv[1]):
    path, body = line.split(" ", 1)
    assert path == "/v1/traces", path
    spans += json.loads(body)["resourceSpans"][0]["scopeSpans"][0]["spans"]
assert all(span["traceId"] == "0af7651916cd43dd8448eb211c80319c" for span in spans), spans
roots = [span for span in spans if span["parentSpanId"] == "b7ad6b7169203331"]
names = {root["spanId"]: [span["name"] for span in spans if span["parentSpanId"] == root["spanId"]] for root in roots}
assert sorted(names.values()) == [["load", "queue", "first token", "answer"], ["queue", "first token", "answer"]], names
PY
if grep -qF zebra-in-the-canal "$work/traces"; then fail "a prompt is in a trace"; fi
grep -q '^liftlock_traces_sent_total' "$work/metrics" || fail "metrics lack the traces"

# Another user learns nothing; an engine that is gone is a reason.
if [ "$(id -u)" = 0 ]; then
  runuser -u nobody -- "$high_exe" --state "$work/high" ps > /dev/null 2>&1 && fail "ps tells everybody"
fi
mv "$work/high/engines" "$work/high/engines.gone"
soon ready 503 || fail "ready without an engine"
grep -q 'no engine is installed' "$work/ready" || fail "readyz: $(cat "$work/ready")"
mv "$work/high/engines.gone" "$work/high/engines"
soon ready 200 || fail "not ready again: $(cat "$work/ready")"

# SIGTERM: not ready at once, and served as before until the drain is over.
kill -TERM "$server"
soon ready 503 || fail "ready while it stops"
grep -q 'about to stop' "$work/ready" || fail "readyz: $(cat "$work/ready")"
grep -q choices <<< "$(ask third 'What is a bundle?')" || fail "not served while it drains"
wait "$server" || fail "it did not end well"
server=""
[ ! -e "$work/high/run/serve.sock" ] || fail "the socket stayed"
echo "ok: readyz, ps, top, access log, metrics, drain"
