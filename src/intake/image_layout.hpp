// An OCI image layout as it lies in an import, and the images in it.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ecosystem/oci/layout_reader.hpp"
#include "intake/shape.hpp"

namespace liftlock {

/// A layout whose two documents were read once: the medium could answer otherwise the second time. Blobs are what their
/// names say, or refused.
class ImageLayout : public oci::LayoutReader {
 public:
  /// Without the file oci-layout it is taken for one of version 1.0.0. @throws what oci::LayoutReader does
  explicit ImageLayout(const std::shared_ptr<const Tree>& tree);

  const std::shared_ptr<const Tree>& tree() const { return m_documents->tree; }
  const std::string& index_text() const { return m_documents->index; }
  /// What was read of the two documents must be what is hashed.
  std::vector<WantedFile> documents() const;
  /// Each believed to be what its name says once it was hashed.
  std::vector<WantedFile> blobs() const;
  /// Is this entry of index.json a signature, an SBOM or the like of another one?
  virtual bool is_attachment(const oci::Descriptor& descriptor);

 private:
  struct Documents {
    std::shared_ptr<const Tree> tree;
    std::string layout, index;
    std::string read(const std::string& path, std::uint64_t max_bytes) const;
  };
  explicit ImageLayout(std::shared_ptr<const Documents> documents);

  std::shared_ptr<const Documents> m_documents;
};

bool is_layout(const Tree& tree);
/// "blobs/sha256/" and 64 digits.
bool is_blob_path(std::string_view path);
std::string blob_path(const Digest& digest);

/// Those entries of index.json that are images, not what is attached to one.
std::vector<oci::Descriptor> image_entries(ImageLayout& layout);
/// All that is said of the images that the entries mean: preview, notes, files and make(). One without a name is called
/// as the archive is; those whose names differ in their hosts alone have the hosts in their names.
Found found_images(const std::shared_ptr<ImageLayout>& layout, std::string shape,
                   const std::vector<oci::Descriptor>& entries);
/// "3 images", of what found_images() made.
std::string count_images(const Found& found);
/// A name for an image that has none: the archive's, as a repository may be called.
std::string repository_name(std::string_view title);

}  // namespace liftlock
