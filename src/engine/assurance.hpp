// What a check at the load gate is worth, in the words of the audit log and for people.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace liftlock::engine {

/// Who could still change the bytes after they were hashed; best first.
enum class Assurance : std::uint8_t {
  sealed_memory,  ///< nobody: the engine reads a copy that the kernel lets nobody write (os/sealed_memory.hpp)
  fs_verity,      ///< nobody: the kernel checks each page against a Merkle tree (fs-verity)
  store_user,     ///< only the user who owns the store, and root
  shared,         ///< others can write a file, or the folder of the store that it lies in
};
std::string_view name(Assurance assurance);
/// The same for people, of a name in the audit log.
std::string assurance_in_words(std::string_view name);

enum class Check : std::uint8_t {
  every_byte,  ///< hashed just now, for the builder's digests or for those of an earlier check
  as_read,     ///< hashed at an earlier load, which the audit log has; of these very bytes the kernel checks each page
               ///< when it is read, by the fs-verity digests that were found then
  untouched,   ///< hashed at an earlier load, which the audit log has, and no file was touched since
};
std::string_view name(Check check);

}  // namespace liftlock::engine
