#include <fcntl.h>

#include <algorithm>
#include <mutex>
#include <span>
#include <tuple>
#include <vector>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "crypto/hash.hpp"
#include "os/parallel.hpp"
#include "store/maintenance.hpp"

namespace liftlock {
namespace {

constexpr std::size_t k_block = 256u << 10;

/// Hashes what is on the disk; gives the page cache back what it took.
Digest hash_from_disk(int fd, std::uint64_t size, ProgressTask& task) {
  ::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
  ::posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
  thread_local std::vector<std::uint8_t> buffer(k_block);
  Hasher hasher;
  for (std::uint64_t offset = 0; offset < size;) {
    const auto block =
        std::span(buffer).first(static_cast<std::size_t>(std::min<std::uint64_t>(k_block, size - offset)));
    if (!pread_exact(fd, block, offset, "a blob")) break;
    hasher.update(block);
    offset += block.size();
    task.advance(block.size());
  }
  ::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
  return hasher.finish();
}

class Scrub {
 public:
  Scrub(BlobStore& store, const Catalog& catalog, Quarantine quarantine)
      : m_store(store), m_catalog(catalog), m_quarantine(quarantine) {}

  ScrubReport run(Reporter& reporter) {
    std::vector<SizedDigest> blobs;
    const auto required = m_catalog.required();
    m_store.for_each(
        [&](const Digest& digest, std::uint64_t size) {
          blobs.push_back({digest, size});
        },
        [&](const std::string& path) { add(ScrubFinding::Kind::stray, path, "no blob has this name"); });
    // What is only referred to is read, too: packing it will need those very bytes.
    for (const auto& [digest, size] : required) {
      if (!m_store.holds(digest) && m_store.references().live(digest)) blobs.push_back({digest, size});
    }
    // The largest first: no core is left alone with one at the end.
    std::sort(blobs.begin(), blobs.end(), [](const auto& a, const auto& b) { return a.size > b.size; });
    m_report.blobs = blobs.size();
    for (const auto& blob : blobs) m_report.bytes += blob.size;
    {
      ProgressTask task(reporter, "scrubbing", Unit::bytes, m_report.bytes);
      parallel_for(blobs.size(), [&](std::size_t i) { check(blobs[i], task); });
    }
    for (const auto& [digest, size] : required) check_required(digest, size);
    finish();
    return std::move(m_report);
  }

 private:
  void add(ScrubFinding::Kind kind, std::string subject, std::string detail) {
    const std::lock_guard lock(m_mutex);
    m_report.findings.push_back({kind, std::move(subject), {}, std::move(detail), {}});
  }

  void check(const SizedDigest& blob, ProgressTask& task) {
    try {
      const auto fd = m_store.open(blob.digest);
      const auto actual = hash_from_disk(fd.get(), regular_size(fd.get(), blob.digest.text()), task);
      if (actual != blob.digest)
        add(ScrubFinding::Kind::corrupt, blob.digest.text(),
            fmt::format("its bytes hash to {}{}", actual.text(), referred(blob.digest)));
    } catch (const Error& error) {
      // gc took it, or somebody a file that is referred to; when something needs it, check_required says so.
      if (error.code() == ErrorCode::not_found) return;
      if (error.code() == ErrorCode::upstream_changed && !m_store.references().live(blob.digest)) return;
      add(ScrubFinding::Kind::unreadable, blob.digest.text(), error.message());
    }
  }

  void check_required(const Digest& digest, std::uint64_t size) {
    const auto actual = m_store.size(digest);
    if (!actual)
      return add(ScrubFinding::Kind::missing, digest.text(), "the store does not hold it" + referred(digest));
    if (*actual == size || is_reported(digest.text())) return;
    add(ScrubFinding::Kind::wrong_size, digest.text(), fmt::format("{} bytes, the catalog says {}", *actual, size));
  }

  /// Where the file is that the store counted on.
  std::string referred(const Digest& digest) const {
    const auto reference = m_store.holds(digest) ? std::nullopt : m_store.references().any(digest);
    if (!reference) return {};
    const auto* what = m_store.references().live(digest) ? "it is" : "what was locked was";
    return fmt::format("; {} '{}', which the store only refers to", what, printable(reference->file.string()));
  }

  bool is_reported(const std::string& subject) const {
    return std::any_of(m_report.findings.begin(), m_report.findings.end(),
                       [&](const auto& finding) { return finding.subject == subject; });
  }

  // The catalog belongs to this thread alone, so users are looked up only now.
  void finish() {
    for (auto& finding : m_report.findings) {
      if (finding.kind == ScrubFinding::Kind::stray) continue;
      const auto digest = Digest::parse(finding.subject);
      finding.users = m_catalog.users_of(digest);
      const bool bad = finding.kind == ScrubFinding::Kind::corrupt || finding.kind == ScrubFinding::Kind::unreadable;
      // A file that is only referred to is somebody else's, and stays where it is.
      if (bad && m_quarantine == Quarantine::yes && m_store.holds(digest))
        finding.quarantined_at = m_store.quarantine(digest).string();
    }
    std::sort(m_report.findings.begin(), m_report.findings.end(),
              [](const auto& a, const auto& b) { return std::tie(a.kind, a.subject) < std::tie(b.kind, b.subject); });
  }

  BlobStore& m_store;
  const Catalog& m_catalog;
  Quarantine m_quarantine;
  std::mutex m_mutex;
  ScrubReport m_report;
};

}  // namespace

std::string_view name(ScrubFinding::Kind kind) {
  switch (kind) {
    case ScrubFinding::Kind::corrupt:
      return "corrupt";
    case ScrubFinding::Kind::unreadable:
      return "unreadable";
    case ScrubFinding::Kind::missing:
      return "missing";
    case ScrubFinding::Kind::wrong_size:
      return "wrong-size";
    case ScrubFinding::Kind::stray:
      return "stray";
  }
  return "";
}

ScrubReport scrub(BlobStore& store, const Catalog& catalog, Quarantine quarantine, Reporter& reporter) {
  return Scrub(store, catalog, quarantine).run(reporter);
}

}  // namespace liftlock
