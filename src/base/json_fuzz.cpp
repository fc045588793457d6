// Any bytes as JSON: what is read is what the library's own reader makes of them, and what is refused as no JSON is
// refused by that, too. What PlainJson takes is what it means, and JsonText writes it as it is dumped.
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/json_text.hpp"
#include "base/plain_json.hpp"

namespace {

using namespace liftlock;

std::optional<Json> plain_value(PlainJson& json, int depth);

std::optional<Json> plain_members(PlainJson& json, int depth) {
  auto out = Json::object();
  if (json.take('}')) return out;
  do {
    const auto name = json.text();
    if (!name || !json.take(':') || out.contains(std::string(*name))) return std::nullopt;
    auto value = plain_value(json, depth);
    if (!value) return std::nullopt;
    out[std::string(*name)] = std::move(*value);
  } while (json.take(','));
  if (!json.take('}')) return std::nullopt;
  return out;
}

std::optional<Json> plain_elements(PlainJson& json, int depth) {
  auto out = Json::array();
  if (json.take(']')) return out;
  do {
    auto value = plain_value(json, depth);
    if (!value) return std::nullopt;
    out.push_back(std::move(*value));
  } while (json.take(','));
  if (!json.take(']')) return std::nullopt;
  return out;
}

/// nullopt: it is declined.
std::optional<Json> plain_value(PlainJson& json, int depth) {
  if (const auto text = json.text()) return Json(std::string(*text));
  if (const auto number = json.number()) return Json(*number);
  if (depth == 0) return std::nullopt;
  if (json.take('{')) return plain_members(json, depth - 1);
  if (json.take('[')) return plain_elements(json, depth - 1);
  return std::nullopt;
}

/// Equal numbers may be of two kinds, which are written in two ways.
void require_same(const Json& a, const Json& b) {
  if (a != b || dump_json(a) != dump_json(b)) std::abort();
}

void try_plain(std::string_view text) {
  PlainJson json(text);
  const auto value = plain_value(json, JsonLimits().max_depth);
  if (value && json.at_end()) require_same(*value, parse_json(text));
}

void try_text(const Json& value) {
  if (JsonText(JsonText::Style::document).value(value).take() != dump_json(value)) std::abort();
  if (JsonText(JsonText::Style::line).value(value).take() != dump_json_line(value)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try_plain(text);
  try {
    const auto value = parse_json(text);
    const auto other = Json::parse(text, nullptr, false);
    if (other.is_discarded()) std::abort();
    require_same(value, other);
    try_text(value);
  } catch (const Error& error) {
    // The library takes a NUL for the end of the text.
    const bool has_nul = text.find('\0') != std::string_view::npos;
    if (error.code() == ErrorCode::json_invalid && !has_nul && Json::accept(text)) std::abort();
  }
  return 0;
}
