#include "ecosystem/model/gguf.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <unordered_set>

#include "base/encoding.hpp"
#include "ecosystem/model/gguf_types.hpp"
#include "ecosystem/model/gguf_values.hpp"

namespace liftlock {
namespace {

using namespace gguf;

constexpr std::uint64_t k_max_name = 63;  // ggml keeps tensor names in 64 bytes
constexpr std::uint64_t k_min_pair = 8 + 1 + 4 + 1;
constexpr std::uint64_t k_min_tensor = 8 + 1 + 4 + 4 + 8;

class Parser {
 public:
  Parser(const ByteSource& file, const GgufLimits& limits)
      : m_file(file),
        m_limits(limits),
        m_in(file, 0, std::min(file.size(), limits.max_metadata_bytes)),
        m_values(m_in, limits, m_model.notes) {}

  GgufModel run() {
    header();
    for (std::uint64_t i = 0; i < m_pairs; ++i) m_values.read_pair();
    take_facts();
    for (std::uint64_t i = 0; i < m_tensors; ++i) tensor(i);
    finish();
    return std::move(m_model);
  }

 private:
  void header();
  void take_facts();
  void take_vocabulary();
  void take_split();
  void tensor(std::uint64_t index);
  void tensor_size(const std::string& name, std::uint64_t row, std::uint64_t elements, std::uint32_t kind,
                   std::uint64_t offset);
  void finish();

