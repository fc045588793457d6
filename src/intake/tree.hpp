// What is to be imported, seen as files under relative paths: a folder, or what lies in an archive. Nothing is copied;
// each file is a range of bytes of an open file.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/rel_path.hpp"
#include "intake/container.hpp"
#include "os/fd.hpp"
#include "os/file.hpp"

namespace liftlock {

/// Where a file's bytes are.
struct TreeBytes {
  int fd = -1;
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
  UniqueFd owned = {};  ///< of files of folders: closed with the range
};

/// Immutable after it was made; open() may be called from several threads.
class Tree {
 public:
  /// Files of a folder. Hidden ones are left out. A symlink counts as the file that it means, when that lies in the
  /// folder too. @throws Error{not_regular, path_unsafe, path_collision, limit_exceeded, not_found}
  static std::shared_ptr<const Tree> of_folder(const fs::path& folder);
  /// What a container holds. @param file the one that the members are ranges of. @throws Error{path_unsafe,
  /// path_collision}
  static std::shared_ptr<const Tree> of_members(std::shared_ptr<const UniqueFd> file,
                                                const std::vector<ContainerMember>& members, std::string name);

  /// As people call it: the name of the file or folder.
  const std::string& name() const { return m_name; }
  /// Sorted.
  const std::vector<std::string>& paths() const { return m_paths; }
  bool has(std::string_view path) const;
  /// @throws Error{not_found}
  std::uint64_t size(std::string_view path) const;
  TreeBytes open(std::string_view path) const;
  /// A small file. @throws Error{not_found, limit_exceeded}
  std::string read(std::string_view path, std::uint64_t max_bytes) const;
  /// Of folders: where the bytes are, when the path is a symlink; else the path.
  const std::string& place(std::string_view path) const;
  bool is_link(std::string_view path) const;
  /// The first bytes, as many as there are.
  std::string head(std::string_view path, std::size_t bytes) const;
  std::uint64_t total_size() const;
  /// Files that were not taken and why, for people.
  const std::vector<std::string>& left_out() const { return m_left_out; }

  /// The files below a folder of it, by their paths there. Shares what is open.
  std::shared_ptr<const Tree> below(std::string_view folder) const;
  /// The one folder that holds everything ("wheelhouse"); empty when there is none.
  std::string only_folder() const;

 private:
  struct File {
    std::string at;            ///< of folders: where the bytes are, relative to the folder
    std::uint64_t offset = 0;  ///< of containers
    std::uint64_t size = 0;
    bool link = false;  ///< of folders: a symlink leads to the bytes
  };
  const File& file(std::string_view path) const;
  void add(std::string path, File file);
  void finish();

  std::string m_name;
  std::shared_ptr<const UniqueFd> m_folder;     ///< of folders
  std::shared_ptr<const UniqueFd> m_container;  ///< of containers
  std::map<std::string, File, std::less<>> m_files;
  std::vector<std::string> m_paths;
  std::vector<std::string> m_left_out;
};

}  // namespace liftlock
