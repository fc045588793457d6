// records/ahead: where a group of records and of their audit entries becomes durable with one sync of blocks that are
// on the disk already, before it is in its places (docs/formats/record.md). Not for other rooms.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "os/file.hpp"

namespace liftlock::record {

/// Of the process that wrote; random.
using RunId = std::array<std::uint8_t, 16>;

/// Bytes of a segment, and where they stand in it.
struct AheadPart {
  std::uint32_t segment = 0;
  std::uint64_t offset = 0;
  std::string_view bytes;
};

/// Views into bytes of the caller's.
struct AheadGroup {
  static constexpr std::size_t k_block = 4096;

  RunId run{};
  std::uint64_t number = 0;   ///< grows within a run; what needed no place in this file has numbers, too
  std::uint64_t settled = 0;  ///< up to this number everything was in its place when this was written
  std::uint64_t log = 0;      ///< a size that the audit log had before any of these entries
  std::vector<AheadPart> parts;
  std::vector<std::string_view> entries;

  /// Whole blocks.
  std::string bytes() const;
};

constexpr std::size_t k_ahead_half = 4u << 20;

/// The whole groups of both halves, in the order of their numbers. What a crash tore, and what lies there of earlier
/// laps, is left out.
/// @throws Error{too_new}, Error{blob_corrupt} for a group that is whole and says nothing
std::vector<AheadGroup> ahead_groups(std::string_view bytes, std::size_t half = k_ahead_half);

/// Of them, those that may not be in their places yet.
/// @throws Error{blob_corrupt} when one is missing: no crash explains that
std::vector<AheadGroup> unsettled_groups(std::vector<AheadGroup> groups);

/// The bytes of FOLDER/ahead; empty where there is none.
std::string read_ahead_file(const fs::path& folder);

/// The writing side; one thread at a time.
class AheadFile {
 public:
  /// Takes the file that is there, whose groups must all be settled by now, or makes it, with zeros on the disk.
  /// @throws Error{disk_full, io_error}
  explicit AheadFile(const fs::path& folder);

  /// Durable unless it returns no: there is no room before more is settled. In a new half, what the other one holds had
  /// better be settled before this one is full.
  enum class Written : std::uint8_t { no, yes, in_a_new_half };
  Written write(const AheadGroup& group);
  /// Forgets it all. Precondition: everything in it is settled.
  void clear();

 private:
  UniqueFd m_fd;
  std::size_t m_half = 0;                    ///< which one is written
  std::size_t m_at = 0;                      ///< where in it
  std::array<std::uint64_t, 2> m_last = {};  ///< the last number in each
  std::uint64_t m_stated = 0;                ///< what the last group says is settled
};

}  // namespace liftlock::record
