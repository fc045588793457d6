// libarchive over a descriptor: what readers of archives share. Brings <archive.h> in, and so is for .cpp files.
#pragma once

#include <archive.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace liftlock {

struct FreeReader {
  void operator()(archive* handle) const { archive_read_free(handle); }
};
using ReaderHandle = std::unique_ptr<archive, FreeReader>;

/// What libarchive says is wrong, made printable; never empty.
std::string reader_words(archive* handle);

/// Bytes of a regular file, read with pread: the descriptor's own offset is neither used nor moved. A file that ends
/// before it should is an error of the handle, also where bytes are skipped. Must outlive what the handle reads.
class DescriptorInput {
 public:
  /// The whole file. @throws Error{not_regular}
  explicit DescriptorInput(int fd);
  /// A part of it.
  DescriptorInput(int fd, std::uint64_t offset, std::uint64_t size);
  DescriptorInput(const DescriptorInput&) = delete;
  DescriptorInput& operator=(const DescriptorInput&) = delete;

  /// Gives them to a handle whose formats and filters are set. @return ARCHIVE_OK, or what archive_read_open2() says
  int open(archive* handle);

 private:
  static la_ssize_t read(archive* handle, void* self, const void** out);
  static la_int64_t skip(archive* handle, void* self, la_int64_t request);

  int m_fd;
  std::uint64_t m_at;
  std::uint64_t m_end;
  std::vector<std::uint8_t> m_block;
};

}  // namespace liftlock
