# Sourced after crossing_machines.sh by tests that carry packages of an ecosystem to where there is no network.

# cross NAME: locks, fetches, packs and signs the stack of the current folder, and ingests it on the high side.
cross() {
  local keys=$work/keys
  mkdir -p "$keys" "$work/medium"
  if [ ! -e "$low_state" ]; then
    low init > /dev/null
    for role in root builder; do low trust keygen --role $role --out "$keys/$role.pem" > /dev/null; done
    low trust init --organisation Acme --root-key "$keys/root.pem" --add "builder:$keys/builder.pem.pub" > /dev/null
  fi
  low lock > "$work/lock.log" 2>&1 || { cat "$work/lock.log" >&2; fail "lock"; }
  { low fetch && low pack --output "$work/medium/$1" && low sign "$work/medium/$1" --role builder --key "$keys/builder.pem"; } > /dev/null
  if [ ! -e "$high_state" ]; then
    high init --zone ingest --organisation Acme > /dev/null
    printf '[source.usb]\npath = "%s/medium"\nrequire_read_only = false\n' "$work" >> "$high_state/config.toml"
    high trust pin "$work/medium/$1" --fingerprint "$(low --json trust show | json '["fingerprint"]')" > /dev/null
  fi
  high ingest "usb/$1" --expect "$(sha256sum < "$work/medium/$1/manifest/bundle.json" | cut -d' ' -f1)" > /dev/null
}

export -f soon  # for the scripts
# cut_off SCRIPT: runs it in a namespace without a route, where the mirror answers at $mirror.
# with_tokens, in such a script: one more server, at $guarded with the CA $ca, which wants the read token $token.
cut_off() {
  local map=""
  [ "$(id -u)" -eq 0 ] || map=--map-root-user
  # shellcheck disable=SC2086
  unshare $map --net true 2> /dev/null || skip "no network namespace can be made here"
  # shellcheck disable=SC2086
  high_exe=$high_exe high_state=$high_state work=$work mirror=http://127.0.0.1:8480 unshare $map --net bash -euo pipefail -c '
    ip link set lo up
    [ -z "$(ip route)" ] || { echo "there is a route" >&2; exit 1; }
    "$high_exe" --quiet --state "$high_state" serve > "$work/serve.log" 2>&1 &
    server=$!
    trap "kill $server 2> /dev/null || true; wait $server 2> /dev/null || true" EXIT
    ready() { soon curl -fs "${@:2}" "$1/readyz" || { echo "nobody answers at $1" >&2; exit 1; }; }
    with_tokens() {
      guarded=https://127.0.0.1:8481 token=secret-of-the-test ca=$work/tls.pem
      openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=mirror -addext subjectAltName=IP:127.0.0.1 \
        -keyout "$work/tls.key" -out "$ca" 2> /dev/null
      echo "ci $(printf %s $token | sha256sum | cut -d" " -f1)" > "$work/tokens"
      "$high_exe" --quiet --state "$high_state" serve --listen 127.0.0.1:8481 --tokens "$work/tokens" --tls-cert "$ca" --tls-key "$work/tls.key" > "$work/guarded.log" 2>&1 &
      server="$server $!"
      trap "kill $server 2> /dev/null || true; wait $server 2> /dev/null || true" EXIT
      ready "$guarded" --cacert "$ca"
      [ "$(curl -s --cacert "$ca" -o /dev/null -w "%{http_code}" "$guarded/cargo/config.json")" = 401 ] || { echo "no token is wanted" >&2; exit 1; }
    }
    ready "$mirror"
    '"$1"
}
