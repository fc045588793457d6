// A tar of an exported image: blobs of the store, each checked while it is copied, and small documents.
#pragma once

#include <string>
#include <string_view>

#include "cli/export_layouts.hpp"
#include "ecosystem/oci/manifest.hpp"
#include "os/file.hpp"

namespace liftlock {

/// Written from its beginning to its end, to a file or to a pipe.
class ImageTar {
 public:
  /// @param out not owned @param what names it in errors @param size of what comes, for the progress
  ImageTar(const BlobStore& blobs, int out, std::string what, Reporter& reporter, std::uint64_t size);

  void add_text(const std::string& name, std::string_view text);
  /// @throws Error{blob_corrupt}
  void add_blob(const std::string& name, const Digest& digest, std::uint64_t size);
  /// The two blocks that end a tar.
  void end();

 private:
  void write(std::string_view bytes);

  const BlobStore& m_blobs;
  int m_out;
  std::string m_what;
  ProgressTask m_progress;
};

/// The file appears under its name with finish(), whole, or never.
class ExportTar {
 public:
  /// @throws Error{immutable} when the file of the order exists
  explicit ExportTar(const LayoutOrder& order);

  void add_text(const std::string& name, std::string_view text) { m_tar.add_text(name, text); }
  /// @throws Error{blob_corrupt}
  void add_blob(const std::string& name, const Digest& digest, std::uint64_t size) {
    m_tar.add_blob(name, digest, size);
  }
  ExportedFile finish();

 private:
  const LayoutOrder& m_order;
  AtomicFile m_file;
  ImageTar m_tar;
};

}  // namespace liftlock
