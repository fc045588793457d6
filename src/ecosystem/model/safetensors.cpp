#include "ecosystem/model/safetensors.hpp"

#include <algorithm>
#include <limits>
#include <optional>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/model/json_scanner.hpp"

namespace liftlock {
namespace {

constexpr std::uint64_t k_max_header = 100'000'000;  // safetensors' own MAX_HEADER_SIZE
constexpr std::size_t k_max_name = 4096;
constexpr std::size_t k_max_dimensions = 64;
constexpr std::uint64_t k_max_weights = 4'000'000;
constexpr std::size_t k_max_shards = 100'000;

template <typename... Args>
[[noreturn]] void malformed(fmt::format_string<Args...> format, Args&&... args) {
  throw Error(ErrorCode::model_malformed, "safetensors: " + fmt::format(format, std::forward<Args>(args)...));
}

/// Bits of one element; 0 for an unknown type.
unsigned dtype_bits(std::string_view dtype) {
  static const std::map<std::string_view, unsigned> k_bits = {
      {"F4", 4},      {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"BOOL", 8},        {"U8", 8},          {"I8", 8},
      {"F8_E5M2", 8}, {"F8_E4M3", 8}, {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8}, {"I16", 16},
      {"U16", 16},    {"F16", 16},    {"BF16", 16},   {"I32", 32},        {"U32", 32},        {"F32", 32},
      {"C64", 64},    {"F64", 64},    {"I64", 64},    {"U64", 64}};
  const auto found = k_bits.find(dtype);
  return found == k_bits.end() ? 0 : found->second;
}

struct Extent {
  std::uint64_t begin;
  std::uint64_t end;
};

class Parser {
 public:
  explicit Parser(const ByteSource& file) : m_file(file) {}
  SafetensorsModel run();

 private:
  void metadata(JsonScanner& json);
  void tensor(JsonScanner& json, const std::string& name);
  void take(const std::string& name, const std::string& dtype, const std::vector<std::uint64_t>& shape, Extent extent);
  void check_extents();

