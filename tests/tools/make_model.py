#!/usr/bin/env python3
"""Makes small, valid models for tests and demonstrations; Python standard library only.

  make_model.py gguf OUT.gguf [--layers 2] [--embd 64] [--filler-tokens 0] [--say TEXT | --call] [--shards 1]
                      [--pooling mean|last|rank] [--seed 7]
  make_model.py safetensors FOLDER [--shards 2] [--seed 7]
  make_model.py whisper OUT.bin [--say TEXT] [--seed 7]

The GGUF is a llama-architecture model that llama.cpp's llama-server loads and answers with. Its attention and
feed-forward outputs are zero, so the next token depends on the current one alone: the output matrix is made such that
after the assistant's mark it says TEXT word by word and then stops. It is a few hundred kilobytes and knows nothing
else. With --call it has a template that knows tools, and whatever it is asked it calls the tool get_weather for Paris.
Equal arguments give equal bytes. With --pooling it is made for embeddings: the vector of a text is made of those
of its tokens (rank: it says that it is made for reranking, and cannot). With --shards 2 the weights lie in
OUT-00001-of-00002.gguf and its sibling, as llama-gguf-split leaves them.

The safetensors model is a folder as the transformers library writes it (config.json, tokenizer.json, an index and
shards) with random weights; it is there to be checked and carried, not to be run.

The whisper model has the shape that whisper.cpp loads and runs (one layer each, 64 wide). What it hears is noise to it:
it says TEXT of up to six words in the first second, whatever that was.
"""
import argparse
import json
import pathlib
import random
import struct

SENTENCE = "Both gates were never open together; this answer came from inside the gap, and no packet left it."
ALIGNMENT = 32
F32, F16 = 0, 1
U16, U32, I32, F32_VALUE, BOOL, STRING, ARRAY = 2, 4, 5, 6, 7, 8, 9

CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message['role'] == 'assistant' %}<|assistant|>{{ message['content'] }}{{ eos_token }}"
    "{% else %}<|user|>{{ message['content'] }}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)

