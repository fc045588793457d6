// A segment of the record, as the process that writes it has it. Not for other rooms.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

#include "record/segment_format.hpp"

namespace liftlock::record {

/// All but append() is for the committing thread.
struct Segment {
  /// The next one of the folder, durable but for its slots, of which it has none.
  Segment(const fs::path& folder, const SecretKey& kek);

  UniqueFd frames;
  UniqueFd keys;
  std::optional<SegmentKey> key;
  std::chrono::steady_clock::time_point born = std::chrono::steady_clock::now();
  std::uint32_t slots = 0;  ///< used
  std::deque<Slot> ready;   ///< durable, but not used yet

  /// More slots to be used, durable when it returns.
  void make_slots(std::size_t count);
  /// Writes slots that are used now. Not synced: the frames hold what a power cut takes of it.
  void fill_slots(std::uint32_t first, const std::vector<Slot>& filled);
  void sync_slots() const;

  /// Any thread: frames follow each other without a gap. Returns where they begin.
  std::uint64_t append(std::string_view bytes);
  std::uint64_t end();

 private:
  std::mutex m_mutex;
  std::uint64_t m_end = 0;
};

}  // namespace liftlock::record
