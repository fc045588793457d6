#!/usr/bin/env bash
# A Go module crosses: go itself builds it from the mirror, where there is no network.
# go_test.sh LIFTLOCK_LOW LIFTLOCK_HIGH [online]
# With `online` the modules come from the proxy that this machine's go is configured for; without it from a made-up one in a
# folder. Exit status 77: there is no go of 1.19 or later here.
source "$(dirname "$0")/crossing_machines.sh" || exit 1
source "$(dirname "$0")/package_crossing.sh"
tools=$(cd "$(dirname "$0")/../tools" && pwd)
command -v go > /dev/null || skip "there is no go"
minor=$(go env GOVERSION | sed -n 's/^go1\.\([0-9]*\).*/\1/p')
[ -n "$minor" ] && [ "$minor" -ge 19 ] || skip "$(go version) is older than 1.19"
export GOTOOLCHAIN=local GOFLAGS=-modcacherw GOPATH=$work/gopath GOMODCACHE=$work/low-cache GOENV=off
[ "${3:-}" != online ] || unset GOENV
mkdir -p "$work/stack/app"
cd "$work/stack"
printf '[stack]\nname = "gopher"\n\n[go.app]\nmodule = "app/go.mod"\n' > liftlock.toml
# Before go 1.17 a build reads the go.mod of modules that it takes in another version.
printf 'module example.test/app\n\ngo 1.16\n' > app/go.mod

if [ "${3:-}" = online ]; then
  cat > app/main.go <<'GO'
package main

import (
	"fmt"

	"github.com/BurntSushi/toml"
	"github.com/spf13/cobra"
	"golang.org/x/text/cases"
	"golang.org/x/text/language"
)

func main() {
	var value struct{ Name string }
	_, err := toml.Decode("name = 'ada'", &value)
	command := cobra.Command{Use: "app", Run: func(*cobra.Command, []string) {
		fmt.Println(cases.Title(language.English).String(value.Name), err)
	}}
	command.Execute()
}
GO
  expected='Ada <nil>'
  (cd app && go mod tidy > "$work/go.log" 2>&1) || skip "the proxy cannot be had: $(tail -3 "$work/go.log")"
else
  python3 "$tools/make_modules.py" "$work/proxy"
  export GOPROXY=file://$work/proxy GOSUMDB=off
  echo 'require example.test/older v0.0.0-20200102030405-0123456789ab' >> app/go.mod
  cat > app/main.go <<'GO'
package main

import (
	"fmt"

	"example.test/deep/v2"
	"example.test/older"
)

func main() { fmt.Println(deep.Word(), older.Word()) }
GO
  expected='deep base older base'
  (cd app && go mod tidy 2> "$work/go.log") || fail "go mod tidy: $(cat "$work/go.log")"
fi
cp app/go.sum "$work/go.sum"

cross go-1
cmp -s app/go.sum "$work/go.sum" || fail "liftlock lock changed go.sum"
zips=$(grep -c -v '/go.mod ' app/go.sum) mods=$(grep -c '/go.mod ' app/go.sum)
[ "$(find "$work/medium/go-1/packages/go" -name '*.zip' | wc -l)" = "$zips" ] || fail "not all of the $zips modules are in the bundle"
[ "$(find "$work/medium/go-1/packages/go" -name '*.mod' | wc -l)" = "$mods" ] || fail "not all of the $mods go.mod files are in the bundle"
step "$zips modules and $mods go.mod files crossed, each by its hash in go.sum"

out=$(low check) || fail "check: $out"
grep -q "suffice without a network (go list -deps -test ./..., go1" <<< "$out" || fail "check says: $out"
cmp -s app/go.sum "$work/go.sum" || fail "check changed go.sum"
awk '!gone && !/go.mod/ {gone = 1; next} {print}' "$work/go.sum" > app/go.sum
low lock > /dev/null && low fetch > /dev/null
refused stack-incomplete low check
grep -q "✗ \[go.app\].*missing go.sum entry" <<< "$("$low_exe" --state "$low_state" check 2> /dev/null)" || fail "the module without a hash is not named"
cp "$work/go.sum" app/go.sum && low lock > /dev/null && low fetch > /dev/null
step "go list from the stack's modules alone; a go.sum without an entry is found out"

cp liftlock.toml "$work/liftlock.toml" && echo 'build = true' >> liftlock.toml
low lock > /dev/null && low fetch > /dev/null
out=$(low check) || fail "check with a build: $out"
grep -q "suffice without a network (go build ./..., go1" <<< "$out" || fail "check with a build says: $out"
[ ! -e app/app ] || fail "the build of check wrote into the project"
echo 'func broken() { nobodyWroteThis() }' >> app/main.go
refused stack-incomplete low check
grep -q "✗ \[go.app\].*does not build the module.*nobodyWroteThis" <<< "$("$low_exe" --state "$low_state" check 2> /dev/null)" || fail "the error of the compiler is not told"
sed -i '/^func broken/d' app/main.go && cp "$work/liftlock.toml" liftlock.toml
low lock > /dev/null && low fetch > /dev/null
step "build = true: go build from the stack's modules alone; sources that do not compile are found out"

build='
  cd "$work/stack/app"
  unset GOPROXY GOSUMDB GOENV
  export GOENV=$work/high-env GOMODCACHE=$work/high-cache GOCACHE=$work/high-build HOME=$work
  "$high_exe" --quiet --state "$high_state" render clients --client go --base-url "$mirror" | grep -v "^#" > "$GOENV"
  go build -o "$work/program" .
  "$work/program"'
