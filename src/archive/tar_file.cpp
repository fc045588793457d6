#include "archive/tar_file.hpp"

#include <algorithm>

#include "archive/descriptor_input.hpp"
#include "os/file.hpp"

namespace liftlock {
namespace {

constexpr std::size_t k_piece = 1u << 20;

}  // namespace

TarFile::TarFile(int fd, std::string_view what) : m_fd(fd), m_packed_size(regular_size(fd, what)) {}

void TarFile::keep_if_small(std::size_t most) {
  if (m_bytes || m_packed_size > most) return;
  DescriptorInput input(m_fd, 0, m_packed_size);
  const ReaderHandle reader(archive_read_new());
  archive_read_support_format_raw(reader.get());
  archive_read_support_filter_gzip(reader.get());
  archive_entry* entry = nullptr;
  if (input.open(reader.get()) != ARCHIVE_OK || archive_read_next_header(reader.get(), &entry) != ARCHIVE_OK) return;
  // What is compressed twice is refused by who reads it.
  if (archive_filter_count(reader.get()) > 2) return;
  // Pages of it that are not written to cost nothing.
  auto bytes = std::make_unique_for_overwrite<std::uint8_t[]>(most);
  std::size_t size = 0;
  while (size < most) {
    const auto got = archive_read_data(reader.get(), bytes.get() + size, std::min(k_piece, most - size));
    if (got < 0) return;
    if (got == 0) {
      m_bytes = std::move(bytes);
      m_size = size;
      return;
    }
    size += static_cast<std::size_t>(got);
  }
}

std::optional<std::span<const std::uint8_t>> TarFile::unpacked() const {
  if (!m_bytes) return std::nullopt;
  return std::span<const std::uint8_t>(m_bytes.get(), m_size);
}

}  // namespace liftlock
