#include "gateway/chat_fields.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"

namespace liftlock {
namespace {

constexpr std::size_t k_max_shown = 100;
/// Hardly any object has more that are known.
constexpr std::size_t k_many_fields = 64;
constexpr std::size_t k_max_schema = 64u << 10;
constexpr std::size_t k_max_pattern = 512;
/// Past it llama.cpp's own grammar parser refuses (MAX_REPETITION_THRESHOLD).
constexpr std::int64_t k_max_repetition = 2000;
/// Base64 of 6 MiB.
constexpr std::size_t k_max_image = 8u << 20;

std::string shown(std::string_view text) {
  return printable(text.substr(0, k_max_shown));
}

bool is_among(std::initializer_list<std::string_view> choices, std::string_view text) {
  return std::find(choices.begin(), choices.end(), text) != choices.end();
}

[[noreturn]] void refuse_choice(std::initializer_list<std::string_view> choices, std::string_view path) {
  refuse_field(path, fmt::format("must be one of {}", fmt::join(choices, ", ")));
}

void check_schema(const Json& schema, std::string_view path) {
  if (schema.is_array()) {
    for (const auto& one : schema) check_schema(one, path);
  }
  if (!schema.is_object()) return;
  for (const auto& [key, value] : schema.items()) {
    if (key == "$ref" && value.is_string() && !value.get_ref<const std::string&>().starts_with('#')) {
      refuse_field(path, "'$ref' may only point within the schema (#/…)");
    }
    if (key == "pattern" && value.is_string() && value.get_ref<const std::string&>().size() > k_max_pattern) {
      refuse_field(path, fmt::format("'pattern' may have {} bytes", k_max_pattern));
    }
    for (const auto* bound : {"minLength", "maxLength", "minItems", "maxItems"}) {
      if (key == bound && value.is_number() && !(std::abs(value.get<double>()) <= k_max_repetition)) {
        refuse_field(path, fmt::format("'{}' may be at most {}", key, k_max_repetition));
      }
    }
    check_schema(value, path);
  }
}

}  // namespace

void refuse_field(std::string_view path, std::string_view what) {
  fail(ErrorCode::bad_request, "{}: {}", path.empty() ? "the request" : printable(path), what);
}

FieldReader::FieldReader(const Json& object, std::string path) : m_object(object), m_path(std::move(path)) {
  m_known.reserve(k_many_fields);
  if (!object.is_object()) refuse_field(m_path, "must be an object");
}

std::string FieldReader::path_of(std::string_view key) const {
  return m_path.empty() ? std::string(key) : fmt::format("{}.{}", m_path, key);
}

const Json* FieldReader::find(std::string_view key) {
  m_known.push_back(key);
  const auto found = m_object.find(key);
  return found == m_object.end() || found->is_null() ? nullptr : &*found;
}

const Json& FieldReader::need(std::string_view key) {
  if (const auto* value = find(key)) return *value;
  refuse_field(path_of(key), "is missing");
}

/// What is right needs no path.
const std::string& FieldReader::string_at(std::string_view key, const Json& value, std::size_t max_bytes) const {
  const auto* text = value.get_ptr<const std::string*>();
  return text != nullptr && text->size() <= max_bytes ? *text : require_string(value, max_bytes, path_of(key));
}

std::string FieldReader::text(std::string_view key, std::size_t max_bytes) {
  const auto* value = find(key);
  return value == nullptr ? std::string() : string_at(key, *value, max_bytes);
}

std::string FieldReader::need_text(std::string_view key, std::size_t max_bytes) {
  const auto& text = string_at(key, need(key), max_bytes);
  if (text.empty()) refuse_field(path_of(key), "must not be empty");
  return text;
}

std::string FieldReader::need_choice(std::string_view key, std::initializer_list<std::string_view> choices) {
  auto text = need_text(key, k_max_name);
  if (!is_among(choices, text)) refuse_choice(choices, path_of(key));
  return text;
}

bool FieldReader::boolean(std::string_view key, bool fallback) {
  const auto* value = find(key);
  if (value == nullptr) return fallback;
  if (!value->is_boolean()) refuse_field(path_of(key), "must be true or false");
  return value->get<bool>();
}

const Json::array_t* FieldReader::array(std::string_view key, std::size_t max) {
  const auto* value = find(key);
  if (value == nullptr) return nullptr;
  if (!value->is_array() || value->size() > max) {
    refuse_field(path_of(key), fmt::format("must be an array of at most {}", max));
  }
  return &value->get_ref<const Json::array_t&>();
}

void FieldReader::pass_boolean(std::string_view key) {
  if (find(key) != nullptr) m_out[std::string(key)] = boolean(key, false);
}

void FieldReader::pass_number(std::string_view key, double min, double max) {
  const auto* value = find(key);
  if (value == nullptr) return;
  require_number(*value, min, max, path_of(key));
  m_out[std::string(key)] = *value;
}

void FieldReader::pass_integer(std::string_view key, std::int64_t min, std::int64_t max) {
  if (const auto* value = find(key)) m_out[std::string(key)] = require_integer(*value, min, max, path_of(key));
}

void FieldReader::pass_text(std::string_view key, std::size_t max_bytes) {
  if (const auto* value = find(key)) m_out[std::string(key)] = string_at(key, *value, max_bytes);
}

void FieldReader::ignore(std::initializer_list<std::string_view> keys) {
  m_known.insert(m_known.end(), keys);
}

Json FieldReader::finish() {
  for (const auto& [key, value] : m_object.items()) {
    if (std::find(m_known.begin(), m_known.end(), key) != m_known.end()) continue;
    const auto meant = key.size() <= k_max_shown ? nearest(key, m_known) : std::nullopt;
    refuse_field(path_of(shown(key)), meant ? fmt::format("is unknown; '{}' is the nearest that is known", *meant)
                                            : std::string("is unknown"));
  }
  return std::move(m_out);
}

std::string require_choice(std::string_view text, std::initializer_list<std::string_view> choices,
                           std::string_view path) {
  if (!is_among(choices, text)) refuse_choice(choices, path);
  return std::string(text);
}

void require_number(const Json& value, double min, double max, std::string_view path) {
  if (value.is_number()) {
    const auto number = value.get<double>();
    if (number >= min && number <= max) return;
  }
  refuse_field(path, fmt::format("must be a number from {} to {}", min, max));
}

std::int64_t require_integer(const Json& value, std::int64_t min, std::int64_t max, std::string_view path) {
  // 1.0 is how some clients write 1.
  const bool whole = value.is_number_float() && std::abs(value.get<double>()) < 9e15 &&
                     std::trunc(value.get<double>()) == value.get<double>();
  const bool fits = value.is_number_unsigned() ? value.get<std::uint64_t>() <= static_cast<std::uint64_t>(INT64_MAX)
                                               : value.is_number_integer();
  if (whole || fits) {
    const auto number = whole ? static_cast<std::int64_t>(value.get<double>()) : value.get<std::int64_t>();
    if (number >= min && number <= max) return number;
  }
  refuse_field(path, fmt::format("must be a whole number from {} to {}", min, max));
}

const std::string& require_string(const Json& value, std::size_t max_bytes, std::string_view path) {
  if (!value.is_string()) refuse_field(path, "must be a text");
  const auto& text = value.get_ref<const std::string&>();
  if (text.size() > max_bytes) refuse_field(path, fmt::format("may have {} bytes", max_bytes));
  return text;
}

void require_schema(const Json& schema, std::string_view path) {
  if (!schema.is_object()) refuse_field(path, "must be an object (a JSON schema)");
  check_schema(schema, path);
  if (dump_json_line(schema).size() > k_max_schema) {
    refuse_field(path, fmt::format("may have {} bytes", k_max_schema));
  }
}

void require_image(std::string_view url, std::string_view path) {
  constexpr std::array<std::string_view, 4> k_kinds = {"png", "jpeg", "gif", "webp"};
  const bool known = std::any_of(k_kinds.begin(), k_kinds.end(), [&](std::string_view kind) {
    return url.starts_with(fmt::format("data:image/{};base64,", kind));
  });
  if (!known || url.size() > k_max_image) {
    refuse_field(path,
                 fmt::format("must be a data: URL of a PNG, JPEG, GIF or WebP image in base64, of at most {} bytes; "
                             "no other address is read",
                             k_max_image));
  }
  const auto data = url.substr(url.find(',') + 1);
  const auto is_base64 = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/' ||
           c == '=';
  };
  if (data.empty() || !std::all_of(data.begin(), data.end(), is_base64)) refuse_field(path, "is not base64");
}

}  // namespace liftlock