  const ByteSource& m_file;
  const GgufLimits& m_limits;
  ForwardReader m_in;
  GgufModel m_model;
  Values m_values;
  std::uint64_t m_pairs = 0;
  std::uint64_t m_tensors = 0;
  std::uint64_t m_alignment = 32;
  std::unordered_set<std::string> m_names;
  /// Where the data of each tensor ends, relative to the data section: padding follows.
  std::vector<std::uint64_t> m_ends;
  std::uint64_t m_expected_offset = 0;
  std::map<std::uint32_t, std::uint64_t> m_weights_of_type;
};

void Parser::header() {
  if (m_in.text(4) != "GGUF") malformed("the file does not begin with GGUF");
  m_model.version = m_in.u32();
  if ((m_model.version & 0xFFFF) == 0) {
    fail(ErrorCode::model_unsupported, "GGUF: a big-endian file, which engines on little-endian machines cannot load");
  }
  if (m_model.version == 1) {
    fail(ErrorCode::model_unsupported, "GGUF: version 1, which engines no longer load; convert it to version 3");
  }
  if (m_model.version > 3) {
    fail(ErrorCode::model_unsupported, "GGUF: version {}; versions 2 and 3 are known", m_model.version);
  }
  m_tensors = m_in.u64();
  m_pairs = m_in.u64();
  if (m_pairs > m_limits.max_keys || m_pairs > m_in.remaining() / k_min_pair) {
    malformed("{} metadata keys: more than the file can hold, or than {}", m_pairs, m_limits.max_keys);
  }
  if (m_tensors > m_limits.max_tensors || m_tensors > m_in.remaining() / k_min_tensor) {
    malformed("{} tensors: more than the file can hold, or than {}", m_tensors, m_limits.max_tensors);
  }
}

void Parser::take_facts() {
  if (const auto* found = m_values.find("general.alignment", k_u32); found != nullptr) {
    m_alignment = found->number;
    const bool power = m_alignment != 0 && (m_alignment & (m_alignment - 1)) == 0;
    if (!power || m_alignment > m_limits.max_alignment) {
      malformed("general.alignment is {}; a power of two up to {} is allowed", m_alignment, m_limits.max_alignment);
    }
  }
  m_model.architecture = m_values.text_fact("general.architecture");
  m_model.type = m_values.text_fact("general.type");
  m_model.name = m_values.text_fact("general.name");
  m_model.size_label = m_values.text_fact("general.size_label");
  m_model.license = m_values.text_fact("general.license");
  m_model.datasets = m_values.names_of("general.dataset.");
  m_model.base_models = m_values.names_of("general.base_model.");
  if (const auto type = m_values.unsigned_fact("general.file_type")) m_model.quantisation = gguf_file_type_name(*type);
  if (const auto* found = m_values.find("tokenizer.chat_template", k_string); found != nullptr) {
    m_model.chat_template = found->digest;
    m_model.chat_template_length = found->length;
    m_model.chat_template_offset = found->offset;
  }
  take_split();
  const bool has_architecture = !m_model.architecture.empty();
  const bool may_lack = m_model.type == "imatrix" || (m_model.split && m_model.split->number > 0);
  if (!has_architecture && !may_lack) malformed("general.architecture is missing");
  if (has_architecture) {
    const auto prefix = m_model.architecture + ".";
    m_model.context_length = m_values.unsigned_fact(prefix + "context_length");
    m_model.embedding_length = m_values.unsigned_fact(prefix + "embedding_length");
    m_model.block_count = m_values.unsigned_fact(prefix + "block_count");
    m_model.pooling_type = m_values.unsigned_fact(prefix + "pooling_type");
    m_model.head_count = m_values.unsigned_if_one(prefix + "attention.head_count");
    m_model.head_count_kv = m_values.unsigned_if_one(prefix + "attention.head_count_kv");
    if (m_model.block_count.value_or(0) > m_limits.max_layers) {
      malformed("{} layers; engines have room for {}", *m_model.block_count, m_limits.max_layers);
    }
  }
  take_vocabulary();
}

void Parser::take_vocabulary() {
  m_model.tokenizer = m_values.text_fact("tokenizer.ggml.model");
  const auto tokens = m_values.array_fact("tokenizer.ggml.tokens", {k_string});
  const auto scores = m_values.array_fact("tokenizer.ggml.scores", {k_f32});
  const auto types = m_values.array_fact("tokenizer.ggml.token_type", {k_i32, k_u32});
  m_values.array_fact("tokenizer.ggml.merges", {k_string});
  m_values.array_fact("tokenizer.ggml.precompiled_charsmap", {k_u8, k_i8});
  m_model.vocabulary = tokens;
  for (const auto& [what, count] : {std::pair("scores", scores), std::pair("token_type", types)}) {
    if (count && *count != tokens.value_or(0)) {
      malformed("tokenizer.ggml.{} has {} entries for {} tokens", what, *count, tokens.value_or(0));
    }
  }
  if (tokens.value_or(0) > std::numeric_limits<std::int32_t>::max()) malformed("{} tokens", *tokens);
  for (const std::string special : {"bos", "eos", "unknown", "separator", "padding", "eot", "eom", "mask"}) {
    const auto id = m_values.unsigned_fact("tokenizer.ggml." + special + "_token_id");
    if (id && tokens && *id >= *tokens) {
      m_model.notes.push_back(fmt::format("the {} token id {} is past the {} tokens", special, *id, *tokens));
    }
  }
}

void Parser::take_split() {
  const auto count = m_values.unsigned_fact("split.count");
  const auto number = m_values.unsigned_fact("split.no");
  if (!count && !number) return;
  if (!count || !number || *count == 0 || *number >= *count)
    malformed("split.no and split.count contradict each other");
  GgufSplit split{*number, *count, 0};
  if (const auto* tensors = m_values.find("split.tensors.count", k_i32); tensors != nullptr)
    split.tensors = tensors->number;
  if (*count > 1) m_model.split = split;
}

void Parser::tensor(std::uint64_t index) {
  const auto size = m_in.u64();
  if (size == 0 || size > k_max_name)
    malformed("tensor {} has a name of {} bytes; 1 to {} are allowed", index, size, k_max_name);
  auto name = m_in.text(size);
  if (!is_utf8(name) || name.find('\0') != std::string::npos) malformed("tensor {} has a name that is not text", index);
  if (!m_names.insert(name).second) malformed("the tensor '{}' stands twice", printable(name));
  const auto dimensions = m_in.u32();
  if (dimensions > 4) malformed("the tensor '{}' has {} dimensions; 4 are possible", printable(name), dimensions);
  std::uint64_t elements = 1;
  std::uint64_t row = 1;
  for (std::uint32_t i = 0; i < dimensions; ++i) {
    const auto extent = m_in.u64();
    if (extent == 0) malformed("the tensor '{}' has a dimension of 0", printable(name));
    if (i == 0) row = extent;
    elements = checked_product(elements, extent, "the number of elements of a tensor");
  }
  if (elements > std::numeric_limits<std::int64_t>::max()) malformed("the tensor '{}' is too large", printable(name));
  const auto kind = m_in.u32();
  const auto offset = m_in.u64();
  if (__builtin_add_overflow(m_model.parameters, elements, &m_model.parameters)) malformed("too many parameters");
  tensor_size(name, row, elements, kind, offset);
}

void Parser::tensor_size(const std::string& name, std::uint64_t row, std::uint64_t elements, std::uint32_t kind,
                         std::uint64_t offset) {
  if (offset % m_alignment != 0)
    malformed("the tensor '{}' does not begin at a multiple of {}", printable(name), m_alignment);
  if (!m_model.unsupported.empty()) return;
  if (offset != m_expected_offset) {
    malformed("the tensor '{}' begins at {} where {} is expected: a gap or an overlap", printable(name), offset,
              m_expected_offset);
  }
  const auto type = gguf_tensor_type(kind);
  if (type.bytes == 0) {
    m_model.unsupported = fmt::format(
        "the tensor '{}' has the type {}, which {}", printable(name), kind,
        gguf_type_was_removed(kind) ? "was removed from the format; quantise the model again" : "is unknown here");
    return;
  }
  if (row % type.block != 0)
    malformed("the rows of the tensor '{}' are no multiple of {}, as {} needs", printable(name), type.block, type.name);
  const auto bytes = checked_product(elements / type.block, type.bytes, "the size of a tensor");
  std::uint64_t end = 0;
  std::uint64_t padded = 0;
  if (__builtin_add_overflow(offset, bytes, &end) || __builtin_add_overflow(end, m_alignment - 1, &padded)) {
    malformed("the end of the tensor '{}' overflows", printable(name));
  }
  if (end > m_file.size()) malformed("the tensor '{}' ends at {}, past the end of the file", printable(name), end);
  m_ends.push_back(end);
  m_expected_offset = padded & ~(m_alignment - 1);
  m_weights_of_type[kind] += elements;
}

void Parser::finish() {
  m_model.tensor_count = m_tensors;
  if (m_model.quantisation.empty() && !m_weights_of_type.empty()) {
    const auto most = std::max_element(m_weights_of_type.begin(), m_weights_of_type.end(),
                                       [](const auto& a, const auto& b) { return a.second < b.second; });
    m_model.quantisation = std::string(gguf_tensor_type(most->first).name);
  }
  if (m_model.split) m_model.tensor_names.assign(m_names.begin(), m_names.end());
  if (!m_model.unsupported.empty()) return;

  const auto table_end = m_in.offset();
  const auto data = (table_end + m_alignment - 1) & ~(m_alignment - 1);
  if (m_tensors == 0) {
    if (m_file.size() > data) malformed("{} bytes follow the metadata, but there are no tensors", m_file.size() - data);
    if (!is_all_zero(m_file, table_end, m_file.size())) malformed("the padding behind the metadata is not zero");
    return;
  }
  const auto last = data + m_ends.back();
  const auto padded = data + m_expected_offset;
  if (data < table_end || last < data || last > m_file.size()) {
    malformed("the tensors end at {}, but the file at {}", last, m_file.size());
  }
  if (m_file.size() > padded) malformed("{} bytes follow the last tensor", m_file.size() - padded);
  if (!is_all_zero(m_file, table_end, data)) malformed("the padding in front of the tensors is not zero");
  for (const auto end : m_ends) {
    const auto begin = data + end;
    const auto until = std::min((begin + m_alignment - 1) & ~(m_alignment - 1), m_file.size());
    if (!is_all_zero(m_file, begin, until)) malformed("the padding at {} is not zero: something may hide there", begin);
  }
}

}  // namespace

bool is_gguf(std::string_view first_bytes) {
  return first_bytes.starts_with("GGUF");
}

GgufModel read_gguf(const ByteSource& file, const GgufLimits& limits) {
  return Parser(file, limits).run();
}

}  // namespace liftlock
