// A file that was cut so that it fits on media: FILE.part000 (what Zarf says of the whole), FILE.part001 …;
// FILE.001, FILE.002 … (Hauler from 2.1); BASE_0.tar.zst, BASE_1.tar.zst … (Hauler before).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "base/digest.hpp"
#include "os/fd.hpp"
#include "os/file.hpp"

namespace liftlock {

struct SplitFile {
  fs::path whole;                ///< as it was called; nothing of that name need be there
  std::vector<fs::path> parts;   ///< in their order
  std::optional<Digest> digest;  ///< of the whole, where the first part states it
  std::uint64_t size = 0;        ///< of all parts together
};

/// The parts of which `source` is one, or of which it is the whole and is not there itself. nullopt for a file of its
/// own: numbers in its name alone make none a part. The first has to be there and begin as an archive does, the next as
/// none does; a .gguf, .whl … (is_one_file()) is never joined of numbers.
/// @throws Error{missing_file, not_regular, size_mismatch, limit_exceeded, json_invalid, schema_violation}
std::optional<SplitFile> split_file(const fs::path& source);

struct JoinedFile {
  UniqueFd file;  ///< without a name
  Digest digest;
};

/// Reads every part once. @param folder where the joined file lies @param progress is told of bytes as they are done;
/// may be empty @throws Error{digest_mismatch} against what the first part states, {size_mismatch, disk_full, io_error}
JoinedFile join(const SplitFile& split, const fs::path& folder, const std::function<void(std::uint64_t)>& progress);

}  // namespace liftlock
