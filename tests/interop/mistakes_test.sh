#!/usr/bin/env bash
# Typical mistakes at the command line and places that cannot be written: each must be refused with its code, its exit
# status and a hint that helps, and reading must work wherever the bytes can be read.
#   mistakes_test.sh LIFTLOCK_LOW LIFTLOCK_HIGH
source "$(dirname "$0")/crossing_machines.sh" || exit 1
high_state=$work/state
# refused STATUS CODE WORDS COMMAND…: as elsewhere, and with exactly this exit status and these words (a pattern) in message
# or hint.
refused() {
  local status=$1 code=$2 words=$3 out got=0; shift 3
  out=$("$@" 2>&1) || got=$?
  [ "$got" = "$status" ] || fail "$*: exit status $got instead of $status: $out"
  grep -q "error\[$code\]" <<< "$out" || fail "$*: expected $code, got: $out"
  grep -qE -- "$words" <<< "$(tr '\n' ' ' <<< "$out")" || fail "$*: '$words' is not in: $out"
  ! grep -qE '\.[0-9]+\.[0-9]+\.tmp|json\.exception' <<< "$out" || fail "$*: an inner name in: $out"
}

# --- words that are no commands and no options
refused 2 usage "no command 'pakc'.*did you mean 'pack'" low pakc --output x
refused 2 usage "trust has no command 'keygn'.*did you mean 'keygen'" low trust keygn
refused 2 usage "no option '--ouput'.*did you mean '--output'" low pack --ouput x
refused 2 usage "no option '-z'.*liftlock ls --help" low ls -z
refused 2 usage "liftlock needs a command" low
refused 2 usage "liftlock trust needs a command" low trust
refused 2 usage "output.*liftlock pack --help" low pack
grep -q -- --output <<< "$("$low_exe" pack --help)" || fail "help of a command"
[ "$("$high_exe" --json engine --help | json '["help"]')" = "$("$high_exe" engine --help)" ] || fail "--json --help"
grep -q "Exit status" <<< "$("$low_exe" --help)" || fail "the top help"
for side in "$low_exe" "$high_exe"; do
  if grep -A5 "^Subcommands:" <<< "$("$side" --help)"; then fail "commands that stand under no heading of their own"; fi
done
[ "$("$low_exe" --json pakc 2>/dev/null | json '["error"]["code"]')" = usage ] || fail "a mistake as JSON"
# Each side knows the other's commands by name, and no side says so of its own.
commands() { "$1" completion | sed -n "s/^ *'liftlock') words='\([^']*\)'.*/\1/p" | tr ' ' '\n' | grep -v '^--' | sort; }
for name in $(comm -23 <(commands "$low_exe") <(commands "$high_exe")); do
  case $name in
    lock | fetch) refused 3 offline "liftlock $name. needs the internet.*liftlock-low" high "$name" --help ;;
    *) refused 2 usage "'$name' is a command of the low side" high "$name" --help ;;
  esac
done
# B30: what needs the internet is answered at once, with what to do instead.
refused 3 offline "model search. needs the internet.*liftlock ls" high model search llama
refused 3 offline "liftlock download. needs the internet.*liftlock.toml on the low side" high download llama
refused 3 offline "model pull. needs the internet.*liftlock.toml on the low side" high model pull llama
refused 3 offline "engine registry. needs the internet.*liftlock engine ls" high engine registry
refused 3 offline "liftlock cloud. needs the internet.*liftlock model ls" high cloud models
refused 3 offline "liftlock update. needs the internet.*no updater" high update
refused 2 usage "liftlock has no command 'update'" low update
refused 2 usage "record has no command 'search'" high record search
for name in $(comm -13 <(commands "$low_exe") <(commands "$high_exe")); do
  refused 2 usage "'$name' is a command of the high side" low "$name"
done
refused 7 not-found "no error code 'extra-fil'.*did you mean 'extra-file'.*liftlock explain. lists" low explain extra-fil
refused 7 not-found "no error code 'nosuch'.*hint: .liftlock explain. lists" high explain nosuch
for word in abc -1 99999999999999999999 1.5 ""; do
  refused 2 usage "ENTRY: '$word' is no whole number from 0 to [0-9]+" high audit prove -- "$word"
done
refused 2 usage "--count: '0' is no whole number from 1 to 100000" high audit tail -n 0
refused 2 usage "--sequence: '-3' is no whole number from 1" low pack --sequence -3 --output x
refused 2 usage "--pending: 'b' is no whole number from 1" low pack --pending 1,b --output x
refused 2 usage "N: '-2' is no whole number" low trust threshold builder -- -2
refused 2 usage "--patience: '1h' is no whole number" high engine run x --model y --patience 1h
refused 2 usage "--offline of .liftlock lock. takes no value" low lock --offline=maybe
# Nothing from the command line moves the cursor or makes a line of its own.
evil=$(printf 'a\033[2Jb\nliftlock: error[usage]: c\td')
for command in "keygen --type" "pin" "show"; do
  # shellcheck disable=SC2086
  out=$(low trust $command "$evil" --role root --out x 2>&1 || true; low trust $command "$evil" 2>&1 || true)
  LC_ALL=C grep -q $'[\001-\011\013-\037\177]' <<< "$out" && fail "trust $command prints control characters: $out"
  [ "$(grep -c '^liftlock: error' <<< "$out")" -le 2 ] || fail "trust $command prints foreign lines: $out"
done
low init --stack-file "$work/$(printf 'x\033[2Jy')" > "$work/out" && ! grep -q $'\033' "$work/out" || fail "init prints control characters"
rm -r "$work/low"
[ "$("$high_exe" --json --version | json '["side"]')" = high ] || fail "--version --json"
[ "$("$low_exe" --version)" = "liftlock $("$low_exe" --json --version | json '["version"]') (low side)" ] || fail "--version"

