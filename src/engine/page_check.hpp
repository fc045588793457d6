// fs-verity at the load gate: files of a model that the kernel keeps, so that it checks each page when an engine reads
// it. Which digest its tree must have is ours to know, from bytes that were hashed for their SHA-256; the kernel only
// says which one it has. docs/decisions/fs-verity.md
#pragma once

#include "engine/earlier_check.hpp"
#include "engine/load_gate.hpp"
#include "os/verity_file.hpp"
#include "store/blob_store.hpp"

namespace liftlock::engine {

/// Does the kernel keep every file of an opened model, by the digests that an earlier check found? Then no byte need be
/// hashed again. @throws Error{blob_corrupt} where it keeps one by another digest
bool is_kept_by_kernel(const CheckedModel& model, const EarlierCheck& earlier, const VerityCalls& calls);

/// After a check: has the kernel keep the store's own files that it does not keep yet. Nothing comes of that where it
/// cannot. What it changed in a file's state counts as seen.
void have_kernel_keep(CheckedModel& model, const BlobStore& store, const VerityCalls& calls);

/// After a check, which found model.verity: the assurance is fs_verity where the kernel keeps all files by these
/// digests, and stays what it is where not all are kept. @throws Error{blob_corrupt} where it keeps one by another
void settle_assurance(CheckedModel& model, const VerityCalls& calls);

}  // namespace liftlock::engine
