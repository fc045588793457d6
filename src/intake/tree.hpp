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
  /// Files of a folder. Hidden ones are not among its paths(). A symlink counts as the file that it means, when that
  /// lies in the folder too. @throws Error{not_regular, path_unsafe, path_collision, limit_exceeded, not_found}
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
  /// Where the bytes are, when the path is a symlink; else the path. Both as the folder or container has them.
  const std::string& place(std::string_view path) const;
  /// Of folders and archives: other files' bytes.
  bool is_link(std::string_view path) const;
  /// By its owner, where it was found.
  bool is_executable(std::string_view path) const;
  /// The first bytes, as many as there are.
  std::string head(std::string_view path, std::size_t bytes) const;
  std::uint64_t total_size() const;
  /// Files that were not taken and why, for people.
  const std::vector<std::string>& left_out() const { return m_left_out; }

  /// Hidden files, sorted; none of a tree whose paths() have them.
  std::vector<std::string> hidden() const;
  bool has_hidden(std::string_view path) const { return m_hidden.contains(path); }
  /// What is neither in paths() nor in hidden(): links to folders, and hidden files that are links, special, or called
  /// as no file of a tree may be. Sorted.
  const std::vector<std::string>& passed_over() const { return m_passed_over; }

  /// The files below a folder of it, by their paths there. Shares what is open.
  std::shared_ptr<const Tree> below(std::string_view folder) const;
  /// The same tree, and those of its hidden files among its paths() that `which` names.
  std::shared_ptr<const Tree> with_hidden(const std::function<bool(std::string_view path)>& which) const;
  /// The same tree, and a file that was found elsewhere. @throws Error{path_collision}
  std::shared_ptr<const Tree> with_file(const std::string& path, std::shared_ptr<const UniqueFd> file) const;
  /// The one folder that holds everything ("wheelhouse"); empty when there is none.
  std::string only_folder() const;

 private:
  struct File {
    std::string at;            ///< where the bytes are, relative to the folder; in a container the member's name
    std::uint64_t offset = 0;  ///< of containers
    std::uint64_t size = 0;
    bool link = false;  ///< another name leads to the bytes
    bool executable = false;
    std::shared_ptr<const UniqueFd> alone = {};  ///< of with_file(): the whole of it
  };
  const File& file(std::string_view path) const;
  void add(std::string path, File file);
  void add_hidden(std::string path, File file);
  void leave(const std::string& path, std::string_view why);
  std::shared_ptr<Tree> copy() const;
  void finish();

  std::string m_name;
  std::shared_ptr<const UniqueFd> m_folder;     ///< of folders
  std::shared_ptr<const UniqueFd> m_container;  ///< of containers
  std::map<std::string, File, std::less<>> m_files, m_hidden;
  std::vector<std::string> m_paths;
  std::vector<std::string> m_left_out;
  std::vector<std::string> m_passed_over;
};

}  // namespace liftlock
