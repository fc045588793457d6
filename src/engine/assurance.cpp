#include "engine/assurance.hpp"

#include "base/encoding.hpp"

namespace liftlock::engine {

std::string_view name(Assurance assurance) {
  switch (assurance) {
    case Assurance::sealed_memory:
      return "sealed-memory";
    case Assurance::fs_verity:
      return "fs-verity";
    case Assurance::store_user:
      return "store-user";
    case Assurance::shared:
      return "shared";
  }
  return "";
}

std::string assurance_in_words(std::string_view name) {
  if (name == "sealed-memory") return "nobody: they lie in sealed memory (sealed-memory)";
  if (name == "fs-verity") return "nobody: the kernel checks each page of the files (fs-verity)";
  if (name == "store-user") return "the user who owns the store, and root (store-user)";
  if (name == "shared") return "others on this machine (shared)";
  return printable(name);
}

std::string_view name(Check check) {
  switch (check) {
    case Check::every_byte:
      return "every-byte";
    case Check::as_read:
      return "as-read";
    case Check::untouched:
      return "untouched";
  }
  return "";
}

}  // namespace liftlock::engine
