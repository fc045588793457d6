// A file that holds files: a tar, compressed or not, or a zip archive without compression. What lies in it is found
// without unpacking it: each member is a range of bytes of a file. To be called in a cell (os/cell.hpp).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"

namespace liftlock {

/// A range of bytes and what the container calls it.
struct ContainerMember {
  std::string name;  ///< raw bytes; without a leading "./"; links stand here as what they mean
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
  bool executable = false;  ///< by its owner
  std::string meant = {};   ///< of a symbolic link: the member whose bytes these are
};

struct Container {
  std::string form;                      ///< "tar", "tar.gz", "tar.xz", "tar.zst", "tar.bz2", "zip"
  bool unpacked = false;                 ///< the offsets are those of the second descriptor
  std::vector<ContainerMember> members;  ///< in the container's order; no folders
};

struct ContainerLimits {
  std::size_t members = 200'000;
  std::uint64_t ratio = 200;            ///< unpacked : packed
  std::uint64_t free_size = 64u << 20;  ///< besides
  std::uint64_t unpacked = 4ull << 40;
};

/// Does it begin as one of the forms do? Empty for anything else.
std::string container_form(int file);

/// By its name: a model's weights, and archives that are one package ("x.whl", "x.deb").
bool is_one_file(std::string_view name);

/// @param file a regular file, read from its start without moving it
/// @param out where a compressed tar is unpacked to; an empty regular file, written only then
/// @throws Error{package_malformed, limit_exceeded, not_regular, path_unsafe, path_collision}: also for members that
/// lie in each other, that are encrypted or compressed (zip), sparse, or devices, and for links that lead outside
Container list_container(int file, int out, const ContainerLimits& limits = {});

/// The answer of a cell.
Json to_json(const Container& container);
/// Checks that each range lies within a file of that size. @throws Error{schema_violation}
Container container_from_json(const Json& json, std::uint64_t size_of_file, std::uint64_t size_of_unpacked);

}  // namespace liftlock
