# What hub_test.sh, hub_online_test.sh and ollama_online_test.sh share: models of a stand-in Hub (nothing outside this
# machine can be asked here) and of folders, which crossed, and a mirror that serves them. Sourced after
# crossing_machines.sh.
hub_up() { # a Hub on loopback; its address in $upstream
  mkdir -p "$work/hub/org"
  python3 "$root/tests/tools/make_model.py" safetensors "$work/hub/org/tiny"
  # What transformers reads: a model type that it knows, a tokenizer of two words.
  echo '{"model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 64, "num_attention_heads": 4, "num_hidden_layers": 1}' > "$work/hub/org/tiny/config.json"
  echo '{"tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "[UNK]"}' > "$work/hub/org/tiny/tokenizer_config.json"
  printf '{"version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null, "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null, "decoder": null, "model": {"type": "WordLevel", "vocab": {"[UNK]": 0, "lock": 1}, "unk_token": "[UNK]"}}' > "$work/hub/org/tiny/tokenizer.json"
  mkdir -p "$work/hub/org/tiny/onnx" && echo '{"nested": true}' > "$work/hub/org/tiny/onnx/config.json"
  mkdir -p "$work/hub/org/tiny-GGUF"
  python3 "$root/tests/tools/make_model.py" gguf "$work/hub/org/tiny-GGUF/tiny-Q8_0.gguf"
  # A data set of the same name as a model, with a loading script that must stay behind.
  mkdir -p "$work/hub/datasets/org/tiny/data"
  printf 'word,meaning\nlock,a chamber with two gates\ngate,what opens\n' > "$work/hub/datasets/org/tiny/data/train.csv"
  printf 'word,meaning\nreach,between two locks\n' > "$work/hub/datasets/org/tiny/data/test.csv"
  printf -- '---\nlicense: cc-by-4.0\nconfigs:\n- config_name: default\n  data_files:\n  - split: train\n    path: data/train.csv\n- config_name: more\n  data_files:\n  - split: test\n    path: data/test.csv\n---\n# Words\n' > "$work/hub/datasets/org/tiny/README.md"
  echo 'print("a loading script")' > "$work/hub/datasets/org/tiny/tiny.py"
  mkfifo "$work/hub.stdin" && exec 8<> "$work/hub.stdin"
  python3 "$root/tests/tools/hub_server.py" "$work/hub" < "$work/hub.stdin" > "$work/hub.port" 2> "$work/hub.log" &
  pids+=($!)
  soon [ -s "$work/hub.port" ] || fail "the stand-in Hub did not start: $(cat "$work/hub.log")"
  upstream=http://127.0.0.1:$(cat "$work/hub.port")
}

models_cross() { # what stands in $work/more.toml crosses with them
  mkdir -p "$work/stack/own" && cd "$work/stack"
  cp "$root/models/demo/liftlock-demo.gguf" own/demo.gguf && echo 'as you like' > own/LICENSE
  touch "$work/more.toml"
  cat > liftlock.toml <<TOML
[stack]
name = "models"
channel = "models"
platform = "linux/amd64"
[model.tiny]
source = "hf:org/tiny"
revision = "v1"
endpoint = "$upstream"
[model.tiny-gguf]
source = "hf:org/tiny-GGUF"
endpoint = "$upstream"
[dataset.words]
source = "hf:org/tiny"
revision = "v1"
endpoint = "$upstream"
[model.demo]
source = "own"
version = "1"
license = "Apache-2.0"
TOML
  cat "$work/more.toml" >> liftlock.toml
  low init --zone low > /dev/null
  low trust keygen --role root --out "$work/root.pem" > /dev/null
  low trust keygen --role builder --out "$work/builder.pem" > /dev/null
  low trust init --organisation test --root-key "$work/root.pem" --add "builder:$work/builder.pem" > /dev/null
  low lock > /dev/null && low fetch > /dev/null
  low pack --output "$work/media/one" > /dev/null
  low sign "$work/media/one" --role builder --key "$work/builder.pem" > /dev/null
  high init --zone ingest > /dev/null
  printf 'zone = "ingest"\n[serve]\nlisten = "127.0.0.1:%s"\n[policy]\nreserve = "1MiB"\n[source.drop]\npath = "%s"\nrequire_read_only = false\n' \
    "$mirror_port" "$work/media" > "$work/high/config.toml"
  high trust pin "$work/media/one" --fingerprint "$(low --json trust show | json '["fingerprint"]')" > /dev/null
  high ingest drop/one --expect "$(sha256sum < "$work/media/one/manifest/bundle.json" | cut -d' ' -f1)" > /dev/null
}

mirror_up() { # the mirror on loopback, at $mirror
  "$high_exe" --quiet --state "$high_state" serve > "$work/serve.log" 2>&1 &
  pids+=($!)
  soon curl -sf "$mirror/healthz" || fail "the mirror did not start: $(cat "$work/serve.log")"
}
# llama.cpp of the machine's own Debian mirror (suite forky), unpacked in $work/engine/root; false where it cannot be had.
llama_unpacked() {
  mkdir "$work/engine" && (
    low_state=$work/low-engine
    cd "$work/engine"
    printf '[stack]\nname = "engine"\n[engine.llama]\npackages = ["llama.cpp-tools"]\nsuites = ["forky"]\naccept_expired = "600d"\n' > liftlock.toml
    low init --zone low > /dev/null
    low lock > /dev/null 2> "$work/engine.log" || { tail -1 "$work/engine.log"; exit 1; }
    low fetch > /dev/null && low export llama --to out > /dev/null
    mkdir root && tar -xf out/*.tar -C root
  )
}
within_engine=(bwrap --die-with-parent --ro-bind "$work/engine/root/usr" /usr --symlink usr/lib /lib --symlink usr/lib64 /lib64
  --proc /proc --dev /dev --clearenv --setenv LD_LIBRARY_PATH /usr/lib/x86_64-linux-gnu/llama)

mirror_port=$(free_port)
mirror=http://127.0.0.1:$mirror_port
