#!/usr/bin/env python3
"""Writes the seed corpora fuzz/{gguf,safetensors,onnx,whisper}_fuzz: one small file per rule that it breaks (evil_*), files that
are fine (good_*) and files that need a newer engine (new_*). The names say the rule; src/ecosystem/model/gguf_test.cpp
and its neighbours know what each must be told. Python standard library only; equal runs give equal bytes.

  make_evil_models.py [FUZZ_FOLDER]
"""
import json
import pathlib
import struct
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from make_model import ARRAY, BOOL, F32, F32_VALUE, Gguf, I32, STRING, U32, Whisper, make_gguf, make_safetensors, string, value  # noqa: E402


def base(**options):
    gguf = Gguf(**options)
    gguf.put("general.architecture", STRING, "llama")
    return gguf


def with_tensor(gguf=None, name="a", dims=(8,), kind=F32, data=None):
    gguf = gguf or base()
    gguf.tensor(name, list(dims), kind, data if data is not None else bytes(32))
    return gguf


def raw_pair(key, kind_and_body):
    gguf = base()
    gguf.metadata.append(string(key) + kind_and_body)
    return gguf.bytes()


def tokens(scores=2, types=2, kind=STRING):
    gguf = base()
    gguf.put("tokenizer.ggml.model", STRING, "llama")
    gguf.put("tokenizer.ggml.tokens", kind, ["a", "b"] if kind == STRING else [1, 2])
    gguf.put("tokenizer.ggml.scores", F32_VALUE, [0.0] * scores)
    gguf.put("tokenizer.ggml.token_type", I32, [1] * types)
    return gguf.bytes()


def tensor_at(offsets):
    """Two tensors of 32 bytes whose offsets are given, in a file of the usual size."""
    whole = bytearray(with_tensor(with_tensor(), name="b").bytes())
    for name, offset in zip((b"a", b"b"), offsets):
        at = whole.index(struct.pack("<Q", 1) + name + struct.pack("<IQI", 1, 8, F32)) + 8 + 1 + 4 + 8 + 4
        whole[at:at + 8] = struct.pack("<Q", offset)
    return bytes(whole)


