#!/usr/bin/env bash
# What the doctors find in wheelhouses and models that are sound, incomplete, for another target, damaged or hostile; the facts of
# inspections that `show` tells on both sides; root keeps out of an installation of somebody else.
#   doctor_test.sh LIFTLOCK_LOW LIFTLOCK_HIGH
source "$(dirname "$0")/crossing_machines.sh" || exit 1
doctor=$high_exe  # both sides have it; the low one has a turn below
# gives STATUS TEXT COMMAND…: the command ends with this status and says this.
gives() {
  local status=$1 text=$2 actual=0 out; shift 2
  out=$("$@" 2>&1) || actual=$?
  [ "$actual" = "$status" ] || fail "$*: status $actual instead of $status: $out"
  grep -qF -- "$text" <<< "$out" || fail "$* does not say '$text': $out"
  echo "as it must be: $text"
}
wheel() { python3 "$root/tests/tools/make_wheel.py" "$@"; }
house() { "$doctor" --quiet --state "$work/none" doctor wheelhouse "$@"; }
model() { "$doctor" --quiet --state "$work/none" doctor model "$@"; }
cd "$work"

# --- wheelhouses
wheel wheelhouse alpha 1.0 'beta>=2' 'win; sys_platform == "win32"' 'gamma; extra == "more"' 'old; python_version < "3.9"'
wheel wheelhouse beta 2.1
gives 0 'good: everything in it installs' house wheelhouse
gives 0 'good: everything in it installs' env "$low_exe" --quiet doctor wheelhouse wheelhouse/
gives 4 'nothing here is called gamma; wanted by alpha 1.0 (gamma; extra == "more")' house wheelhouse --require 'alpha[more]'
gives 4 'wanted by --require (delta==9)' house wheelhouse --require 'delta==9'
gives 4 'old: nothing here is called old; wanted by alpha 1.0' house wheelhouse --python 3.8
tar -czf wheelhouse.tgz wheelhouse
gives 0 'wheelhouse.tgz: 2 wheels' house wheelhouse.tgz

cp -r wheelhouse gap && rm gap/beta-*
gives 4 'PROBLEM [wheelhouse-incomplete] beta: nothing here is called beta; wanted by alpha 1.0 (beta>=2)' house gap
[ "$(house gap --json | json '["missing"][0]["wanted"][0]["by"]')" = 'alpha 1.0' ] || fail "the JSON does not say who wants beta"
wheel gap beta 1.0
gives 4 'beta 1.0 does not satisfy >=2' house gap
mv gap/beta-1.0-py3-none-any.whl gap/beta-1.0-cp39-cp39-win_amd64.whl
gives 4 'beta' house gap
cp -r wheelhouse unfit && mv unfit/beta-2.1-py3-none-any.whl unfit/beta-2.1-py3-none-win_amd64.whl
gives 4 'beta: only for other targets: beta-2.1-py3-none-win_amd64.whl' house unfit
cp wheelhouse/beta-* unfit/
gives 0 'note: for another target: beta-2.1-py3-none-win_amd64.whl' house unfit
cp -r wheelhouse glibc && mv glibc/beta-2.1-py3-none-any.whl glibc/beta-2.1-py3-none-manylinux_2_34_x86_64.whl
gives 0 'note: the target needs glibc 2.34 or newer' house glibc
gives 4 'only for other targets' house glibc --platform linux/arm64

cp -r wheelhouse damaged && printf x >> damaged/beta-2.1-py3-none-any.whl
gives 4 'PROBLEM [package-malformed] beta-2.1-py3-none-any.whl' house damaged
cp -r wheelhouse spelled && cp wheelhouse/beta-2.1-py3-none-any.whl spelled/Beta-2.1.0-py3-none-any.whl && printf x >> spelled/Beta-2.1.0-py3-none-any.whl
gives 4 'are both the wheel beta 2.1' house spelled
cp wheelhouse/beta-* damaged/ && cp wheelhouse/beta-* damaged/beta.whl
gives 4 'beta.whl: it is no wheel file name' house damaged
mkdir sdists && wheel sdists/tmp x 1 && mv sdists/tmp/x* sdists && mkdir -p epsilon-1.0 &&
  printf 'Metadata-Version: 2.1\nName: epsilon\nVersion: 1.0\n' > epsilon-1.0/PKG-INFO && tar -czf sdists/epsilon-1.0.tar.gz epsilon-1.0
