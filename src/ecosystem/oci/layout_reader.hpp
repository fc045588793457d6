// An OCI image layout (image-spec 1.1, "Image Layout Specification"): oci-layout, index.json, blobs/sha256/.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "ecosystem/oci/image_reader.hpp"

namespace liftlock::oci {

class LayoutReader : public ImageReader {
 public:
  /// A file of the layout, by its path below it. @throws when it is not there or larger
  using Read = std::function<std::string(const std::string& path, std::uint64_t max_bytes)>;

  /// @param what names the layout in errors and origins
  /// @param inner which image choose() is to find: the name it has in index.json; empty: the only one
  /// @throws Error{unresolvable} for another version of layouts, and what parse_manifest() throws
  LayoutReader(std::string what, std::string inner, Read read);

  const Index& index() const { return m_index; }
  /// One of index().manifests, called as name_of() has it.
  Chosen chosen(const Descriptor& descriptor) const;
  /// What a descriptor of index.json is called there: the annotation of OCI, of containerd, or of Zarf; may be empty.
  static std::string name_of(const Descriptor& descriptor);

  Chosen choose() override;
  std::string manifest(const Descriptor& descriptor) override;
  std::string config(const Descriptor& descriptor) override;
  std::vector<Referrer> referrers(const Digest& subject) override;
  std::string origin(const Digest& digest, Part part) const override;
  Evidence evidence(const Descriptor& descriptor, const Chosen& chosen) const override;

 private:
  Chosen chosen_as(const Descriptor& descriptor, const std::string& name) const;
  std::string blob(const Digest& digest, std::uint64_t max_bytes) const;

  std::string m_what;
  std::string m_inner;
  Read m_read;
  Index m_index;
};

}  // namespace liftlock::oci