def gguf_files():
    u32 = lambda number: struct.pack("<II", U32, number)  # noqa: E731
    yield "good_tiny", make_gguf(layers=1, embd=8, say="a b")
    yield "good_v2", with_tensor(base(version=2)).bytes()
    yield "good_no_tensors", base().bytes()
    yield "good_hyphen_keys", raw_pair("command-r.block_count", u32(40))
    yield "good_no_last_padding", with_tensor(dims=(3,), data=bytes(12)).bytes()[:-20]
    yield "good_alignment_64", (lambda g: (g.put("general.alignment", U32, 64), with_tensor(g))[1].bytes())(base(alignment=64))
    yield "good_raw_byte_token", (lambda g: (g.put("tokenizer.ggml.tokens", STRING, [b"\xff", b"b"]), g.bytes())[1])(base())
    good = with_tensor().bytes()
    yield "evil_magic", b"GGML" + good[4:]
    yield "new_version_1", good[:4] + struct.pack("<I", 1) + good[8:]
    yield "new_version_4", good[:4] + struct.pack("<I", 4) + good[8:]
    yield "new_big_endian", good[:4] + struct.pack(">I", 3) + good[8:]
    yield "evil_tensor_count", good[:8] + struct.pack("<Q", 1 << 60) + good[16:]
    yield "evil_key_count", good[:16] + struct.pack("<Q", 1 << 60) + good[24:]
    yield "evil_truncated_header", good[:20]
    yield "evil_truncated_metadata", good[:52]
    yield "evil_duplicate_key", raw_pair("general.architecture", value(STRING, "llama"))
    yield "evil_empty_key", raw_pair("", u32(1))
    yield "evil_key_not_ascii", raw_pair("k\u00e9y", u32(1))
    yield "evil_key_control", raw_pair("a\nb", u32(1))
    yield "evil_value_type", raw_pair("x", struct.pack("<I", 13) + bytes(8))
    yield "evil_bool", raw_pair("x", struct.pack("<IB", BOOL, 2))
    yield "evil_bool_in_array", raw_pair("x", value(BOOL, [0, 1, 7]))
    yield "evil_string_length", raw_pair("x", struct.pack("<IQ", STRING, 1 << 62))
    yield "evil_string_not_utf8", raw_pair("x", value(STRING, b"\xff\xfe"))
    yield "evil_array_overflow", raw_pair("x", struct.pack("<IIQ", ARRAY, 10, 1 << 62))
    yield "evil_array_length", raw_pair("x", struct.pack("<IIQ", ARRAY, U32, 1 << 40))
    yield "evil_array_of_arrays", raw_pair("x", struct.pack("<IIQ", ARRAY, ARRAY, 1) + bytes(16))
    yield "evil_array_strings", raw_pair("x", struct.pack("<IIQ", ARRAY, STRING, 1 << 61))
    yield "evil_array_string_length", raw_pair("x", struct.pack("<IIQQ", ARRAY, STRING, 1, 1 << 61))
    yield "evil_no_architecture", Gguf().bytes()
    yield "evil_architecture_type", (lambda g: (g.put("general.architecture", U32, 1), g.bytes())[1])(Gguf())
    for number in (0, 3, 48, 1 << 21):
        yield f"evil_alignment_{number}", raw_pair("general.alignment", u32(number))
    yield "evil_alignment_type", raw_pair("general.alignment", value(STRING, "32"))
    yield "evil_layers", raw_pair("llama.block_count", u32(513))
    yield "evil_layers_type", raw_pair("llama.block_count", value(I32, 1))
    yield "evil_scores_length", tokens(scores=3)
    yield "evil_types_length", tokens(types=1)
    yield "evil_tokens_type", tokens(kind=U32)
    yield "evil_merges_type", raw_pair("tokenizer.ggml.merges", value(U32, [1]))
    yield "evil_template_type", raw_pair("tokenizer.chat_template", value(STRING, ["a"]))
    yield "evil_split", raw_pair("split.no", u32(3))
    yield "evil_tensor_name_long", with_tensor(name="n" * 64).bytes()
    yield "evil_tensor_name_empty", with_tensor(name="").bytes()
    yield "evil_tensor_twice", with_tensor(with_tensor()).bytes()
    yield "evil_dimensions_5", with_tensor(dims=(1, 1, 1, 1, 8)).bytes()
    yield "evil_dimension_0", with_tensor(dims=(8, 0)).bytes()
    yield "evil_elements_overflow", with_tensor(dims=(1 << 32, 1 << 32, 2)).bytes()
    yield "evil_size_overflow", with_tensor(dims=(1 << 62,)).bytes()
    yield "new_tensor_type", with_tensor(kind=77).bytes()
    yield "new_tensor_type_removed", with_tensor(kind=31).bytes()
    yield "evil_block", with_tensor(dims=(33,), kind=2).bytes()
    yield "evil_offset_unaligned", tensor_at((0, 33))
    yield "evil_offset_gap", tensor_at((0, 64))
    yield "evil_offset_overlap", tensor_at((0, 0))
    yield "evil_offset_huge", tensor_at((0, (1 << 64) - 32))
    yield "evil_data_end", good[:-8]
    yield "evil_trailing", good + bytes(32)
    yield "evil_trailing_zip", good + b"PK\x05\x06" + bytes(18)
    short = bytearray(with_tensor(dims=(3,), data=bytes(12)).bytes())
    short[-1] = 1
    yield "evil_padding", bytes(short)
    head = bytearray(good)
    head[-33] = 1
    yield "evil_padding_before_data", bytes(head) if good[-33] == 0 else good + b"x"


def st(header, data=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def entry(dtype="F32", shape=(2,), begin=0, end=8):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}


