// The tar that `docker save` writes: manifest.json beside configs and layers, in the old form (HEX/layer.tar) and in
// the new one, which is an OCI layout as well. May be compressed as a whole.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "ecosystem/oci/docker_image.hpp"
#include "os/fd.hpp"

namespace liftlock::oci {

/// An open archive whose members were all read and hashed once. Nothing is unpacked.
class DockerArchive : public ArchiveMembers {
 public:
  /// @param what names the archive in errors
  /// @throws Error{image_malformed, limit_exceeded}
  DockerArchive(UniqueFd file, std::string what);

  bool has(const std::string& name) const override { return m_members.contains(name); }
  /// The member, links followed. @throws Error{image_malformed} when it is not there
  ArchiveMember member(const std::string& name) const override;
  /// A small member. @throws Error{image_malformed, limit_exceeded}
  std::string read(const std::string& name, std::uint64_t max_bytes) const override;
  /// Writes a member's bytes to out.
  void copy(const std::string& name, int out) const;
  const std::string& what() const override { return m_what; }

 private:
  struct Member : ArchiveMember {
    std::string link;  ///< for links: the member they mean; the rest is unset then
  };
  const std::string& resolve(const std::string& name) const;

  UniqueFd m_file;
  std::string m_what;
  std::map<std::string, Member> m_members;
};

}  // namespace liftlock::oci
