#include "base/json.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/encoding.hpp"
#include "base/error.hpp"

namespace liftlock {
namespace {

[[noreturn]] void wrong_type(std::string_view key, std::string_view where, std::string_view wanted) {
  fail(ErrorCode::schema_violation, "{}: '{}' must be {}", where, key, wanted);
}

/// "line 3, column 14" of the byte that could not be read; bytes count from 1.
std::string place_of(std::string_view text, std::size_t byte) {
  const auto before = text.substr(0, byte == 0 ? 0 : byte - 1);
  const auto line = static_cast<std::size_t>(std::count(before.begin(), before.end(), '\n')) + 1;
  const auto start = before.rfind('\n');
  return fmt::format("line {}, column {}", line, before.size() - (start == std::string_view::npos ? 0 : start + 1) + 1);
}

/// What the parser missed, without its own name, the place (which we say) and the bytes it read last.
std::string reason_of(const Json::exception& error) {
  std::string_view words = error.what();
  if (const auto dash = words.find(" - "); dash != std::string_view::npos) words.remove_prefix(dash + 3);
  if (const auto bracket = words.find("] "); words.starts_with('[') && bracket != std::string_view::npos) {
    words.remove_prefix(bracket + 2);
  }
  return printable(words.substr(0, words.find("; last read")));
}

/// Builds the value while it is read. The library's own builder with a callback looks through the whole surrounding
/// array at the end of each object, which is quadratic in what a stranger sent.
class StrictBuilder final : public nlohmann::json_sax<Json> {
 public:
  StrictBuilder(std::string_view text, int max_depth) : m_text(text), m_max_depth(max_depth) {
    m_open.reserve(static_cast<std::size_t>(std::max(max_depth, 0)));
  }

  Json take() { return std::move(m_root); }

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(std::int64_t value) override { return add(value); }
  bool number_unsigned(std::uint64_t value) override { return add(value); }
  bool number_float(double value, const std::string&) override { return add(value); }
  bool string(std::string& value) override { return add(std::move(value)); }
  bool binary(Json::binary_t&) override { return false; }
  bool start_object(std::size_t) override { return open(Json::value_t::object); }
  bool end_object() override { return close(); }
  bool start_array(std::size_t) override { return open(Json::value_t::array); }
  bool end_array() override { return close(); }

  bool key(std::string& name) override {
    const auto [place, is_new] = m_open.back()->get_ref<Json::object_t&>().try_emplace(name);
    if (!is_new) fail(ErrorCode::json_duplicate_key, "the key '{}' stands twice in one object", printable(name));
    m_member = &place->second;
    return true;
  }

  bool parse_error(std::size_t byte, const std::string&, const Json::exception& error) override {
    fail(ErrorCode::json_invalid, "not valid JSON at {}: {}", place_of(m_text, byte), reason_of(error));
  }

 private:
  bool add(Json value) {
    place(std::move(value));
    return true;
  }

  Json& place(Json value) {
    if (m_open.empty()) return m_root = std::move(value);
    if (m_open.back()->is_array()) return m_open.back()->get_ref<Json::array_t&>().emplace_back(std::move(value));
    return *m_member = std::move(value);
  }

  bool open(Json::value_t container) {
    if (std::ssize(m_open) >= m_max_depth) {
      fail(ErrorCode::limit_exceeded, "JSON nested deeper than {}", m_max_depth);
    }
    m_open.push_back(&place(container));
    return true;
  }

  bool close() {
    m_open.pop_back();
    return true;
  }

  std::string_view m_text;
  int m_max_depth;
  Json m_root;
  std::vector<Json*> m_open;  ///< from the root inwards; a container does not move while one within it is open
  Json* m_member = nullptr;   ///< of the innermost object, between its key and its value
};

}  // namespace

Json parse_json(std::string_view text, JsonLimits limits) {
  if (text.size() > limits.max_bytes) {
    fail(ErrorCode::limit_exceeded, "a JSON document of {} bytes; at most {} are read", text.size(), limits.max_bytes);
  }
  StrictBuilder builder(text, limits.max_depth);
  Json::sax_parse(text, &builder);
  return builder.take();
}

std::string dump_json(const Json& value) {
  return value.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string dump_json_line(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

const Json& member(const Json& object, std::string_view key, std::string_view where) {
  if (!object.is_object()) fail(ErrorCode::schema_violation, "{}: an object is expected", where);
  const auto found = object.find(std::string(key));
  if (found == object.end()) fail(ErrorCode::schema_violation, "{}: '{}' is missing", where, key);
  return *found;
}

std::string string_member(const Json& object, std::string_view key, std::string_view where) {
  const auto& value = member(object, key, where);
  if (!value.is_string()) wrong_type(key, where, "a string");
  return value.get<std::string>();
}

std::uint64_t uint_member(const Json& object, std::string_view key, std::string_view where) {
  const auto& value = member(object, key, where);
  if (!value.is_number_unsigned()) wrong_type(key, where, "a whole number that is not negative");
  return value.get<std::uint64_t>();
}

bool bool_member(const Json& object, std::string_view key, std::string_view where) {
  const auto& value = member(object, key, where);
  if (!value.is_boolean()) wrong_type(key, where, "true or false");
  return value.get<bool>();
}

const Json& array_member(const Json& object, std::string_view key, std::string_view where) {
  const auto& value = member(object, key, where);
  if (!value.is_array()) wrong_type(key, where, "an array");
  return value;
}

const Json& object_member(const Json& object, std::string_view key, std::string_view where) {
  const auto& value = member(object, key, where);
  if (!value.is_object()) wrong_type(key, where, "an object");
  return value;
}

std::string string_member_or(const Json& object, std::string_view key, std::string_view fallback,
                             std::string_view where) {
  if (object.is_object() && !object.contains(std::string(key))) return std::string(fallback);
  return string_member(object, key, where);
}

void only_members(const Json& object, std::initializer_list<std::string_view> allowed, std::string_view where) {
  if (!object.is_object()) fail(ErrorCode::schema_violation, "{}: an object is expected", where);
  for (const auto& [key, value] : object.items()) {
    if (std::find(allowed.begin(), allowed.end(), key) == allowed.end()) {
      fail(ErrorCode::schema_violation, "{}: the key '{}' is unknown", where, printable(key));
    }
  }
}

}  // namespace liftlock
