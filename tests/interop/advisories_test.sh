#!/usr/bin/env bash
# What a database of vulnerabilities says of what crossed, and which bundle would fix it: one in use, one that waits in a source, one
# that was retired, or none; RPM packages by their distribution.   advisories_test.sh LIFTLOCK_LOW LIFTLOCK_HIGH
source "$(dirname "$0")/crossing_machines.sh" || exit 1
source "$(dirname "$0")/package_crossing.sh"
mkdir "$work/stack"
cd "$work/stack"
for version in 1.0 1.2; do python3 "$root/tests/tools/make_wheel.py" "$work/wheels" demo $version; done
python3 "$root/tests/tools/make_wheel.py" "$work/wheels" app 1.0 demo
export PIP_NO_INDEX=1 PIP_FIND_LINKS=$work/wheels
python3 - <<'PY'
import json, zipfile
def record(identity, ecosystem, name, events, **more):
    return {"id": identity, "modified": "2026-11-20T00:00:00Z", "affected": [{"package": {"ecosystem": ecosystem, "name": name},
            "ranges": [{"type": "ECOSYSTEM", "events": events}]}], **more}
records = [record("GHSA-test-0001", "PyPI", "demo", [{"introduced": "0"}, {"fixed": "1.1"}, {"introduced": "2.0"}, {"fixed": "2.3"}], aliases=["CVE-2026-0001"]),
           record("GHSA-test-A", "PyPI", "app", [{"introduced": "0"}, {"fixed": "1.1"}, {"introduced": "2.0"}, {"fixed": "2.3"}]),
           record("GHSA-test-B", "PyPI", "app", [{"introduced": "0"}, {"fixed": "2.0"}]),
           record("GHSA-test-C", "PyPI", "app", [{"introduced": "0"}]),
           record("RLSA-test-1", "Rocky Linux:9", "boat", [{"introduced": "0"}, {"fixed": "2:1.0-3.el9_4"}], upstream=["CVE-2026-7", "CVE-2026-8"]),
           record("RLSA-test-2", "Rocky Linux:8", "boat", [{"introduced": "0"}, {"fixed": "2:9.0-1.el8"}])]
with zipfile.ZipFile("all.zip", "w") as out:
    for one in records:
        out.writestr(one["id"] + ".json", json.dumps(one))
PY
stack() { printf '%s\n' '[stack]' 'name = "tools"' '[python.tools]' "requirements = [\"app\", \"demo==$1\"]" '[advisories.osv]' 'source = "all.zip"' > liftlock.toml; }
asks() { high --json report | value '[(a["package"], a["version"]) for a in d["ask"]]'; }
offers() { high --json report | value '[(o["state"], o["bundle"], o["artifact"]) for f in d["findings"] if "demo" in f["artifact"] for o in f["brought_by"]]'; }
stack 1.0
cross tools-1

said=$(high report)
grep -q "fixed in 1.1, 2.3; no bundle here brings a version that is not affected" <<< "$said" || fail "without a fix here: $said"
grep -q "held by tools/1; needed by wheel:app@1.0" <<< "$said" || fail "who uses it: $said"
grep -q "^to ask the low side for:" <<< "$said" || fail "what to ask for: $said"
grep -q "^  wheel:demo 1.1 or later, instead of 1.0$" <<< "$said" || fail "what to ask for: $said"
grep -q "^  wheel:app 2.3 or later, instead of 1.0; still affected by GHSA-test-C$" <<< "$said" || fail "a version that one finding means is no answer to another: $said"
[ "$(asks)" = "[('wheel:app', '2.3'), ('wheel:demo', '1.1')]" ] || fail "asked for: $(asks)"
grep -q "^to be locked, fetched and packed:" <<< "$(low report)" || fail "the low side: $(low report)"
got=0; high report --fail > /dev/null || got=$?
[ "$got" = 3 ] || fail "--fail ended with $got"
step "a finding says who uses it, what fixes it, and what to ask for"

