#!/usr/bin/env bash
# A model that crossed: what `model`, `chain` and `gate` say of it, before and after somebody changed it on the disk.
#   model_test.sh LIFTLOCK_LOW LIFTLOCK_HIGH
source "$(dirname "$0")/crossing_machines.sh" || exit 1
cd "$work"
says() { grep -qF -- "$1" <<< "$2" || fail "'$1' is missing in: $2"; }

python3 "$root/tests/tools/make_model.py" gguf tiny.gguf
python3 "$root/tests/tools/make_model.py" safetensors folder
python3 "$root/tests/tools/make_model.py" whisper says.bin
printf '[stack]\nname = "chat"\n\n[model.tiny]\nsource = "tiny.gguf"\nversion = "1"\n' > liftlock.toml
mkdir persona && cp tiny.gguf persona/ && printf 'FROM ./tiny.gguf\nSYSTEM Be terse.\nPARAMETER temperature 0.5\nPARAMETER num_ctx 4096\nMESSAGE user hi\n' > persona/Modelfile
printf '\n[model.persona]\nsource = "persona"\nversion = "1"\n' >> liftlock.toml
printf '\n[model.folder]\nsource = "folder"\nversion = "1"\n' >> liftlock.toml
printf '\n[model.says]\nsource = "says.bin"\nversion = "1"\n' >> liftlock.toml
low init --organisation Test > out
for role in root builder approver; do low trust keygen --role $role --out $role.pem > out; done
low trust keygen --role approver --out stranger.pem > out
low trust init --organisation Test --root-key root.pem --add builder:builder.pem.pub --add approver:approver.pem.pub > out
low lock > out && low fetch > out && low pack --output "$work/usb/chat-1" > out
low sign "$work/usb/chat-1" --role builder --key builder.pem > out
# Models alone: the page that goes with them says what they lack (B16).
says 'ENGINES      none travels' "$(low transfer sheet "$work/usb/chat-1")"
high init --zone ingest > out
printf '[source.usb]\npath = "%s"\nrequire_read_only = false\n' "$work/usb" >> "$high_state/config.toml"
high trust pin "$work/usb/chat-1" --fingerprint "$(low --json trust show | json '["fingerprint"]')" > out
high media in usb/chat-1 --serial STICK-1 > out
high ingest usb/chat-1 --expect "$(sha256sum < "$work/usb/chat-1/manifest/bundle.json" | cut -d' ' -f1)" > out

says 'llama' "$(high model ls)"
[ "$(high --json model ls | json '[-1]["inspection"]["gguf"][0]["head_count"]')" -gt 0 ] || fail "the heads of the model are not known"
says 'it fits' "$(high model fit tiny)"
# As config.toml would have it served.
cp --preserve=all "$high_state/config.toml" as_it_was.toml
[ "$(high --json model fit tiny | json '["slots"]')" = 2 ] || fail "not the default: $(high --json model fit tiny)"
sed -i 's/^\[models\].*/&\nslots = 7\ncontext = 33/' "$high_state/config.toml"
fit=$(high --json model fit tiny)
[ "$(json '["slots"]' <<< "$fit") $(json '["context"]' <<< "$fit")" = "7 33" ] || fail "[models] does not count: $fit"
[ "$(high --json model fit tiny --context 17 | json '["context"]')" = 17 ] || fail "--context does not count"
sed -i 's/^\[models\].*/&\nmemory = "1MiB"/' "$high_state/config.toml"
status=0; fit=$(high model fit tiny) || status=$?
[ "$status" = 5 ] || fail "what [models] memory has no room for ended with $status"
says 'of the 1.0 MiB that engines may use' "$fit"
# All of them, as `serve` would load each; a folder for vLLM is not among them.
grep -qE '^tiny +[^ ]+ .* 33 +[^ ]+ [KM]iB +NO +0 +- *$' <<< "$(high model fit)" || fail "the table: $(high model fit)"
[ "$(high --json model fit | value 'sorted({(one["model"].split("@")[0], one["memory"]["fits"]) for one in d})')" = "[('model:persona', False), ('model:tiny', False)]" ] ||
  fail "all models: $(high --json model fit)"
