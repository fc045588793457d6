#include "archive/descriptor_input.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/encoding.hpp"
#include "os/file.hpp"

namespace liftlock {
namespace {

constexpr std::size_t k_block = 128u << 10;

}  // namespace

std::string reader_words(archive* handle) {
  const char* words = archive_error_string(handle);
  return printable(words != nullptr ? words : "unreadable");
}

DescriptorInput::DescriptorInput(int fd) : DescriptorInput(fd, 0, regular_size(fd, "an archive")) {}

DescriptorInput::DescriptorInput(int fd, std::uint64_t offset, std::uint64_t size)
    : m_fd(fd), m_at(offset), m_end(offset + size), m_block(std::clamp<std::uint64_t>(size, 1, k_block)) {}

int DescriptorInput::open(archive* handle) {
  return archive_read_open2(handle, this, nullptr, &DescriptorInput::read, &DescriptorInput::skip, nullptr);
}

la_ssize_t DescriptorInput::read(archive* handle, void* self, const void** out) {
  auto& in = *static_cast<DescriptorInput*>(self);
  const auto want = std::min<std::uint64_t>(in.m_block.size(), in.m_end - in.m_at);
  if (want == 0) return 0;
  ssize_t got = -1;
  do {
    got = ::pread(in.m_fd, in.m_block.data(), want, static_cast<off_t>(in.m_at));
  } while (got < 0 && errno == EINTR);
  if (got <= 0) {
    archive_set_error(handle, got < 0 ? errno : EIO, "the file cannot be read to its end");
    return ARCHIVE_FATAL;
  }
  in.m_at += static_cast<std::uint64_t>(got);
  *out = in.m_block.data();
  return got;
}

/// Never past the end: what is asked for beyond it is then read, and found to be missing.
la_int64_t DescriptorInput::skip(archive*, void* self, la_int64_t request) {
  auto& in = *static_cast<DescriptorInput*>(self);
  const auto skipped = std::min<std::uint64_t>(static_cast<std::uint64_t>(request), in.m_end - in.m_at);
  in.m_at += skipped;
  return static_cast<la_int64_t>(skipped);
}

}  // namespace liftlock
