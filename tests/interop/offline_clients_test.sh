#!/usr/bin/env bash
# `liftlock offline` points git, Maven, apt, dnf, zypper, helm, skopeo and podman at the mirror, whatever the machine has configured: the
# real clients, as far as they are here. (pip, npm, cargo and go: offline_test.sh.)
#   offline_clients_test.sh LIFTLOCK_LOW LIFTLOCK_HIGH      Exit status 77: no user namespaces, or no git.
source "$(dirname "$0")/crossing_machines.sh" || exit 1
source "$(dirname "$0")/package_crossing.sh"
if ! unshare --user --net true 2> /dev/null; then skip "no user namespaces can be made here"; fi
command -v git > /dev/null || skip "there is no git"
export HOME=$work/home XDG_CACHE_HOME=$work/home/cache GIT_TERMINAL_PROMPT=0
export GIT_AUTHOR_NAME=A GIT_AUTHOR_EMAIL=a@example.test GIT_COMMITTER_NAME=A GIT_COMMITTER_EMAIL=a@example.test
mkdir -p "$HOME" "$work/stack"
cd "$work/stack"

# --- what crosses: a repository whose address elsewhere is known, a parent of Maven projects, what mvnw downloads, a chart, an image;
# packages are imported
git init -q -b main up && echo carried > up/word && git -C up add word && git -C up commit -q -m first && git -C up update-server-info
mkdir -p site/team && mv up/.git site/team/tool.git
git_port=$(free_port)
python3 -m http.server "$git_port" --bind 127.0.0.1 --directory site > "$work/site.log" 2>&1 &
pids+=($!)
wait_for "http://127.0.0.1:$git_port/"
parent=m2/example/test/parent/1.0
mkdir -p $parent demo
printf '<project><modelVersion>4.0.0</modelVersion><groupId>example.test</groupId><artifactId>parent</artifactId><version>1.0</version><packaging>pom</packaging></project>\n' > $parent/parent-1.0.pom
dist=org/apache/maven/apache-maven/3.9.99
mkdir -p m2/$dist && python3 -c 'import sys, zipfile; zipfile.ZipFile(sys.argv[1], "w").writestr("apache-maven-3.9.99/bin/mvn", "")' m2/$dist/apache-maven-3.9.99-bin.zip
printf '<project><modelVersion>4.0.0</modelVersion><groupId>org.apache.maven</groupId><artifactId>apache-maven</artifactId><version>3.9.99</version><packaging>pom</packaging></project>\n' > m2/$dist/apache-maven-3.9.99.pom
printf 'apiVersion: v2\nname: demo\nversion: 1.2.3\n' > demo/Chart.yaml
tar --owner 0 --group 0 -czf demo-1.2.3.tgz demo
tar --owner 0 --group 0 --numeric-owner -cf layer.tar demo
{ umoci init --layout image && umoci new --image image:1.0 && umoci raw add-layer --image image:1.0 layer.tar; } > /dev/null 2>&1 || fail umoci
cat > liftlock.toml << TOML
[stack]
name = "site"
[git.tool]
url = "http://127.0.0.1:$git_port/team/tool.git"
[maven.app]
repository = "m2"
[chart.demo]
source = "demo-1.2.3.tgz"
[image.app]
source = "oci:image:1.0"
name = "registry.example/team/app"
TOML
cross site-1
sed -i 's|^\[policy\]|[policy]\nunsigned_imports = true|' "$high_state/config.toml"
mkdir -p deb/DEBIAN debs
printf 'Package: lifttest\nVersion: 1.0\nArchitecture: all\nMaintainer: nobody <nobody@site.example>\nSection: misc\nPriority: optional\nDescription: made up\n' > deb/DEBIAN/control
dpkg-deb --root-owner-group -b deb debs > /dev/null
high import debs --reason test > /dev/null
if command -v rpmbuild > /dev/null; then
  printf '%s\n' 'Name: lifttest' 'Version: 2.0' 'Release: 1' 'Summary: made up' 'License: MIT' 'BuildArch: noarch' '%description' x '%files' > lifttest.spec
  rpmbuild --quiet --define "_topdir $work/rpmbuild" --define "_rpmdir $work/stack/rpms" -bb lifttest.spec > rpmbuild.log 2>&1 || { cat rpmbuild.log; fail rpmbuild; }
  high import rpms --reason test > /dev/null