[ "$(high --json model fit | value '[one["tokens_per_second"] for one in d if one["model"].startswith("model:tiny@")]')" = "[None]" ] || fail "a speed without an answer"
refused usage high model fit --vllm
cp --preserve=all as_it_was.toml "$high_state/config.toml"
says 'model:tiny@' "$(high model show tiny)"
says '  label     none' "$(high model show tiny)"
printf '[labels]\norder = ["OPEN", "SECRET"]\n[labels.models]\ntiny = "OPEN"\n' >> "$high_state/config.toml"
shown=$(high model show tiny)
for words in '  label     OPEN' '  aliases   none'; do says "$words" "$shown"; done
says '  label     none, so SECRET' "$(high model show persona)"
[ "$(high --json model show tiny | value '(d["label"], d["aliases"])')" = "('OPEN', [])" ] || fail "label and aliases: $(high --json model show tiny)"
cp --preserve=all as_it_was.toml "$high_state/config.toml"
shown=$(high model show persona)
for words in 'brings for conversations: system prompt, 2 parameters, 1 message; our engines leave out 1 parameter' 'Be terse.' '0.5' 'hi' \
  '4096 (left out: [models] context of config.toml says it)'; do says "$words" "$shown"; done
[ "$(high --json model show persona | json '["brings"]["system"]')" = "Be terse." ] || fail "what the model brings: $(high --json model show persona)"
[ "$(high --json model show persona | json '["brings"]["left_out"]')" = "{'num_ctx': '[models] context of config.toml says it'}" ] || fail "what is left out: $(high --json model show persona)"
refused not-found high model fit nosuch
for verb in load unload; do refused not-found high model $verb tiny; done  # no server runs; with one: terminal_test.sh
says 'no server answers' "$(high model unload tiny 2>&1 || true)"  # it is refused

shown=$(high chain show tiny)
says '6 load      absent' "$shown"
# What is on record, and no more: a local file has nobody who vouches for it but its builder.
for words in '1 registry  unproven' 'first-use, nothing else vouches for it' '3 medium    good' "from 'usb/chat-1', mounted writable" \
  'its digest was announced by another way, and compared' 'on the medium STICK-1, registered'; do says "$words" "$shown"; done
replayed=$(high chain replay tiny)
for words in 'the signed lists name these very files' 'the log is whole' 'every byte hashed just now'; do says "$words" "$replayed"; done
[ "$(high --json chain replay tiny | json '["good"]')" = True ] || fail "the replay is not good"

# A key for a model that is not here is made, and warned of.
for name in tiny 'ti*' tiny,folder; do
  high key add ada --model "${name%,*}" --model "${name#*,}" > out 2>&1 || fail "$(cat out)"
  ! grep -q 'there is no model' out || fail "$name is here: $(cat out)"
done
high key add ada --model tinny --model 'gpu/*' > out 2>&1 || fail "$(cat out)"
says "there is no model 'tinny' here; the key is for one that may come, and 'tiny' is the nearest that is" "$(cat out)"
says "there is no model 'gpu/*' here" "$(cat out)"

digest=$(sha256sum < tiny.gguf | cut -d' ' -f1)
says "$digest" "$(high gate tiny -- sha256sum {})"
refused usage high gate tiny -- sha256sum
# not_run HINT PROGRAM: nothing is checked for a program that cannot be started, and it is said why.
not_run() {
  high gate tiny -- "$2" {} > out 2>&1 && fail "$2 was run"
  says 'error[tool-missing]' "$(cat out)" && says "$1" "$(cat out)"
}
not_run "no folder of PATH has a program 'nosuchprogram'" nosuchprogram
not_run "there is no program '/nosuch/program'" /nosuch/program
not_run "there is no program '$PWD'" "$PWD"
not_run "'./tiny.gguf' may not be run" ./tiny.gguf
says '6 load      good' "$(high chain show tiny)"
says '"check":"every-byte"' "$(high --json chain show tiny | tr -d ' ')"

