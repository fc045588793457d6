// A segment of the record on disk, as its readers and erasers see it. Not for other rooms.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "os/access.hpp"
#include "os/file.hpp"
#include "record/segment_format.hpp"

namespace liftlock::record {

/// pwrite(2) of all of it. @throws Error{io_error, disk_full}
void write_at(int fd, std::string_view bytes, std::uint64_t place, std::string_view what);

class SegmentFiles {
 public:
  /// Reads the slots that are whole. @throws Error{too_new, blob_corrupt, io_error}
  SegmentFiles(const fs::path& folder, const std::string& name, Access access);

  /// With those that wait for a record.
  std::uint32_t slot_count() const;
  Slot slot(std::uint32_t number) const;
  /// @throws Error{key_missing} when the segment was written under another key
  SegmentKey unlock(const SecretKey& kek) const;
  /// Are the frames still there?
  bool has_frames() const { return m_frames.has_value(); }
  /// Reads N.rec; valid as long as this object. @throws Error{too_new, blob_corrupt} for a foreign first line
  ReadAt frames() const;
  /// Durable with the next sync_keys().
  void erase(std::uint32_t number);
  /// Gives the slots whose ids and offsets a power cut lost what the frames say of them. All are durable then. Where
  /// nobody writes.
  void restore_slots();
  void sync_keys();

 private:
  void put(std::uint32_t number, std::size_t at, std::string_view bytes);

  std::string m_name;
  UniqueFd m_keys;
  std::optional<UniqueFd> m_frames;
  std::string m_slots;
  KeysHeader m_header;
};

[[noreturn]] void no_such_record(const std::string& id);
/// The segment and the number of the slot. @throws Error{not_found}
std::pair<SegmentFiles, std::uint32_t> find_slot(const fs::path& folder, const std::string& id, Access access);

}  // namespace liftlock::record