# --- a bundle that waits: only what is signed counts
stack 1.2
rm liftlock.lock
{ low lock && low fetch && low pack --output "$work/medium/tools-2"; } > /dev/null 2>&1 || fail "tools-2"
[ "$(offers)" = "[]" ] || fail "an unsigned bundle counts: $(offers)"
grep -q "usb/tools-2 is not looked into: " <<< "$(high report 2>&1)" || fail "nothing is said of the unsigned bundle"
low sign "$work/medium/tools-2" --role builder --key "$work/keys/builder.pem" > /dev/null
[ "$(offers)" = "[('waiting', 'tools/2', 'wheel:demo@1.2')]" ] || fail "waiting: $(offers)"
grep -q 'wheel:demo@1.2 waits in tools/2: `liftlock ingest usb/tools-2`' <<< "$(high report)" || fail "$(high report)"
[ "$(asks)" = "[('wheel:app', '2.3')]" ] || fail "asked for what is here: $(asks)"
mkdir "$work/medium/bad"
ln -s manifest "$work/medium/bad/manifest"
[ "$(offers)" = "[('waiting', 'tools/2', 'wheel:demo@1.2')]" ] || fail "beside a folder that cannot be read: $(offers)"
grep -q "usb/bad is not looked into: " <<< "$(high report 2>&1)" || fail "nothing is said of the bad folder"
for i in $(seq 200); do ln -s "bad$i" "$work/medium/bad$i"; done
grep -q "the source usb has more than 200 bundles" <<< "$(high report 2>&1)" || fail "nothing is said of the limit"
rm -r "$work"/medium/bad*
mv "$work/medium/tools-2" "$work/away"
[ "$(offers)" = "[]" ] || fail "the medium is gone: $(offers)"
mv "$work/away" "$work/medium/tools-2"
step "a signed bundle in a source is named with the command that takes it in"

# --- one in use, one that was retired, and one whose lists are gone
high ingest usb/tools-2 --expect "$(sha256sum < "$work/medium/tools-2/manifest/bundle.json" | cut -d' ' -f1)" > /dev/null
[ "$(offers)" = "[('landed', 'tools/2', 'wheel:demo@1.2')]" ] || fail "landed: $(offers)"
grep -q "wheel:demo@1.2 is here already, with tools/2" <<< "$(high report)" || fail "$(high report)"
high retire tools/2 --reason "test" > /dev/null
[ "$(offers)" = "[('retired', 'tools/2', 'wheel:demo@1.2')]" ] || fail "retired: $(offers)"
grep -q "wheel:demo@1.2 came with tools/2, which was retired" <<< "$(high report)" || fail "$(high report)"
high gc > /dev/null
[ "$(offers)" = "[]" ] || fail "its lists are gone: $(offers)"
step "bundles in use and retired ones are named, as long as their lists are here"

# --- RPM packages, by the vendor in their header
command -v rpmbuild > /dev/null || { echo "no rpmbuild: RPM packages are not tried"; exit 0; }
export HOME=$work/home
mkdir -p "$HOME" "$work/rpms"
build() {  # build VENDOR RELEASE
  printf '%s\n' "Name: boat" "Version: 1.0" "Epoch: 2" "Release: $2" "Summary: x" "License: MIT" "Vendor: $1" "BuildArch: noarch" "%description" "x" \
    "%package sail" "Summary: x" "%description sail" "x" "%files sail" "%files" > "$work/boat.spec"
  rpmbuild --quiet --define "_topdir $work/rpmbuild" --define "_rpmdir $work/rpms" --define "_build_name_fmt %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm" \
    -bb "$work/boat.spec" > "$work/rpmbuild.log" 2>&1 || { cat "$work/rpmbuild.log"; fail "rpmbuild"; }
}
build "Rocky Enterprise Software Foundation" 2.el9
build "Rocky Enterprise Software Foundation" 3.el9_4
grep -q '^\[policy\]' "$high_state/config.toml" && sed -i 's/^\[policy\]$/&\nunsigned_imports = true/' "$high_state/config.toml" || printf '[policy]\nunsigned_imports = true\n' >> "$high_state/config.toml"
mkdir "$work/first" "$work/sibling" "$work/second" && mv "$work"/rpms/boat-1.0-3.* "$work/sibling" && mv "$work"/rpms/boat-sail-1.0-2.* "$work/first" && mv "$work"/rpms/boat-sail-1.0-3.* "$work/second"
high import "$work/first" --reason "ticket 1" > /dev/null
said=$(high report)
grep -q "rpm:boat-sail@2:1.0-2.el9  RLSA-test-1 (CVE-2026-7, CVE-2026-8)" <<< "$said" || fail "by its source's name: $said"
grep -q "rpm:boat-sail 2:1.0-3.el9_4 or later, instead of 2:1.0-2.el9" <<< "$said" || fail "what to ask for: $said"
! grep -q "RLSA-test-2" <<< "$said" || fail "another release: $said"
high import "$work/sibling" --reason "ticket 2" > /dev/null
! grep -q "is here already" <<< "$(high report)" || fail "another package of the same source is no fix: $(high report)"
high import "$work/second" --reason "ticket 3" > /dev/null
grep -q "rpm:boat-sail@2:1.0-3.el9_4 is here already, with import/3" <<< "$(high report)" || fail "the fixed one: $(high report)"
rm -r "$work"/rpms && build "Somebody" 9.el9 && mkdir "$work/third" && mv "$work"/rpms/boat-sail-1.0-9* "$work/third"
high import "$work/third" --reason "ticket 4" > /dev/null
grep -q "^not compared: 1 rpm$" <<< "$(high report)" || fail "another vendor: $(high report)"
step "RPM packages are compared by vendor, release and source, in rpm's order"
