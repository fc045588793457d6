// A segment of the record, as the process that writes it has it. Not for other rooms.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "record/segment_format.hpp"

namespace liftlock::record {

/// The thread that commits takes slots and fills them; any thread appends; another one syncs and makes slots.
class Segment {
 public:
  /// The next one of the folder, durable but for its slots, of which it has none.
  Segment(const fs::path& folder, const SecretKey& kek);

  std::uint32_t number() const { return m_number; }
  const SegmentKey& key() const { return *m_key; }
  std::chrono::steady_clock::time_point born() const { return m_born; }
  /// How many slots are used.
  std::uint32_t slots() const { return m_slots; }

  /// Slots that are durable, but not used: at least `few` when it returns; where there were fewer, `many`.
  void keep_slots(std::size_t few, std::size_t many);
  /// The next one to be used, and its number. Precondition: there is one.
  std::pair<Slot, std::uint32_t> take_slot();
  /// Writes slots that are used now. Not synced: the frames hold what a power cut takes of it.
  void fill_slots(std::uint32_t first, const std::vector<Slot>& filled);
  void sync_slots() const;

  /// Frames follow each other without a gap. Returns where they begin.
  std::uint64_t append(std::string_view bytes);
  std::uint64_t end();

  /// What was appended since the last call, if `known`: if all before it is durable, or was given out by such a call.
  /// Where too much came together it is not known, and has to be synced.
  struct Tail {
    std::uint64_t offset = 0;
    std::string bytes;
    bool known = true;
  };
  Tail take_tail();
  /// Makes all durable that was appended before. @throws Error{io_error, disk_full}: final
  void sync();

 private:
  const std::uint32_t m_number;
  UniqueFd m_frames, m_keys;
  std::optional<SegmentKey> m_key;
  const std::chrono::steady_clock::time_point m_born = std::chrono::steady_clock::now();
  std::uint32_t m_slots = 0;  ///< the committing thread's

  std::mutex m_making;       ///< of slots
  std::mutex m_slots_mutex;  ///< of what follows
  std::deque<Slot> m_ready;  ///< durable, but not used yet
  std::uint64_t m_made = 0;  ///< used ones and ready ones

  std::mutex m_mutex;  ///< of what follows
  std::uint64_t m_end = 0;
  bool m_is_torn = false;         ///< a write failed: nothing may follow what it left
  std::string m_tail;             ///< what ends at m_end
  std::uint64_t m_known_end = 0;  ///< up to here it is durable, or was given out
};

}  // namespace liftlock::record