# Several files stand in a folder that only the program sees (S14); nobody can put another one behind it.
(cd folder && find . -type f | sort | xargs sha256sum) > expected
diff expected <(high gate folder -- sh -c 'cd {} && find . -type f | sort | xargs sha256sum') || fail "the folder is another one"
refused_by=$(high gate folder -- sh -c 'touch {}/more || echo refused' 2>&1)
says 'refused' "$refused_by"
[ -z "$(ls -A "$high_state/gate")" ] || fail "others see what gate showed"
weights=$(high --json show folder | json '["files"][-1]["digests"]["sha256"]')
blob="$high_state/store/blobs/sha256/${weights:0:2}/$weights"
cp --preserve=all "$blob" kept && printf x | dd of="$blob" bs=1 seek=3 conv=notrunc status=none
refused blob-corrupt high gate folder -- true {}
grep -q "^REFUSED: [1-9]" <<< "$(high audit report)" || fail "the auditor's report does not tell of a refused load: $(high audit report)"
grep -A9 "^REFUSED" <<< "$(high audit report)" | grep -q "model.load.*blob-corrupt" || fail "the report: $(high audit report)"
cp --preserve=all kept "$blob"

# Who can write the store's catalog puts another model behind the name: nobody signed a list that has it, and it does not load.
cp tiny.gguf evil.gguf && printf x | dd of=evil.gguf bs=1 seek=4096 conv=notrunc status=none
evil=$(sha256sum < evil.gguf | cut -d' ' -f1)
mkdir -p "$high_state/store/blobs/sha256/${evil:0:2}" && cp evil.gguf "$high_state/store/blobs/sha256/${evil:0:2}/$evil"
edit_catalog() { # edit_catalog OLD NEW: this digest in the place of that one
  python3 - "$high_state/store/catalog.db" "$@" << 'PY'
import sqlite3, sys
with sqlite3.connect(sys.argv[1]) as db:
    assert db.execute("UPDATE artifact SET document = replace(document, ?, ?) WHERE name = 'tiny'", sys.argv[2:]).rowcount == 1
PY
}
edit_catalog "$digest" "$evil"
refused store-invalid high gate tiny -- sha256sum {}
last=$(high --json audit tail -n 1 --type model.load | tr -d ' \n')
says '"error":"store-invalid"' "$last"
says '"stage":"signatures"' "$last"
says '2 bundle    refuted' "$(high chain show tiny || true)"
edit_catalog "$evil" "$digest"
edit_catalog '"evidence":[{"type":"first-use"}]' '"evidence":[]'
status=0; shown=$(high chain show tiny) || status=$?
[ "$status" = 4 ] || fail "a model without evidence ended with $status"
for words in '1 registry  absent' 'no evidence on record'; do says "$words" "$shown"; done
edit_catalog '"evidence":[]' '"evidence":[{"type":"first-use"}]'
edit_document() { # edit_document EXPRESSION: what stands in the catalog for the bundle's document
  python3 - "$high_state/store/catalog.db" "$1" << 'PY'
import sqlite3, sys
with sqlite3.connect(sys.argv[1]) as db:
    assert db.execute(f"UPDATE publication SET bundle_json = {sys.argv[2]} WHERE channel = 'chat' AND sequence = 1").rowcount == 1
PY
}
edit_document "bundle_json || ' '"
refused store-invalid high gate tiny -- sha256sum {}
status=0; shown=$(high status) || status=$?
[ "$status" = 3 ] || fail "status ended with $status of a document that was changed in the catalog: $shown"
says "UNJUDGED: whether a revoked key signed it cannot be said of chat/1: the catalog has its document under another digest" "$shown"
edit_document "rtrim(bundle_json, ' ')"
if grep UNJUDGED <<< "$(high status || true)"; then fail "the alarm does not end"; fi  # a status of its own for other things
says "$digest" "$(high gate tiny -- sha256sum {})"
last=$(high --json audit tail -n 1 --type model.load | tr -d ' \n')
says '"publication":"chat/1"' "$last"
says '"believed_by":"signature"' "$last"
rm "$high_state/store/blobs/sha256/${evil:0:2}/$evil"

