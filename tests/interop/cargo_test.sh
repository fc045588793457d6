#!/usr/bin/env bash
# A Rust workspace crosses: cargo itself builds it from the mirror, where there is no network (rows M1, M6 and M15).
# cargo_test.sh LIFTLOCK_LOW LIFTLOCK_HIGH [online]
# With `online` the crates come from the registry that this machine's cargo is configured for; without it from a made-up one
# on loopback. Exit status 77: there is no cargo of 1.68 or later here (Debian 12 has an older one).
source "$(dirname "$0")/crossing_machines.sh" || exit 1
source "$(dirname "$0")/package_crossing.sh"
tools=$(cd "$(dirname "$0")/../tools" && pwd)
command -v cargo > /dev/null || skip "there is no cargo"
minor=$(cargo --version | sed -n 's/^cargo 1\.\([0-9]*\)\..*/\1/p')
[ -n "$minor" ] && [ "$minor" -ge 68 ] || skip "$(cargo --version) is older than 1.68"
mkdir -p "$work/stack/app/src"
cd "$work/stack"
cat > liftlock.toml <<'TOML'
[stack]
name = "rust"

[cargo.app]
lock = "app/Cargo.lock"
TOML

if [ "${3:-}" = online ]; then
  cat > app/Cargo.toml <<'TOML'
[package]
name = "app"
version = "0.1.0"
edition = "2021"
[dependencies]
serde = { version = "1", features = ["derive"] }
serde_json = "1"
anyhow = "1"
clap = { version = "4", default-features = false, features = ["std", "derive", "help"] }
indexmap = { version = "2", features = ["serde"] }
[build-dependencies]
cc = "1"
TOML
  cat > app/build.rs <<'RS'
fn main() {
    cc::Build::new().file("src/two.c").compile("two");
}
RS
  echo 'int two(void) { return 2; }' > app/src/two.c
  cat > app/src/main.rs <<'RS'
