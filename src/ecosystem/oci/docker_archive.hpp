// The tar that `docker save` writes: manifest.json beside configs and layers, in the old form (HEX/layer.tar) and in
// the new one, which is an OCI layout as well. May be compressed as a whole.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.hpp"
#include "os/fd.hpp"

namespace liftlock::oci {

/// One image of manifest.json.
struct ArchivedImage {
  std::string config;               ///< names of members of the tar
  std::vector<std::string> layers;  ///< from the lowest up
  std::vector<std::string> tags;    ///< "qdrant/qdrant:v1.9.4"; may be empty
};

/// @throws Error{image_malformed, json_invalid, json_duplicate_key, schema_violation, limit_exceeded}
std::vector<ArchivedImage> parse_archive_manifest(std::string_view json);

/// An open archive whose members were all read and hashed once. Nothing is unpacked.
class DockerArchive {
 public:
  struct Member {
    std::uint64_t size = 0;
    Digest digest;
    std::array<char, 4> magic{};  ///< its first bytes
    std::string link;             ///< for links: the member they mean; the rest is unset then
  };

  /// @param what names the archive in errors
  /// @throws Error{image_malformed, limit_exceeded}
  DockerArchive(UniqueFd file, std::string what);

  bool has(const std::string& name) const { return m_members.contains(name); }
  /// The member, links followed. @throws Error{image_malformed} when it is not there
  const Member& member(const std::string& name) const;
  /// A small member. @throws Error{image_malformed, limit_exceeded}
  std::string read(const std::string& name, std::uint64_t max_bytes) const;
  /// Writes a member's bytes to out.
  void copy(const std::string& name, int out) const;
  const std::string& what() const { return m_what; }

 private:
  const std::string& resolve(const std::string& name) const;

  UniqueFd m_file;
  std::string m_what;
  std::map<std::string, Member> m_members;
};

}  // namespace liftlock::oci