# Tools in the form that many models are trained on: JSON between <tool_call> and </tool_call>.
TOOL_TEMPLATE = (
    "{% if tools %}<|user|>Tools:{% for tool in tools %}\n{{ tool | tojson }}{% endfor %}{% endif %}"
    "{% for message in messages %}"
    "{% if message['role'] == 'assistant' %}<|assistant|>{{ message['content'] or '' }}"
    "{% for call in message['tool_calls'] or [] %}<tool_call>\n"
    "{\"name\": \"{{ call['function']['name'] }}\", \"arguments\": {{ call['function']['arguments'] | tojson }}}\n"
    "</tool_call>{% endfor %}{{ eos_token }}"
    "{% elif message['role'] == 'tool' %}<|user|><tool_response>{{ message['content'] }}</tool_response>"
    "{% else %}<|user|>{{ message['content'] }}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
TOOL_CALL = '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Paris"}}\n</tool_call>'


def string(text):
    raw = text if isinstance(text, bytes) else text.encode()
    return struct.pack("<Q", len(raw)) + raw


def value(kind, item):
    """One metadata value without its key: the type, then the bytes."""
    if isinstance(item, list):
        body = b"".join(scalar(kind, each) for each in item)
        return struct.pack("<IIQ", ARRAY, kind, len(item)) + body
    return struct.pack("<I", kind) + scalar(kind, item)


def scalar(kind, item):
    if kind == STRING:
        return string(item)
    return struct.pack({U16: "<H", U32: "<I", I32: "<i", F32_VALUE: "<f", BOOL: "<B"}[kind], item)


class Gguf:
    """Collects metadata and tensors; bytes() is the file (ggml docs/gguf.md, version 3)."""

    def __init__(self, version=3, alignment=ALIGNMENT):
        self.version, self.alignment = version, alignment
        self.metadata, self.tensors = [], []

    def put(self, key, kind, item):
        self.metadata.append(string(key) + value(kind, item))

    def tensor(self, name, dims, kind, data):
        self.tensors.append((name, dims, kind, data))

    def pad(self, size):
        return -size % self.alignment

    def bytes(self):
        head = struct.pack("<4sIQQ", b"GGUF", self.version, len(self.tensors), len(self.metadata))
        head += b"".join(self.metadata)
        offset, body = 0, []
        for name, dims, kind, data in self.tensors:
            head += string(name) + struct.pack("<I", len(dims)) + struct.pack(f"<{len(dims)}Q", *dims)
            head += struct.pack("<IQ", kind, offset)
            body += [data, bytes(self.pad(len(data)))]
            offset += len(data) + self.pad(len(data))
        return b"".join([head, bytes(self.pad(len(head))), *body])


def vocabulary(words, filler):
    """(token, score, type) of a SentencePiece vocabulary with byte fallback."""
    tokens = [("<unk>", 0.0, 2), ("<s>", 0.0, 3), ("</s>", 0.0, 3), ("<|user|>", 0.0, 3), ("<|assistant|>", 0.0, 3)]
    tokens += [(f"<0x{byte:02X}>", 0.0, 6) for byte in range(256)]
    tokens += [(word, -float(at), 1) for at, word in enumerate(words)]
    tokens += [(f"filler{at}", -1000.0, 1) for at in range(filler)]
    return tokens


def unit_vector(rng, size):
    raw = [rng.gauss(0.0, 1.0) for _ in range(size)]
    length = sum(x * x for x in raw) ** 0.5
    return [x / length for x in raw]


def spoken_tokens(sentence):
    """Each token has one successor, so a word may stand only once."""
    words = sentence.split(" ")
    if len(set(words)) != len(words):
        raise SystemExit(f"each word of the sentence may stand once only: {sentence}")
    return words[:1] + ["\u2581" + word for word in words[1:]]


POOLING = {"mean": 1, "last": 3, "rank": 4}  # enum llama_pooling_type


def make_gguf(*args, **kwargs):
    return describe_gguf(*args, **kwargs).bytes()


def split_gguf(gguf, shards):
    """The bytes of each shard: the first has all metadata, the tensors are shared out."""
    share = -(-len(gguf.tensors) // shards)
    for number in range(shards):
        shard = Gguf()
        shard.metadata = list(gguf.metadata) if number == 0 else []
        shard.put("split.no", U16, number)
        shard.put("split.count", U16, shards)
        shard.put("split.tensors.count", I32, len(gguf.tensors))
        shard.tensors = gguf.tensors[number * share:(number + 1) * share]
        yield shard.bytes()


def describe_gguf(layers=2, embd=64, filler=0, say=SENTENCE, seed=7, name="Liftlock Tiny", extra=(),
              template=CHAT_TEMPLATE):
    rng = random.Random(seed)
    words = spoken_tokens(say)
    tokens = vocabulary(words, filler)
    ids = {token: at for at, (token, _, _) in enumerate(tokens)}
    heads, feed_forward = 4, 2 * embd
    gguf = Gguf()
    gguf.put("general.architecture", STRING, "llama")
    gguf.put("general.name", STRING, name)
    gguf.put("general.size_label", STRING, "tiny")
    gguf.put("general.license", STRING, "apache-2.0")
    gguf.put("general.file_type", U32, 1)
    for key, number in {"context_length": 2048, "embedding_length": embd, "block_count": layers,
                        "feed_forward_length": feed_forward, "attention.head_count": heads,
                        "attention.head_count_kv": heads, "rope.dimension_count": embd // heads,
                        "vocab_size": len(tokens)}.items():
        gguf.put("llama." + key, U32, number)
    gguf.put("llama.attention.layer_norm_rms_epsilon", F32_VALUE, 1e-5)
    gguf.put("tokenizer.ggml.model", STRING, "llama")
    gguf.put("tokenizer.ggml.tokens", STRING, [token for token, _, _ in tokens])
    gguf.put("tokenizer.ggml.scores", F32_VALUE, [score for _, score, _ in tokens])
    gguf.put("tokenizer.ggml.token_type", I32, [kind for _, _, kind in tokens])
    for key, number in {"bos": 1, "eos": 2, "unknown": 0}.items():
        gguf.put(f"tokenizer.ggml.{key}_token_id", U32, number)
    gguf.put("tokenizer.ggml.add_bos_token", BOOL, 0)
    gguf.put("tokenizer.chat_template", STRING, template)
    for key, kind, item in extra:
        gguf.put(key, kind, item)

    vectors = [unit_vector(rng, embd) for _ in tokens]
    output = [[0.0] * embd for _ in tokens]
    chain = [ids["<|assistant|>"]] + [ids[word] for word in words] + [ids["</s>"]]
    for current, following in zip(chain, chain[1:]):
        output[following] = [5.0 * x for x in vectors[current]]

    def half(rows):
        flat = [x for row in rows for x in row]
        return struct.pack(f"<{len(flat)}e", *flat)

    def noise(columns, rows):
        """Of a large matrix a block that is repeated: a model of a gigabyte is to be made in seconds."""
        count = columns * rows
        block = min(count, 1 << 20)
        packed = struct.pack(f"<{block}e", *(rng.gauss(0.0, 0.02) for _ in range(block)))
        return (packed * -(-count // block))[:2 * count]

    def ones():
        return struct.pack(f"<{embd}f", *([1.0] * embd))

    gguf.tensor("token_embd.weight", [embd, len(tokens)], F16, half(vectors))
    for layer in range(layers):
        at = f"blk.{layer}."
        gguf.tensor(at + "attn_norm.weight", [embd], F32, ones())
        for part in "qkv":
            gguf.tensor(f"{at}attn_{part}.weight", [embd, embd], F16, noise(embd, embd))
        gguf.tensor(at + "attn_output.weight", [embd, embd], F16, bytes(2 * embd * embd))
        gguf.tensor(at + "ffn_norm.weight", [embd], F32, ones())
        gguf.tensor(at + "ffn_gate.weight", [embd, feed_forward], F16, noise(embd, feed_forward))
        gguf.tensor(at + "ffn_up.weight", [embd, feed_forward], F16, noise(embd, feed_forward))
        gguf.tensor(at + "ffn_down.weight", [feed_forward, embd], F16, bytes(2 * embd * feed_forward))
    gguf.tensor("output_norm.weight", [embd], F32, ones())
    gguf.tensor("output.weight", [embd, len(tokens)], F16, half(output))
    return gguf


def make_safetensors(tensors, metadata=None):
    """tensors: list of (name, dtype, shape, bytes); the format's own README."""
    header, at = {}, 0
    if metadata is not None:
        header["__metadata__"] = metadata
    for name, dtype, shape, data in tensors:
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + len(data)]}
        at += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + b"".join(data for _, _, _, data in tensors)


def make_safetensors_folder(folder, shards=2, seed=7):
    rng = random.Random(seed)
    folder.mkdir(parents=True, exist_ok=True)
    weight_map, total = {}, 0
    for shard in range(shards):
        name = f"model-{shard + 1:05d}-of-{shards:05d}.safetensors" if shards > 1 else "model.safetensors"
        tensors = []
        for part in ("weight", "bias"):
            shape = [16, 8] if part == "weight" else [16]
            count = 16 * 8 if part == "weight" else 16
            data = struct.pack(f"<{count}f", *(rng.gauss(0.0, 0.02) for _ in range(count)))
            tensors.append((f"layers.{shard}.{part}", "F32", shape, data))
            weight_map[f"layers.{shard}.{part}"] = name
            total += len(data)
        (folder / name).write_bytes(make_safetensors(tensors, {"format": "pt"}))
    if shards > 1:
        index = {"metadata": {"total_size": total}, "weight_map": weight_map}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=2, sort_keys=True) + "\n")
    config = {"architectures": ["TinyForCausalLM"], "model_type": "tiny", "torch_dtype": "float32", "num_attention_heads": 4,
              "num_hidden_layers": 2, "hidden_size": 64, "max_position_embeddings": 2048}
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    tokenizer = {"version": "1.0", "model": {"type": "BPE", "vocab": {"a": 0, "b": 1}, "merges": []}}
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer, indent=2) + "\n")