# --- completion in bash, and the man pages
for exe in "$low_exe" "$high_exe"; do
  "$exe" completion > "$work/completion"
  [ "$("$exe" --json completion | json '["script"]')" = "$(cat "$work/completion")" ] || fail "completion --json"
  bash -euc 'source "$1"
    complete_words() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _liftlock || true; echo "${COMPREPLY[*]}"; }
    [ "$(complete_words liftlock trust key)" = keygen ]
    [ "$(complete_words liftlock --quiet trust add)" = add-key ]
    [ "$(complete_words liftlock doctor "")" = "wheelhouse model cache --help" ]
    [ "$(complete_words liftlock scrub --quar)" = --quarantine ]
    [ "$(complete_words liftlock verify "${1%on}")" = "$1" ]' _ "$work/completion" || fail "completion of $exe"
  grep -q "pages in" <<< "$("$exe" manual "$work/man")" || fail "manual"
  for page in liftlock liftlock-trust-keygen liftlock-gc liftlock-audit-verify; do
    [ -s "$work/man/$page.1" ] || fail "no page $page"
  done
  for page in "$work"/man/*.1; do
    if command -v groff > /dev/null; then
      groff -Kutf8 -man -Tutf8 -ww "$page" > "$work/page" 2> "$work/complaints" || fail "groff refuses $page"
      [ ! -s "$work/complaints" ] || fail "$page: $(cat "$work/complaints")"
      # Into a file first: a grep that leaves early would end the sed of a long page, and with pipefail the test.
      sed 's/\x1b\[[0-9;]*m//g; s/.\x08//g' "$work/page" > "$work/plain"
      for section in NAME SYNOPSIS OPTIONS "EXIT STATUS"; do
        grep -q "^$section" "$work/plain" || fail "$page lacks $section"
      done
    else
      grep -q "^\.SH NAME" "$page" || fail "$page is no man page"
    fi
  done
  rm -r "$work/man"
done

# --- the low side
low init --zone low > /dev/null
low trust keygen --role root --out "$work/root.pem" > /dev/null
low trust keygen --role builder --out "$work/builder.pem" > /dev/null
low trust init --organisation test --root-key "$work/root.pem" --add "builder:$work/builder.pem" > /dev/null
fingerprint=$(low --json trust show | json '["fingerprint"]')
mkdir -p "$work/stack/models" "$work/elsewhere" && cd "$work/stack"
python3 "$root/tests/tools/make_model.py" gguf models/tiny.gguf
(cd models && sha256sum tiny.gguf > MODEL_MANIFEST.sha256)
head -c 3000000 /dev/urandom > big.bin
stack() { printf '[stack]\nname = "test"\n[file.big]\nsource = "big.bin"\n[model.tiny]\nsource = "models"\n%b' "$1"; }
stack 'include = 3\n' > liftlock.toml
refused 2 stack-invalid "liftlock.toml: line 7" low lock
stack 'inclde = []\n' > liftlock.toml
refused 2 unknown-key "line 7.*did you mean 'include'.*stack.md" low lock
printf '[stack]\nname = "test"\n[file.all]\nsource = ""\n' > liftlock.toml
refused 2 stack-invalid "line 4: 'source' of \[file.all\] is empty" low lock
stack '' > liftlock.toml
# Relative paths are the stack file's, wherever the command runs: also those that only the lock's digest depends on.
(cd "$work/elsewhere" && low lock --stack "$work/stack/liftlock.toml" > /dev/null && low fetch --stack "$work/stack/liftlock.toml" > /dev/null)
cp liftlock.lock elsewhere.lock
low lock > /dev/null && cmp -s liftlock.lock elsewhere.lock || fail "the lock depends on the current folder"
echo '# changed' >> models/MODEL_MANIFEST.sha256
(cd "$work/elsewhere" && refused 3 lock-stale "." low fetch --frozen --stack "$work/stack/liftlock.toml")
refused 3 lock-stale "model.tiny.*hint: run .liftlock lock., then .liftlock fetch." low pack --output "$work/media/x"
low lock > /dev/null && low fetch > /dev/null
# A local file that was edited after it was locked, even to the same size
cp -r "$work/stack" "$work/edited" && damage "$work/edited/big.bin" 7
update='liftlock lock --update file.big. takes the new one'
grep -q "$update" <<< "$("$low_exe" --state "$work/low" lock 2>&1)" && fail "nothing changed"
"$low_exe" --state "$work/low" lock --stack "$work/edited/liftlock.toml" 2> "$work/out" > /dev/null
[ "$(grep -c "^warning: file.big: 'big.bin' changed since it was locked; .$update" "$work/out")" = 1 ] || fail "no remark: $(cat "$work/out")"
"$low_exe" --quiet --json --state "$work/low" lock --stack "$work/edited/liftlock.toml" > "$work/json" 2> "$work/out"
grep -q "$update" "$work/out" || fail "silent with --quiet"
grep -q '"path": *"big.bin"' "$work/json" || fail "not in the JSON: $(cat "$work/json")"
"$low_exe" --quiet --state "$work/other" init --zone low > /dev/null
refused 6 upstream-changed "big.bin' changed.*hint: .$update" \
  "$low_exe" --quiet --state "$work/other" fetch --frozen --stack "$work/edited/liftlock.toml"
rm -r "$work/other" "$work/edited"
# Local files are referred to (or cloned, where the file system can): edited after fetch they are told, and never packed as what was locked.
other() { "$low_exe" --quiet --state "$work/other" "$@"; }
copies() { find "$work/other/store/blobs" -type f | wc -l; }
other init --zone low > /dev/null
cp -r "$work/stack" "$work/referred"
other fetch --frozen --stack "$work/referred/liftlock.toml" > /dev/null
other pack --lock "$work/referred/liftlock.lock" --output "$work/media/referred" > /dev/null
cmp "$work/media/referred/files/big.bin" big.bin || fail "packed from where it lies"
if [ "$(copies)" = 0 ]; then
  damage "$work/referred/big.bin" 7
  refused 2 not-fetched "big.bin' changed, and the store only refers to it.*--copy" \
    other pack --lock "$work/referred/liftlock.lock" --output "$work/media/changed"
  cp big.bin "$work/referred/big.bin"
  other fetch --frozen --stack "$work/referred/liftlock.toml" > /dev/null
  [ "$(copies)" = 0 ] || fail "the same bytes again are referred to again"
  other fetch --frozen --copy --stack "$work/referred/liftlock.toml" > /dev/null
  [ "$(copies)" -ge 2 ] || fail "$(copies) copies"
fi
rm "$work/referred/big.bin"
other pack --lock "$work/referred/liftlock.lock" --output "$work/media/kept" > /dev/null
cmp "$work/media/kept/files/big.bin" big.bin || fail "the copy was packed"
rm -r "$work/other" "$work/referred" "$work/media/referred" "$work/media/kept"
# What came, went or changed in a carried folder since, alike; --json says which
mkdir -p "$work/folder/docs/deep" && (
  cd "$work/folder"
  printf '[stack]\nname = "docs"\n[file.docs]\nsource = "docs"\nexclude = ["*.tmp"]\n' > liftlock.toml
  for name in stays goes edited; do echo "$name" > "docs/$name"; done
  "$low_exe" --quiet --state "$work/folder/state" init --zone low > /dev/null
  "$low_exe" --quiet --state "$work/folder/state" lock > /dev/null
  echo other > docs/edited; rm docs/goes; echo new > docs/deep/new; echo x > docs/y.tmp
  "$low_exe" --json --quiet --state "$work/folder/state" lock > "$work/json" 2> "$work/out"
)
for line in "'docs/deep/new' is new since it was locked; .liftlock lock --update file.docs. takes it, too" \
  "'docs/goes' is gone since it was locked; .liftlock lock --update file.docs. leaves it out" "'docs/edited' changed since it was locked"; do
  grep -q "^warning: file.docs: $line" "$work/out" || fail "no '$line' in: $(cat "$work/out")"
done
[ "$(grep -c ^warning "$work/out")" = 3 ] || fail "other remarks: $(cat "$work/out")"
[ "$(json '["changed_files"].__len__()' < "$work/json")" = 3 ] && grep -q '"change": *"gone"' "$work/json" || fail "changed_files: $(cat "$work/json")"
# A place that cannot be reached is not gone, and no reason to refuse what is locked
(cd "$work/folder" && rm -r docs && ln -s docs docs && "$low_exe" --quiet --json --state "$work/folder/state" lock) > "$work/json" 2> "$work/out" \
  || fail "lock where a folder cannot be reached: $(cat "$work/out")"
grep -q "^warning: file.docs: 'docs/goes' cannot be read, so it may have changed; it stays as it was locked" "$work/out" || fail "$(cat "$work/out")"
grep -q '"change": *"unreachable"' "$work/json" && ! grep -q '"gone"' "$work/json" || fail "changed_files: $(cat "$work/json")"
rm -r "$work/folder"
# Lists of many on a terminal: their beginning; a pipe gets all of them
on_terminal() { python3 -c 'import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))' "$@" < /dev/null; }
mkdir -p "$work/many/docs" && (
  cd "$work/many"
  many() { "$low_exe" --quiet --state "$work/many/state" "$@"; }
  printf '[stack]\nname = "many"\n[file.docs]\nsource = "docs"\n' > liftlock.toml
  for n in $(seq 60); do echo "$n" > "docs/page$n"; done
  many init --zone low > /dev/null && many lock > /dev/null && many fetch > /dev/null && many pack --output bundle > /dev/null
  find bundle/files -type f -delete
  ! many verify --integrity-only bundle > out || fail "verify without files"
  [ "$(grep -c ^PROBLEM out)" = 60 ] || fail "a pipe lacks some: $(cat out)"
  ! on_terminal "$low_exe" --quiet --state state verify --integrity-only bundle > out || fail "verify without files"
  [ "$(grep -c ^PROBLEM out)" = 40 ] && grep -q "^… and 20 more problems (--all or --json shows them)" out && grep -q "^BAD: 60 problems" out || fail "$(cat out)"
  ! on_terminal "$low_exe" --quiet --state state verify --integrity-only --all bundle > out || fail "verify without files"
  [ "$(grep -c ^PROBLEM out)" = 60 ] || fail "--all: $(cat out)"
  id=$(many ls --ids)
  [ "$(many show "$id" | grep -c '^    sha256 ')" = 60 ] || fail "show to a pipe"
  on_terminal "$low_exe" --quiet --state state show "$id" > out
  [ "$(grep -c '^    sha256 ' out)" = 20 ] && grep -q "… and 40 more files (--all or --json shows them)" out || fail "$(cat out)"
)
rm -r "$work/many"
# A folder that was moved away: one line tells it, and what to do; fetch and pack name the entry and the folder, too
mkdir -p "$work/moved/docs" && (
  cd "$work/moved"
  moved() { "$low_exe" --quiet --state "$work/moved/state" "$@"; }
  printf '[stack]\nname = "moved"\n[file.docs]\nsource = "docs"\n' > liftlock.toml
  for n in $(seq 12); do echo "$n" > "docs/page$n"; done
  moved init --zone low > /dev/null && moved lock > /dev/null && moved fetch > /dev/null
  for n in $(seq 12); do echo "new $n" > "docs/page$n"; done
  moved lock > /dev/null 2> "$work/out" || fail "lock: $(cat "$work/out")"
  [ "$(grep -c ^warning "$work/out")" = 1 ] || fail "one thing, told often: $(cat "$work/out")"
  grep -q "^warning: file.docs: 12 files below 'docs' changed since they were locked: 'docs/page1'.* and 9 more; .liftlock lock --update file.docs. takes the new ones" "$work/out" ||
    fail "$(cat "$work/out")"
  for n in $(seq 12); do echo "$n" > "docs/page$n"; done
  mv docs elsewhere
  moved lock > /dev/null 2> "$work/out" || fail "lock: $(cat "$work/out")"
  [ "$(grep -c ^warning "$work/out")" = 1 ] || fail "one folder, told often: $(cat "$work/out")"
  grep -q "^warning: file.docs: '$PWD/docs' is gone, or was moved, and 12 locked files with it; .*the source of \[file.docs\]" "$work/out" ||
    fail "$(cat "$work/out")"
  "$low_exe" --quiet --state "$work/moved/other" init --zone low > /dev/null
  refused 6 upstream-changed "'$PWD/docs' is gone, or was moved.*hint: put it back.*the source of \[file.docs\]" \
    "$low_exe" --quiet --state "$work/moved/other" fetch --frozen
  # Only a part is gone: the source is still the right one.
  mkdir docs && for n in $(seq 12); do cp "elsewhere/page$n" docs; done && mkdir docs/more && echo a > docs/more/a && echo b > docs/more/b
  moved lock --update-all > /dev/null && rm -r docs/more && moved lock > /dev/null 2> "$work/out"
  grep -q "^warning: file.docs: 'docs/more/a' is gone since it was locked; .liftlock lock --update file.docs. leaves it out" "$work/out" || fail "$(cat "$work/out")"
  refused 6 upstream-changed "'$PWD/docs/more' is gone.*hint: put it back, or .liftlock lock --update file.docs. leaves it out" \
    "$low_exe" --quiet --state "$work/moved/other" fetch --frozen
  moved lock --update file.docs > /dev/null && rm -r docs
  # A source that is one file.
  echo note > note && printf '[file.note]\nsource = "note"\n' >> liftlock.toml && mv elsewhere docs && moved lock > /dev/null && rm note
  moved lock > /dev/null 2> "$work/out" && grep -q "^warning: file.note: '$PWD/note' is gone, or was moved; put it back, or write its new place as the source of \[file.note\]" "$work/out" ||
    fail "$(cat "$work/out")"
  sed -i '/file.note/,$d' liftlock.toml && moved lock > /dev/null && moved fetch > /dev/null && mv docs elsewhere
  if [ "$(find state/store/blobs -type f | wc -l)" = 0 ]; then
    refused 2 not-fetched "the store lacks 12 files.*'$PWD/docs' is gone, or was moved.*hint: put it back.*the source of \[file.docs\]" \
      moved pack --output "$work/media/moved"
    mv elsewhere docs && echo other > docs/page1
    refused 2 not-fetched "page1' changed.*hint: .*liftlock lock --update file.docs.;" moved pack --output "$work/media/moved"
  fi
)
rm -r "$work/moved"
# Sources that are no files, and repositories that are none
mkdir -p "$work/odd/plain" && echo text > "$work/odd/plain/file" && mkfifo "$work/odd/pipe" && echo '{"lockfileVersion": 3,' > "$work/odd/package-lock.json"
odd() { printf '[stack]\nname = "odd"\n%b\n' "$1" > "$work/odd/liftlock.toml"; }
for source in /dev/zero pipe; do
  odd "[file.x]\nsource = \"$source\""
  refused 4 not-regular "is a (device|pipe).*hint:.*into a file" low lock --stack "$work/odd/liftlock.toml"
done
for source in /dev/zero pipe; do
  odd "[npm.x]\nlock = \"$source\""
  refused 4 not-regular "which is no regular file.*hint: name a file" timeout 30 "$low_exe" --quiet --state "$work/low" lock --stack "$work/odd/liftlock.toml"
done
odd '[git.x]\nurl = "plain"'
refused 6 unresolvable "'plain' is no git repository.*hint:.*\[file.NAME\]" low lock --stack "$work/odd/liftlock.toml"
odd '[npm.x]\nlock = "package-lock.json"'
refused 4 json-invalid "'package-lock.json': .*line [0-9]+, column.*hint:.*npm install --package-lock-only" low lock --stack "$work/odd/liftlock.toml"
odd ''
for command in lock check; do
  grep -q "names nothing to carry" <<< "$(low $command --stack "$work/odd/liftlock.toml" 2>&1)" || fail "$command of an empty stack"
done
rm -r "$work/odd"
sed 's/^{/{ oops/' liftlock.lock > bad.lock
refused 4 lock-invalid "line 1, column.*bad.lock" low pack --lock bad.lock --output "$work/media/x"
# The lock of prod.toml is prod.lock, whatever lies beside it.
(
  cd "$work/stack" && echo prod > prod.txt
  printf '[stack]\nname = "prod"\n[file.prod]\nsource = "prod.txt"\n' > prod.toml
  low lock --stack prod.toml > /dev/null && low fetch --stack prod.toml > /dev/null
  low pack --lock prod.lock --output "$work/media/prod" > /dev/null || fail "a second stack beside liftlock.toml"
  printf 'executable = true\n' >> prod.toml
  refused 3 lock-stale "stack prod.toml: .*hint: run .liftlock lock --stack prod.toml., then .liftlock fetch --stack prod.toml." \
    low pack --lock prod.lock --output "$work/media/prod-2"
  mv prod.lock moved.lock
  grep -q "there is no moved.toml: whether the lock .* was not checked" \
    <<< "$("$low_exe" --state "$work/low" pack --lock moved.lock --output "$work/media/prod-2" 2>&1)" || fail "an unchecked lock goes out silently"
  rm -r prod.* moved.lock "$work/media/prod" "$work/media/prod-2"
)
mkdir -p "$work/media/empty" "$work/media/full/of"
echo x > "$work/media/plain"
refused 2 usage "is no folder.*name a new one" low pack --output "$work/media/plain"
refused 2 usage "holds other things.*bundle-1" low pack --output "$work/media/full"
low pack --output "$work/media/empty/" > /dev/null || fail "an empty folder is a fine place"
mv "$work/media/empty" "$work/media/one"
refused 2 key-missing "is a public key.*hint: it lies beside it: '$work/builder.pem'" low sign "$work/media/one" --role builder --key "$work/builder.pem.pub"
low sign "$work/media/one" --role builder --key "$work/builder.pem" > /dev/null
low pack --output "$work/media/two" > /dev/null
refused 3 immutable "the next is 3" low pack --sequence 1 --output "$work/media/full/of"
rmdir "$work/media/full/of"
refused 2 usage "there is no kind 'modle'.*did you mean 'model'" low ls --kind modle
refused 7 not-found "no bundle of a channel 'nope'" low ls --channel nope
for kind in wheel sdist deb apt-index image model engine file; do
  low ls --kind "$kind" > /dev/null || fail "ls --kind $kind"
done
grep -q "nothing fits" <<< "$(low ls --kind wheel)" || fail "a kind that the store does not have"
cp -r "$work/media/one" "$work/media/lacking"
find "$work/media/lacking" -name big.bin -delete
low verify "$work/media/lacking" > "$work/out" && fail "a missing file was accepted"
[ "$(grep -c PROBLEM "$work/out")" = 1 ] && grep -q "1 problem in 3 files" "$work/out" || fail "verify: $(cat "$work/out")"
cp -r "$work/media/one" "$work/media/renamed"
mv "$work/media/renamed"/signatures/builder.* "$work/media/renamed/signatures/builder.0123456789abcdef.sigstore.json"
grep -q "names the key 0123456789abcdef" <<< "$(low verify "$work/media/renamed" || true)" || fail "a signature under another key's name"
sed -i '1s/^{/{ oops/' "$work/media/renamed/manifest/bundle.json"
refused 4 json-invalid "not valid JSON at line 1, column.*bundle.json" low verify "$work/media/renamed"
rm -r "$work/media/renamed" "$work/media/lacking"

# --- the high side
refused 2 usage "no zone 'hgih'.*transfer, ingest or production on the high side" high init --zone hgih
refused 2 usage "zone is missing" high init
refused 3 wrong-zone "belongs to the other side" high init --zone low
high init --zone ingest > /dev/null
config() { printf 'zone = "ingest"\n[policy]\nreserve = "%s"\n[source.drop]\npath = "%s"\nrequire_read_only = false\n[source.usb]\npath = "%s"\n%b' "$1" "$work/media" "$work/mnt" "${2:-}" > "$work/state/config.toml"; }
config much
refused 2 config-invalid "line 3" high ls
config 1MiB '[serv]\n'
refused 2 unknown-key "line 9.*did you mean 'serve'.*config.md" high ls
config 1MiB
refused 3 trust-missing "hint:.*liftlock trust pin '$work/media/one' --fingerprint" high ingest drop/one \
  --expect "$(sha256sum < "$work/media/one/manifest/bundle.json" | cut -d' ' -f1)"
high trust pin "$work/media/one" --fingerprint "$fingerprint" > /dev/null
digest=$(sha256sum < "$work/media/one/manifest/bundle.json" | cut -d' ' -f1)
refused 7 not-found "the folder.*of source 'usb' does not exist.*mount" high ingest usb/one --expect "$digest"
mkdir "$work/mnt"
refused 7 not-found "nothing is mounted on.*-o ro" high ingest usb/one --expect "$digest"
refused 7 not-found "source 'drop' has no folder 'nothing'" high ingest drop/nothing --expect "$digest"
refused 7 not-found "source 'drop' has no folder 'nothing'" high ingest "$work/media/nothing" --expect "$digest"
refused 3 source-unknown "." high ingest "$work/elsewhere" --expect "$digest"
# The medium instead of the bundle on it, a folder of the bundle, and what is no bundle at all
refused 2 not-a-bundle "holds no manifest/bundle.json; bundles lie in '$work/media/one', .*hint: name one of these" high ingest drop --expect "$digest"
refused 2 not-a-bundle "bundles lie in '$work/media/one'" low sign "$work/media" --role builder --key "$work/builder.pem"
refused 3 trust-missing "no root statement in '$work/media'.*hint: name a bundle: '$work/media/one'" high trust pin "$work/media" --fingerprint "$fingerprint"
for command in inspect verify "transfer sheet"; do
  # shellcheck disable=SC2086
  refused 2 not-a-bundle "lies in the bundle '.*media/one'.*hint: name that folder" high $command "$work/media/one/manifest"
done
refused 2 not-a-bundle "bundles lie in '$work/media/one'" high media verify "$work/media/one" "$work/media"
tar -C "$work/media" -cf "$work/elsewhere/one.tar" one
refused 2 not-a-bundle "holds no manifest/bundle.json, but 'one.tar'.*hint: .*unpack it" high verify "$work/elsewhere"
refused 2 not-a-bundle "is no folder.*hint: .*unpack it" high verify "$work/elsewhere/one.tar"
rm "$work/elsewhere/one.tar"
grep -q "published: 3 files" <<< "$(high ingest drop/one --expect "$digest")" || fail "the ingest"
refused 7 not-found "the channels here are test" high ls --channel nope
[ "$(high --json ls --channel test | json '["artifacts"].__len__()')" = 2 ] || fail "ls --channel"

refused 7 not-found "for the client 'podmn'.*did you mean 'podman'.*the clients are apt, " high render clients --client podmn
for client in pip uv apt containerd cri-o docker podman skopeo hf llama.cpp ollama oras curl; do
  [ "$(high --json render clients --client "$client" | json '.__len__()')" = 1 ] || fail "render clients --client $client"
done

# --- Ctrl-C, while each waits for the audit log
# asks_for LOCK PID: this process has the lock's file open, and does something about Ctrl-C (bit 1).
asks_for() {
  [ -n "$(find "/proc/$2/fd" -lname "$1")" ] && [ $((0x$(sed -n 's/^SigCgt:[[:space:]]*//p' "/proc/$2/status") & 2)) != 0 ]
}
interrupted() {
  local lock=$1/audit/lock got=0 pid held; shift
  exec {held}< "$lock"
  flock "$held"
  env --default-signal=INT "$@" {held}<&- > "$work/out" 2>&1 & pid=$!
  pids+=("$pid")
  soon_of "$pid" asks_for "$lock" "$pid" || fail "$* does not wait for the audit log: $(cat "$work/out")"
  kill -INT "$pid"; wait "$pid" || got=$?
  exec {held}<&-
  [ "$got" = 130 ] && grep -q "^liftlock: interrupted; run the same command again" "$work/out" || fail "$*: interrupted: $got: $(cat "$work/out")"
}
for command in lock fetch "pack --output $work/media/three"; do
  # shellcheck disable=SC2086
  interrupted "$work/low" "$low_exe" --quiet --state "$work/low" $command
