#include "cli/export_tar.hpp"

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "bundle/tar_layout.hpp"
#include "crypto/hash.hpp"

namespace liftlock {
namespace {

const fs::path& require_new(const fs::path& file) {
  if (fs::exists(file)) {
    throw Error(ErrorCode::immutable, fmt::format("'{}' exists", printable(file.string())),
                "name another file, or remove that one");
  }
  return file;
}

}  // namespace

ExportTar::ExportTar(const LayoutOrder& order)
    : m_order(order),
      m_file(require_new(order.to)),
      m_progress(order.reporter, "export", Unit::bytes, order.artifacts.front().total_size()) {}

void ExportTar::write(std::string_view bytes) {
  write_all(m_file.fd(), bytes, m_order.to.string());
}

void ExportTar::add_text(const std::string& name, std::string_view text) {
  write(tar_header(RelPath::parse(name), text.size()));
  write(text);
  write(std::string(tar_padding(text.size()), '\0'));
}

void ExportTar::add_blob(const std::string& name, const Digest& digest, std::uint64_t size) {
  write(tar_header(RelPath::parse(name), size));
  const auto in = m_order.store.blobs.open(digest);
  const auto actual =
      copy_hashed(in.get(), 0, m_file.fd(), size, name, [&](std::uint64_t done) { m_progress.advance(done); });
  if (actual != digest) fail(ErrorCode::blob_corrupt, "the blob of {} is no longer that", digest.text());
  write(std::string(tar_padding(size), '\0'));
}

ExportedFile ExportTar::finish() {
  write(std::string(1024, '\0'));
  const auto what = m_order.to.string();
  ExportedFile file{m_order.to, regular_size(m_file.fd(), what), sha256_of_file(m_file.fd(), what)};
  m_file.commit();
  return file;
}

}  // namespace liftlock
