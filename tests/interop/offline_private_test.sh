#!/usr/bin/env bash
# `liftlock offline` where the user has registries, proxies and private modules elsewhere: npm, cargo and go build from the mirror, the real
# ones, as far as they are here.   offline_private_test.sh LIFTLOCK_LOW LIFTLOCK_HIGH      Exit status 77: none is, or no user namespaces.
source "$(dirname "$0")/crossing_machines.sh" || exit 1
source "$(dirname "$0")/package_crossing.sh"
if ! unshare --user --net true 2> /dev/null; then skip "no user namespaces can be made here"; fi
tools=$root/tests/tools
export RUSTUP_HOME=${RUSTUP_HOME:-$HOME/.rustup}
export HOME=$work/home XDG_CACHE_HOME=$work/home/cache
mkdir -p "$HOME" "$work/stack" "$work/there"
cd "$work/stack"
# is_there PATTERN LEAST COMMAND…: the number that the pattern finds in the command's output is at least this one.
is_there() { local number; number=$(sed -n "s/$1/\1/p" <<< "$("${@:3}" 2> /dev/null)"); [ -n "$number" ] && [ "$number" -ge "$2" ]; }
has_npm() { is_there '^\([0-9]*\)\..*' 8 npm --version; }
has_go() { is_there '^go1\.\([0-9]*\).*' 19 go env GOVERSION; }
has_cargo() { is_there '^cargo 1\.\([0-9]*\)\..*' 68 cargo --version && rustc --version > /dev/null 2>&1 && command -v cc > /dev/null; }
has_npm || has_go || has_cargo || skip "there is none of these clients"

# --- what crosses
printf '[stack]\nname = "private"\n' > liftlock.toml
if has_npm; then
  export npm_config_globalconfig=/dev/null npm_config_cache=$work/npm-cache
  export npm_config_fund=false npm_config_audit=false npm_config_update_notifier=false npm_config_fetch_retries=0
  unset npm_config_registry npm_config_userconfig npm_config_replace_registry_host
  mkdir -p packages/tool packages/words js
  echo '{"name":"@corp/tool","version":"1.0.0","dependencies":{"words":"1.0.0"}}' > packages/tool/package.json
  echo 'console.log(require("words"))' > packages/tool/index.js
  echo '{"name":"words","version":"1.0.0"}' > packages/words/package.json
  echo 'module.exports = "hello"' > packages/words/index.js
  mkdir -p packages/manager/bin
  echo '{"name":"pnpm","version":"9.0.0","bin":{"pnpm":"bin/pnpm.cjs","pnpx":"bin/pnpx.cjs"}}' > packages/manager/package.json
  for name in pnpm pnpx; do echo 'console.log("made up")' > "packages/manager/bin/$name.cjs"; done
  coproc registry { exec python3 "$tools/npm_registry.py" packages --prefix /npm/ --log npm.log; }
  read -r npm_registry <&"${registry[0]}"
  pids+=("$registry_PID")
  echo '{"name":"js","version":"1.0.0","dependencies":{"@corp/tool":"^1","pnpm":"9.0.0"}}' > js/package.json
  (cd js && npm_config_registry=$npm_registry npm install --package-lock-only > "$work/npm.log" 2>&1) || fail "npm install --package-lock-only: $(cat "$work/npm.log")"
  printf '[npm.js]\nlock = "js/package-lock.json"\n' >> liftlock.toml
fi
if has_go; then
  export GOTOOLCHAIN=local GOFLAGS=-modcacherw GOPATH=$work/gopath GOENV=$work/go-env
  unset GOPROXY GOSUMDB GOPRIVATE GONOPROXY GONOSUMDB GOMODCACHE
  python3 "$tools/make_modules.py" "$work/proxy"
  mkdir go
  printf 'module example.test/app\n\ngo 1.16\n\nrequire example.test/deep/v2 v2.3.4\n' > go/go.mod
  printf 'package main\n\nimport (\n\t"fmt"\n\n\t"example.test/deep/v2"\n)\n\nfunc main() { fmt.Println(deep.Word()) }\n' > go/main.go
  printf 'GOPROXY=file://%s/proxy\nGOSUMDB=off\n' "$work" > "$GOENV"
  (cd go && go mod tidy 2> "$work/go.log") || fail "go mod tidy: $(cat "$work/go.log")"
  printf '[go.app]\nmodule = "go/go.mod"\n' >> liftlock.toml
fi
if has_cargo; then
  unset CARGO_HOME CARGO_NET_OFFLINE
  port=$(free_port)
  for name in open corp; do python3 "$tools/make_crates.py" "$work/crates/$name" "http://127.0.0.1:$port/$name"; done
  python3 -m http.server "$port" --bind 127.0.0.1 --directory "$work/crates" > "$work/crates.log" 2>&1 &
  pids+=($!)
  wait_for "http://127.0.0.1:$port/"
  mkdir -p rust/src "$HOME/.cargo"
  printf '[source.crates-io]\nreplace-with = "open"\n[source.open]\nregistry = "sparse+http://127.0.0.1:%s/open/index/"\n[registries.corp]\nindex = "sparse+http://127.0.0.1:%s/corp/index/"\n' \
    "$port" "$port" > "$HOME/.cargo/config.toml"
  printf '[package]\nname = "app"\nversion = "0.1.0"\nedition = "2021"\n[dependencies]\nplainlib = { version = "1", registry = "corp" }\nbuild-helper = "0.9"\n' > rust/Cargo.toml
  echo 'fn main() { println!("{} {}", plainlib::word(), if cfg!(own) { "kept" } else { "lost" }); }' > rust/src/main.rs
  (cd rust && cargo generate-lockfile -q 2> "$work/cargo.log") || fail "cargo generate-lockfile: $(cat "$work/cargo.log")"
  printf '[cargo.app]\nlock = "rust/Cargo.lock"\n' >> liftlock.toml
