#include "ecosystem/model/whisper.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <string_view>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "ecosystem/model/gguf.hpp"
#include "ecosystem/model/gguf_types.hpp"

namespace liftlock {
namespace {

constexpr std::uint32_t k_magic = 0x67676d6c;
constexpr std::uint32_t k_fft = 201;  // whisper.cpp makes spectra of 400 samples
constexpr std::uint32_t k_version_factor = 1000;
constexpr std::uint32_t k_max_token = 256;
constexpr std::uint32_t k_english = 51'864;
constexpr std::array<std::uint32_t, 12> k_file_types = {0, 1, 2, 3, 7, 8, 9, 10, 11, 12, 13, 14};

/// Of each layer of the encoder; those of the decoder have these, and cross attention besides.
constexpr std::array<std::string_view, 15> k_layer = {
    "attn_ln.weight",    "attn_ln.bias",    "attn.query.weight", "attn.query.bias", "attn.key.weight",
    "attn.value.weight", "attn.value.bias", "attn.out.weight",   "attn.out.bias",   "mlp_ln.weight",
    "mlp_ln.bias",       "mlp.0.weight",    "mlp.0.bias",        "mlp.2.weight",    "mlp.2.bias"};
constexpr std::array<std::string_view, 9> k_cross_layer = {
    "cross_attn_ln.weight",  "cross_attn_ln.bias",    "cross_attn.query.weight",
    "cross_attn.query.bias", "cross_attn.key.weight", "cross_attn.value.weight",
    "cross_attn.value.bias", "cross_attn.out.weight", "cross_attn.out.bias"};
constexpr std::array<std::string_view, 11> k_others = {"encoder.positional_embedding",
                                                       "encoder.conv1.weight",
                                                       "encoder.conv1.bias",
                                                       "encoder.conv2.weight",
                                                       "encoder.conv2.bias",
                                                       "encoder.ln_post.weight",
                                                       "encoder.ln_post.bias",
                                                       "decoder.positional_embedding",
                                                       "decoder.token_embedding.weight",
                                                       "decoder.ln.weight",
                                                       "decoder.ln.bias"};

template <typename... Arguments>
[[noreturn]] void malformed(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
  throw Error(ErrorCode::model_malformed, fmt::format(format, std::forward<Arguments>(arguments)...));
}

class Reader {
 public:
  Reader(const ByteSource& file, const WhisperLimits& limits) : m_limits(limits), m_in(file, 0, file.size()) {}

  WhisperModel read() {
    if (m_in.u32() != k_magic) malformed("it does not begin with the magic of ggml");
    read_sizes();
    read_filters();
    read_vocabulary();
    expect_tensors();
    while (m_in.remaining() > 0) read_tensor();
    if (!m_expected.empty()) malformed("the tensor '{}' is missing", *m_expected.begin());
    return m_model;
  }

 private:
  std::uint32_t number(std::string_view what, std::uint32_t least, std::uint32_t most) {
    const auto value = m_in.u32();
    if (value < least || value > most) malformed("{} is {}, and must be {} to {}", what, value, least, most);
    return value;
  }

  void read_sizes() {
    m_model.vocabulary = number("the vocabulary", m_limits.min_vocabulary, m_limits.max_vocabulary);
    m_model.multilingual = m_model.vocabulary > k_english;
    m_model.audio_context = number("the audio context", 1, 1500);
    m_model.state = number("the audio state", 1, 8192);
    const auto audio_heads = number("the number of audio heads", 1, 256);
    m_model.audio_layers = number("the number of audio layers", 1, 128);
    m_model.text_context = number("the text context", 1, 448);
    if (m_in.u32() != m_model.state) malformed("text state and audio state differ");
    const auto text_heads = number("the number of text heads", 1, 256);
    m_model.text_layers = number("the number of text layers", 1, 128);
    m_model.mels = number("the number of mel bands", 1, 256);
    if (m_model.state % audio_heads != 0 || m_model.state % text_heads != 0)
      malformed("the state is no multiple of the number of heads");
    const auto type = number("the file type", 0, 3 * k_version_factor - 1) % k_version_factor;
    if (std::find(k_file_types.begin(), k_file_types.end(), type) == k_file_types.end())
      malformed("there is no file type {}", type);
    m_model.quantisation = gguf_file_type_name(type);
  }

  void read_filters() {
    if (m_in.u32() != m_model.mels) malformed("the filters have another number of mel bands");
    if (m_in.u32() != k_fft) malformed("the filters are not for {} frequencies", k_fft);
    m_in.skip(std::uint64_t{m_model.mels} * k_fft * sizeof(float));
  }

  void read_vocabulary() {
    const auto count = number("the number of words", 0, m_model.vocabulary);
    for (std::uint32_t i = 0; i < count; ++i) m_in.skip(number("the length of a word", 0, k_max_token));
  }

  void expect_tensors() {
    m_expected.insert(k_others.begin(), k_others.end());
    const auto layers = [&](std::string_view part, std::uint32_t count, auto&& names) {
      for (std::uint32_t i = 0; i < count; ++i) {
        for (const auto name : names) m_expected.insert(fmt::format("{}.blocks.{}.{}", part, i, name));
      }
    };
    layers("encoder", m_model.audio_layers, k_layer);
    layers("decoder", m_model.text_layers, k_layer);
    layers("decoder", m_model.text_layers, k_cross_layer);
  }

  void read_tensor() {
    const auto dimensions = number("the number of dimensions", 1, 4);
    const auto length = number("the length of a tensor's name", 1, 63);
    const auto type = gguf_tensor_type(m_in.u32());
    std::uint64_t elements = 1;
    std::uint64_t row = 0;
    for (std::uint32_t i = 0; i < dimensions; ++i) {
      const std::uint64_t size = number("a dimension", 1, INT32_MAX);
      if (i == 0) row = size;
      elements *= size;
      if (elements > INT32_MAX) malformed("a tensor has more than {} values", INT32_MAX);
    }
    const auto name = m_in.text(length);
    if (m_expected.erase(name) == 0) malformed("the tensor '{}' stands twice, or in no such model", printable(name));
    if (type.bytes == 0) malformed("the tensor '{}' has no type that is known", name);
    if (row % type.block != 0) malformed("the rows of '{}' are no multiple of the blocks of {}", name, type.name);
    m_in.skip(elements / type.block * type.bytes);
    ++m_model.tensor_count;
    m_model.parameters += elements;
  }

  const WhisperLimits& m_limits;
  ForwardReader m_in;
  WhisperModel m_model;
  std::set<std::string, std::less<>> m_expected;
};

}  // namespace

WhisperModel read_whisper(const ByteSource& file, const WhisperLimits& limits) {
  return Reader(file, limits).read();
}

}  // namespace liftlock
