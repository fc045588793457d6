"""Writes the trained model as GGUF: weights as Q8_0, the tokenizer, the chat template and who it is."""
import gguf
from gguf import GGMLQuantizationType, TokenType

# The last two exchanges and the new question: what the model was trained to follow, and what always fits its context.
# Instructions of the system are left out: it was not trained to follow any.
CHAT_TEMPLATE = (
    "{%- set talk = messages | rejectattr('role', 'equalto', 'system') | list -%}"
    "{%- for message in talk[-5:] -%}"
    "{%- if message['role'] == 'assistant' -%}{{ '<|assistant|>' + message['content'] + '<|end|>' }}"
    "{%- else -%}{{ '<|user|> ' + (message['content'] | trim) + '<|end|>' }}{%- endif -%}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ '<|assistant|>' }}{%- endif -%}"
)
DESCRIPTION = "Demo and test model of Liftlock: answers short questions about Liftlock and says that it knows no more."


def write(path, shape, tokenizer, weights):
    out = gguf.GGUFWriter(path, "llama")
    out.add_name("liftlock-demo")
    out.add_type(gguf.GGUFType.MODEL)
    out.add_description(DESCRIPTION)
    out.add_author("The Liftlock project")
    out.add_organization("Liftlock")
    out.add_version("1")
    out.add_license("Apache-2.0")
    out.add_languages(["en"])
    out.add_tags(["demo", "test", "question-answering"])
    out.add_size_label(f"{sum(weight.size for weight in weights.values()) / 1e6:.1f}M")
    out.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    out.add_sampling_temp(0.0)  # engines that read it give the same answer each time
    out.add_quantization_version(gguf.GGML_QUANT_VERSION)

    out.add_context_length(shape["context"])
    out.add_embedding_length(shape["width"])
    out.add_block_count(shape["layers"])
    out.add_feed_forward_length(shape["feed_forward"])
    out.add_head_count(shape["heads"])
    out.add_head_count_kv(shape["heads"])
    out.add_rope_dimension_count(shape["width"] // shape["heads"])
    out.add_rope_freq_base(shape["rope_base"])
    out.add_layer_norm_rms_eps(shape["epsilon"])
    out.add_vocab_size(shape["vocabulary"])

    kinds = [TokenType.UNKNOWN if tokenizer.is_unknown(at) else TokenType.CONTROL if tokenizer.is_control(at)
             else TokenType.BYTE if tokenizer.is_byte(at) else TokenType.NORMAL for at in range(tokenizer.get_piece_size())]
    out.add_tokenizer_model("llama")
    out.add_tokenizer_pre("default")
    out.add_token_list([tokenizer.id_to_piece(at) for at in range(tokenizer.get_piece_size())])
    out.add_token_scores([tokenizer.get_score(at) for at in range(tokenizer.get_piece_size())])
    out.add_token_types(kinds)
    out.add_unk_token_id(tokenizer.unk_id())
    out.add_bos_token_id(tokenizer.bos_id())
    out.add_eos_token_id(tokenizer.eos_id())
    out.add_add_bos_token(False)
    out.add_add_eos_token(False)
    out.add_add_space_prefix(False)
    out.add_chat_template(CHAT_TEMPLATE)

    for name, weight in weights.items():
        if weight.ndim == 1:
            out.add_tensor(name, weight)
        else:
            out.add_tensor(name, gguf.quantize(weight, GGMLQuantizationType.Q8_0), raw_dtype=GGMLQuantizationType.Q8_0)
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()
