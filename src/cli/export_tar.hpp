// A tar of an exported image: blobs of the store, each checked while it is copied, and small documents.
#pragma once

#include <string>
#include <string_view>

#include "cli/export_layouts.hpp"
#include "ecosystem/oci/manifest.hpp"
#include "os/file.hpp"

namespace liftlock {

/// The file appears under its name with finish(), whole, or never.
class ExportTar {
 public:
  /// @throws Error{immutable} when the file of the order exists
  explicit ExportTar(const LayoutOrder& order);

  void add_text(const std::string& name, std::string_view text);
  /// @throws Error{blob_corrupt}
  void add_blob(const std::string& name, const Digest& digest, std::uint64_t size);
  ExportedFile finish();

 private:
  void write(std::string_view bytes);

  const LayoutOrder& m_order;
  AtomicFile m_file;
  ProgressTask m_progress;
};

}  // namespace liftlock
