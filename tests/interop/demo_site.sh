# Sourced by the tests of the gateway's clients: an installation of the high side in $work/high with the demo model and
# the real engine, which llama.cpp of the machine's own Debian mirror (suite forky) was made into.
# Needs: $low_exe $high_exe $work, $more_models where there are more (TOML), $within where the server runs within another
# program (nsenter). Gives: low, high, json, fail, skip, make_site, serve (sets $url), stop SIGNAL, key NAME…
demo_model=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../models/demo" && pwd)/liftlock-demo.gguf
# shellcheck source=waiting.sh
. "$(dirname "${BASH_SOURCE[0]}")/waiting.sh"
server=""
skip() { echo "skipped: $*"; exit 77; }
fail() { echo "FAILED: $*" >&2; cat "$work"/serve.* >&2 2> /dev/null || true; exit 1; }
low() { "$low_exe" --quiet --state "$work/low" "$@"; }
high() { "$high_exe" --quiet --state "$work/high" "$@"; }
json() { python3 -c "import json, sys; print(json.load(sys.stdin)$1)"; }
stop() { [ -z "$server" ] || { kill -"$1" "$server" 2> /dev/null || true; wait "$server" 2> /dev/null || true; server=""; }; }

make_site() {
  [ "$(dpkg --print-architecture)" = amd64 ] || skip "written for amd64"
  mkdir "$work/stack" && cd "$work/stack"
  cat > liftlock.toml <<TOML
[stack]
name = "chat"

[engine.llama]
packages = ["llama.cpp-tools"]
suites = ["forky"]
accept_expired = "600d"

[model.demo]
source = "$demo_model"
${more_models:-}
TOML
  low init
  low trust keygen --role root --out ../root.pem > /dev/null
  low trust keygen --role builder --out ../builder.pem > /dev/null
  low trust init --organisation Interop --root-key ../root.pem --add builder:../builder.pem.pub > /dev/null
  low lock || skip "the suite cannot be had"
  low fetch > /dev/null
  low pack --output ../medium/chat-1 > /dev/null
  low sign ../medium/chat-1 --role builder --key ../builder.pem > /dev/null
  high init --zone ingest
  printf '[source.usb]\npath = "%s/medium"\nrequire_read_only = false\n' "$work" >> "$work/high/config.toml"
  high trust pin ../medium/chat-1 --fingerprint "$(low --json trust show | json '["fingerprint"]')" > /dev/null
  high ingest usb/chat-1 --expect "$(sha256sum < ../medium/chat-1/manifest/bundle.json | cut -d' ' -f1)" > /dev/null
  high engine install llama > /dev/null
}

key() { high --json key add "$@" | json '["secret"]'; }

serve() {
  : > "$work/serve.out"  # of the server before: its line would be read before the new one's shell empties the file
  # Not through high(): the process to end must be the program, not a shell that waits for it.
  ${within:-} "$high_exe" --quiet --state "$work/high" serve --listen 127.0.0.1:0 > "$work/serve.out" 2> "$work/serve.err" &
  server=$!
  soon_of "$server" grep -q '^listening' "$work/serve.out" || fail "serve does not listen"
  url=$(sed -n 's/^listening on //p' "$work/serve.out")
}
