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

/// Has the kernel keep the store's own files that it does not keep yet, but for those that it refused before. Before
/// the bytes are hashed, for that moves a file's ctime, also where nothing comes of it: the file's state counts from
/// there on. Where an earlier check counts in the place of hashing, only what the kernel keeps is known to be still the
/// same.
void have_kernel_keep(CheckedModel& model, const BlobStore& store, const VerityCalls& calls, VerityRefusals& refusals);

/// Does the kernel keep this file by the digest that the check found? Then its bytes are those that were hashed,
/// whatever became of its ctime.
bool is_kept_as_checked(const CheckedModel& model, std::size_t number, int fd, const VerityCalls& calls);

/// After a check, which found model.verity: the assurance is fs_verity where the kernel keeps all files by these
/// digests, and stays what it is where not all are kept. @throws Error{blob_corrupt} where it keeps one by another
void settle_assurance(CheckedModel& model, const VerityCalls& calls);

}  // namespace liftlock::engine
