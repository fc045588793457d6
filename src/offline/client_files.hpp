// Inside of client_settings(): clients that want files, and those that only take them as options.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "offline/client_settings.hpp"

namespace liftlock::offline {

class ClientFiles {
 public:
  /// @param mirror without a slash at the end; empty: there is none
  /// @param out must outlive this object
  ClientFiles(const std::string& mirror, fs::path folder, ClientSettings& out)
      : m_mirror(mirror), m_folder(std::move(folder)), m_out(out) {}

  /// Settings with the mirror in place of every repository; without a mirror, offline.
  void point_maven();
  /// Asks the mirror without a proxy (Yarn as well), and also where one of these scopes has a registry of its own.
  void point_npm(const std::set<std::string>& scopes);
  /// Addresses of repositories elsewhere are led to where the mirror looks them up; the loopback's stay what they are.
  void point_git(const std::map<std::string, std::string>& environment);
  /// Sources, and lists of its own, so that those of the machine stay what they are.
  void point_apt(const AptLists& lists, const std::map<std::string, std::string>& environment);
  /// dnf, yum and zypper.
  void point_rpm(const std::vector<RpmRepository>& repositories);
  /// A repository "liftlock", and one of each of these names, all of them the mirror's; the index is already there.
  /// What is named by an address, in `--repo URL` and `repo add NAME URL`, is the mirror's, too.
  void point_helm(const std::string& index, const std::vector<std::string>& names);

  /// skopeo, podman and buildah: images of these registries, and the mirror's own.
  void point_containers(const std::set<std::string>& registries, const std::map<std::string, std::string>& environment);

  /// After the others.
  void put_programs_first(const std::map<std::string, std::string>& environment);

 private:
  /// A program `name` that is the machine's with these words before its arguments; none where the machine has none.
  /// @param before lines of a shell script, which may change the arguments
  void add_program(const std::string& name, const std::vector<std::string>& options, const std::string& before = {});
  fs::path write(const fs::path& name, std::string_view text);

  const std::string& m_mirror;
  fs::path m_folder;
  ClientSettings& m_out;
};

}  // namespace liftlock::offline