done
interrupted "$work/state" "$high_exe" --quiet --state "$work/state" ingest drop/one --expect "$digest"

[ -z "$("$high_exe" --quiet --state "$work/state" audit tail --type nope 2>&1 | sed 1d)" ] || fail "entries of no type"
grep -q "no entry is of type 'bundle.ingst'; did you mean 'bundle.ingest'.*the types in this log are .*trust.pin" \
  <<< "$("$high_exe" --state "$work/state" audit tail --type bundle.ingst 2>&1)" || fail "audit tail --type"

# --- gc, scrub and export through the executables
high export big --to "$work/exported" > "$work/sums" && sha256sum -c --quiet "$work/sums" || fail "what export prints"
high export big --tree --to "$work/exported" > /dev/null && [ -f "$(find "$work/exported/files" -name big.bin)" ] || fail "export --tree"
refused 7 not-found "did you mean 'big'" high export bgi --to "$work/exported"
refused 2 usage "--to wants a folder, and '$work/sums' is none" high export big --to "$work/sums"
exact=file:big@$(high --json show big | json '["version"]')@sha256:$(high --json show big | json '["content"][7:19]')
high export "$exact" --to "$work/exported" > /dev/null || fail "an id with its content"
# The digest is random: one that it does not begin with.
if [[ $exact == *@sha256:0* ]]; then other=1111; else other=0000; fi
refused 7 not-found "no content of 'file:big@.*begins with sha256:$other.*hint: it is $exact" high show "big@sha256:$other"
echo edited > "$work/exported/big.bin"
! high export big --to "$work/exported" > /dev/null 2>&1 || fail "an edited file was replaced"
grep -q "all sound" <<< "$(high scrub)" || fail "scrub of a sound store"
blob=$(sha256sum < big.bin | cut -d' ' -f1)
place=$work/state/store/blobs/sha256/${blob:0:2}/$blob
chmod u+w "$place" && damage "$place" 7
high scrub > "$work/out" && fail "scrub of a rotten store"
grep -A1 "^next: .*liftlock scrub --quarantine" "$work/out" | grep -q "^next: ingest the bundles" || fail "what to do: $(cat "$work/out")"
status=0; high --json scrub --quarantine > "$work/out" || status=$?
[ "$status" = 4 ] && [ "$(json '["findings"][0]["kind"]' < "$work/out")" = corrupt ] || fail "scrub of a rotten store"
[ -f "$work/state/store/quarantine/$blob" ] && [ ! -e "$place" ] || fail "quarantine"
grep -q "file .*1 of 1 missing" <<< "$(high ls)" || fail "ls does not mark what is missing"
[ "$(high --json ls --kind file | json '["artifacts"][0]["missing_files"]')" = 1 ] || fail "ls --json"
again="ingest the bundle test/1 again: liftlock ingest SOURCE --expect sha256:$digest"
refused 4 blob-corrupt "is in quarantine.*hint: $again" high export big --to "$work/again"
mv "$work/state/store/quarantine/$blob" "$work/quarantined"
refused 7 not-found "does not hold.*hint: $again" high export big --to "$work/again"
high ingest drop/one --expect "$digest" > /dev/null && high scrub > /dev/null || fail "the same ingest mends it"
grep -q "file .* yes " <<< "$(high ls)" || fail "ls after the mending"
orphan=$(printf orphan | sha256sum | cut -d' ' -f1)
orphan_place=$work/state/store/blobs/sha256/${orphan:0:2}/$orphan
printf orphan > "$orphan_place"
[ "$(high gc --dry-run)" = "would remove 1 blob, 6 B" ] && [ -f "$orphan_place" ] || fail "gc --dry-run"
[ "$(high gc)" = "removed 1 blob, 6 B" ] && [ ! -e "$orphan_place" ] || fail "gc"
grep -q success <<< "$(high audit tail --type store.gc)" || fail "gc in the log"
# What it keeps, why, and what lets go of it
grep -q "^kept: .* held by 1 publication; .*liftlock retire" <<< "$("$high_exe" --state "$work/state" gc 2>&1)" || fail "$("$high_exe" --state "$work/state" gc 2>&1)"
mkdir -p "$work/low/store/staging/left" && head -c 4096 /dev/zero > "$work/low/store/staging/left/$orphan"
"$low_exe" --state "$work/low" gc > "$work/out" 2>&1
grep -q "^kept: 4.0 KiB of left, which a run left at .*--abandoned-after 0s" "$work/out" || fail "a batch: $(cat "$work/out")"
! grep -q "of the stack test" "$work/out" || fail "the store has no bytes of it: $(cat "$work/out")"
refused 7 not-found "no stack 'nope' is held here.*hint: these are: .*test" low gc --forget-stack nope
sleep 1  # times are in whole seconds
"$low_exe" --state "$work/low" gc --abandoned-after 0s > "$work/out" 2>&1
grep -q "^abandoned batch left" "$work/out" && ! grep -q "^kept: .* of left" "$work/out" || fail "$(cat "$work/out")"