fi
"$high_exe" --quiet --state "$high_state" serve --listen 127.0.0.1:0 > "$work/serve.out" 2> "$work/serve.err" &
pids+=($!)
soon grep -q listening "$work/serve.out" || fail "the mirror did not start: $(cat "$work/serve.err")"
mirror=$(sed -n 's/^listening on //p' "$work/serve.out")
off() { "$low_exe" --state "$low_state" offline --mirror "${mirror%/}" --report "$work/report.json" -- "$@"; }
stayed() { [ "$(json '["left_network"]' < "$work/report.json")" = False ] || fail "$1 leaves: $(cat "$work/report.json")"; }
missed() { grep -qF "$1" <<< "$(json '["mirror"]["missed"]' < "$work/report.json")" || fail "the mirror is not asked for $1: $(cat "$work/report.json")"; }

# --- git: every way to write the address leads to the mirror; what it lacks is named; what is here stays here
origin=127.0.0.1:$git_port/team/tool
off git clone -q "${mirror%/}/git/tool" named > out 2>&1 || fail "git clone of the mirror's own address: $(cat out)"
# The test's upstream is of the loopback, which is not led away: asked for is what others would be led to.
off git clone -q "${mirror%/}/git/-/$origin.git" clone > out 2>&1 || fail "git clone by the address elsewhere: $(cat out)"
[ "$(cat named/word)" = carried ] && [ "$(cat clone/word)" = carried ] || fail "the clone"
for address in https://git.example/team/nosuch.git ssh://git@git.example/team/nosuch git@git.example:team/nosuch git://git.example/team/nosuch; do
  off git clone -q "$address" nosuch > out 2>&1 && fail "git found what is not there: $address"
  stayed "git clone $address"
  missed "git.example"
  grep -q "The mirror has no repository" out || fail "git does not say what the mirror says: $(cat out)"
done
low render telemetry --mirror "${mirror%/}" --form env-file > mirror.env 2> /dev/null
mapfile -t variables < mirror.env
env -i PATH="$PATH" HOME="$HOME" "${variables[@]}" git clone -q https://git.example/team/nosuch.git nosuch > out 2>&1 && fail "git found what is not there"
grep -q "The mirror has no repository" out || fail "git with the variables alone does not ask the mirror: $(cat out)"
GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=user.name GIT_CONFIG_VALUE_0=mine off git config user.name > out 2> err && [ "$(cat out)" = mine ] || fail "git's settings of the user: $(cat out err)"
step "git asks the mirror for every address, and it knows what came from there"

# --- Maven, of any version: a parent that only the mirror has
if command -v mvn > /dev/null; then
  mkdir -p app
  printf '<project><modelVersion>4.0.0</modelVersion><parent><groupId>example.test</groupId><artifactId>parent</artifactId><version>1.0</version></parent><artifactId>app</artifactId><packaging>pom</packaging></project>\n' > app/pom.xml
  off mvn -B -q -f app/pom.xml "-Dmaven.repo.local=$work/repo" validate > out 2>&1 || fail "mvn does not ask the mirror: $(cat out)"
  stayed mvn
  grep -q '>liftlock=' "$work/repo/example/test/parent/1.0/_remote.repositories" || fail "the parent came from elsewhere"
  off sh -c "cd app && exec mvn -B -q -Dmaven.repo.local=$work/repo2 validate" > out 2>&1 || fail "mvn of a script does not ask the mirror: $(cat out)"
  low offline --mirror none -- mvn -B -f app/pom.xml "-Dmaven.repo.local=$work/repo3" validate > out 2>&1 && fail "mvn without a mirror found its parent"
  grep -q "offline mode" out || fail "mvn is not told that there is no network: $(cat out)"
  tested maven Maven "$(mvn -B --version | sed -n 's/.*Apache Maven \([0-9.]*\).*/\1/p')"
  step "Maven $(mvn -B --version | sed -n 's/.*Apache Maven \([0-9.]*\).*/\1/p') builds from the mirror, and is offline without one"
