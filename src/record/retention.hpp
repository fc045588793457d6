// How long records are kept, by what they are of. Format: docs/formats/record.md.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "record/record_keeper.hpp"
#include "record/record_reader.hpp"

namespace liftlock {

enum class RecordClass : std::uint8_t { prompts, embeddings, rankings, images, transcriptions };

/// "prompts", "embeddings", "rankings", "images", "transcriptions"
std::string_view name(RecordClass one);
std::optional<RecordClass> parse_record_class(std::string_view text);
/// By the path that a client asked: "/v1/chat/completions". Of an unknown one, prompts.
RecordClass class_of(std::string_view endpoint);

/// Are this endpoint's answers vectors, an order or a count? They hold no words, and the record has each of them whole,
/// as its client gets it.
bool answers_in_numbers(std::string_view endpoint);

struct Retention {
  std::optional<std::chrono::seconds> all;  ///< of classes that have none of their own; absent: for ever
  std::map<RecordClass, std::chrono::seconds> classes = {};

  /// nullopt: for ever.
  std::optional<std::chrono::seconds> of(RecordClass one) const;
};

/// What is over at a moment, without what is held.
class Expiry {
 public:
  /// Looks into the records that may be, where classes differ; without a key when they do not. The class of a record
  /// that was made hash-only, or that cannot be read, is not known: it is kept as long as the class that is kept
  /// longest.
  /// @throws Error{key_missing}
  Expiry(const Retention& retention, const RecordReader& reader, Timestamp now);

  /// For RecordKeeper::expire().
  bool is_over(const std::string& id, Timestamp begun) const { return begun < m_all_before || m_over.contains(id); }
  /// Before which a class is over; absent: never.
  const std::map<RecordClass, Timestamp>& before() const { return m_before; }
  /// What the look met: damaged records, and those without content, have no class. Nothing where none was looked into.
  const RecordReader::Findings& findings() const { return m_findings; }

 private:
  std::map<RecordClass, Timestamp> m_before;
  Timestamp m_all_before = Timestamp::min();
  RecordReader::Findings m_findings;
  std::set<std::string, std::less<>> m_over;  ///< of those begun later
};

}  // namespace liftlock