class Whisper:
    """A ggml model of whisper.cpp: sizes, mel filters, words, tensors."""

    FFT = 201

    def __init__(self, vocabulary=51864, state=64, heads=1, layers=1, mels=80, audio_context=1500, text_context=448, file_type=1):
        self.sizes = [vocabulary, audio_context, state, heads, layers, text_context, state, heads, layers, mels, file_type]
        self.filters = (mels, self.FFT)
        self.words, self.tensors = [], []

    def tensor(self, name, dims, kind, data):
        """Dims as ggml has them: the shortest step first."""
        self.tensors.append((name, dims, kind, data))

    def fill(self, noise):
        """All tensors of the sizes; noise(count, kind) gives bytes."""
        vocabulary, audio_context, state, _, layers, text_context, _, _, _, mels, _ = self.sizes

        def put(name, *dims):
            count = 1
            for dim in dims:
                count *= dim
            is_weight = name.endswith(".weight") and len(dims) > 1 and "ln" not in name or name.endswith("token_embedding.weight")
            kind = F16 if is_weight else F32
            self.tensor(name, list(dims), kind, noise(count, kind))

        def attention(prefix):
            put(prefix + "_ln.weight", state), put(prefix + "_ln.bias", state)
            for part in ("query", "key", "value", "out"):
                put(f"{prefix}.{part}.weight", state, state)
                if part != "key":
                    put(f"{prefix}.{part}.bias", state)

        put("encoder.positional_embedding", state, audio_context)
        put("encoder.conv1.weight", 3, mels, state), put("encoder.conv1.bias", 1, state)
        put("encoder.conv2.weight", 3, state, state), put("encoder.conv2.bias", 1, state)
        put("encoder.ln_post.weight", state), put("encoder.ln_post.bias", state)
        put("decoder.positional_embedding", state, text_context)
        put("decoder.token_embedding.weight", state, vocabulary)
        put("decoder.ln.weight", state), put("decoder.ln.bias", state)
        for part in ("encoder", "decoder"):
            for layer in range(layers):
                block = f"{part}.blocks.{layer}."
                put(block + "mlp_ln.weight", state), put(block + "mlp_ln.bias", state)
                put(block + "mlp.0.weight", state, 4 * state), put(block + "mlp.0.bias", 4 * state)
                put(block + "mlp.2.weight", 4 * state, state), put(block + "mlp.2.bias", state)
                attention(block + "attn")
                if part == "decoder":
                    attention(block + "cross_attn")
        return self

    def bytes(self):
        out = struct.pack("<I11i", 0x67676D6C, *self.sizes) + struct.pack("<2i", *self.filters)
        out += struct.pack("<f", 0.01) * (self.sizes[9] * self.FFT)
        out += struct.pack("<i", len(self.words)) + b"".join(struct.pack("<I", len(word)) + word for word in self.words)
        parts = [out]
        for name, dims, kind, data in self.tensors:
            raw = name.encode()
            parts.append(struct.pack("<3i", len(dims), len(raw), kind) + struct.pack(f"<{len(dims)}i", *dims) + raw + data)
        return b"".join(parts)


