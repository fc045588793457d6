#include "advisory/database.hpp"

#include <fmt/format.h>

#include <vector>

#include "archive/zip_reader.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "os/file.hpp"

namespace liftlock::advisory {
namespace {

constexpr ZipLimits k_limits{.entries = k_max_records, .directory_size = 256u << 20, .entry_size = k_max_record};
constexpr std::uint64_t k_local_header = 4;

bool is_zip(int fd, std::string_view what) {
  std::vector<std::uint8_t> head(k_local_header);
  return regular_size(fd, what) >= head.size() && pread_exact(fd, head, 0, what) && as_text(head) == "PK\x03\x04";
}

std::string whole(int fd, std::string_view what) {
  const auto size = regular_size(fd, what);
  if (size > k_max_record)
    fail(ErrorCode::limit_exceeded, "{} is no zip, and a record has at most {} bytes", what, k_max_record);
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(size));
  if (!pread_exact(fd, bytes, 0, what)) fail(ErrorCode::package_malformed, "{} ended early", what);
  return std::string(as_text(bytes));
}

}  // namespace

void each_advisory(int fd, std::string_view what, const std::function<void(const Advisory&)>& visit) {
  if (!is_zip(fd, what)) {
    visit(with_context(fmt::format("in {}", what), [&] { return parse_osv(whole(fd, what)); }));
    return;
  }
  const ZipReader zip(fd, k_limits);
  for (const auto& entry : zip.entries()) {
    if (entry.is_folder() || !entry.name.ends_with(".json")) continue;
    visit(with_context(fmt::format("in {} of {}", printable(entry.name), what),
                       [&] { return parse_osv(zip.read(entry, k_max_record)); }));
  }
}

}  // namespace liftlock::advisory