out=$(cut_off "$build") || fail "go does not build from the mirror: $out $(tail -3 "$work/serve.log")"
[ "$out" = "$expected" ] || fail "the program says: $out"
cmp -s app/go.sum "$work/go.sum" || fail "go build changed go.sum"
tested go go "$(go version | sed 's/.* go\([0-9.]*\) .*/\1/')"
step "go build from the mirror, without a route; the program runs"

# Nobody set GOSUMDB: go.sum is enough for a build. What is not in one is asked of the mirror, and nowhere else.
out=$(cut_off '
  unset GOPROXY GOSUMDB GONOSUMDB GOPRIVATE
  export GOENV=off GOPROXY=$mirror/go GOMODCACHE=$work/default-cache GOCACHE=$work/high-build HOME=$work
  cd "$work/stack/app" && go build -o "$work/default" . && "$work/default"
  mkdir "$work/no-sum" && cp go.mod "$work/no-sum/" && cd "$work/no-sum"
  export GOMODCACHE=$work/default-cache2
  go mod download 2>&1 && { echo "without go.sum and a database" >&2; exit 1; }
  GOSUMDB=off go mod download') || fail "go without GOSUMDB: $out"
[ "$(head -n 1 <<< "$out")" = "$expected" ] || fail "built without GOSUMDB: $out"
grep -q "/go/sumdb/.*/supported: 403" <<< "$out" && grep -q "GOSUMDB=off" <<< "$out" || fail "it is not said what to set: $out"
if grep -q "dial tcp\|https://" <<< "$out"; then fail "go looked outside: $out"; fi
step "a whole go.sum needs no setting; without one go is told to set GOSUMDB=off, and looks nowhere else"

first=$(awk '!/go.mod/ {print $1; exit}' app/go.sum)
out=$(first=$first cut_off '
  unset GOPROXY GOSUMDB
  export GOENV=$work/high-env GOMODCACHE=$work/high-cache2 HOME=$work
  cd "$work/stack/app" && go mod download && go mod verify && go list -m -versions "$first"
  go get example.test/no/such@v1.0.0 2>&1 && exit 1 || true') || fail "go mod download from the mirror: $out"
grep -q 'all modules verified' <<< "$out" || fail "go mod verify: $out"
grep -q '404 Not Found' <<< "$out" || fail "what is not there must be told so: $out"
step "go mod download, go mod verify and go list from the mirror"

out=$(cut_off 'with_tokens
  unset GOPROXY GOSUMDB
  export GOENV=off GOPROXY=$guarded/go GOSUMDB=off GOMODCACHE=$work/token-cache HOME=$work/token-home SSL_CERT_FILE=$ca
  mkdir -p "$HOME" && cd "$work/stack/app"
  go mod download 2> "$work/refused.log" && { echo "without a token" >&2; exit 1; }
  printf "machine %s login x password $token\n" 127.0.0.1:8481 127.0.0.1 > "$HOME/.netrc" && chmod 600 "$HOME/.netrc"  # go before 1.24: without the port
  go mod download && go mod verify') || fail "go with a token: $out"
step "a mirror that speaks TLS and wants read tokens gets go's"

out=$(cut_off '
  unset GOENV
  export GOENV=off GOPROXY=file://$work/medium/go-1/packages/go GOSUMDB=off GOMODCACHE=$work/alone-cache GOCACHE=$work/alone-build HOME=$work
  cd "$work/stack/app" && go build -o "$work/alone" . && "$work/alone"') || fail "go does not build from the bundle: $out"
[ "$out" = "$expected" ] || fail "built from the bundle alone: $out"
step "go build from the bundle alone"

high export --go-proxy --to "$work/exported" > /dev/null
(cd "$work/exported" && sha256sum --quiet -c SHA256SUMS) || fail "SHA256SUMS of the exported modules"
out=$(first=$first cut_off '
  unset GOENV
  export GOENV=off GOPROXY=file://$work/exported GOSUMDB=off GOMODCACHE=$work/exported-cache GOCACHE=$work/exported-build HOME=$work
  cd "$work/stack/app" && go build -o "$work/from-export" . && "$work/from-export"
  go mod download && go mod verify && go list -m -versions "$first"') || fail "go does not build from the exported modules: $out"
[ "$(head -n 1 <<< "$out")" = "$expected" ] || fail "built from the exported modules: $out"
grep -q 'all modules verified' <<< "$out" || fail "go mod verify of the exported modules: $out"
step "go build from a folder that export wrote"

# A proxy that lies, and a go.sum with a gap.
if [ "${3:-}" != online ]; then
  cp "$work/proxy/example.test/!acme/!base/@v/v1.0.0.zip" "$work/proxy/example.test/!acme/!base/@v/v1.1.0.zip"
  rm liftlock.lock
  "$low_exe" --quiet --state "$work/other" init > /dev/null
  refused path-unsafe "$low_exe" --quiet --state "$work/other" lock
  python3 - "$work/proxy" <<'PY'
import pathlib, sys, zipfile
at = pathlib.Path(sys.argv[1]) / "example.test/!acme/!base/@v/v1.1.0.zip"
with zipfile.ZipFile(at, "w") as out:
    out.writestr("example.test/Acme/Base@v1.1.0/code.go", "package base\n\nfunc Word() string { return \"evil\" }\n")
PY
  refused digest-mismatch "$low_exe" --quiet --state "$work/other" lock
  sed -i '/deep/d' app/go.sum
  refused unresolvable "$low_exe" --quiet --state "$work/other" lock
  step "a proxy that lies is found out, and a go.sum with a gap"
fi
