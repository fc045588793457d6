#include "base/json.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "base/encoding.hpp"
#include "base/error.hpp"

namespace liftlock {
namespace {

using Event = Json::parse_event_t;

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

}  // namespace

Json parse_json(std::string_view text, JsonLimits limits) {
  if (text.size() > limits.max_bytes) {
    fail(ErrorCode::limit_exceeded, "a JSON document of {} bytes; at most {} are read", text.size(), limits.max_bytes);
  }
  std::vector<std::set<std::string>> keys;
  const auto callback = [&](int depth, Event event, Json& parsed) {
    if (depth > limits.max_depth) fail(ErrorCode::limit_exceeded, "JSON nested deeper than {}", limits.max_depth);
    if (event == Event::object_start) keys.emplace_back();
    if (event == Event::object_end) keys.pop_back();
    if (event == Event::key && !keys.back().insert(parsed.get_ref<const std::string&>()).second) {
      fail(ErrorCode::json_duplicate_key, "the key '{}' stands twice in one object",
           printable(parsed.get_ref<const std::string&>()));
    }
    return true;
  };
  try {
    return Json::parse(text, callback);
  } catch (const Json::parse_error& error) {
    fail(ErrorCode::json_invalid, "not valid JSON at {}: {}", place_of(text, error.byte), reason_of(error));
  } catch (const Json::exception& error) {
    fail(ErrorCode::json_invalid, "not valid JSON: {}", reason_of(error));
  }
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
