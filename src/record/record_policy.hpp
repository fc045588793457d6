// Which mode a record has, and what becomes of an answer that cannot be recorded.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "record/record.hpp"

namespace liftlock {

/// Bytes of a recording that is kept; a larger one would take the record's queue from the prompts of others.
inline constexpr std::uint64_t k_max_kept_recording = 64u << 20;

struct RecordPolicy {
  RecordMode mode = RecordMode::full;                          ///< the site's
  std::map<std::string, RecordMode, std::less<>> models = {};  ///< by the name of the catalog, or POOL/MODEL
  /// false: the answer goes out without a record, which is counted.
  bool stop_when_unwritable = true;
  bool recordings = true;  ///< what was heard is kept in mode full; false: its digest only

  /// What model and key say comes before what the site says; where both say something, whichever keeps more.
  RecordMode mode_for(std::string_view model, std::optional<RecordMode> key) const;
  /// Whether a recording of so many bytes is kept in that mode, and not its digest only.
  bool keeps_recording(RecordMode record_mode, std::uint64_t bytes) const;
};

/// "full", "hash-only", "off"
std::string_view name(RecordMode mode);
std::optional<RecordMode> parse_record_mode(std::string_view text);

}  // namespace liftlock
