#!/usr/bin/env bash
# What crossed goes into repositories of the site other than registries: nginx with DAV (raw files, a Maven repository, RPM-like
# flat folders), aptly, reprepro, charts in docker-registry. Real servers, real clients (mvn, apt), no network but loopback (issue 5, 2b).
# push_repositories_test.sh LIFTLOCK_LOW LIFTLOCK_HIGH
# Exit status 77: there is no nginx, aptly or reprepro here.
source "$(dirname "$0")/crossing_machines.sh" || exit 1
source "$(dirname "$0")/package_crossing.sh"
for program in nginx aptly reprepro docker-registry; do command -v $program > /dev/null || skip "there is no $program"; done
mkdir -p "$work/stack/tools" "$work/stack/m2/org/example/parent/1.5" "$work/stack/m2/org/example/tool/2.0" "$work/home"
export HOME=$work/home
cd "$work/stack"

# --- what crosses: files (one of 48 MiB), a parent POM and a jar, a chart, wheels
head -c 50331648 /dev/urandom > tools/large.bin
echo small > tools/small.txt
echo last > tools/z.txt
cat > m2/org/example/parent/1.5/parent-1.5.pom <<'XML'
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion><groupId>org.example</groupId><artifactId>parent</artifactId><version>1.5</version><packaging>pom</packaging>
</project>
XML
cat > m2/org/example/tool/2.0/tool-2.0.pom <<'XML'
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion><groupId>org.example</groupId><artifactId>tool</artifactId><version>2.0</version>
</project>
XML
(mkdir -p "$work/jar/META-INF" && cd "$work/jar" && printf 'Manifest-Version: 1.0\n' > META-INF/MANIFEST.MF && zip -qX "$work/stack/m2/org/example/tool/2.0/tool-2.0.jar" META-INF/MANIFEST.MF)
# Maven adds this to every extension; an empty one does, for Maven has its own.
utils=m2/org/codehaus/plexus/plexus-utils/1.1
mkdir -p $utils && cp m2/org/example/tool/2.0/tool-2.0.jar $utils/plexus-utils-1.1.jar
sed 's|org.example|org.codehaus.plexus|; s|>tool<|>plexus-utils<|; s|>2.0<|>1.1<|' m2/org/example/tool/2.0/tool-2.0.pom > $utils/plexus-utils-1.1.pom
(mkdir -p "$work/chart/demo/templates" && cd "$work/chart" && printf 'apiVersion: v2\nname: demo\nversion: 1.2.3\n' > demo/Chart.yaml && printf 'a: 1\n' > demo/values.yaml &&
  printf 'kind: ConfigMap\n' > demo/templates/map.yaml && tar --owner 0 --group 0 -czf "$work/stack/demo-1.2.3.tgz" demo)
export PIP_NO_INDEX=1 PIP_FIND_LINKS=$work/wheels PIP_CONFIG_FILE=/dev/null
python3 "$root/tests/tools/make_wheel.py" "$work/wheels" lifttest 1.2 "liftdep>=1"
python3 "$root/tests/tools/make_wheel.py" "$work/wheels" liftdep 1.0
cat > liftlock.toml <<'TOML'
[stack]
name = "site"
[file.tools]
source = "tools"
version = "1"
[maven.app]
repository = "m2"
[chart.demo]
source = "demo-1.2.3.tgz"
[python.tools]
requirements = ["lifttest"]
TOML
cross site-1
mkdir debs
for one in "hello 1:1.0-1 amd64" "words 2.0 all"; do
  read -r name version arch <<< "$one"
  mkdir -p "deb/DEBIAN" "deb/usr/share/$name" && echo "$name" > "deb/usr/share/$name/text"
  printf 'Package: %s\nVersion: %s\nArchitecture: %s\nMaintainer: nobody <nobody@site.example>\nSection: misc\nPriority: optional\nDescription: made up\n' "$name" "$version" "$arch" > deb/DEBIAN/control
  dpkg-deb --root-owner-group -b deb debs > /dev/null && rm -r deb
