// The files that `docker save` writes: manifest.json beside configs and layers, in the old form (HEX/layer.tar) and in
// the new one, which is an OCI layout as well. Knows nothing of how the archive is opened.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.hpp"
#include "ecosystem/oci/image_reader.hpp"

namespace liftlock::oci {

/// One image of manifest.json.
struct ArchivedImage {
  std::string config;               ///< names of members of the tar
  std::vector<std::string> layers;  ///< from the lowest up
  std::vector<std::string> tags;    ///< "qdrant/qdrant:v1.9.4"; may be empty
};

/// @throws Error{image_malformed, json_invalid, json_duplicate_key, schema_violation, limit_exceeded}
std::vector<ArchivedImage> parse_archive_manifest(std::string_view json);

/// A member's name without "./" in front and '/' at the end; empty when it is none that an archive may have.
std::string plain_member_name(std::string_view raw);

struct ArchiveMember {
  std::uint64_t size = 0;
  Digest digest;
  std::array<char, 4> magic{};  ///< its first bytes
};

/// An archive whose members were all hashed.
class ArchiveMembers {
 public:
  virtual ~ArchiveMembers() = default;
  virtual bool has(const std::string& name) const = 0;
  /// The member, links followed. @throws Error{image_malformed} when it is not there
  virtual ArchiveMember member(const std::string& name) const = 0;
  /// A small member. @throws Error{image_malformed, limit_exceeded}
  virtual std::string read(const std::string& name, std::uint64_t max_bytes) const = 0;
  virtual const std::string& what() const = 0;
};

/// One image of an archive. Where the archive is an OCI layout too, the manifest that stands there is kept with its
/// digest; else one is made, always the same for the same config and layers, which stay as they are.
class DockerImage : public ImageReader {
 public:
  /// @param members outlives this object
  /// @param inner which image: "@2", a tag, or empty for the only one
  /// @throws Error{unresolvable, image_malformed, digest_mismatch, …}
  DockerImage(const ArchiveMembers& members, std::string inner);

  Chosen choose() override;
  std::string manifest(const Descriptor& descriptor) override;
  std::string config(const Descriptor& descriptor) override;
  std::vector<Referrer> referrers(const Digest&) override { return {}; }
  std::string origin(const Digest& digest, Part part) const override;
  Evidence evidence(const Descriptor& descriptor, const Chosen& chosen) const override;

  /// The manifest's bytes when it was made here; empty when the archive's own is kept.
  const std::string& made_manifest() const { return m_made; }
  const Digest& root() const { return m_root->digest; }
  /// The member that has this digest.
  std::string name_of(const Digest& digest) const;

 private:
  void know(const std::string& name) { m_names.emplace(m_members.member(name).digest, name); }
  std::optional<Descriptor> find_kept() const;
  Descriptor make_manifest();

  const ArchiveMembers& m_members;
  std::string m_inner;
  std::vector<ArchivedImage> m_images;
  const ArchivedImage* m_image = nullptr;
  std::optional<Digest> m_config;
  std::optional<Descriptor> m_root;
  std::string m_made;
  std::map<Digest, std::string> m_names;
};

}  // namespace liftlock::oci