fi

# --- mvnw: its variable stands for the repository that its distribution comes from, on machines that have Java
if command -v java > /dev/null; then
  off sh -c "curl -fsS -o mvnw.zip \"\$MVNW_REPOURL/$dist/apache-maven-3.9.99-bin.zip\"" > out 2>&1 || fail "what mvnw downloads: $(cat out)"
  stayed mvnw
  cmp m2/$dist/apache-maven-3.9.99-bin.zip mvnw.zip || fail "what mvnw downloads"
  step "mvnw is told where the mirror has its Maven"
fi

# --- apt: sources of the machine are not asked, lists of the machine stay as they are
if command -v apt-get > /dev/null; then
  before=$(ls -lR /var/lib/apt/lists 2> /dev/null | sha256sum)
  mkdir -p got && chmod 777 got
  APT_CONFIG='' off sh -c 'apt-get -q update && cd got && apt-get -q download lifttest && apt-cache policy lifttest' > out 2>&1 || fail "apt does not ask the mirror: $(cat out)"
  stayed apt-get
  cmp debs/lifttest_1.0_all.deb got/lifttest_1.0_all.deb || fail "the package"
  ! grep -q '^[WE]:' out || fail "apt complains: $(cat out)"
  [ "$(ls -lR /var/lib/apt/lists 2> /dev/null | sha256sum)" = "$before" ] || fail "the lists of the machine changed"
  printf 'Acquire::http::Proxy "http://192.0.2.1:3128";\n' > "$work/proxy.conf"
  APT_CONFIG=$work/proxy.conf off apt-get -q update > out 2>&1 || fail "apt behind a proxy: $(cat out)"
  stayed "apt-get behind a proxy"
  off sh -c 'apt-get -q update > /dev/null && apt-get -q download nosuch-liftlock' > out 2>&1 && fail "apt found what is not there"
  stayed "apt-get"
  if [ "$(id -u)" = 0 ]; then
    other=(setpriv --reuid=65534 --regid=65534 --clear-groups env HOME="$work/got" XDG_CACHE_HOME="$work/got")
    cp "$low_exe" "$work/liftlock-low" && chmod 755 "$work/liftlock-low" && rm got/*.deb
    (cd got && "${other[@]}" "$work/liftlock-low" --quiet offline --mirror "${mirror%/}" -- sh -c 'apt-get -q update && apt-get -q download lifttest') > out 2>&1 || fail "apt as another user: $(cat out)"
    cmp debs/lifttest_1.0_all.deb got/lifttest_1.0_all.deb || fail "the package, as another user"
  fi
  tested apt apt "$(apt-get --version | sed -n '1s/^apt \([0-9.]*\).*/\1/p')"
  step "apt $(dpkg-query -W -f '${Version}' apt) takes a package from the mirror's signed suite, for root and for others"
fi

# --- dnf and zypper
if [ -d rpms ] && command -v dnf > /dev/null && [ "$(id -u)" = 0 ]; then
  off dnf -q -y --installroot="$work/root" --releasever=1 --setopt=cachedir="$work/dnf" --setopt=plugins=0 repoquery lifttest > out 2>&1 || fail "dnf does not ask the mirror: $(cat out)"
  stayed dnf
  grep -q '^lifttest-0:2.0-1.noarch$' out || fail "dnf: $(cat out)"
  off sh -c "dnf -y --installroot=$work/root --releasever=1 --setopt=cachedir=$work/dnf --setopt=plugins=0 --nogpgcheck --downloadonly --downloaddir=$work/got install lifttest" > out 2>&1 || fail "dnf of a script: $(cat out)"
  stayed dnf
  cmp rpms/noarch/lifttest-2.0-1.noarch.rpm "$work"/got/lifttest-2.0-1.noarch.rpm || { cat out; fail "the package of dnf"; }
  step "dnf $(dnf --version | sed -n 1p) takes a package from the mirror"
  if command -v zypper > /dev/null; then
    off zypper --root "$work/zypp" --non-interactive --gpg-auto-import-keys refresh > out 2>&1 || fail "zypper does not ask the mirror: $(cat out)"
    stayed zypper
    off zypper --root "$work/zypp" --non-interactive search lifttest > out 2>&1 && grep -q lifttest out || fail "zypper: $(cat out)"
    step "zypper $(zypper --version | sed 's/zypper //') asks the mirror"
  fi