fi
cross private-1
"$high_exe" --quiet --state "$high_state" serve --listen 127.0.0.1:0 > "$work/serve.out" 2> "$work/serve.err" &
pids+=($!)
soon grep -q listening "$work/serve.out" || fail "the mirror did not start: $(cat "$work/serve.err")"
mirror=$(sed -n 's/^listening on //p' "$work/serve.out")
off() { "$low_exe" --state "$low_state" offline --mirror "${mirror%/}" --report "$work/report.json" -- "$@" > "$work/out" 2>&1; }
# built COMMAND…: it runs well, and nothing tried to leave.
built() { off "$@" || fail "$*: $(cat "$work/out")"; [ "$(json '["good"]' < "$work/report.json")" = True ] || fail "$*: $(cat "$work/report.json")"; }

# --- npm: a lock of another registry, a scope with its own, and a proxy
if has_npm; then
  cp -r js "$work/there/js" && cd "$work/there/js"
  sed -i "s|$npm_registry|https://npm.corp.example/api/npm/all/|" package-lock.json
  printf '@corp:registry=https://npm.corp.example/api/npm/corp/\n' > .npmrc
  printf 'registry=https://npm.corp.example/api/npm/all/\nproxy=http://proxy.corp.example:3128\nhttps-proxy=http://proxy.corp.example:3128\noffline=true\n' > "$HOME/.npmrc"
  built npm ci
  [ "$(node node_modules/@corp/tool)" = hello ] || fail "what npm ci installed does not run"
  # Without a lock, and by a shell, which may drop variables.
  rm -rf node_modules package-lock.json "$npm_config_cache"
  built sh -c 'npm install; exit $?'
  [ "$(node node_modules/@corp/tool)" = hello ] || fail "what npm install installed does not run"
  rm "$HOME/.npmrc"
  if command -v corepack > /dev/null; then
    mkdir "$work/there/manager" && cd "$work/there/manager"
    echo '{"name":"managed","packageManager":"pnpm@9.0.0"}' > package.json
    export COREPACK_HOME=$work/corepack
    built corepack pnpm --version
    grep -q '^made up$' "$work/out" || fail "Corepack runs another package manager: $(cat "$work/out")"
  fi
  step "npm $(npm --version) takes what other registries have from the mirror"
fi

# --- go: modules that are private, which go would take from where they are written
if has_go; then
  printf 'GOPRIVATE=example.test\n' > "$GOENV"
  rm -rf "$GOPATH" && cp -r "$work/stack/go" "$work/there/go" && cd "$work/there/go"
  built go build -o app .
  [ "$(./app)" = "deep base" ] || fail "what go built does not run"
  rm -rf "$GOPATH"
  low offline --mirror none -- go build -o app . > "$work/out" 2>&1 && fail "go built without its modules"
  ! grep -q left-network "$work/out" || fail "go leaves where there is no mirror: $(cat "$work/out")"
  step "$(go env GOVERSION) takes private modules from the mirror"
fi

# --- cargo: a private registry, a mirror of the user's in place of the default one, a proxy; what else is configured stays in force
if has_cargo; then
  rm -rf "$HOME/.cargo/registry" && cp -r "$work/stack/rust" "$work/there/rust" && cd "$work/there/rust"
  sed -i "s|http://127.0.0.1:$port/corp/index/|https://crates.corp.example/index/|" Cargo.lock
  grep -q 'sparse+https://crates.corp.example/index/' Cargo.lock || fail "the private registry is not in Cargo.lock: $(cat Cargo.lock)"
  cat > "$HOME/.cargo/config.toml" <<'TOML'
[registries.corp]
index = "sparse+https://crates.corp.example/index/"
[source.crates-io]
replace-with = "their-mirror"
[source.their-mirror]
registry = "sparse+https://mirror.corp.example/index/"
[net]
offline = true
[http]
proxy = "http://proxy.corp.example:3128"
[build]
rustflags = ["--cfg", "own"]
TOML
  built cargo build --locked
  [ "$(target/debug/app)" = "quiet kept" ] || fail "cargo built: $(target/debug/app)"
  # A project below the home, where cargo reads the user's file by itself.
  cp -r "$work/there/rust" "$HOME/rust" && cd "$HOME/rust" && rm -rf target "$HOME/.cargo/registry"
  built cargo build --locked
  [ "$(target/debug/app)" = "quiet kept" ] || fail "cargo built below the home: $(target/debug/app)"
  step "$(cargo --version | cut -d' ' -f1,2) takes crates of private registries from the mirror, with the user's other settings"
fi
