// What the record holds of one exchange between a caller and a model. Format: docs/formats/record.md.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/json.hpp"

namespace liftlock {

struct RecordHead {
  std::string id;  ///< a ULID of 26 characters; empty for the book to choose
  Timestamp time;  ///< the epoch: the book takes the wall clock's
  std::string user, key_id, peer, endpoint;
  std::string model, model_digest;
  std::string engine;             ///< with its version
  std::vector<std::string> tags;  ///< subjects, for retrieval; encrypted, not in the audit log
};

/// {"id", "time", "user", "key_id", "peer", "endpoint", "model", "model_digest", "engine", "tags"}
Json to_json(const RecordHead& head);

struct Record {
  RecordHead head;
  std::string prompt;
  std::string recording;  ///< the sound that was heard; empty where there was none, or it was not to be kept
  std::string answer;     ///< its parts: record/answer_parts.hpp
  Json outcome;           ///< as the gateway closed it; {"outcome": "interrupted"} without a close frame
};

/// That of its head, and "prompt", "recording" where one is kept ("bytes" and "sha256" of it), "answer" (what was
/// said), "parts" where the answer has others (name → text), and "outcome"
Json to_json(const Record& record);

enum class RecordMode : std::uint8_t { full, hash_only, off };

/// 26 letters and digits, as new_record_id() makes them.
bool is_record_id(std::string_view text);

/// An id of this moment. Unique among all that any process makes, and sorted by time.
std::string new_record_id();

}  // namespace liftlock