  const ByteSource& m_file;
  std::uint64_t m_data = 0;  ///< size of the data section
  SafetensorsModel m_model;
  std::vector<Extent> m_extents;
};

void Parser::metadata(JsonScanner& json) {
  std::vector<NameKey> keys;
  json.object([&](const std::string& key) {
    keys.push_back(name_key(key));
    if (json.next() != '"') json.bad("__metadata__ holds something that is no string");
    if (key == "format") {
      m_model.format = json.string();
    } else {
      json.skip_string();
    }
  });
  std::sort(keys.begin(), keys.end());
  if (std::adjacent_find(keys.begin(), keys.end()) != keys.end()) malformed("__metadata__ has a key twice");
}

void Parser::tensor(JsonScanner& json, const std::string& name) {
  std::optional<std::string> dtype;
  std::optional<std::vector<std::uint64_t>> shape;
  std::optional<std::vector<std::uint64_t>> offsets;
  const auto numbers = [&](std::optional<std::vector<std::uint64_t>>& out, std::size_t most) {
    if (out) malformed("the tensor '{}' has a member twice", printable(name));
    out.emplace();
    json.array([&] {
      if (out->size() == most) malformed("the tensor '{}' has more than {} numbers in a list", printable(name), most);
      out->push_back(json.number());
    });
  };
  json.object([&](const std::string& key) {
    if (key == "dtype") {
      if (dtype) malformed("the tensor '{}' has a member twice", printable(name));
      dtype = json.string(64);
    } else if (key == "shape") {
      numbers(shape, k_max_dimensions);
    } else if (key == "data_offsets") {
      numbers(offsets, 2);
    } else {
      malformed("the tensor '{}' has the unknown member '{}'", printable(name), printable(key));
    }
  });
  if (!dtype || !shape || !offsets || offsets->size() != 2) {
    malformed("the tensor '{}' lacks dtype, shape or data_offsets", printable(name));
  }
  take(name, *dtype, *shape, {(*offsets)[0], (*offsets)[1]});
}

void Parser::take(const std::string& name, const std::string& dtype, const std::vector<std::uint64_t>& shape,
                  Extent extent) {
  if (extent.begin > extent.end || extent.end > m_data) {
    malformed("the tensor '{}' lies at {} to {} of {} bytes", printable(name), extent.begin, extent.end, m_data);
  }
  std::uint64_t elements = 1;
  for (const auto dimension : shape) {
    if (__builtin_mul_overflow(elements, dimension, &elements))
      malformed("the shape of '{}' overflows", printable(name));
  }
  m_extents.push_back(extent);
  m_model.names.push_back(name_key(name));
  ++m_model.tensor_count;
  const auto bits = dtype_bits(dtype);
  if (bits == 0) {
    if (m_model.unsupported.empty()) {
      m_model.unsupported =
          fmt::format("the tensor '{}' has the unknown dtype '{}'", printable(name), printable(dtype));
    }
    return;
  }
  std::uint64_t total = 0;
  if (__builtin_mul_overflow(elements, std::uint64_t{bits}, &total))
    malformed("the size of '{}' overflows", printable(name));
  if (total % 8 != 0) malformed("the tensor '{}' does not end at a byte", printable(name));
  if (total / 8 != extent.end - extent.begin) {
    malformed("the tensor '{}' has {} bytes where its shape needs {}", printable(name), extent.end - extent.begin,
              total / 8);
  }
  if (__builtin_add_overflow(m_model.parameters, elements, &m_model.parameters)) malformed("too many parameters");
  m_model.dtypes[dtype] += elements;
}

void Parser::check_extents() {
  std::sort(m_extents.begin(), m_extents.end(),
            [](const Extent& a, const Extent& b) { return std::pair(a.begin, a.end) < std::pair(b.begin, b.end); });
  std::uint64_t at = 0;
  for (const auto& extent : m_extents) {
    if (extent.begin != at) malformed("a gap or an overlap at byte {} of the data", std::min(at, extent.begin));
    at = extent.end;
  }
  if (at != m_data) malformed("{} bytes follow the last tensor", m_data - at);
}

SafetensorsModel Parser::run() {
  if (m_file.size() < 10) malformed("a file of {} bytes", m_file.size());
  ForwardReader length(m_file, 0, 8);
  const auto header = length.u64();
  if (header > k_max_header) malformed("a header of {} bytes; {} are allowed", header, k_max_header);
  if (header > m_file.size() - 8) malformed("a header of {} bytes in a file of {}", header, m_file.size());
  m_data = m_file.size() - 8 - header;
  ForwardReader in(m_file, 8, 8 + header);
  if (in.peek() != '{') malformed("the header does not begin with '{{'");
  JsonScanner json(in, "safetensors", 3);
  bool has_metadata = false;
  json.object([&](const std::string& key) {
    if (key != "__metadata__") return tensor(json, key);
    if (has_metadata) malformed("__metadata__ stands twice");
    has_metadata = true;
    metadata(json);
  });
  json.end();
  std::sort(m_model.names.begin(), m_model.names.end());
  if (std::adjacent_find(m_model.names.begin(), m_model.names.end()) != m_model.names.end()) {
    malformed("a tensor's name stands twice");
  }
  check_extents();
  return std::move(m_model);
}

}  // namespace

NameKey name_key(std::string_view name) {
  const auto digest = sha256(name);
  NameKey key{};
  std::copy_n(digest.bytes().begin(), key.size(), key.begin());
  return key;
}

SafetensorsModel read_safetensors(const ByteSource& file) {
  return Parser(file).run();
}

SafetensorsIndex read_safetensors_index(const ByteSource& file) {
  constexpr std::string_view k_what = "the safetensors index";
  if (file.size() > 2 * k_max_header) fail(ErrorCode::model_malformed, "{}: {} bytes", k_what, file.size());
  ForwardReader in(file, 0, file.size());
  JsonScanner json(in, k_what, 16);
  SafetensorsIndex index;
  bool found = false;
  json.object([&](const std::string& key) {
    if (key != "weight_map") return json.skip_value();
    if (found) json.bad("weight_map stands twice");
    found = true;
    json.object([&](const std::string& weight) {
      const auto shard = json.string(1024);
      if (++index.weights > k_max_weights || index.shards.size() > k_max_shards) json.bad("too many weights or shards");
      index.shards[shard].push_back(name_key(weight));
    });
  });
  json.end();
  if (!found) fail(ErrorCode::model_malformed, "{}: weight_map is missing", k_what);
  std::vector<NameKey> all;
  for (auto& [shard, names] : index.shards) {
    std::sort(names.begin(), names.end());
    all.insert(all.end(), names.begin(), names.end());
  }
  std::sort(all.begin(), all.end());
  if (std::adjacent_find(all.begin(), all.end()) != all.end()) {
    fail(ErrorCode::model_malformed, "{}: a weight stands twice", k_what);
  }
  return index;
}

}  // namespace liftlock
