#include "archive/package_tar.hpp"

#include <fmt/format.h>

#include <unordered_set>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"

namespace liftlock {
namespace {

using Wants = std::function<std::size_t(std::string_view)>;
using Visit = std::function<void(std::string_view, std::string)>;

class PackageScan {
 public:
  PackageScan(std::string what, const Wants& wants, const Visit& visit)
      : m_what(std::move(what)), m_wants(wants), m_visit(visit) {}

  TarSink begin(const TarEntry& entry) {
    finish();
    if (m_out.folder.empty()) m_out.folder = entry.name.substr(0, entry.name.find('/'));
    auto below = below_folder(entry.name);
    m_wanted = 0;
    if (!entry.is_folder) {
      if (below.empty()) {
        fail(ErrorCode::package_malformed, "the folder '{}' of {} is a file", printable(entry.name), m_what);
      }
      if (!m_names.insert(below).second) {
        fail(ErrorCode::path_collision, "{} has '{}' twice", m_what, printable(entry.name));
      }
      ++m_out.files;
      m_wanted = m_wants(below);
      m_file = std::move(below);
    }
    return [this](std::span<const std::uint8_t> bytes) { take(bytes); };
  }

  PackageTar end() {
    finish();
    return std::move(m_out);
  }

 private:
  /// The name below the one folder; empty for the folder itself.
  std::string below_folder(const std::string& name) const {
    if (name == m_out.folder) return {};
    if (!name.starts_with(m_out.folder + "/")) {
      fail(ErrorCode::path_unsafe, "{} has an entry '{}' that is outside of its one folder", m_what,
           printable(name.substr(0, 200)));
    }
    return name.substr(m_out.folder.size() + 1);
  }

  void take(std::span<const std::uint8_t> bytes) {
    m_out.unpacked_size += bytes.size();
    if (m_wanted == 0) return;
    m_content += as_text(bytes);
    if (m_content.size() > m_wanted) {
      fail(ErrorCode::limit_exceeded, "{} is larger than {}", printable(m_file), format_size(m_wanted));
    }
  }

  /// All bytes of the file before are here.
  void finish() {
    if (!m_file.empty()) m_visit(m_file, std::move(m_content));
    m_file.clear();
    m_content.clear();
  }

  std::string m_what;
  const Wants& m_wants;
  const Visit& m_visit;
  PackageTar m_out;
  std::unordered_set<std::string> m_names;
  std::string m_file;     ///< whose bytes come; empty: of none
  std::string m_content;  ///< its bytes so far, where they are wanted
  std::size_t m_wanted = 0;
};

}  // namespace

PackageTar read_package_tar(int fd, std::string_view what, const TarLimits& limits, const Wants& wants,
                            const Visit& visit) {
  return read_package_tar(TarFile(fd, what), what, limits, wants, visit);
}

PackageTar read_package_tar(const TarFile& file, std::string_view what, const TarLimits& limits, const Wants& wants,
                            const Visit& visit) {
  PackageScan scan(fmt::format("the {}", what), wants, visit);
  read_tar(file, fmt::format("the {}", what), limits, [&](const TarEntry& entry) { return scan.begin(entry); });
  return scan.end();
}

}  // namespace liftlock
