#!/usr/bin/env bash
# A model that crossed: what `model`, `chain` and `gate` say of it, before and after somebody changed it on the disk.
#   model_test.sh LIFTLOCK_LOW LIFTLOCK_HIGH
source "$(dirname "$0")/crossing_machines.sh" || exit 1
cd "$work"
says() { grep -qF -- "$1" <<< "$2" || fail "'$1' is missing in: $2"; }

python3 "$root/tests/tools/make_model.py" gguf tiny.gguf
python3 "$root/tests/tools/make_model.py" safetensors folder
printf '[stack]\nname = "chat"\n\n[model.tiny]\nsource = "tiny.gguf"\nversion = "1"\n' > liftlock.toml
printf '\n[model.folder]\nsource = "folder"\nversion = "1"\n' >> liftlock.toml
low init --organisation Test > out
for role in root builder approver; do low trust keygen --role $role --out $role.pem > out; done
low trust keygen --role approver --out stranger.pem > out
low trust init --organisation Test --root-key root.pem --add builder:builder.pem.pub --add approver:approver.pem.pub > out
low lock > out && low fetch > out && low pack --output "$work/usb/chat-1" > out
low sign "$work/usb/chat-1" --role builder --key builder.pem > out
high init --zone ingest > out
printf '[source.usb]\npath = "%s"\nrequire_read_only = false\n' "$work/usb" >> "$high_state/config.toml"
high trust pin "$work/usb/chat-1" --fingerprint "$(low --json trust show | json '["fingerprint"]')" > out
high ingest usb/chat-1 --expect "$(sha256sum < "$work/usb/chat-1/manifest/bundle.json" | cut -d' ' -f1)" > out

says 'llama' "$(high model ls)"
[ "$(high --json model ls | json '[-1]["inspection"]["gguf"][0]["head_count"]')" -gt 0 ] || fail "the heads of the model are not known"
says 'it fits' "$(high model fit tiny)"
says 'model:tiny@' "$(high model show tiny)"
refused not-found high model fit nosuch

says '6 load      absent' "$(high chain show tiny)"
replayed=$(high chain replay tiny)
for words in 'the signed lists name these very files' 'the log is whole' 'every byte hashed just now'; do says "$words" "$replayed"; done
[ "$(high --json chain replay tiny | json '["good"]')" = True ] || fail "the replay is not good"

digest=$(sha256sum < tiny.gguf | cut -d' ' -f1)
says "$digest" "$(high gate tiny -- sha256sum {})"
refused usage high gate tiny -- sha256sum
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
cp --preserve=all kept "$blob"

# What a vLLM service would say to it.
says 'tensor_parallel_size' "$(high model fit folder --vllm --gpus 1)"
status=0; high model fit folder --vllm --gpus 1 --quantization awq > out || status=$?
[ "$status" = 5 ] || fail "AWQ of weights that are not quantised ended with status $status"
says 'the weights are not quantised' "$(cat out)"
refused model-unsupported high model fit tiny --vllm

# What this machine holds, next to another one (B39).
high inventory --output here.json > out
says 'no difference' "$(high inventory --against here.json)"
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

# What an application's variables name: a stand-in for the three services, one of which has another model.
cat > services.py << 'END'
import http.server, sys
ANSWERS = {"/healthz": b"healthz check passed", "/health": b"", "/info": b'{"model_id": "bge"}', "/v1/models": b'{"data": [{"id": "demo"}]}'}
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
for _ in range(8):
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
unset EMBEDDING_URL LLM_URL
says 'in none of the networks' "$(QDRANT_URL=http://192.0.2.1:6333 high health services || true)"
unset QDRANT_URL
refused usage high health services

# The organisation's own signature, where policy wants it.
sed -i 's/^\[policy\]$/&\nrequire_countersignature = ["approver"]/' "$high_state/config.toml"
refused unsigned high gate tiny -- sha256sum {}
says '6 load      refuted' "$(high chain show tiny || true)"
refused key-unknown high model countersign tiny --key stranger.pem
refused key-role high model countersign tiny --key builder.pem
high model countersign tiny --statement statement.json > out
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
echo "ok"
