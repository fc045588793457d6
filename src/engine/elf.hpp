// What the dynamic loader would read of a program or library before it runs it: program headers, the dynamic section,
// version tables. ELF of 64 bits, little-endian, as x86-64 and AArch64 have it (System V gABI; versions: the Linux
// Standard Base, "Symbol Versioning"). Sections are not looked at: loaders do not either. To be called in a cell.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/json.hpp"

namespace liftlock::engine {

struct ElfFacts {
  std::string architecture;         ///< as OCI has it: "amd64", "arm64"; of others "machine 243"
  std::string interpreter;          ///< "/lib64/ld-linux-x86-64.so.2"; empty: libraries and static programs have none
  std::string soname;               ///< may be empty
  std::vector<std::string> needed;  ///< in its order
  std::map<std::string, std::set<std::string>> wants;  ///< "libc.so.6" → {"GLIBC_2.34", …}; weak ones are left out
  std::set<std::string> defines;                       ///< the versions that it has itself
  bool operator==(const ElfFacts&) const = default;
};

struct ElfLimits {
  std::size_t program_headers = 256;
  std::size_t dynamic_entries = 4096;
  std::size_t versions = 2048;
  std::size_t name = 255;
};

/// Do these bytes begin as an ELF file does?
bool is_elf(int fd, std::uint64_t offset, std::uint64_t size);

/// @param fd a regular file, of which it is `size` bytes at `offset`
/// @throws Error{engine_malformed, limit_exceeded}
ElfFacts read_elf(int fd, std::uint64_t offset, std::uint64_t size, const ElfLimits& limits = {});

/// The answer of a cell.
Json to_json(const ElfFacts& facts);
/// @throws Error{schema_violation}
ElfFacts elf_from_json(const Json& json);

}  // namespace liftlock::engine
