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
  } catch (const Json::exception& error) {
    fail(ErrorCode::json_invalid, "not valid JSON: {}", printable(error.what()));
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
