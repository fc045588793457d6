#include "archive/decompress.hpp"

#include <zlib.h>

#include <algorithm>
#include <memory>

#include "archive/descriptor_input.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "os/file.hpp"

namespace liftlock {
namespace {

int add_filter(archive* handle, std::string_view name) {
  if (name.ends_with(".xz")) return archive_read_support_filter_xz(handle);
  if (name.ends_with(".gz")) return archive_read_support_filter_gzip(handle);
  if (name.ends_with(".zst")) return archive_read_support_filter_zstd(handle);
  if (name.ends_with(".bz2")) return archive_read_support_filter_bzip2(handle);
  return ARCHIVE_OK;
}

}  // namespace

std::string decompress(int fd, std::string_view name, std::uint64_t max_bytes) {
  std::string out;
  decompress(fd, name, max_bytes, [&](std::string_view block) { out += block; });
  return out;
}

void decompress(int fd, std::string_view name, std::uint64_t max_bytes,
                const std::function<void(std::string_view block)>& sink) {
  const auto broken = [&](archive* handle) {
    fail(ErrorCode::schema_violation, "{} cannot be unpacked: {}", printable(name), reader_words(handle));
  };
  const auto packed_size = regular_size(fd, name);
  if (packed_size == 0) return;
  DescriptorInput input(fd, 0, packed_size);
  const ReaderHandle handle(archive_read_new());
  if (add_filter(handle.get(), name) != ARCHIVE_OK) broken(handle.get());
  archive_read_support_format_raw(handle.get());
  archive_read_support_format_empty(handle.get());
  archive_entry* entry = nullptr;
  if (input.open(handle.get()) != ARCHIVE_OK) broken(handle.get());
  const int header = archive_read_next_header(handle.get(), &entry);
  if (header == ARCHIVE_EOF) return;
  if (header != ARCHIVE_OK) broken(handle.get());
  std::uint64_t total = 0;
  std::string buffer(1u << 18, '\0');
  while (true) {
    const auto got = archive_read_data(handle.get(), buffer.data(), buffer.size());
    if (got < 0) broken(handle.get());
    if (got == 0) return;
    total += static_cast<std::uint64_t>(got);
    if (total > max_bytes)
      fail(ErrorCode::limit_exceeded, "{} unpacks to more than {} bytes", printable(name), max_bytes);
    sink(std::string_view(buffer.data(), static_cast<std::size_t>(got)));
  }
}

std::string gzip(std::string_view text) {
  return gzip(std::span(&text, 1));
}

std::string gzip(std::span<const std::string_view> pieces) {
  z_stream stream{};
  if (deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY) != Z_OK) {
    fail(ErrorCode::memory_limit, "no memory for compressing an index");
  }
  const std::unique_ptr<z_stream, decltype(&deflateEnd)> end(&stream, &deflateEnd);
  std::string out;
  std::string buffer(1u << 18, '\0');
  const auto feed = [&](std::string_view text, int flush) {
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    stream.avail_in = static_cast<uInt>(text.size());
    do {
      stream.next_out = reinterpret_cast<Bytef*>(buffer.data());
      stream.avail_out = static_cast<uInt>(buffer.size());
      if (deflate(&stream, flush) == Z_STREAM_ERROR) fail(ErrorCode::internal, "an index could not be compressed");
      out.append(buffer.data(), buffer.size() - stream.avail_out);
    } while (stream.avail_out == 0);
  };
  constexpr std::size_t k_block = 1u << 30;  // zlib counts in 32 bits
  for (auto piece : pieces) {
    for (; !piece.empty(); piece.remove_prefix(std::min(k_block, piece.size()))) {
      feed(piece.substr(0, k_block), Z_NO_FLUSH);
    }
  }
  feed({}, Z_FINISH);
  return out;
}

}  // namespace liftlock