def make_whisper(seed, say):
    rng = random.Random(seed)
    block = [rng.gauss(0, 0.05) for _ in range(8191)]
    packed = {F16: struct.pack(f"<{len(block)}e", *block), F32: struct.pack(f"<{len(block)}f", *block)}

    def noise(count, kind):
        size = count * (2 if kind == F16 else 4)
        return (packed[kind] * (size // len(packed[kind]) + 1))[:size]

    model = Whisper()
    model.words = [b" word%d" % i for i in range(50256)]
    model.words[220] = b" "  # whisper.cpp looks for it, and ends without it
    model.fill(noise)
    # It says TEXT, whatever it hears: all blocks give zero and so do the positions, so that the next token depends on the
    # current one alone, whose embedding points, along an axis of its own, to the next one's (the output is the embedding
    # transposed). Each is larger than the one before, or a token would be likest to itself.
    words = say.split()
    for index, word in enumerate(words, 1):
        model.words[index] = b" " + word.encode()
    end, start, begin_of_times = 50256, 50257, 50363
    chain = [start, begin_of_times, *range(1, len(words) + 1), begin_of_times + 50, end]
    state = model.sizes[2]
    for index, (name, dims, kind, data) in enumerate(model.tensors):
        if name == "decoder.token_embedding.weight":
            data = bytearray(data)
            for axis, token in enumerate(chain):
                row = [0.0] * state
                row[axis] = row[axis + 1] = 3.2**axis
                data[2 * token * state:2 * (token + 1) * state] = struct.pack(f"<{state}e", *row)
        elif name.endswith((".out.weight", ".out.bias", ".mlp.2.weight", ".mlp.2.bias")) or name == "decoder.positional_embedding":
            data = bytes(len(data))
        elif name == "decoder.ln.weight":
            data = struct.pack(f"<{state}f", *[1.0] * state)
        elif name == "decoder.ln.bias":
            data = bytes(len(data))
        model.tensors[index] = (name, dims, kind, bytes(data))
    return model.bytes()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(dest="kind", required=True)
    gguf = kinds.add_parser("gguf")
    gguf.add_argument("out", type=pathlib.Path)
    gguf.add_argument("--layers", type=int, default=2)
    gguf.add_argument("--embd", type=int, default=64)
    gguf.add_argument("--filler-tokens", type=int, default=0)
    gguf.add_argument("--shards", type=int, default=1)
    gguf.add_argument("--pooling", choices=POOLING)
    said = gguf.add_mutually_exclusive_group()
    said.add_argument("--say", default=SENTENCE)
    said.add_argument("--call", action="store_true")
    safetensors = kinds.add_parser("safetensors")
    safetensors.add_argument("out", type=pathlib.Path)
    safetensors.add_argument("--shards", type=int, default=2)
    whisper = kinds.add_parser("whisper")
    whisper.add_argument("out", type=pathlib.Path)
    whisper.add_argument("--say", default="the patient is stable")
    for each in (gguf, safetensors, whisper):
        each.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    if options.kind == "gguf":
        say, template = (TOOL_CALL, TOOL_TEMPLATE) if options.call else (options.say, CHAT_TEMPLATE)
        extra = [("llama.pooling_type", U32, POOLING[options.pooling])] if options.pooling else []
        model = describe_gguf(options.layers, options.embd, options.filler_tokens, say, options.seed, template=template, extra=extra)
        if options.shards == 1:
            options.out.write_bytes(model.bytes())
        else:
            for number, shard in enumerate(split_gguf(model, options.shards), 1):
                options.out.with_name(f"{options.out.stem}-{number:05d}-of-{options.shards:05d}.gguf").write_bytes(shard)
    elif options.kind == "whisper":
        options.out.write_bytes(make_whisper(options.seed, options.say))
    else:
        make_safetensors_folder(options.out, options.shards, options.seed)


if __name__ == "__main__":
    main()
