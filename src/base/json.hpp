// JSON for documents that may come from anywhere: bounded, strict, duplicate keys refused.
// Source files that touch values include <nlohmann/json.hpp>; headers only need this one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace liftlock {

/// Objects keep their keys sorted, so that dumping is canonical.
using Json = nlohmann::json;

struct JsonLimits {
  std::size_t max_bytes = 16u << 20;
  int max_depth = 32;
};

/// Strict RFC 8259: UTF-8, no duplicate keys, no comments, nothing after the value.
/// @throws Error{json_invalid, json_duplicate_key, limit_exceeded}
Json parse_json(std::string_view text, JsonLimits limits = {});

/// The one way in which Liftlock writes JSON documents: sorted keys, two spaces, non-ASCII as is, a newline at the end.
std::string dump_json(const Json& value);
/// On one line, sorted keys, no spaces, no newline: for JSON Lines.
std::string dump_json_line(const Json& value);

// Access to members of objects from outside; `where` names the document in errors ("bundle.json").
// @throws Error{schema_violation} if the member is missing or has another type.
const Json& member(const Json& object, std::string_view key, std::string_view where);
std::string string_member(const Json& object, std::string_view key, std::string_view where);
std::uint64_t uint_member(const Json& object, std::string_view key, std::string_view where);
bool bool_member(const Json& object, std::string_view key, std::string_view where);
const Json& array_member(const Json& object, std::string_view key, std::string_view where);
const Json& object_member(const Json& object, std::string_view key, std::string_view where);
/// The string, or fallback when the key is absent; another type is an error all the same.
std::string string_member_or(const Json& object, std::string_view key, std::string_view fallback,
                             std::string_view where);

/// @throws Error{schema_violation} if value is no object or has a key outside the list.
void only_members(const Json& object, std::initializer_list<std::string_view> allowed, std::string_view where);

}  // namespace liftlock
