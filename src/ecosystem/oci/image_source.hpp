// Where the collector takes an image from: a registry, a `docker save` archive, an OCI layout folder.
#pragma once

#include <memory>

#include "ecosystem/collector.hpp"
#include "ecosystem/oci/image_reader.hpp"

namespace liftlock::oci {

class ImageSource {
 public:
  virtual ~ImageSource() = default;
  /// Lives as long as the source.
  virtual ImageReader& reader() = 0;
  /// How to get one file of a locked artifact.
  virtual FetchJob job(const ArtifactFile& file) = 0;
};

std::unique_ptr<ImageSource> make_registry_source(const Source& source, const StackEntry& entry,
                                                  CollectContext& context);
std::unique_ptr<ImageSource> make_layout_source(const Source& source, CollectContext& context);
std::unique_ptr<ImageSource> make_archive_source(const Source& source, CollectContext& context);

}  // namespace liftlock::oci