done
sed -i 's|^\[policy\]|[policy]\nunsigned_imports = true|' "$high_state/config.toml"
high import debs --reason test > /dev/null

# --- an nginx that takes files by PUT, with a login; it answers 500 where it is told to
tls=$(free_port)
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=site -addext subjectAltName=IP:127.0.0.1 \
  -keyout "$work/site.key" -out "$work/site.pem" 2> /dev/null
mkdir -p "$work/nginx/tmp" "$work/nginx/www"
printf 'plant:%s\n' "$(openssl passwd -6 secret)" > "$work/nginx/users"
cat > "$work/nginx/nginx.conf" <<NGINX
daemon off; pid $work/nginx/pid; error_log $work/nginx/error.log; worker_processes 1;
events {}
http {
  access_log $work/nginx/access.log;
  client_body_temp_path $work/nginx/tmp; proxy_temp_path $work/nginx/p; fastcgi_temp_path $work/nginx/f; uwsgi_temp_path $work/nginx/u; scgi_temp_path $work/nginx/s;
  client_max_body_size 0;
  server {
    listen 127.0.0.1:$tls ssl; ssl_certificate $work/site.pem; ssl_certificate_key $work/site.key;
    root $work/nginx/www; auth_basic site; auth_basic_user_file $work/nginx/users;
    location / { dav_methods PUT; create_full_put_path on; dav_access user:rw; include $work/nginx/broken[.]conf; }
  }
}
NGINX
[ "$(id -u)" -ne 0 ] || sed -i '1i user root;' "$work/nginx/nginx.conf"
nginx -p "$work/nginx" -c "$work/nginx/nginx.conf" > "$work/nginx/out" 2>&1 &
pids+=($!)
wait_for "https://127.0.0.1:$tls/"
site() { curl -s --cacert "$work/site.pem" -u plant:secret "$@"; }
workers() { cat "/proc/$1/task/$1/children"; }
reload() {  # reload STATUS: until a PUT of such a file is answered like this, and nobody is left who answers otherwise
  local master before
  master=$(cat "$work/nginx/pid") before=$(workers "$(cat "$work/nginx/pid")")
  kill -HUP "$master"
  are_gone() { [[ " $(workers "$master")" != *" $before"* ]]; }
  soon are_gone || fail "nginx keeps its worker $before"
  for _ in $(seq 600); do
    [[ "$(site -o /dev/null -w '%{http_code}' -X PUT --data probe "https://127.0.0.1:$tls/probe-z.txt")" =~ ^$1$ ]] && return
    sleep 0.1
  done
  fail "nginx does not answer $1"
}
# nginx logs a request after its answer, and before it turns to the next one: that of the GET here.
puts() { site -o /dev/null "https://127.0.0.1:$tls/" && { grep -c '"PUT' "$work/nginx/access.log" || true; }; }
repository() {  # repository NAME KIND ADDRESS [LINE…]
  printf '[repository.%s]\nkind = "%s"\naddress = "%s"\n' "$1" "$2" "$3"
  [ $# -lt 4 ] || printf '%s\n' "${@:4}"
}
login=("ca_file = \"$work/site.pem\"" "login_file = \"$work/login\"")
{ repository files raw "https://127.0.0.1:$tls/raw" "${login[@]}"
  repository flat raw "https://127.0.0.1:$tls/flat" "${login[@]}" 'layout = "flat"' 'takes = ["file", "chart"]'
  repository placed raw "https://127.0.0.1:$tls/placed" "${login[@]}" 'path = "{name}/v{version}/{file}"' 'suffix = "?site={name};of={version}"'
  repository both raw "https://127.0.0.1:$tls/placed" "${login[@]}" 'path = "{file}"' 'layout = "flat"'
  repository unknown raw "https://127.0.0.1:$tls/placed" "${login[@]}" 'path = "{folder}/{file}"'
  repository bare raw "https://127.0.0.1:$tls/placed" "${login[@]}" 'suffix = "x=y"'
  repository arch raw "https://127.0.0.1:$tls/placed" "${login[@]}" 'path = "{arch}/{file}"'
  repository pool raw "https://127.0.0.1:$tls/pool" "${login[@]}" 'path = "{arch}/{file}"' 'takes = ["deb"]'
  repository maven maven "https://127.0.0.1:$tls/maven2" "${login[@]}"
  repository stranger raw "https://127.0.0.1:$tls/raw" "ca_file = \"$work/keys/builder.pem.pub\""
  repository unproved raw "https://127.0.0.1:$tls/raw"; } >> "$high_state/config.toml"

# --- what is wrong before anything is sent
echo "plant:secret" > "$work/login" && chmod 644 "$work/login"
refused config-invalid high push files
chmod 600 "$work/login" && echo "plant:wrong" > "$work/login"
refused unauthorized high push files
echo "plant:secret" > "$work/login"
refused config-invalid high push unproved
refused tls-invalid high push stranger
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=other -addext subjectAltName=IP:127.0.0.1 -keyout "$work/other.key" -out "$work/other.pem" 2> /dev/null
sed -i "s|$work/keys/builder.pem.pub|$work/other.pem|" "$high_state/config.toml"
refused tls-invalid high push stranger
refused source-unknown high push nowhere
refused source-unknown high push oci://files
refused usage high push maven tools
refused not-found high push files nothing-here
refused not-found high push files --bundle site/9
refused usage high push files tools --bundle site/1
[ "$(puts)" = 0 ] || fail "something was sent: $(grep PUT "$work/nginx/access.log")"
step "a login that others can read, a wrong one, a wrong CA, a wrong name: each is told, and nothing is sent"

# --- raw files
plan=$(high push files --dry-run)
grep -q "file:tools@1 -> 127.0.0.1:$tls/raw .*: 3 of 3 files, 48" <<< "$plan" || fail "the plan: $plan"
[ "$(puts)" = 0 ] || fail "a dry run sent something"
echo 'set $asked $request_method$uri; if ($asked ~ "^PUT.*z.txt") { return 500; }' > "$work/nginx/broken.conf"
reload 500
refused http-status high push files
rm "$work/nginx/broken.conf"
reload "20[14]"
before=$(puts)
plan=$(high --json push files --dry-run)
[ "$(json '["artifacts"][0]["lacking"]' <<< "$plan")" = 1 ] || fail "what was sent before the 500 is sent again: $plan"
/usr/bin/time -f %M -o "$work/memory" "$high_exe" --quiet --state "$high_state" push files > "$work/out" || fail "push after the 500"
[ "$(($(puts) - before))" = 1 ] || fail "more than the one file was sent"
for file in large.bin small.txt z.txt; do cmp "tools/$file" "$work/nginx/www/raw/files/tools/$file" || fail "$file differs there"; done
before=$(puts)
grep -q "nothing to send" <<< "$(high push files --bundle site/1)" || fail "the second push sends something"
[ "$(puts)" = "$before" ] || fail "the second push sent something"
log=$(high --json audit tail -n 200 --type file.push)
grep -q "'outcome': 'failure'" <<< "$(json '["entries"]' <<< "$log")" || fail "the failed push is not in the log"
grep -q "'outcome': 'success'" <<< "$(json '["entries"]' <<< "$log")" || fail "the push is not in the log"
if grep -rq secret "$high_state/audit/"; then fail "the password is in the audit log"; fi
step "files: nginx $(nginx -v 2>&1 | sed 's|.*/||') takes them by PUT"
step "files by PUT: a 500 in the middle, the rest by the same command, then nothing"

# Memory does not grow with the file.
rm "$work/nginx/www/raw/files/tools/large.bin"
/usr/bin/time -f %M -o "$work/memory" "$high_exe" --quiet --state "$high_state" push files > /dev/null || fail "push of the large file"
[ "$(cat "$work/memory")" -lt 65536 ] || fail "a file of 48 MiB needs $(cat "$work/memory") KiB of memory"
step "48 MiB go with $(cat "$work/memory") KiB of memory"

# Other bytes are never written over.
echo SMALL > "$work/nginx/www/raw/files/tools/small.txt"
rm "$work/nginx/www/raw/files/tools/z.txt"
refused immutable high push files
[ "$(cat "$work/nginx/www/raw/files/tools/small.txt")" = SMALL ] || fail "it was written over"
[ ! -e "$work/nginx/www/raw/files/tools/z.txt" ] || fail "a part of the artifact was sent"
if high push files --dry-run > "$work/out"; then fail "a plan with other bytes there succeeds"; fi
grep -q "is there with other bytes (/raw/files/tools/small.txt)" "$work/out" || fail "the plan: $(cat "$work/out")"
step "other bytes there: refused, named, left alone"

# Rotten in the store: it does not leave whole, and nginx keeps nothing of it.
rm -r "$work/nginx/www/raw"
blob=$(find "$high_state/store/blobs" -type f -size +40M)
chmod u+w "$blob" && damage "$blob" 50000000
refused blob-corrupt high push files
[ ! -e "$work/nginx/www/raw/files/tools/large.bin" ] || fail "rotten bytes arrived"
cp tools/large.bin "$blob" && chmod 444 "$blob"
step "what rotted in the store does not go out"

# Killed in the middle, at several moments.
for moment in 0.05 0.1 0.2 0.3; do timeout -s KILL "$moment" "$high_exe" --quiet --state "$high_state" push files > /dev/null 2>&1 || true; done
high push files > /dev/null || fail "the push after a kill"
cmp tools/large.bin "$work/nginx/www/raw/files/tools/large.bin" || fail "after a kill"
step "killed at four moments, the same command ends it"

# A flat layout, and other kinds where the table says so.
high push flat > /dev/null || fail "flat"
cmp demo-1.2.3.tgz "$work/nginx/www/flat/demo-1.2.3.tgz" || fail "the chart"
cmp tools/small.txt "$work/nginx/www/flat/small.txt" || fail "the file"
step "a flat folder with charts, as Nexus has them"

# Places of their own, and what only the upload has behind them.
for wrong in both unknown bare arch; do refused config-invalid high push "$wrong"; done
high push placed > /dev/null || fail "placed"
for file in large.bin small.txt z.txt; do cmp "tools/$file" "$work/nginx/www/placed/tools/v1/$file" || fail "$file is not at its place"; done
site -o /dev/null "https://127.0.0.1:$tls/"
grep -q '"PUT /placed/tools/v1/small.txt?site=tools;of=1 HTTP' "$work/nginx/access.log" || fail "the suffix of the upload: $(grep placed "$work/nginx/access.log")"
if grep -q '"GET /placed/.*site=' "$work/nginx/access.log"; then fail "the suffix is in a question"; fi
grep -q "nothing to send" <<< "$(high push placed)" || fail "the second push to a place of its own"
high push pool > /dev/null || fail "debs by their architecture"
cmp debs/words_2.0_all.deb "$work/nginx/www/pool/all/words_2.0_all.deb" || fail "the deb of all architectures"
[ -n "$(ls "$work"/nginx/www/pool/amd64/hello_*_amd64.deb)" ] || fail "the deb of amd64"
step "a path of their own for files and .debs, and a suffix that the upload alone has"

# --- Maven: real mvn resolves a parent by a range (maven-metadata.xml) and an extension's jar, checksums strict
high push maven > "$work/out" || fail "maven"
for path in parent/1.5/parent-1.5.pom tool/2.0/tool-2.0.jar tool/2.0/tool-2.0.pom tool/maven-metadata.xml; do
  file=$work/nginx/www/maven2/org/example/$path
  [ "$(cat "$file.sha1")" = "$(sha1sum < "$file" | cut -d' ' -f1)" ] || fail "the checksum of $path"
  [ "$(cat "$file.sha256")" = "$(sha256sum < "$file" | cut -d' ' -f1)" ] || fail "the sha256 of $path"
done
before=$(puts)
grep -q "nothing to send" <<< "$(high push maven)" || fail "the second push of maven"
[ "$(puts)" = "$before" ] || fail "the second push of maven sent something"
# A checksum that a killed run left out, and somebody else's version in the metadata.
rm "$work/nginx/www/maven2/org/example/tool/2.0/tool-2.0.jar.sha1"
high push maven > /dev/null
[ -s "$work/nginx/www/maven2/org/example/tool/2.0/tool-2.0.jar.sha1" ] || fail "the checksum was not put back"
sed -i 's|<version>2.0</version>|<version>9.0</version>|' "$work/nginx/www/maven2/org/example/tool/maven-metadata.xml"
high push maven > /dev/null
[ "$(grep -o '<version>[0-9.]*' "$work/nginx/www/maven2/org/example/tool/maven-metadata.xml" | tr -d '\n')" = "<version>9.0<version>2.0" ] || fail "the metadata"
sed -i 's|<version>9.0</version>||' "$work/nginx/www/maven2/org/example/tool/maven-metadata.xml"
sha1sum < "$work/nginx/www/maven2/org/example/tool/maven-metadata.xml" | cut -d' ' -f1 > "$work/nginx/www/maven2/org/example/tool/maven-metadata.xml.sha1"
if command -v mvn > /dev/null; then
  mkdir -p "$work/app"
  cat > "$work/app/pom.xml" <<'XML'
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <parent><groupId>org.example</groupId><artifactId>parent</artifactId><version>[1,2)</version><relativePath/></parent>
  <artifactId>app</artifactId><version>1</version>
  <build><extensions><extension><groupId>org.example</groupId><artifactId>tool</artifactId><version>2.0</version></extension></extensions></build>
</project>
XML
  cat > "$work/app/settings.xml" <<XML
<settings><servers><server><id>site</id><username>plant</username><password>secret</password></server></servers>
<mirrors><mirror><id>site</id><mirrorOf>*</mirrorOf><url>https://127.0.0.1:$tls/maven2/</url></mirror></mirrors></settings>
XML
  # Java trusts its own store: the site's CA goes into one of this test.
  keytool -importcert -noprompt -alias site -file "$work/site.pem" -keystore "$work/trust.p12" -storetype PKCS12 -storepass changeit > /dev/null 2>&1 || fail "keytool"
  MAVEN_OPTS="-Djavax.net.ssl.trustStore=$work/trust.p12 -Djavax.net.ssl.trustStorePassword=changeit" \
    mvn -B -q -C -s "$work/app/settings.xml" -f "$work/app/pom.xml" "-Dmaven.repo.local=$work/m2" validate > "$work/mvn.log" 2>&1 || { cat "$work/mvn.log"; fail "mvn does not take it from nginx"; }
  cmp m2/org/example/tool/2.0/tool-2.0.jar "$work/m2/org/example/tool/2.0/tool-2.0.jar" || fail "the jar that mvn got"
  [ -e "$work/m2/org/example/parent/1.5/parent-1.5.pom" ] || fail "mvn did not find the parent by its range"
  step "maven: Maven $(mvn -B --version | sed -n 's/.*Apache Maven \([0-9.]*\).*/\1/p') takes it from nginx"
fi
echo other > "$work/nginx/www/maven2/org/example/tool/2.0/tool-2.0.jar"
refused immutable high push maven
step "a Maven repository: layout, checksums, metadata; mvn takes a range and a jar from it"

# --- aptly
aptly_port=$(free_port)
mkdir -m 700 "$work/gnupg" && export GNUPGHOME=$work/gnupg
gpg --batch --quiet --passphrase '' --quick-gen-key "Site <apt@site.example>" rsa3072 sign 1d 2> /dev/null
gpg --export > "$work/site.gpg"
printf '{"rootDir": "%s/aptly", "architectures": ["amd64"]}' "$work" > "$work/aptly.json"
aptly -config="$work/aptly.json" repo create -distribution=bookworm -component=main site > /dev/null
aptly -config="$work/aptly.json" publish repo -architectures=amd64,all site > /dev/null 2>&1 || fail "aptly publish"
aptly -config="$work/aptly.json" api serve -listen="127.0.0.1:$aptly_port" > "$work/aptly.log" 2>&1 &
aptly_pid=$!
pids+=("$aptly_pid")
wait_for "http://127.0.0.1:$aptly_port/api/version"
{ repository debian aptly "http://127.0.0.1:$aptly_port" 'repository = "site"' 'publish = "bookworm"'
  repository elsewhere aptly "http://127.0.0.1:$aptly_port" 'repository = "nothing"'; } >> "$high_state/config.toml"
refused not-found high push elsewhere
grep -q "deb:hello@1:1.0-1 .*1 of 1 file" <<< "$(high push debian --dry-run)" || fail "the plan of aptly: $(high push debian --dry-run)"
high push debian > "$work/out" || { cat "$work/out" "$work/aptly.log"; fail "aptly"; }
publications() { high --json audit tail -n 50 --type repository.publish | json '["entries"]' | grep -o "'outcome': '[a-z]*'" | tr -d '\n'; }
[ "$(publications)" = "'outcome': 'intent''outcome': 'success'" ] || fail "the log of the publication: $(publications)"
grep -q "nothing to send" <<< "$(high push debian)" || fail "the second push to aptly"
[ "$(publications)" = "'outcome': 'intent''outcome': 'success'" ] || fail "nothing was published, and the log says: $(publications)"
# apt takes it from what aptly published.
mkdir -p "$work/apt/lists/partial" "$work/apt/cache/archives/partial" "$work/apt/etc" && touch "$work/apt/status"
printf 'deb [signed-by=%s/site.gpg arch=amd64] file://%s/aptly/public bookworm main\n' "$work" "$work" > "$work/apt/etc/sources.list"
apt=(-o Dir::State="$work/apt" -o Dir::State::status="$work/apt/status" -o Dir::Cache="$work/apt/cache" -o Dir::Etc="$work/apt/etc"
  -o Dir::Etc::sourceparts=/dev/null -o Dir::Etc::parts=/dev/null -o Dir::Etc::trustedparts=/dev/null -o APT::Architecture=amd64 -o APT::Sandbox::User=root)
apt-get "${apt[@]}" -qq update > "$work/apt.log" 2>&1 || { cat "$work/apt.log"; fail "apt-get update"; }
(mkdir "$work/got" && cd "$work/got" && apt-get "${apt[@]}" -qq download hello words > "$work/apt.log" 2>&1) || { cat "$work/apt.log"; fail "apt-get download"; }
[ "$(dpkg-deb -f "$work"/got/hello_*.deb Version)" = 1:1.0-1 ] || fail "hello"
cmp debs/words_2.0_all.deb "$work/got/words_2.0_all.deb" || fail "words"
step "deb: apt $(dpkg-query -W -f '${Version}' apt) takes it from aptly"
# A run that was cut off before it published: what it uploaded is still there, and the next one ends it.
curl -s -o /dev/null -F file=@debs/words_2.0_all.deb "http://127.0.0.1:$aptly_port/api/files/liftlock-site"
high push debian > /dev/null
[ "$(curl -s "http://127.0.0.1:$aptly_port/api/files")" = "[]" ] || fail "uploads are left: $(curl -s "http://127.0.0.1:$aptly_port/api/files")"
step "aptly: uploaded, added, published; apt takes them"
# Another package of that name and version.
curl -s -o /dev/null -X POST -H 'Content-Type: application/json' -d '{"Name": "taken"}' "http://127.0.0.1:$aptly_port/api/repos"
mkdir -p deb/DEBIAN && printf 'Package: words\nVersion: 2.0\nArchitecture: all\nMaintainer: x <x@site.example>\nDescription: another\n' > deb/DEBIAN/control && dpkg-deb --root-owner-group -b deb "$work/words_2.0_all.deb" > /dev/null
curl -s -o /dev/null -F "file=@$work/words_2.0_all.deb" "http://127.0.0.1:$aptly_port/api/files/x"
curl -s -o /dev/null -X POST "http://127.0.0.1:$aptly_port/api/repos/taken/file/x"
repository taken aptly "http://127.0.0.1:$aptly_port" 'repository = "taken"' >> "$high_state/config.toml"
refused immutable high push taken
step "aptly has another package of that name: refused"

# --- reprepro
mkdir -p "$work/apt-site/conf" "$work/incoming"
printf 'Codename: bookworm\nComponents: main\nArchitectures: amd64\n' > "$work/apt-site/conf/distributions"
printf '[repository.incoming]\nkind = "reprepro"\nfolder = "%s/incoming"\npool = "%s/apt-site/pool"\n' "$work" "$work" >> "$high_state/config.toml"
high push incoming > /dev/null || fail "reprepro"
cmp debs/words_2.0_all.deb "$work/incoming/words_2.0_all.deb" || fail "words in the folder"
reprepro --silent -b "$work/apt-site" includedeb bookworm "$work"/incoming/*.deb || fail "reprepro includedeb"
[ "$(reprepro -b "$work/apt-site" list bookworm | wc -l)" = 2 ] || fail "reprepro list: $(reprepro -b "$work/apt-site" list bookworm)"
rm "$work"/incoming/*.deb
grep -q "nothing to send" <<< "$(high push incoming)" || fail "what reprepro took is given again"
printf 'deb [trusted=yes arch=amd64] file://%s/apt-site bookworm main\n' "$work" > "$work/apt/etc/sources.list"
apt-get "${apt[@]}" -qq update > "$work/apt.log" 2>&1 || { cat "$work/apt.log"; fail "apt-get update from reprepro"; }
grep -q "1:1.0-1" <<< "$(apt-cache "${apt[@]}" policy hello)" || fail "apt does not see hello"
echo x > "$work/incoming/words_2.0_all.deb"
refused immutable high push incoming
step "deb: apt $(dpkg-query -W -f '${Version}' apt) takes it from reprepro"
step "reprepro takes what was put into its folder, and is not given it again"

# --- charts in a registry
registry_port=$(free_port)
printf 'version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage: {filesystem: {rootdirectory: %s/registry}}\nhttp: {addr: "127.0.0.1:%s"}\n' "$work" "$registry_port" > "$work/registry.yml"
docker-registry serve "$work/registry.yml" > "$work/registry.log" 2>&1 &
pids+=($!)
wait_for "http://127.0.0.1:$registry_port/v2/"
repository charts oci "http://127.0.0.1:$registry_port" 'prefix = "charts"' 'takes = ["image", "chart"]' >> "$high_state/config.toml"
high push charts > /dev/null || fail "charts into a registry"
manifest=$(skopeo inspect --raw --tls-verify=false "docker://127.0.0.1:$registry_port/charts/demo:1.2.3")
[ "$(json '["config"]["mediaType"]' <<< "$manifest")" = application/vnd.cncf.helm.config.v1+json ] || fail "the manifest: $manifest"
skopeo copy -q --src-tls-verify=false "docker://127.0.0.1:$registry_port/charts/demo:1.2.3" "dir:$work/pulled" || fail "skopeo"
cmp demo-1.2.3.tgz "$work/pulled/$(sha256sum < demo-1.2.3.tgz | cut -d' ' -f1)" || fail "the archive there"
grep -q "nothing to send" <<< "$(high push charts)" || fail "the second push of charts"
step "charts as OCI artifacts, taken by skopeo"
# --- a stand-in of ChartMuseum: the real one is asked in push_servers_test.sh
odd_port=$(free_port)
python3 "$root/tests/tools/odd_repository.py" "$odd_port" "$work/mode" &
pids+=($!)
wait_for "http://127.0.0.1:$odd_port/"
repository museum helm "http://127.0.0.1:$odd_port" >> "$high_state/config.toml"
high push museum > /dev/null || fail "charts into a stand-in of ChartMuseum"
[ "$(curl -s "http://127.0.0.1:$odd_port/api/charts/demo/1.2.3" | json '["digest"]')" = "$(sha256sum < demo-1.2.3.tgz | cut -d' ' -f1)" ] || fail "the chart there"
grep -q "nothing to send" <<< "$(high push museum)" || fail "the second push of charts to the stand-in"
step "charts by ChartMuseum's API, as its documents have it (a stand-in)"
echo index > "$work/mode"
grep -q "nothing to send" <<< "$(high push museum)" || fail "a chart that the index names is sent again"
odd_index=$(free_port)
python3 "$root/tests/tools/odd_repository.py" "$odd_index" "$work/mode" &
pids+=($!)
wait_for "http://127.0.0.1:$odd_index/"
repository index helm "http://127.0.0.1:$odd_index" >> "$high_state/config.toml"
high push index > /dev/null || fail "charts into a repository with an index alone"
cmp demo-1.2.3.tgz <(curl -fsS "http://127.0.0.1:$odd_index/demo-1.2.3.tgz") || fail "the chart there"
grep -q "nothing to send" <<< "$(high push index)" || fail "the second push to a repository with an index alone"
mkdir -p "$work/other-charts/demo" && printf 'name: demo\nversion: 1.2.3\n' > "$work/other-charts/demo/Chart.yaml"
tar -C "$work/other-charts" -czf "$work/other-charts/other.tgz" demo
curl -fsS -o /dev/null --data-binary "@$work/other-charts/other.tgz" "http://127.0.0.1:$odd_index/api/charts"
refused immutable high push index
repository nowhere helm "http://127.0.0.1:$odd_index/nothing" >> "$high_state/config.toml"
refused http-status high push nowhere
rm "$work/mode"
step "charts by the upload and an index.yaml without digests, as Gitea has them (a stand-in): what is there is not written over"

# --- repositories that lie: nothing is followed, nothing is believed, nothing grows
for kind in pypi maven raw aptly; do
  repository "odd-$kind" $kind "http://127.0.0.1:$odd_port/x" "$([ $kind != aptly ] || echo 'repository = "site"')" >> "$high_state/config.toml"
done
echo redirect > "$work/mode"
for name in odd-pypi odd-maven odd-raw odd-aptly museum; do refused http-status high push $name; done
echo links > "$work/mode"
refused http-status high push odd-pypi
[ ! -e "$work/mode.elsewhere" ] || fail "it went elsewhere: $(cat "$work/mode.elsewhere")"
echo garbage > "$work/mode"
for name in odd-pypi odd-maven odd-aptly museum; do refused schema-violation high push $name --dry-run; done
echo silent > "$work/mode"
for name in odd-pypi odd-maven odd-aptly museum; do refused network high push $name --dry-run; done
echo endless > "$work/mode"
for name in odd-pypi odd-maven odd-aptly museum; do
  /usr/bin/time -f %M -o "$work/memory" bash -c 'source /dev/stdin; refused limit-exceeded high push "$1" --dry-run' _ $name \
    < <(declare -f refused fail high; declare -p high_exe high_state) || fail "endless"
  [ "$(tail -1 "$work/memory")" -lt 400000 ] || fail "an endless answer needs $(cat "$work/memory") KiB"
done
timeout 60 "$high_exe" --state "$high_state" push odd-raw --dry-run > "$work/out" 2>&1 && fail "endless bytes are the file"
grep -q "other bytes" "$work/out" || fail "endless bytes: $(cat "$work/out")"
step "redirects, links elsewhere, garbage, endless and broken answers"
high audit verify > /dev/null || fail "the audit log"