# --- two contents under one id: each has a name of its own, which completion offers
mkdir "$work/twice"
printf '[stack]\nname = "twice"\n[file.note]\nsource = "note"\nversion = "1"\n' > "$work/twice/liftlock.toml"
for content in older newer; do
  printf '%s' "$content" > "$work/twice/note"
  (cd "$work/twice" && low lock --update-all > /dev/null && low fetch > /dev/null && low pack --output "$work/media/twice-$content" > /dev/null &&
    low sign "$work/media/twice-$content" --role builder --key "$work/builder.pem" > /dev/null)
  high ingest "drop/twice-$content" --expect "$(sha256sum < "$work/media/twice-$content/manifest/bundle.json" | cut -d' ' -f1)" > /dev/null
done
low gc --forget-stack twice > /dev/null || fail "gc --forget-stack"
# Tried first: what would go is counted, and not told as kept. Then it goes.
printf '[stack]\nname = "copied"\n[file.copied]\nsource = "copied"\n' > "$work/twice/liftlock.toml" && printf copied > "$work/twice/copied"
(cd "$work/twice" && low lock --copy --update-all > /dev/null && low fetch --copy > /dev/null)
"$low_exe" --state "$work/low" gc > "$work/out" 2>&1
grep -q "^kept: 6 B of the stack copied (6 B of no other).*--forget-stack copied" "$work/out" || fail "a stack: $(cat "$work/out")"
low --json gc --dry-run --forget-stack copied > "$work/out"
[ "$(json '["bytes"]' < "$work/out")" = 6 ] && ! grep -q copied <<< "$(json '["left"]["stacks"]' < "$work/out")" || fail "gc --dry-run --forget-stack: $(cat "$work/out")"
[ "$(low gc --forget-stack copied)" = "removed 1 blob, 6 B" ] || fail "gc --forget-stack copied"
[ "$(low --json audit tail --type store.gc -n 2 | json '["entries"][0]["detail"]["bytes"]')" = 6 ] || fail "the intent: $(low --json audit tail --type store.gc -n 2)"
stacks=$(low --json gc --dry-run | json '["left"]["stacks"]')
grep -q "'test'" <<< "$stacks" && ! grep -q "'twice'" <<< "$stacks" || fail "which stacks are held: $stacks"
older=file:note@1@sha256:$(printf older | sha256sum | cut -c1-12) newer=file:note@1@sha256:$(printf newer | sha256sum | cut -c1-12)
[ "$(high ls --ids --channel twice | sort)" = "$(printf '%s\n' "$older" "$newer" | sort)" ] || fail "ls --ids: $(high ls --ids)"
grep -q "^file  *note  *1 .* twice/1 .*${older#file:note@1@}\$" <<< "$(high ls --channel twice)" || fail "ls does not tell them apart: $(high ls)"
grep -q "2 contents came under the id file:note@1, and this is the one that was published last: name $newer or $older" \
  <<< "$("$high_exe" --state "$work/state" show note 2>&1)" || fail "which of two"
