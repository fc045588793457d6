// Git's names of files: the SHA-1 over "blob SIZE", a zero byte and the bytes. Of a file of Git LFS git keeps a small
// pointer instead (git-lfs docs/spec.md). A Hugging Face Hub tells both.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/digest.hpp"

namespace liftlock {

/// git hash-object of the bytes of an open file: 40 hexadecimal digits. @throws Error{io_error, size_mismatch}
std::string git_blob_oid(int fd, std::uint64_t size);
std::string git_blob_oid(std::string_view bytes);

/// The pointer that stands for a file of Git LFS.
std::string lfs_pointer(const Digest& sha256, std::uint64_t size);

/// 40 lower-case hexadecimal digits: a commit, or the name of a blob.
bool is_git_oid(std::string_view text);

}  // namespace liftlock
