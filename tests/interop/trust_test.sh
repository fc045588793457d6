#!/bin/bash
# The whole ceremony with the program itself: keys, first root, two-person changes, pinning on another machine, signing a
# bundle, and the checks by hand with openssl and gpg. Usage: trust_test.sh LIFTLOCK
source "$(dirname "$0")/crossing_machines.sh" || exit 1
liftlock=$low_exe
export GNUPGHOME=$work/gnupg
mkdir -m 700 "$GNUPGHOME"
cd "$work"
low() { "$liftlock" --quiet --state "$work/low" "$@" </dev/null; }
far() { "$liftlock" --quiet --state "$work/far" "$@" </dev/null; }

low init --zone low >/dev/null
far init --zone transfer >/dev/null
refused trust-missing low trust show

echo secret >passphrase
for name in root1 root2 root3; do low trust keygen --role root --out $name.pem --passphrase-file passphrase >/dev/null; done
low trust keygen --role builder --out builder.pem >/dev/null
low trust keygen --role approver --out ada.pem --type ed25519 >/dev/null
[ "$(stat -c %a builder.pem)" = 600 ]
refused immutable low trust keygen --role builder --out builder.pem
refused usage low trust keygen --role builder --out -
[ ! -e ./- ] && [ ! -e ./-.pub ]
gpg --batch --quiet --passphrase '' --quick-generate-key 'Eve <eve@example.invalid>' ed25519 sign never
eve=$(gpg --batch --with-colons --list-keys | sed -n 's/^fpr:::::::::\([0-9A-F]*\):.*/\1/p' | head -n 1)
step "keys are made with mode 0600 and never overwritten"

# Two root keys must sign: the second one signs "elsewhere".
begin=(trust init --organisation Example --root-key root1.pem --passphrase-file passphrase --root-public root2.pem.pub
  --threshold root:2 --add builder:builder.pem --add approver:ada.pem --out 1.root.json)
refused usage low "${begin[@]}" --expires 9999999w  # past the year 9999
refused usage low "${begin[@]}" --expires 2020-01-01
low "${begin[@]}" --expires 365d > /dev/null
refused trust-missing low trust show
refused key-role low trust sign-root 1.root.json --root-key builder.pem
low trust sign-root 1.root.json --root-key root2.pem --passphrase-file passphrase >/dev/null
[ "$(low --json trust show | json '["version"]')" = 1 ]
fingerprint=$(low --json trust show | json '["fingerprint"]')
step "the first root is in force once both root keys have signed"

# Elsewhere it is signed, too, and the file has the signature; but in force is only what was pinned with its fingerprint, however often it is signed.
bea() { "$low_exe" --quiet --state "$work/bea" "$@"; }
bea init > /dev/null
low trust keygen --role root --out first.pem > /dev/null && low trust keygen --role root --out second.pem > /dev/null
"$low_exe" --quiet --state "$work/ada" init > /dev/null
"$low_exe" --quiet --state "$work/ada" trust init --organisation Other --root-key first.pem --root-public second.pem.pub --threshold root:2 --out - > other.json
for _ in 1 2; do bea trust sign-root other.json --root-key second.pem > /dev/null; done
refused trust-missing bea trust show
"$low_exe" --quiet --state "$work/ada" trust pin other.json --fingerprint "$(low --json trust show other.json | json '["fingerprint"]')" > /dev/null || fail "the signature is not in the file"
step "a root that nobody compared is signed, and not pinned"

low trust add-key "gpg:$eve" --role approver --root-key root1.pem --passphrase-file passphrase --out 2.root.json >/dev/null
[ "$(low --json trust show | json '["version"]')" = 1 ]
low trust sign-root 2.root.json --root-key root2.pem --passphrase-file passphrase >/dev/null
both=(--root-key root1.pem --root-key root2.pem --passphrase-file passphrase)
low trust threshold approver 2 "${both[@]}" >/dev/null
[ "$(low --json trust show | json '["thresholds"]["approver"]')" = 2 ]
refused reason-required low trust threshold approver 1 "${both[@]}"
refused usage low trust threshold builder 0 "${both[@]}"
refused usage low trust add-key builder.pem.pub --role builder "${both[@]}"
step "changes need the threshold, and going down needs a reason"