high show "$older" > /dev/null 2> "$work/out" && high export "$older" --to "$work/older" > /dev/null 2>> "$work/out" && [ ! -s "$work/out" ] ||
  fail "a warning about what was named: $(cat "$work/out")"
[ "$(cat "$work/older/note")" = older ] || fail "the older of two"
[ "$(high show "$older" | sed -n 's/^ *held by *//p')" = twice/1 ] || fail "who holds the older of two: $(high show "$older")"
cat > "$work/complete.sh" <<'COMPLETE'
# complete.sh SCRIPT LINE: what is offered where the line ends, with words cut as bash cuts them
source "$1"
COMP_LINE=$2 COMP_POINT=${#2} COMP_WORDS=() COMP_WORDBREAKS=$' \t\n"\'@><=;|&(:'
word=''
for ((i = 0; i < ${#2}; ++i)); do
  c=${2:i:1}
  case "$c" in
    ' ') [ -z "$word" ] || COMP_WORDS+=("$word"); word='' ;;
    [:@=]) [ -z "$word" ] || COMP_WORDS+=("$word"); COMP_WORDS+=("$c"); word='' ;;
    *) word+=$c ;;
  esac
done
COMP_WORDS+=("$word") COMP_CWORD=${#COMP_WORDS[@]}
((--COMP_CWORD))
_liftlock || true
printf '%s\n' "${COMPREPLY[@]}"
COMPLETE
high completion > "$work/completion"
offered() { PATH=$work/bin:$PATH bash "$work/complete.sh" "$work/completion" "$1"; }
mkdir -p "$work/bin" && ln -sf "$high_exe" "$work/bin/liftlock"
[ "$(offered "liftlock --state $work/state show file:note@1@sha256:${older: -12:3}")" = "${older: -12}" ] || fail "completion of a content: $(offered "liftlock --state $work/state show file:note@1@sha256:${older: -12:3}")"
grep -qx "note@1@sha256:${newer: -12}" <<< "$(offered "liftlock --state $work/state export file:n")" || fail "completion of an id"
[ -z "$(offered "liftlock --state $work/state model show file")" ] || fail "completion offers a file as a model"
mkdir -p "$work/tab/carried" && touch "$work/tab/file"
tab() { (cd "$work/tab" && offered "$1" | sort | tr '\n' ' '); }
[ "$(tab "liftlock export --to ")" = "carried file " ] || fail "completion of --to: $(tab "liftlock export --to ")"
[ "$(tab "liftlock ingest ")" = "carried file " ] || fail "completion of a bundle: $(tab "liftlock ingest ")"
[ "$(tab "liftlock explain extra-f")" = "extra-file " ] || fail "completion of a code: $(tab "liftlock explain extra-f")"
[ "$(tab "liftlock inventory --format ")" = "cyclonedx inventory spdx " ] || fail "completion of choices: $(tab "liftlock inventory --format ")"
grep -qx -- "--hf-cache" <<< "$(offered "liftlock export --hf")" || fail "completion of an option"

# --- serve
"$high_exe" --quiet --state "$work/state" serve --listen 127.0.0.1:0 > "$work/serve.out" 2> "$work/serve.err" &
pids+=($!)
soon grep -q listening "$work/serve.out" || fail "the mirror did not start: $(cat "$work/serve.err")"
url=$(sed -n 's/^listening on //p' "$work/serve.out"); url=${url%/}
refused 2 usage "port ${url##*:} of 127.0.0.1 is in use.*ss -ltnp.*--listen" high serve --listen "127.0.0.1:${url##*:}"
out=$("$high_exe" --state "$work/state" serve --listen nonsense 2>&1 || true)
[ "$(head -1 <<< "$out")" = "liftlock: error[usage]: 'nonsense' is no ADDRESS:PORT" ] || fail "something else before the mistake: $out"
refused 7 not-found "'$work/none.pem' does not exist" high serve --tls-cert "$work/none.pem" --tls-key "$work/none.key"
[ "$(curl --noproxy '*' -s -o /dev/null -w '%{http_code}' -d body "$url/simple/")" = 405 ] || fail "POST with a body"
# Reading goes on beside a server that writes to the log.
for _ in $(seq 20); do
  curl --noproxy '*' -sf "$url/bundles/test/latest/files/big.bin" > /dev/null
  high audit verify > /dev/null && high ls > /dev/null || fail "reading beside the server"
done
kill "${pids[-1]}" && wait "${pids[-1]}" || true

# --- readers who may not write
mkdir "$work/state/store/staging/ingest-test-9-0123456789abcdef"  # what a killed ingest leaves
touch "$work/state/store/staging/ingest-test-9-0123456789abcdef.lock"
mkdir "$work/state/store/staging/ingest-test-8-0123456789abcdef"
read_all() {
  "$@" ls > /dev/null && "$@" ls --publications > /dev/null && "$@" show big > /dev/null && "$@" gc --dry-run > /dev/null &&
    "$@" audit verify > /dev/null && "$@" audit tail > /dev/null && "$@" audit prove 0 > /dev/null
}
if [ "$(id -u)" = 0 ]; then
  other=(setpriv --reuid=65534 --regid=65534 --clear-groups --)
  cp "$high_exe" "$work/liftlock-high"
  refused 1 io-error "no permission to look into.*hint:.*group" "${other[@]}" "$work/liftlock-high" --state "$work/state" ls
  chgrp 65534 "$work/state"
  read_all "${other[@]}" "$work/liftlock-high" --quiet --state "$work/state" || fail "another user cannot read"
  refused 1 io-error "permission" "${other[@]}" "$work/liftlock-high" --quiet --state "$work/state" gc
  for refusal in "scrub" "ingest drop/one --expect $digest" "trust pin $work/media/one --fingerprint $fingerprint" "serve --listen 127.0.0.1:0"; do
    # shellcheck disable=SC2086
    refused 1 io-error "no permission to write .*hint: run it as the user who owns" \
      "${other[@]}" "$work/liftlock-high" --quiet --state "$work/state" $refusal
  done
  # A copy without the files that SQLite keeps beside the catalog.
  cp -r "$work/state" "$work/copy" && rm "$work"/copy/store/catalog.db-* && chgrp 65534 "$work/copy"
  read_all "${other[@]}" "$work/liftlock-high" --quiet --state "$work/copy" || fail "another user cannot read a copy"
fi

# --- full and read-only file systems, in a mount namespace of our own
if ! unshare --user --map-root-user --mount true 2> /dev/null; then
  echo "no user namespaces here: full and read-only file systems were not tried"
  echo "mistakes are answered"
  exit 0
fi
export -f refused fail json read_all
export low_exe high_exe work
unshare --user --map-root-user --mount bash -euo pipefail <<'INNER'
mkdir "$work/small"
mount -t tmpfs -o size=12m small "$work/small"
tar -C "$work" --exclude=state/audit/reserve --exclude=state/records/ahead -cf - state | tar --no-same-owner -C "$work/small" -xf -  # too small for the files that keep room for the logs
high() { "$high_exe" --quiet --state "$work/small/state" "$@"; }
fill() { dd if=/dev/zero of="$work/small/fill.$1" bs=4k status=none 2> /dev/null || true; [ "$(df --output=avail "$work/small" | tail -1)" -eq 0 ]; }
high gc > /dev/null
orphan=$(head -c 2000000 /dev/zero | tr '\0' o | sha256sum | cut -d' ' -f1)
head -c 2000000 /dev/zero | tr '\0' o > "$work/small/state/store/blobs/sha256/${orphan:0:2}/$orphan"
fill 1 || fail "the disk is not full"
read_all high || fail "reading on a full disk"
refused 5 disk-full "audit log cannot be written.*liftlock gc" high scrub
[ "$(high gc)" = "removed 1 blob, 1.9 MiB" ] || fail "gc on a full disk"
high scrub > /dev/null || fail "scrub after gc"
read_all high

# pack: the message accounts for what it wants, and no lock file is left
mkdir "$work/small/out"
cd "$work/stack"
refused 5 disk-full "needs [0-9.]+ [KMG]iB of room \([0-9.]+ [KMG]?i?B of content and 16.0 MiB for its lists\)" "$low_exe" --quiet --state "$work/low" pack --output "$work/small/out/b"
[ -z "$(ls -A "$work/small/out")" ] || fail "pack left $(ls -A "$work/small/out")"
mkdir "$work/medium"
mount -t tmpfs -o size=40m medium "$work/medium"
refused 2 usage "is a mount.*medium/bundle-1" "$low_exe" --quiet --state "$work/low" pack --output "$work/medium"

# a medium and a state folder that are mounted read-only
mkdir "$work/ro"
mount -t tmpfs -o size=80m ro "$work/ro"
cp -r "$work/state" "$work/media/one" "$work/ro/"
cp -r "$work/state" "$work/ro/bare" && rm "$work"/ro/bare/store/catalog.db-*
mount -o remount,ro "$work/ro"
read_all "$high_exe" --quiet --state "$work/ro/state" || fail "reading from a read-only file system"
read_all "$high_exe" --quiet --state "$work/ro/bare" || fail "reading a catalog without -wal on a read-only file system"
refused 1 io-error "mounted read-only.*sign" "$low_exe" --quiet --state "$work/low" sign "$work/ro/one" --role builder --key "$work/builder.pem"
INNER
echo "mistakes are answered"
