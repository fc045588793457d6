// The journal: where an append becomes durable, with one fdatasync. It holds every entry past the last full bundle and
// the signed checkpoint of every append; tiles and the checkpoint file are derived from it (docs/formats/audit.md).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "audit/merkle.hpp"

namespace liftlock {

/// What a journal says.
struct JournalState {
  std::uint64_t base = 0;         ///< entries before it are in full bundles on disk; a multiple of 256
  TreeEdge edge;                  ///< at base + tail.size()
  std::vector<std::string> tail;  ///< the entries from base on
  std::vector<FullTile> filled;   ///< tiles that became full after base
  std::string checkpoint;         ///< the signed note of the last whole record
  std::uint64_t whole_bytes = 0;  ///< length of the whole records
  std::uint64_t torn_bytes = 0;   ///< what follows them, but for zeros: an append that never returned

  std::uint64_t size() const { return edge.size(); }
  void add(std::string entry);
};

/// @throws Error{audit_broken} when the journal has not even one whole record after its header
JournalState parse_journal(std::string_view bytes);

/// The start of a journal whose tree has `edge` at its base. Precondition: edge.size() % 256 == 0.
std::string journal_header(const TreeEdge& edge);
/// One commit.
std::string journal_record(std::uint64_t first, const std::vector<std::string>& entries, std::string_view checkpoint);

}  // namespace liftlock