mkdir -p bundle/manifest/trust
echo '{"channel": "main", "sequence": 1}' >bundle/manifest/bundle.json
cp low/trust/*.root.json bundle/manifest/trust/
low sign bundle --role builder --key builder.pem >/dev/null
low sign bundle --role approver --key ada.pem >/dev/null
low sign bundle --role approver --key "gpg:$eve" >/dev/null
refused key-role low sign bundle --role approver --key builder.pem
refused key-unknown low sign bundle --role builder --key root3.pem --passphrase-file passphrase
refused passphrase low sign bundle --role builder --key root3.pem
refused usage low sign bundle --role root --key builder.pem
refused not-a-bundle low sign low --role builder --key builder.pem
gpg --batch --quiet --verify bundle/signatures/approver."${eve:0:16}".asc bundle/manifest/bundle.json
json '["messageSignature"]["signature"]' <"$(ls bundle/signatures/builder.*.sigstore.json)" | base64 -d >sig.der
openssl dgst -sha256 -verify builder.pem.pub -signature sig.der bundle/manifest/bundle.json
step "gpg and openssl verify what was signed"

# The other side: never silently, and by the right fingerprint only.
newest=$(low --json trust show | json '["fingerprint"]')
refused confirmation-required far trust pin bundle
refused confirmation-required far trust pin bundle --fingerprint "$fingerprint"
far trust pin bundle --fingerprint "$newest" >/dev/null
[ "$(far --json trust show | json '["version"]')" = 3 ]
step "a root is pinned by its fingerprint only"

refused reason-required low trust revoke ada.pem "${both[@]}"
low --json trust revoke ada.pem --reason 'laptop stolen' "${both[@]}" >made.json 2>told
# What nobody can do any more is told before it is signed, and is no refusal.
words="once this is in force, 2 keys of the role approver must sign, and what is left is 1: no bundle lands any more"
grep -q "^warning: $words" told && grep -qF "$words" <<<"$(json '["warnings"][0]' <made.json)" || fail "$(cat told made.json)"
low trust rotate builder.pem --with root3.pem.pub "${both[@]}" >/dev/null
root1=$(openssl pkey -pubin -in root1.pem.pub -outform DER | sha256sum | cut -c1-16)
refused key-missing low trust rotate "$root1" --with none.pub "${both[@]}"
low trust keygen --role root --out root4.pem --passphrase-file passphrase >/dev/null
low trust rotate "$root1" --with root4.pem.pub "${both[@]}" --root-key root4.pem >/dev/null
cp low/trust/*.root.json bundle/manifest/trust/
rm bundle/manifest/trust/4.root.json
refused trust-broken far trust update bundle
cp low/trust/4.root.json bundle/manifest/trust/
far trust update bundle >/dev/null
[ "$(far --json trust show | json '["version"]')" = 6 ]
refused key-revoked low sign bundle --role approver --key ada.pem
step "revocation and rotation travel; a gap in the chain is refused"

roots=(--root-key root2.pem --root-key root4.pem --passphrase-file passphrase)
low trust keygen --role scanner --out scanner.pem >/dev/null
refused usage low trust add-key scanner.pem.pub --role scanner --key-expires 2020-01-01 "${roots[@]}"
low --json trust add-key scanner.pem.pub --role scanner --owner Sam "${roots[@]}" >made.json
[ "$(value '"warnings" in d' <made.json)" = False ] || fail "$(cat made.json)"
refused usage low trust retire Sam --until 2099-02-29 "${roots[@]}"
low trust retire Sam --until 2099-12-31 "${roots[@]}" >/dev/null 2>told
grep -q "^warning: from 2100-01-01T00:00:00Z on, no key of the role scanner is left: nothing can be withheld" told || fail "$(cat told)"
low --json trust retire Sam "${roots[@]}" >made.json 2>told
grep -q "^warning: once this is in force, no key of the role scanner is left: nothing can be withheld" told || fail "$(cat told)"
[ "$(value 'len(d["warnings"])' <made.json)" = 1 ] || fail "$(cat made.json)"
step "what nobody can do without the last key of a role is told"

"$liftlock" --quiet --state "$work/forked" init --zone low >/dev/null
"$liftlock" --quiet --state "$work/forked" trust init --organisation Example --root-key root2.pem --passphrase-file passphrase \
  --add builder:builder.pem >/dev/null
refused trust-broken low trust update forked/trust/1.root.json
cp forked/trust/1.root.json bundle/manifest/trust/
refused trust-broken low trust update bundle
[ "$(low --json audit tail -n 100 --type trust.fork | json '["entries"][-1]["detail"]["version"]')" = 1 ]
cp low/trust/1.root.json bundle/manifest/trust/
step "another statement of a version long past is refused"

low trust keygen --role root --out other.pem >/dev/null
"$liftlock" --quiet --state "$work/third" init --zone low >/dev/null
"$liftlock" --quiet --state "$work/third" trust init --organisation Other --root-key other.pem --add builder:builder.pem --out other.root.json >/dev/null
other=third/trust/1.root.json
print=$("$liftlock" --quiet --json --state "$work/third" trust show | json '["fingerprint"]')
refused immutable far trust pin $other --fingerprint "$print"
refused reason-required far trust pin $other --fingerprint "$print" --replace
far trust pin $other --fingerprint "$print" --replace --reason 'merged with Other' >/dev/null
[ "$(far --json trust show | json '["organisation"]')" = Other ]
step "another organisation replaces the first only with a reason"

for entry in 'far "change":"pin","error":"confirmation-required"' 'far "change":"update","error":"trust-broken"' \
  'low "change":"add-key","error":"usage"' 'low "change":"revoke","error":"reason-required"'; do
  grep -raqF "${entry#* }" "${entry%% *}/audit" || { echo "no entry ${entry#* }"; exit 1; }
done
rm builder.pem.pub
refused immutable low trust keygen --role builder --out builder.pem
low --json audit tail --type trust.keygen > tail.json
[ "$(json '["entries"][-1]["outcome"]' < tail.json)" = failure ]
step "what was refused is in the audit log"

sed -i 's/^organisation = .*/organisation = "Plant 4"/' far/config.toml
refused confirmation-required far trust pin bundle
refused confirmation-required far trust pin bundle
[ "$(grep -raoF '"changed":{"organisation":["","Plant 4"]}' far/audit/journal | wc -l)" = 1 ]
step "a change of config.toml is in the audit log, once, before what is done under it"

grep -rq 'trust.pin' far/audit && grep -rq 'merged with Other' far/audit && grep -rq 'bundle.sign' low/audit
step "all of it is in the audit log"
