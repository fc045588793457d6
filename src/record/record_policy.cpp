#include "record/record_policy.hpp"

#include <algorithm>

#include "base/error.hpp"

namespace liftlock {

RecordMode RecordPolicy::mode_for(std::string_view model, std::optional<RecordMode> key) const {
  const auto found = models.find(model);
  if (found == models.end()) return key.value_or(mode);
  return std::min(found->second, key.value_or(RecordMode::off));  // from the fullest to the emptiest
}

bool RecordPolicy::keeps_recording(RecordMode record_mode, std::uint64_t bytes) const {
  return recordings && record_mode == RecordMode::full && bytes <= k_max_kept_recording;
}

std::string_view name(RecordMode mode) {
  switch (mode) {
    case RecordMode::full:
      return "full";
    case RecordMode::hash_only:
      return "hash-only";
    case RecordMode::off:
      return "off";
  }
  fail(ErrorCode::internal, "unknown mode of the record");
}

std::optional<RecordMode> parse_record_mode(std::string_view text) {
  for (const auto mode : {RecordMode::full, RecordMode::hash_only, RecordMode::off}) {
    if (name(mode) == text) return mode;
  }
  return std::nullopt;
}

}  // namespace liftlock