# A program that fails is checked and started again (--restart), until it ends well, is asked to end, or is refused.
loads() { high --json audit tail -n 1000 --type model.load | json '["entries"].__len__()'; }
before=$(loads)
high gate --restart tiny -- sh -c 'echo run >> "$1"; sha256sum "$0"; [ $(wc -l < "$1") -ge 3 ]' {} "$work/runs" > out 2> words || fail "$(cat words)"
[ "$(grep -c "$digest" out)" = 3 ] || fail "it ran $(wc -l < out) times: $(cat out)"
says 'ended with status 1; the model is checked, and it is started again, in 0.25 s' "$(cat words)"
[ "$(loads)" = "$((before + 3))" ] || fail "$before entries of loads became $(loads)"
cp --preserve=all "$blob" kept
status=0; high gate --restart folder -- sh -c 'chmod u+w "$1"; printf x | dd of="$1" bs=1 seek=3 conv=notrunc status=none; exit 1' {} "$blob" > out 2>&1 || status=$?
[ "$status" = 4 ] || fail "a model that changed between two starts ended with $status: $(cat out)"
says 'blob-corrupt' "$(cat out)"
cp --preserve=all kept "$blob"
"$high_exe" --state "$high_state" gate --restart tiny -- sh -c 'trap "exit 7" TERM; touch "$1"; while :; do sleep 0.1; done' {} "$work/up" > out 2>&1 & kept=$!
until [ -e "$work/up" ]; do kill -0 "$kept" || fail "$(cat out)"; sleep 0.1; done
kill "$kept"; status=0; wait "$kept" || status=$?
[ "$status" = 7 ] || fail "who asks for the end got $status: $(cat out)"
# Who ignores SIGCHLD hands that on, and then no kernel would tell of an end.
timeout 60 env --ignore-signal=CHLD "$high_exe" --state "$high_state" gate --restart tiny -- true {} > out 2>&1 || fail "ended with $?: $(cat out)"

# What a vLLM service would say to it.
says 'tensor_parallel_size' "$(high model fit folder --vllm --gpus 1)"
status=0; high model fit folder --vllm --gpus 1 --quantization awq > out || status=$?
[ "$status" = 5 ] || fail "AWQ of weights that are not quantised ended with status $status"
says 'the weights are not quantised' "$(cat out)"
refused model-unsupported high model fit tiny --vllm

# What this machine holds, next to another one (B39).
high inventory --output here.json > out
says 'no difference' "$(high inventory --against here.json)"
high inventory --output - > piped.json
says 'no difference' "$(high inventory --against piped.json)"
high inventory --format spdx --output - | json '["spdxVersion"]' > /dev/null || fail "a bill of materials on standard output"
[ ! -e ./- ] || fail "a file of the name -"
python3 - > there.json << 'END'
import json
there = json.load(open("here.json"))
there["host"] = "node2"
next(one for one in there["items"] if one["name"] == "tiny@1")["name"] = "tiny@2"
print(json.dumps(there))
END
compared=$(high inventory --against there.json)
for words in 'node2' 'tiny@1' 'tiny@2'; do says "$words" "$compared"; done
[ "$(high --json inventory --against there.json | json '["differences"].__len__()')" = 2 ] || fail "two things differ"
printf '{"format":"liftlock.inventory/2"}' > later.json
refused too-new high inventory --against later.json
refused json-invalid high inventory --against tiny.gguf

# What an application's variables name: a stand-in for the four services, one of which has another model.
cat > services.py << 'END'
import http.server, sys
ANSWERS = {"/healthz": b"healthz check passed", "/health": b"", "/info": b'{"model_id": "bge"}', "/v1/models": b'{"data": [{"id": "demo"}]}',
           "/api/tags": b'{"models": [{"name": "demo:latest", "model": "demo:latest"}]}'}