use clap::Parser;
#[derive(Parser, serde::Serialize)]
struct Arguments { #[arg(long, default_value = "nobody")] name: String }
extern "C" { fn two() -> i32; }
fn main() -> anyhow::Result<()> {
    let mut map = indexmap::IndexMap::new();
    map.insert("name", serde_json::to_value(Arguments::parse())?);
    map.insert("two", serde_json::json!(unsafe { two() }));
    println!("{}", serde_json::to_string(&map)?);
    Ok(())
}
RS
  expected='{"name":{"name":"Ada"},"two":2}'
  (cd app && cargo generate-lockfile -q 2> "$work/cargo.log") || skip "the registry cannot be had: $(tail -3 "$work/cargo.log")"
else
  export CARGO_HOME=$work/cargo-home
  mkdir "$CARGO_HOME"
  port=$(free_port)
  python3 "$tools/make_crates.py" "$work/registry" "http://127.0.0.1:$port"
  python3 -m http.server "$port" --bind 127.0.0.1 --directory "$work/registry" > "$work/registry.log" 2>&1 &
  registry=$!
  pids+=("$registry")
  soon curl -fs "http://127.0.0.1:$port/index/config.json" || fail "the registry did not start: $(cat "$work/registry.log")"
  printf '[source.crates-io]\nreplace-with = "made-up"\n[source.made-up]\nregistry = "sparse+http://127.0.0.1:%s/index/"\n' "$port" \
    > "$CARGO_HOME/config.toml"
  cat > app/Cargo.toml <<'TOML'
[package]
name = "app"
version = "0.1.0"
edition = "2021"
[dependencies]
plainlib = { version = "1", features = ["loud"] }
Mixed_Case = "=0.1.0-beta.1"
x = "1"
[build-dependencies]
build-helper = "0.9"
TOML
  echo 'fn main() { build_helper::emit(); }' > app/build.rs
  cat > app/src/main.rs <<'RS'
fn main() {
    println!("{} {} {} {}", plainlib::word(), Mixed_Case::both(), x::x(), env!("FROM_BUILD"));
}
RS
  expected='LOUD mixed LOUD 42 built'
  (cd app && cargo generate-lockfile -q)
fi
cp app/Cargo.lock "$work/Cargo.lock"

cross rust-1
cmp -s app/Cargo.lock "$work/Cargo.lock" || fail "liftlock lock changed Cargo.lock"
[ ! -e app/target ] || fail "something was built while locking"
count=$(grep -c '^source = "registry' app/Cargo.lock)
[ "$(ls "$work/medium/rust-1/packages/cargo" | wc -l)" = "$count" ] || fail "not all of the $count crates are in the bundle"
grep -q 'lock-hash: the lock file' <<< "$(low show "$(low --json ls | json '["artifacts"][0]["id"]')")" || fail "the evidence"
step "$count crates crossed, each by the checksum in Cargo.lock"
out=$(low check) || fail "check: $out"
grep -q "$count crates suffice without a network (cargo fetch --locked" <<< "$out" || fail "check says: $out"
[ ! -e app/target ] && cmp -s app/Cargo.lock "$work/Cargo.lock" || fail "check wrote into the project"
step "cargo fetch --locked from the stack's crates alone"

cp liftlock.toml "$work/liftlock.toml" && echo 'build = true' >> liftlock.toml
low lock > /dev/null && low fetch > /dev/null
out=$(low check) || fail "check with a build: $out"
grep -q "$count crates suffice without a network (cargo build --locked" <<< "$out" || fail "check with a build says: $out"
[ ! -e app/target ] && cmp -s app/Cargo.lock "$work/Cargo.lock" || fail "the build of check wrote into the project"
cp app/src/main.rs "$work/main.rs" && echo 'fn main() { nobody_wrote_this() }' > app/src/main.rs
refused stack-incomplete low check
grep -q "✗ \[cargo.app\].*does not build the workspace.*nobody_wrote_this" <<< "$("$low_exe" --state "$low_state" check 2> /dev/null)" || fail "the error of rustc is not told"
cp "$work/main.rs" app/src/main.rs && cp "$work/liftlock.toml" liftlock.toml
low lock > /dev/null && low fetch > /dev/null
step "build = true: cargo build from the stack's crates alone; sources that do not compile are found out"

rm -rf app/.cargo
build='
  mkdir -p "$work/high-home" && cd "$work/stack/app" && rm -rf target
  export CARGO_HOME=$work/high-home
  "$high_exe" --quiet --state "$high_state" render clients --client cargo --base-url "$mirror" > "$CARGO_HOME/config.toml"
  cargo build -q --locked --release
  target/release/app '
args=""; [ "${3:-}" != online ] || args="--name Ada"
out=$(cut_off "$build $args") || fail "cargo does not build from the mirror: $out $(tail -3 "$work/serve.log")"
[ "$out" = "$expected" ] || fail "the program says: $out"
cmp -s app/Cargo.lock "$work/Cargo.lock" || fail "cargo build --locked changed Cargo.lock"
tested cargo cargo "$(cargo --version | cut -d' ' -f2)"
step "cargo build --locked from the mirror, without a route; the program runs"

out=$(cut_off 'with_tokens
  mkdir -p "$work/token-home" && cd "$work/stack/app" && rm -rf target
  printf "[source.crates-io]\nreplace-with = \"liftlock\"\n[registries.liftlock]\nindex = \"sparse+%s/cargo/\"\ncredential-provider = \"cargo:token\"\n[http]\ncainfo = \"%s\"\n" "$guarded" "$ca" > "$work/token-home/config.toml"
  export CARGO_HOME=$work/token-home
  cargo fetch -q --locked 2> "$work/refused.log" && { echo "without a token" >&2; exit 1; }
  printf "[registries.liftlock]\ntoken = \"Bearer %s\"\n" "$token" > "$work/token-home/credentials.toml"
  cargo build -q --locked && target/debug/app '"$args") || fail "cargo with a token: $out"
[ "$out" = "$expected" ] || fail "the program says: $out"
step "a mirror that speaks TLS and wants read tokens gets cargo's"

if [ "${3:-}" = online ]; then
  # What we derive from Cargo.toml against what the registry's own index said.
  rm -rf "$work/theirs"
  (cd app && CARGO_HOME=$work/theirs cargo fetch -q --locked) 2> /dev/null
  cut_off 'cd "$work/stack/app" && rm -rf "$work/ours" && mkdir "$work/ours" && cp "$work/high-home/config.toml" "$work/ours/" &&
    CARGO_HOME=$work/ours cargo fetch -q --locked'
  python3 "$tools/compare_crate_index.py" "$work/theirs" "$work/ours" app/Cargo.lock || fail "the index is not what the registry said"
  step "the index lines say what the registry's own said"
fi

# The bundle alone, as its README.txt says.
(
  cd "$work/medium/rust-1" && cp -r . "$work/copy" && cd "$work/copy"
  for c in packages/cargo/*.crate; do mkdir -p vendor; tar -xzf "$c" -C vendor; d=vendor/$(basename "$c" .crate)
    echo "{\"files\":{},\"package\":\"$(sha256sum < "$c" | cut -c-64)\"}" > "$d/.cargo-checksum.json"; done
)
mkdir "$work/alone"
printf '[source.crates-io]\nreplace-with = "bundle"\n[source.bundle]\ndirectory = "%s"\n' "$work/copy/vendor" > "$work/alone/config.toml"
out=$(cut_off 'cd "$work/stack/app" && rm -rf target && CARGO_HOME=$work/alone cargo build -q --locked && target/debug/app '"$args")
[ "$out" = "$expected" ] || fail "built from the bundle alone: $out"
step "cargo build from the bundle alone"

# What export gives back is a local registry, wherever it is put; an index of it that names other crates is nobody's to replace.
high export --crates --to "$work/crates" > "$work/export.list"
(cd "$work/crates" && sha256sum --quiet -c SHA256SUMS) || fail "SHA256SUMS of the exported crates"
[ "$(ls "$work"/crates/*.crate | wc -l)" = "$count" ] || fail "not all of the $count crates were exported"
high export --crates --to "$work/crates" > "$work/again.list" && cmp "$work/export.list" "$work/again.list" || fail "the same export again"
cp -r "$work/crates" "$work/other-crates" && echo '{}' >> "$(find "$work/other-crates/index" -type f | head -n 1)"
refused immutable high export --crates --to "$work/other-crates"
mv "$work/crates" "$work/moved" && mkdir "$work/local-home"
out=$(cut_off 'cd "$work/stack/app" && rm -rf target && CARGO_HOME=$work/local-home cargo build -q --locked --offline --config "$work/moved/.cargo/config.toml" && target/debug/app '"$args") ||
  fail "cargo does not build from the exported crates: $out"
[ "$out" = "$expected" ] || fail "built from the exported crates: $out"
step "cargo build from a local registry that export wrote"

# A registry that lies, and a lock that is not whole.
if [ "${3:-}" != online ]; then
  printf '[stack]\nname = "rust"\n[cargo.app]\nlock = "app/Cargo.lock"\nindex = "http://127.0.0.1:%s/index/"\n' "$port" > liftlock.toml
  "$low_exe" --quiet --state "$work/other" init > /dev/null
  "$low_exe" --quiet --state "$work/other" lock > /dev/null || fail "an index without cargo"
  [ "$(ls "$work/other/store/blobs/sha256"/*/* | wc -l)" = "$count" ] || fail "not all crates came by the index"
  # A lock without one of its crates: nobody asks cargo while it is locked by an index; check does.
  python3 - <<'PY'
import pathlib
lock = pathlib.Path("app/Cargo.lock")
blocks = [block for block in lock.read_text().split("[[package]]") if 'name = "makes-code"' not in block]
lock.write_text("[[package]]".join(blocks).replace(' "makes-code",\n', ""))
PY
  "$low_exe" --quiet --state "$work/other" lock > /dev/null && "$low_exe" --quiet --state "$work/other" fetch > /dev/null
  refused stack-incomplete "$low_exe" --quiet --state "$work/other" check
  grep -q "no matching package named .makes-code. found" <<< "$("$low_exe" --state "$work/other" check 2> /dev/null)" || fail "the crate is not named"
  cp "$work/Cargo.lock" app/Cargo.lock
  step "a lock that forgot a crate is found out"
  cp "$work/registry/crates/abc-1.0.0.crate" "$work/registry/crates/x-1.0.0.crate"
  "$low_exe" --quiet --state "$work/third" init > /dev/null
  mv liftlock.lock before.lock
  refused digest-mismatch "$low_exe" --quiet --state "$work/third" lock
  python3 "$tools/make_crates.py" "$work/sound" "http://127.0.0.1:$port" && cp "$work/sound/crates/"* "$work/registry/crates/"
  step "a registry that lies is found out, with and without cargo"
fi

# A vendored tree: compared with the lock, carried as one tar, compared again.
config=""  # by itself it asks the registry that is built in, whatever the configuration says
if [ "${3:-}" != online ]; then
  config=--respect-source-config
  grep -q -e "$config" <<< "$(cargo vendor --help)" || { step "left out: this cargo cannot vendor from a made-up registry"; exit 0; }
fi
# shellcheck disable=SC2086
(cd app && cargo vendor -q --locked $config vendor > /dev/null)
low vendor check cargo app/vendor > /dev/null || fail "vendor check"
cat > liftlock.toml <<'TOML'
[stack]
name = "rust"

[cargo.app]
lock = "app/Cargo.lock"
vendor = "app/vendor"
TOML
cross rust-2
grep -q "the vendored tree suffices without a network" <<< "$(low check)" || fail "check of a vendored tree: $(low check)"
id=$(high --json ls | json '["artifacts"]' | grep -o "cargo-vendor:app@[0-9a-f]*" | head -n 1)
high export "$id" --to "$work/exported" > /dev/null
mkdir -p "$work/tree/.cargo" "$work/tree-home" && tar -xf "$work"/exported/*.tar -C "$work/tree"
cp -r app/Cargo.toml app/build.rs app/src "$work/tree/"
printf '[source.crates-io]\nreplace-with = "vendored"\n[source.vendored]\ndirectory = "vendor"\n' > "$work/tree/.cargo/config.toml"
out=$(cut_off 'cd "$work/tree" && CARGO_HOME=$work/tree-home cargo build -q --locked --offline && target/debug/app '"$args")
[ "$out" = "$expected" ] || fail "built from the vendored tree: $out"
"$high_exe" vendor check cargo "$work/tree/vendor" > /dev/null || fail "vendor check on the high side"
step "a vendored tree crosses as one tar and builds offline"

# The same folder, brought by somebody else: an import gives the same tar, and cargo builds from what is given back.
"$high_exe" --quiet --state "$work/other-high" init --zone ingest > /dev/null
other() { "$high_exe" --quiet --state "$work/other-high" "$@"; }
refused unsigned other import app/vendor
sed -i 's/^\[policy\]$/&\nunsigned_imports = true/' "$work/other-high/config.toml"
out=$(other import app/vendor --reason test) || fail "import of a vendored folder"
grep -q "with Cargo.lock" <<< "$out" || fail "Cargo.lock beside the folder was not seen: $out"
[ "$(other ls --kind cargo-vendor --ids)" = "$id" ] || fail "imported as $(other ls --kind cargo-vendor --ids), not as $id"
(cd app && cargo vendor -q --locked --versioned-dirs $config "$work/versioned/vendor" > /dev/null) && cp app/Cargo.lock "$work/versioned/"
tar -czf "$work/versioned.tar.gz" -C "$work" versioned
[ "$(other --json import "$work/versioned.tar.gz" --expect "$(sha256sum < "$work/versioned.tar.gz" | cut -d' ' -f1)" | json '["believed_by"]')" = digest ] ||
  fail "import of --versioned-dirs"
id=$(other ls --kind cargo-vendor --ids | grep versioned)
rm -rf "$work/tree/vendor" "$work/tree/target" "$work/tree/Cargo.lock" "$work/exported"
other export "$id" --to "$work/exported" > /dev/null && tar -xf "$work"/exported/*.tar -C "$work/tree"
diff -r "$work/versioned/vendor" "$work/tree/vendor" || fail "other files came back"
out=$(cut_off 'cd "$work/tree" && CARGO_HOME=$work/tree-home cargo build -q --locked --offline && target/debug/app '"$args")
[ "$out" = "$expected" ] || fail "built from the imported tree: $out"
cp -r "$work/versioned" "$work/without-lock" && rm "$work/without-lock/Cargo.lock"
grep -q "without Cargo.lock" <<< "$(other import "$work/without-lock" --reason test)" || fail "import without Cargo.lock"
sed 's/^checksum = ".*"/checksum = "'"$(printf 'a%.0s' $(seq 64))"'"/' app/Cargo.lock > "$work/versioned/Cargo.lock"
refused digest-mismatch other import "$work/versioned" --reason test
cp app/Cargo.lock "$work/versioned/" && ln -s /etc/passwd "$work/versioned/vendor/$(ls "$work/versioned/vendor" | head -n 1)/passwd"
refused not-regular other import "$work/versioned" --reason test
step "a vendored folder is imported, compared, given back and built from"

victim=$(ls app/vendor | head -n 1)
echo '// one more line' >> "app/vendor/$victim/src/lib.rs"
touch "app/vendor/$victim/extra.rs"
rm -rf "app/vendor/$(ls app/vendor | tail -n 1)"
out=$("$low_exe" vendor check cargo app/vendor) && fail "a changed tree was called good"
for words in "was changed" "'extra.rs' is not in" "the tree lacks it"; do grep -q "$words" <<< "$out" || fail "not told: $words: $out"; done
refused digest-mismatch low lock --update cargo.app
step "what was changed, added or removed in it is named"