gives 0 'note: source that pip would have to build, with a compiler and build requirements: epsilon-1.0.tar.gz' house sdists
wheel sdists zeta 1.0 epsilon
gives 4 'epsilon: only as source, which pip would have to build: epsilon-1.0.tar.gz' house sdists

# where it is not
mkdir -p bundle/packages/pypi empty && cp wheelhouse/* bundle/packages/pypi
gives 7 "name 'bundle/packages/pypi'" house bundle
gives 7 'holds no .whl file' house empty
gives 7 "its archive is there: unpack it with \`tar -xf missing.tgz" bash -c "cp wheelhouse.tgz missing.tgz; '$doctor' doctor wheelhouse missing"
gives 7 'there is no' house nowhere
gives 2 'no version of Python 3' house wheelhouse --python 2.7
[ "$(house nowhere --json 2>/dev/null | json '["error"]["code"]')" = not-found ] || fail "the JSON of a missing wheelhouse"
# hostile archives
ln -s /etc/passwd evil.whl && tar -cf links.tar evil.whl
gives 4 'is a link or a special file' house links.tar
mkdir twins && cp -r wheelhouse twins/a && cp -r wheelhouse twins/b && tar -cf twins.tar twins
gives 4 'path-collision' house twins.tar
head -c 300M /dev/zero > bomb.whl && tar -czf bomb.tgz bomb.whl && rm bomb.whl
gives 4 'limit-exceeded' house bomb.tgz
head -c 1000 /dev/urandom > noise.tgz
gives 4 'package-malformed' house noise.tgz

# --- models
mkdir -p models/chat models/set
python3 "$root/tests/tools/make_model.py" gguf models/chat/tiny.gguf
python3 "$root/tests/tools/make_model.py" safetensors models/set
gives 0 'architecture    llama' model models/chat/tiny.gguf
gives 0 'which nothing here can confirm' model models/chat
gives 0 'formats         safetensors' model models/set/
(cd models && find . -type f ! -name '*.sha256' -printf '%P\n' | sort | xargs sha256sum > MODEL_MANIFEST.sha256)
gives 0 'as MODEL_MANIFEST.sha256 says' model models/chat/tiny.gguf
gives 0 'good: nothing is wrong with it' model models/set
cp -r models/. changed
printf x >> changed/chat/tiny.gguf && rm changed/set/config.json
gives 4 'PROBLEM [digest-mismatch] tiny.gguf' model changed/chat/tiny.gguf
gives 4 'PROBLEM [missing-file] set/config.json: MODEL_MANIFEST.sha256 names it' model changed/set
printf 'no digest\n' > changed/MODEL_MANIFEST.sha256
gives 4 'correct or remove the list' model changed/chat/tiny.gguf
python3 -c "import pickle; pickle.dump({'a': print}, open('weights.bin', 'wb'))"
gives 3 'PROBLEM [model-unsafe-format] weights.bin' model weights.bin
cp weights.bin models/chat/disguised.gguf
gives 4 'disguised.gguf' model models/chat/disguised.gguf
rm models/chat/disguised.gguf
gives 7 "has no 'chats'" model "$work/models/chats/tiny.gguf"
gives 7 "did you mean '$work/models/chat/tiny.gguf'?" model "$work/models/chat/tinny.gguf"
cat > config.toml <<'TOML'
[models]
llm_path = "models/chat/tiny.gguf"
embedding_path = "models/set"
TOML
gives 0 'llm_path = ' model config.toml
gives 0 'embedding_path = ' model config.toml
sed -i 's/tiny.gguf/gone.gguf/' config.toml
gives 7 'key llm_path' model config.toml
echo '[server]' > config.toml
gives 2 'names no model' model config.toml
gives 2 'no user' model models/chat --user nobody-of-this-name
if [ "$(id -u)" = 0 ]; then
  gives 0 'readable by     everybody' model models/chat --user nobody
  chmod 700 models/chat
  gives 1 "the user nobody cannot read it: '$work/models/chat' has the mode 0700 root" model models/chat/tiny.gguf --user nobody
  gives 0 'not everybody' model models/chat/tiny.gguf
  chmod 755 models/chat
fi

# --- what inspections found, on both sides
export PIP_NO_INDEX=1 PIP_FIND_LINKS=$work/wheelhouse PIP_CONFIG_FILE=/dev/null
mkdir stack && cd stack
cat > liftlock.toml <<TOML
[stack]
name = "demo"
[python.tools]
requirements = ["alpha"]
[model.tiny]
source = "$work/models/chat/tiny.gguf"
TOML
low init > /dev/null
low fetch > /dev/null
gives 0 'fetched 0 (0 B), 3 (' low fetch
lost=$(low --json show wheel:beta@2.1 | json '["files"][0]["digests"]["sha256"]')
rm -f "$work/low/store/blobs/sha256/${lost:0:2}/$lost"
gives 0 'fetched 1 (' low fetch
[ "$(low --json fetch | json '["already_there"]')" = 3 ] || fail "fetch does not count what was there"
gives 0 'architecture      llama' low show tiny
gives 0 'requires_dist     beta>=2' low show wheel:alpha@1.0
[ "$(low --json show tiny | json '["inspection"]["architecture"]')" = llama ] || fail "show --json has no facts"
[ "$(low --json ls --kind model | json '["artifacts"][0]["inspection"]["architecture"]')" = llama ] || fail "ls --json has no facts"
low trust keygen --role root --out ../root.pem > /dev/null
low trust keygen --role builder --out ../builder.pem > /dev/null
low trust init --organisation Test --root-key ../root.pem --add builder:../builder.pem.pub > /dev/null
low pack --output ../medium/demo-1 > /dev/null
low sign ../medium/demo-1 --role builder --key ../builder.pem > /dev/null
high init --zone ingest > /dev/null
printf '[source.usb]\npath = "%s/medium"\nrequire_read_only = false\n' "$work" >> "$work/high/config.toml"
high trust pin ../medium/demo-1 --fingerprint "$(low --json trust show | json '["fingerprint"]')" > /dev/null
high ingest usb/demo-1 --expect "$(sha256sum < ../medium/demo-1/manifest/bundle.json | cut -d' ' -f1)" > /dev/null
gives 0 'architecture      llama' high show tiny
gives 0 'found by inspection:' high show wheel:alpha@1.0

# --- the doctor and the store
gives 0 'model:tiny@' high doctor model tiny
mkdir ../elsewhere && cp ../models/chat/tiny.gguf ../elsewhere/
gives 0 'as the store: model:tiny@' high doctor model ../elsewhere/tiny.gguf
cp ../models/set/config.json ../elsewhere/tiny.gguf
gives 4 'of the store has a file of this name with other bytes' high doctor model ../elsewhere/tiny.gguf
blob=$(high --json show tiny | json '["files"][0]["digests"]["sha256"]')
blob=$work/high/store/blobs/sha256/${blob:0:2}/$blob
chmod u+w "$blob" && printf x | dd of="$blob" bs=1 seek=100000 conv=notrunc 2> /dev/null
gives 4 'PROBLEM [blob-corrupt]' high doctor model tiny
mv "$blob" "$work/away"
gives 4 'PROBLEM [missing-file]' high doctor model tiny
mv "$work/away" "$blob"
gives 7 "did you mean 'tiny'?" high doctor model tinny
gives 2 'is no model' high doctor model alpha

# --- root keeps out of what belongs to somebody else
if [ "$(id -u)" = 0 ]; then
  chown -R nobody "$work/high" "$work/low"
  for command in 'gc' 'scrub' 'ingest usb/demo-1' 'serve' 'init --zone ingest' 'engine install x'; do
    gives 3 'error[wrong-user]' high $command
  done
  for command in 'lock' 'fetch' 'pack --output ../medium/demo-2' 'trust add-key ../builder.pem.pub --role approver --root-key ../root.pem'; do
    gives 3 'error[wrong-user]' low $command
  done
  gives 3 "runuser -u nobody -- liftlock --state $work/high" high gc
  gives 0 'model' high ls
  gives 0 'architecture' high show tiny
  [ -z "$(find "$work/high" "$work/low" ! -user nobody)" ] || fail "root left files: $(find "$work/high" "$work/low" ! -user nobody)"
  gives 0 '' runuser -u nobody -- "$high_exe" --quiet --state "$work/high" gc
fi
echo "the doctors found what was wrong, and nothing else"