fi

# --- helm, which Debian has not: one that `go install` made counts
command -v helm > /dev/null || [ ! -x "$(go env GOPATH 2> /dev/null)/bin/helm" ] || PATH=$PATH:$(go env GOPATH)/bin
if command -v helm > /dev/null; then
  off helm pull liftlock/demo --version 1.2.3 -d "$work/got" > out 2>&1 || fail "helm does not ask the mirror: $(cat out)"
  stayed helm
  cmp demo-1.2.3.tgz "$work/got/demo-1.2.3.tgz" || fail "the chart"
  # A name that the user has for a repository elsewhere is the mirror's, too.
  mkdir -p "$HOME/.config/helm"
  printf 'apiVersion: ""\ngenerated: "2026-01-01T00:00:00Z"\nrepositories:\n- name: stable\n  url: https://charts.example/stable\n' > "$HOME/.config/helm/repositories.yaml"
  rm "$work/got/demo-1.2.3.tgz"
  off sh -c "helm repo update && helm pull stable/demo --version 1.2.3 -d $work/got" > out 2>&1 || fail "helm pull of another name: $(cat out)"
  stayed helm
  # So is a repository that is named by its address, or added in the build itself.
  rm "$work/got/demo-1.2.3.tgz"
  off helm pull demo --repo https://charts.example/other --version 1.2.3 -d "$work/got" > out 2>&1 || fail "helm pull --repo: $(cat out)"
  stayed "helm --repo"
  cmp demo-1.2.3.tgz "$work/got/demo-1.2.3.tgz" || fail "the chart of --repo"
  rm "$work/got/demo-1.2.3.tgz"
  off sh -c "helm repo add stable https://charts.example/stable && helm repo add new https://charts.example/new && helm pull new/demo --version 1.2.3 -d $work/got" > out 2>&1 || fail "helm repo add: $(cat out)"
  stayed "helm repo add"
  cmp demo-1.2.3.tgz "$work/got/demo-1.2.3.tgz" || fail "the chart of a repository that was added"
  rm "$work/got/demo-1.2.3.tgz"
  off helm pull "oci://$(sed 's|http://||; s|/$||' <<< "$mirror")/charts/demo" --version 1.2.3 --plain-http -d "$work/got" > out 2>&1 || fail "helm pull oci://: $(cat out)"
  cmp demo-1.2.3.tgz "$work/got/demo-1.2.3.tgz" || fail "the chart as an OCI artifact"
  tested helm helm "$(helm version --template '{{.Version}}' | tr -d v)"
  step "helm pulls from the mirror, as from a repository and as from a registry"
fi

