#include "bundle/lock.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>
#include <tuple>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "crypto/hash.hpp"

namespace {

using namespace liftlock;

std::string text_of(const Json& object, const char* key) {
  auto text = string_member(object, key, "the lock");
  if (text.size() > 4096) fail(ErrorCode::limit_exceeded, "{}", key);
  return text;
}

LockedEntry entry_of(const Json& json) {
  LockedEntry entry{.table = text_of(json, "table"),
                    .name = text_of(json, "name"),
                    .declared = Digest::parse(text_of(json, "declared")),
                    .artifacts = {},
                    .notes = {}};
  for (const auto& artifact : array_member(json, "artifacts", "an entry"))
    entry.artifacts.push_back(artifact_from_json(artifact));
  for (const auto& note : array_member(json, "notes", "an entry")) {
    if (!note.is_string()) fail(ErrorCode::schema_violation, "a note");
    entry.notes.push_back(note.get<std::string>());
  }
  return entry;
}

template <typename Values, typename Key>
bool rises(const Values& values, Key key) {
  return std::adjacent_find(values.begin(), values.end(),
                            [&](const auto& a, const auto& b) { return key(a) >= key(b); }) == values.end();
}

/// The lock by way of one JSON value; nullopt: it is refused.
std::optional<Lock> lock_by_json(std::string_view text) {
  try {
    const auto json = parse_json(text);
    Lock lock{.stack = text_of(json, "stack"),
              .channel = text_of(json, "channel"),
              .platform = text_of(json, "platform"),
              .entries = {}};
    for (const auto& entry : array_member(json, "entries", "the lock")) lock.entries.push_back(entry_of(entry));
    if (write_lock(lock) != text) return std::nullopt;
    check_artifacts(lock);
    const bool sorted = rises(lock.entries, [](const auto& entry) { return std::tie(entry.table, entry.name); }) &&
                        std::all_of(lock.entries.begin(), lock.entries.end(), [](const auto& entry) {
                          return rises(entry.artifacts, [](const auto& artifact) { return artifact.id(); });
                        });
    return sorted ? std::optional(lock) : std::nullopt;
  } catch (const Error&) {
    return std::nullopt;
  }
}

void try_lock(std::string_view text) {
  std::optional<Lock> lock;
  try {
    lock = parse_lock(text);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::lock_invalid && error.code() != ErrorCode::too_new) std::abort();
  }
  if (lock != lock_by_json(text)) std::abort();
}

}  // namespace

// Read file by file as read whole: as it is, and with the digest put right, so that the fuzzer gets past it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = liftlock::as_text({data, size});
  try_lock(text);
  try {
    auto json = liftlock::parse_json(text);
    if (!json.is_object()) return 0;
    json.erase("content");
    json["content"] = liftlock::sha256(liftlock::dump_json_line(json)).text();
    try_lock(liftlock::dump_json(json));
  } catch (const liftlock::Error&) {
  }
  return 0;
}
