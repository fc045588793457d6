// What a node carries to its witness: the log's key, a consistency proof, a checkpoint. docs/formats/witness.md, "The
// request"; all but its first line is the body of C2SP tlog-witness's add-checkpoint.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "audit/signed_note.hpp"

namespace liftlock {

struct WitnessRequest {
  NoteKey key;                  ///< the log's
  std::uint64_t old_size = 0;   ///< where the proof begins; at most the checkpoint's size
  std::vector<TreeHash> path;   ///< at most 63
  std::string note;             ///< the signed checkpoint, exact bytes
  std::string checkpoint_text;  ///< what is signed of it
  Checkpoint checkpoint;

  std::string text() const;
  /// Checks the form and that the log's key signed the checkpoint, of which it has to be the origin; not the proof.
  /// parse(x).text() == x. @throws Error{schema_violation, limit_exceeded, signature_invalid}
  static WitnessRequest parse(std::string_view text);
};

}  // namespace liftlock