class Service(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = ANSWERS.get(self.path)
        self.send_response(404 if body is None else 200)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")
    def log_message(self, *_):
        pass
server = http.server.HTTPServer(("127.0.0.1", 0), Service)
print(server.server_port, flush=True)
for _ in range(11):
    server.handle_request()
END
python3 services.py > port & services=$!
trap 'kill "$services" 2> /dev/null || true; cleanup' EXIT
until [ -s port ]; do sleep 0.1; done
address="http://127.0.0.1:$(cat port)"
export QDRANT_URL="$address" EMBEDDING_URL="$address/" EMBEDDING_MODEL=bge LLM_URL="$address/v1" LLM_MODEL=demo
[ "$(high --json health services | json '["good"]')" = True ] || fail "the services are well"
status=0; LLM_MODEL=other high health services > out || status=$?
[ "$status" = 6 ] || fail "a model that is not there ended with status $status"
says "does not list the model 'other', but: demo" "$(cat out)"
unset EMBEDDING_URL LLM_URL QDRANT_URL
export OLLAMA_HOST="${address#http://}"  # as Ollama's own programs are told
[ "$(OLLAMA_MODEL=demo high --json health services | json '["good"]')" = True ] || fail "Ollama is well"
# asked_of OLLAMA_HOST: whom that means; nobody needs to be there.
asked_of() { OLLAMA_HOST=$1 high --json health services | json '["services"][-1]["asked"]' || true; }
for pair in ":1 127.0.0.1:1" "0.0.0.0:1 127.0.0.1:1" "[::]:1 [::1]:1" "::1 [::1]:11434"; do
  [ "$(asked_of "${pair% *}")" = "http://${pair#* }/api/tags" ] || fail "OLLAMA_HOST=${pair% *} means $(asked_of "${pair% *}")"
done
[ "$(OLLAMA_MODEL=demo:latest OLLAMA_HOST=$address high --json health services | json '["services"][0]["asked"]')" = "$address/api/tags" ] ||
  fail "Ollama by its URL"
status=0; OLLAMA_MODEL=other high health services > out || status=$?
[ "$status" = 6 ] || fail "a model that Ollama lacks ended with status $status"
says "does not list the model 'other', but: demo:latest" "$(cat out)"
unset OLLAMA_HOST
says 'in none of the networks' "$(QDRANT_URL=http://192.0.2.1:6333 high health services || true)"
refused usage high health services

# A server that is not well at the first look, nor at the second, is waited for; one that never comes is not, past its time.
cat > late.py << 'END'
import http.server
ANSWERS = [(503, b""), (200, b'{"data": [{"id": "another"}]}'), (200, b'{"data": [{"id": "demo"}]}')]
class Service(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        status, body = ANSWERS.pop(0)
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
server = http.server.HTTPServer(("127.0.0.1", 0), Service)
print(server.server_port, flush=True)
while ANSWERS:
    server.handle_request()
END
kill "$services" 2> /dev/null || true  # it ends by itself after its last answer
python3 late.py > late-port & services=$!
until [ -s late-port ]; do sleep 0.1; done
late="http://127.0.0.1:$(cat late-port)/v1"
[ "$(LLM_URL=$late high --json health services --wait 60s | json '["good"]')" = True ] || fail "the service that came late"
wait "$services" || fail "the service was not asked three times"
status=0; LLM_URL=$late high health services --wait 1s > out || status=$?
[ "$status" = 6 ] || fail "a service that is gone ended with status $status"
LLM_URL=$late refused usage high health services --wait soon

# The organisation's own signature, where policy wants it.
sed -i 's/^\[policy\]$/&\nrequire_countersignature = ["approver"]/' "$high_state/config.toml"
refused unsigned high gate tiny -- sha256sum {}
says '6 load      refuted' "$(high chain show tiny || true)"
refused key-unknown high model countersign tiny --key stranger.pem
refused key-role high model countersign tiny --key builder.pem
high model countersign tiny --statement statement.json > out
high model countersign tiny --statement - | cmp statement.json - || fail "what is to be signed on standard output"
[ "$(json '["model"]' < statement.json)" = "model:tiny@1" ] || fail "the statement is about another model"
high model countersign tiny --key approver.pem > out
says 'approver' "$(cat out)"
says "$digest" "$(high gate tiny -- sha256sum {})"
says 'countersignature valid' "$(high chain show tiny)"
rm "$high_state"/countersignatures/*/approver.*
refused unsigned high gate tiny -- sha256sum {}
high model countersign tiny --key approver.pem > out

# Aliases need a model that answers: without an engine nothing is put behind one.
refused engine-unavailable high model swap chat tiny
refused engine-unavailable high model swap chat tiny --then 'touch followed'
[ ! -e followed ] || fail "the command of --then ran although nothing was swapped"
[ ! -e "$high_state/aliases.json" ] || fail "an alias was made although the canary failed"
refused not-found high model rollback chat

# What is taken out of use comes back on demand only.
high model rm tiny > out
refused not-found high model fit tiny
high gc > out
bundle_digest=$(sha256sum < "$work/usb/chat-1/manifest/bundle.json" | cut -d' ' -f1)
refused replayed high ingest usb/chat-1 --expect "$bundle_digest"
high ingest usb/chat-1 --expect "$bundle_digest" --restore-retired --reason "needed after all" > out
says "$digest" "$(high gate tiny -- sha256sum {})"

blob=$high_state/store/blobs/sha256/${digest:0:2}/$digest
chmod u+w "$blob" && printf x | dd of="$blob" bs=1 seek=4096 conv=notrunc status=none
refused blob-corrupt high gate tiny -- sha256sum {}
status=0; replayed=$(high chain replay tiny) || status=$?
[ "$status" = 4 ] || fail "the replay of a changed model ended with $status"
says '5 node      refuted' "$replayed"

# A key that retired counts for what landed as it did then; a revoked one does not.
low trust keygen --role builder --out builder-2.pem > out
builder=$(openssl pkey -pubin -in builder.pem.pub -outform DER | sha256sum | cut -c1-16)
low trust rotate "$builder" --with builder-2.pem.pub --root-key root.pem > out
high trust update "$low_state/trust" > out
shown=$(high chain show tiny || true)  # it ends with 4 where any step is refuted
says '2 bundle    good' "$shown"
says 'that key signs nothing new; what it signed and landed stays in use' "$shown"
cp tiny.gguf "$blob"
says "$digest" "$(high gate tiny -- sha256sum {})"
low trust revoke "$builder" --since 2026-01-01T00:00:00Z --reason "found in a drawer" --root-key root.pem > out
high trust update "$low_state/trust" > out
# A refuted chain ends with 4.
says '2 bundle    refuted' "$(high chain show tiny || true)"
refused key-revoked high gate tiny -- sha256sum {}
says 'found in a drawer' "$(high gate tiny -- sha256sum {} 2>&1 || true)"
says '"error":"key-revoked"' "$(high --json audit tail -n 1 --type model.load | tr -d ' \n')"

# A catalog that came back from a backup without what SQLite keeps beside it: `serve` sees what changes afterwards.
key=$(high --json key add ada | json '["secret"]')
rm "$high_state/store/catalog.db-wal" "$high_state/store/catalog.db-shm"
"$high_exe" --quiet --state "$high_state" serve --listen 127.0.0.1:0 > serve.out 2> serve.err &
pids+=($!)
soon_of $! grep -q '^listening' serve.out || fail "serve: $(cat serve.err)"
url=$(sed -n 's/^listening on //p' serve.out)
lists() { grep -q "\"$1\"" <<< "$(curl -fsS -H "Authorization: Bearer $key" "$url/v1/models")"; }
wants_engine() { curl -sS "$url/readyz" > ready && grep -q "no engine is installed for the ${1:-models} that are here" ready; }
lists tiny && lists folder || fail "the models are not listed"
soon wants_engine || fail "ready without an engine: $(cat ready)"
# Nor does one start that a version before 2026-12 installed.
mkdir -p "$high_state/engines/old/1-cpu"
printf '{"architecture":"amd64","executables":{"llama-server":"usr/bin/llama-server"},"files":0,"format":"liftlock.engine/1","inputs":[],
  "library_path":[],"loader":"usr/lib/ld.so","name":"old","unpacked_size":0,"variant":"cpu","version":"1"}' > "$high_state/engines/old/1-cpu/engine.json"
has_no_list() { curl -sS "$url/readyz" > ready && grep -q 'has no list of its files' ready; }
soon has_no_list || fail "ready with an engine that does not start: $(cat ready)"
rm -r "$high_state/engines/old"
for name in tiny persona; do high model rm $name > out; done
knows() { lists folder && ! lists tiny && wants_engine "models of speech"; }
soon knows || fail "the server does not see that models are out of use, or that one of speech has no engine: $(cat ready)"
high model rm says > out
wants_none() { curl -sS "$url/readyz" > ready && ! grep -q 'no engine is installed' ready; }
soon wants_none || fail "what vLLM loads wants an engine of ours: $(cat ready)"
echo "ok"