# --- containers: names that images have elsewhere, and the mirror's own; a search list of the user stays
digest=$(python3 -c 'import json; print(json.load(open("image/index.json"))["manifests"][0]["digest"])')
off skopeo copy -q docker://registry.example/team/app:1.0 oci:pulled:app > out 2>&1 || fail "skopeo does not ask the mirror: $(cat out)"
stayed skopeo
grep -q "$digest" pulled/index.json || fail "skopeo copied another image"
own=$(sed 's|http://||; s|/$||' <<< "$mirror")/registry.example/team/app:1.0
[ "$(off sh -c "skopeo inspect --raw docker://$own" 2> err | sha256sum | cut -d' ' -f1)" = "${digest#sha256:}" ] || fail "skopeo of a script, by the mirror's own name: $(cat err)"
if command -v podman > /dev/null && [ "$(id -u)" = 0 ]; then
  mkdir -p "$HOME/.config/containers" && printf 'unqualified-search-registries = ["registry.example"]\n' > "$HOME/.config/containers/registries.conf"
  podman=(podman --root "$work/podman" --runroot "$work/podman-run" --storage-driver vfs --events-backend file --cgroup-manager cgroupfs)
  # What else podman tries (a journal, a bus) is not looked at here: the image can come from nowhere but the mirror.
  off "${podman[@]}" pull -q team/app:1.0 > out 2>&1 || true
  [ "$("${podman[@]}" image inspect --format '{{.Digest}}' registry.example/team/app:1.0 2>> out)" = "$digest" ] || fail "podman does not ask the mirror: $(cat out)"
  # Containers are led by variables: what podman was given, it gives to them.
  low render telemetry --mirror "${mirror%/}" --form env-file > mirror.env 2> /dev/null
  low render telemetry --mirror "${mirror%/}" --form containers > containers.conf 2> /dev/null
  "${podman[@]}" create --env-file mirror.env --name by-file registry.example/team/app:1.0 true > out 2>&1 || fail "podman create --env-file: $(cat out)"
  CONTAINERS_CONF=$PWD/containers.conf "${podman[@]}" create --name by-conf registry.example/team/app:1.0 true > out 2>&1 || fail "podman create with containers.conf: $(cat out)"
  for name in by-file by-conf; do
    "${podman[@]}" inspect --format '{{range .Config.Env}}{{println .}}{{end}}' $name > given
    while read -r line; do grep -qxF -- "$line" given || fail "the container $name is not given $line: $(cat given)"; done < mirror.env
  done
  "${podman[@]}" rm by-file by-conf > /dev/null
  tested image podman "$(podman --version | awk '{print $3}')"
fi
step "skopeo and podman take images from the mirror by the names that they have elsewhere"

# --- the chart as an OCI artifact, for any client of registries
skopeo copy -q --src-tls-verify=false "docker://$(sed 's|http://||; s|/$||' <<< "$mirror")/charts/demo:1.2.3" "oci:$work/chart:demo" || fail "skopeo copies no chart"
[ -f "$work/chart/blobs/sha256/$(sha256sum < demo-1.2.3.tgz | cut -d' ' -f1)" ] || fail "the archive is not in the artifact"
grep -q 'application/vnd.cncf.helm.chart.content.v1.tar+gzip' <<< "$(skopeo inspect --raw "oci:$work/chart:demo")" || fail "the manifest"
tested helm skopeo "$(skopeo --version | cut -d' ' -f3)"

# --- a mirror that says nothing of this: clients are left as they are, and it is said
mkdir -p "$work/plain" && plain=$(free_port)
python3 -m http.server "$plain" --bind 127.0.0.1 --directory "$work/plain" > /dev/null 2>&1 &
pids+=($!)
wait_for "http://127.0.0.1:$plain/"
"$low_exe" --state "$low_state" offline --mirror "http://127.0.0.1:$plain" -- sh -c '[ -z "${APT_CONFIG:-}" ]' > out 2> err || fail "a mirror without lists: $(cat out err)"
! command -v apt-get > /dev/null || grep -q "apt.* left as" err || fail "it is not said what is left as it is: $(cat err)"
mkdir -p "$work/plain/debian" && printf '{"suites": ["x [trusted=yes]"]}' > "$work/plain/debian/index.html"
"$low_exe" --state "$low_state" offline --mirror "http://127.0.0.1:$plain" -- sh -c '[ -z "${APT_CONFIG:-}" ]' > out 2> err || fail "a mirror with odd lists: $(cat out err)"
! command -v apt-get > /dev/null || grep -q "is no name" err || fail "odd lists are not told: $(cat err)"
step "a mirror that does not say what it has, or lies about it, changes nothing"