def safetensors_files():
    eight = bytes(8)
    yield "good_two", make_safetensors([("a", "F32", [2], eight), ("b", "BF16", [2, 2], eight)], {"format": "pt"})
    yield "good_empty", st({})
    yield "good_scalar_and_void", make_safetensors([("a", "F64", [], eight), ("z", "U8", [0, 5], b"")])
    yield "good_sub_byte", make_safetensors([("a", "F4", [16], eight), ("b", "F6_E2M3", [4], bytes(3)), ("c", "F8_E8M0", [1], bytes(1))])
    yield "good_unsorted", st({"b": entry(begin=8, end=16), "a": entry()}, bytes(16))
    yield "good_escapes", st(b'{"\\u00e9\\ud83d\\ude00":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}  ', eight)
    yield "good_index.json", json.dumps({"metadata": {"total_size": 8}, "weight_map": {"a": "model.safetensors"}}).encode()
    yield "evil_short", b"\x08"
    yield "evil_length_limit", st({}, length=100_000_001)
    yield "evil_length_file", st({}, length=1000)
    yield "evil_length_max", st({}, length=(1 << 64) - 1)
    yield "evil_no_brace", st(b" {}")
    yield "evil_array", st(b"[]")
    yield "evil_utf8", st(b'{"\xff":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}', eight)
    yield "evil_surrogate", st(b'{"\\ud800":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}', eight)
    yield "evil_after_header", st(b"{} x")
    yield "evil_duplicate_name", st(b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"I32","shape":[2],"data_offsets":[0,8]}}', eight)
    yield "evil_duplicate_escaped", st(b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"\\u0061":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}}', bytes(16))
    yield "evil_duplicate_member", st(b'{"a":{"dtype":"F32","dtype":"I32","shape":[2],"data_offsets":[0,8]}}', eight)
    yield "evil_duplicate_metadata", st(b'{"__metadata__":{},"__metadata__":{}}')
    yield "evil_duplicate_metadata_key", st(b'{"__metadata__":{"a":"b","a":"c"}}')
    yield "evil_unknown_member", st({"a": entry() | {"x": 1}}, eight)
    yield "evil_missing_member", st({"a": {"dtype": "F32", "shape": [2]}}, eight)
    yield "evil_metadata_number", st({"__metadata__": {"a": 1}})
    yield "new_dtype", st({"a": entry(dtype="F2")}, eight)
    yield "evil_dtype_number", st({"a": entry() | {"dtype": 1}}, eight)
    yield "evil_float", st(b'{"a":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}}', eight)
    yield "evil_negative", st(b'{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}', eight)
    yield "evil_leading_zero", st(b'{"a":{"dtype":"F32","shape":[02],"data_offsets":[0,8]}}', eight)
    yield "evil_number_overflow", st(b'{"a":{"dtype":"F32","shape":[18446744073709551616],"data_offsets":[0,8]}}', eight)
    yield "evil_shape_overflow", st({"a": entry(shape=(1 << 63, 2))}, eight)
    yield "evil_bits_overflow", st({"a": entry(shape=(1 << 60,))}, eight)
    yield "evil_size", st({"a": entry(shape=(3,))}, eight)
    yield "evil_sub_byte", st({"a": entry(dtype="F4", shape=(15,))}, eight)
    yield "evil_offsets_reversed", st({"a": entry(begin=8, end=0)}, eight)
    yield "evil_offsets_past_end", st({"a": entry(end=16, shape=(4,))}, eight)
    yield "evil_three_offsets", st({"a": entry() | {"data_offsets": [0, 8, 8]}}, eight)
    yield "evil_gap", st({"a": entry(), "b": entry(begin=16, end=24)}, bytes(24))
    yield "evil_overlap", st({"a": entry(), "b": entry(begin=4, end=12)}, bytes(12))
    yield "evil_hole_at_start", st({"a": entry(begin=8, end=16)}, bytes(16))
    yield "evil_trailing", st({"a": entry()}, eight + b"x")
    yield "evil_trailing_zip", st({"a": entry()}, eight + b"PK\x05\x06" + bytes(18))
    yield "evil_depth", st(b'{"a":{"shape":[[[[1]]]]}}')
    yield "evil_dimensions", st({"a": entry(shape=[1] * 65)}, eight)
    yield "evil_index_twice", b'{"weight_map":{"a":"x","a":"y"}}'


def varint(number):
    out = b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def field(number, body):
    if isinstance(body, int):
        return varint(number << 3) + varint(body)
    return varint(number << 3 | 2) + varint(len(body)) + body


def onnx(initializer=b"", node=b"", extra=b""):
    graph = (field(5, initializer) if initializer else b"") + (field(1, node) if node else b"")
    return field(1, 8) + field(2, b"liftlock") + field(7, graph) + field(8, field(1, b"") + field(2, 17)) + extra


def external(location):
    pairs = field(13, field(1, b"location") + field(2, location)) + field(13, field(1, b"offset") + field(2, b"0"))
    return field(1, 2) + field(2, 1) + field(8, b"w") + pairs + field(14, 1)


