#include "cli/export_tar.hpp"

#include <fcntl.h>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "bundle/tar_layout.hpp"
#include "cli/output_file.hpp"
#include "crypto/hash.hpp"

namespace liftlock {
namespace {

/// What is there is never replaced: it may be the same file, which is found out once this one is written beside it.
const fs::path& require_file(const fs::path& file) {
  require_file_name(file.string(), "--to");
  if (fs::exists(file) && !fs::is_regular_file(file)) {
    throw Error(ErrorCode::usage, fmt::format("--to wants a file, and '{}' is none", printable(file.string())),
                "name a new file, such as app.tar");
  }
  return file;
}

}  // namespace

ImageTar::ImageTar(const BlobStore& blobs, int out, std::string what, Reporter& reporter, std::uint64_t size)
    : m_blobs(blobs), m_out(out), m_what(std::move(what)), m_progress(reporter, "export", Unit::bytes, size) {}

void ImageTar::write(std::string_view bytes) {
  write_all(m_out, bytes, m_what);
}

void ImageTar::add_text(const std::string& name, std::string_view text) {
  write(tar_header(RelPath::parse(name), text.size()));
  write(text);
  write(std::string(tar_padding(text.size()), '\0'));
}

void ImageTar::add_blob(const std::string& name, const Digest& digest, std::uint64_t size) {
  write(tar_header(RelPath::parse(name), size));
  const auto in = m_blobs.open(digest);
  const auto actual =
      copy_hashed(in.get(), 0, m_out, size, name, [&](std::uint64_t done) { m_progress.advance(done); });
  if (actual != digest) fail(ErrorCode::blob_corrupt, "the blob of {} is no longer that", digest.text());
  write(std::string(tar_padding(size), '\0'));
}

void ImageTar::end() {
  write(std::string(1024, '\0'));
}

ExportTar::ExportTar(const LayoutOrder& order)
    : m_order(order),
      m_file(require_file(order.to)),
      m_tar(order.store.blobs, m_file.fd(), order.to.string(), order.reporter, order.artifacts.front().total_size()) {}

ExportedFile ExportTar::finish() {
  m_tar.end();
  const auto what = m_order.to.string();
  ExportedFile file{m_order.to, regular_size(m_file.fd(), what), sha256_of_file(m_file.fd(), what)};
  if (const auto there = open_file_if_exists(m_order.to, O_RDONLY)) {
    if (regular_size(there->get(), what) == file.size && sha256_of_file(there->get(), what) == file.digest) {
      m_order.reporter.note(fmt::format("'{}' was there already, byte for byte", printable(what)));
      return file;
    }
    throw Error(ErrorCode::immutable, fmt::format("'{}' exists, and holds something else", printable(what)),
                "nothing was changed: name another file, or remove that one and run the same command again");
  }
  m_file.commit();
  return file;
}

}  // namespace liftlock