def onnx_files():
    yield "good_inline", onnx(field(8, b"w") + field(9, bytes(8)))
    yield "good_external", onnx(external(b"weights/model.onnx_data"))
    yield "evil_external_parent", onnx(external(b"../../etc/passwd"))
    yield "evil_external_absolute", onnx(external(b"/etc/passwd"))
    yield "evil_external_backslash", onnx(external(b"..\\secret"))
    yield "evil_external_in_attribute", onnx(node=field(5, field(5, external(b"../x"))))
    yield "evil_external_in_subgraph", onnx(node=field(5, field(6, field(5, external(b"../x")))))
    yield "evil_external_in_function", onnx(extra=field(25, field(7, field(5, field(5, external(b"../x"))))))
    yield "evil_external_second_value", onnx(field(13, field(1, b"location") + field(2, b"ok") + field(2, b"../x")))
    yield "evil_second_graph", onnx() + field(7, field(5, external(b"../x")))
    nested = b""
    for _ in range(80):
        nested = field(1, field(5, field(6, nested)))
    yield "evil_depth", field(1, 8) + field(7, nested)
    yield "evil_length", onnx()[:-1]
    yield "evil_group", b"\x0b"
    yield "evil_varint", b"\x08" + b"\xff" * 11
    yield "evil_no_graph", field(1, 8)


def whisper(mutate=lambda model: None, **sizes):
    model = Whisper(**{"vocabulary": 4, "state": 2, "mels": 1, "audio_context": 2, "text_context": 2, **sizes})
    model.words = [b"a", b""]
    model.fill(lambda count, kind: bytes(count * (4 if kind == F32 else 2)))
    mutate(model)
    return model.bytes()


def whisper_files():
    def size(index, number):
        return lambda model: model.sizes.__setitem__(index, number)

    def tensor(index, **changes):
        def mutate(model):
            name, dims, kind, data = model.tensors[index]
            changed = {"name": name, "dims": dims, "kind": kind, "data": data, **changes}
            model.tensors[index] = (changed["name"], changed["dims"], changed["kind"], changed["data"])
        return mutate

    yield "good_tiny", whisper()
    yield "good_quantised", whisper(file_type=2007)
    yield "evil_magic", b"lmgh" + whisper()[4:]
    yield "evil_vocabulary", whisper(size(0, 2**31 - 1))
    yield "evil_audio_context", whisper(size(1, -1))
    yield "evil_state", whisper(size(2, 0))
    yield "evil_heads", whisper(size(3, 0))
    yield "evil_heads_divide", whisper(size(7, 3))
    yield "evil_layers", whisper(size(4, 100000))
    yield "evil_text_context", whisper(size(5, 449))
    yield "evil_text_state", whisper(size(6, 4))
    yield "evil_mels", whisper(size(9, 257))
    yield "evil_file_type", whisper(size(10, 5))
    yield "evil_filters", whisper(lambda model: setattr(model, "filters", (2**30, 201)))
    yield "evil_fft", whisper(lambda model: setattr(model, "filters", (1, 2**30)))
    yield "evil_words", whisper(lambda model: setattr(model, "words", [b"a"] * 5))
    yield "evil_word_length", whisper(lambda model: setattr(model, "words", [b"a" * 257]))
    yield "evil_dimensions", whisper(tensor(0, dims=[1] * 5))
    yield "evil_no_dimensions", whisper(tensor(0, dims=[]))
    yield "evil_dimension_zero", whisper(tensor(0, dims=[0, 2]))
    yield "evil_overflow", whisper(tensor(0, dims=[65536, 65536]))
    yield "evil_type", whisper(tensor(0, kind=4))
    yield "evil_type_past_end", whisper(tensor(0, kind=2**31 - 1))
    yield "evil_block", whisper(tensor(0, kind=2))
    yield "evil_name", whisper(tensor(0, name="encoder.other"))
    yield "evil_name_length", whisper(tensor(0, name="x" * 64))
    yield "evil_twice", whisper(lambda model: model.tensors.append(model.tensors[0]))
    yield "evil_missing", whisper(lambda model: model.tensors.pop())
    yield "evil_no_tensors", whisper(lambda model: model.tensors.clear())
    yield "evil_truncated_weights", whisper()[:-1]
    yield "evil_truncated_sizes", whisper()[:20]
    yield "evil_trailing", whisper() + b"\0"


def main():
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).parents[2] / "fuzz"
    for folder, files in (("gguf_fuzz", gguf_files()), ("safetensors_fuzz", safetensors_files()), ("onnx_fuzz", onnx_files()),
                          ("whisper_fuzz", whisper_files())):
        (root / folder).mkdir(parents=True, exist_ok=True)
        for name, data in files:
            (root / folder / name).write_bytes(data)


if __name__ == "__main__":
    main()
