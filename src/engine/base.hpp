// An engine that brings its own libraries and no C library stands on an installed engine: loader, C library and
// whatever else its programs want are copied out of that one into the package that is installed. Format:
// docs/formats/baiengine.md.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/elf.hpp"
#include "engine/engine_process.hpp"

namespace liftlock::engine {

/// read_elf() in a cell: of `size` bytes at `offset` of a file.
using ReadElf = std::function<ElfFacts(int file, std::uint64_t offset, std::uint64_t size)>;

/// What an engine has itself: its ELF files by path, and which of them are started.
struct OwnPrograms {
  std::map<std::string, ElfFacts> files;
  std::vector<std::string> programs;  ///< paths, all in `files`

  /// No program wants a loader or a library.
  bool is_static() const;
};

struct BaseFit {
  std::map<std::string, fs::path> files;  ///< path in the new package ("usr/lib64/ld-linux…") → file of the base
  std::vector<std::string> missing;       ///< in words: what no program starts without
  std::vector<std::string> notes;         ///< in words: parts of the engine that will not load
  bool fits() const { return missing.empty(); }
};

/// What of `base` the programs and their libraries need, as the loader would look for it: libraries by name, and the
/// versions of symbols ("GLIBC_2.38") that they were linked against. Libraries that no program names, such as backends
/// that are loaded by hand, may lack something: that is a note.
/// @throws Error{engine_malformed} for a program that wants libraries and names no loader; what read_elf throws
BaseFit fit_base(const OwnPrograms& own, const InstalledEngine& base, const ReadElf& read_elf);

/// The named engine, or the one installed engine of that architecture that fits. Those that stand on another one are no
/// base. @param name may be empty
/// @throws Error{not_found, engine_unfit} that says what is missing; Error{ambiguous} when several fit
std::pair<InstalledEngine, BaseFit> choose_base(const OwnPrograms& own, const std::string& architecture,
                                                const fs::path& engines, const std::string& name,
                                                const ReadElf& read_elf);

/// A range of bytes that becomes a file of a package.
struct PackedFile {
  int fd = -1;
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
  bool executable = false;
};
/// Writes a package of the engine's own files and of what it takes of a base (with the licences there; nullptr: it is
/// static). `files` and `unpacked_size` of the manifest are filled in. Equal input gives equal bytes.
/// @param own by path in the package; those that are the same range in the same folder become links to the first
/// @param links path in the package → target
/// @throws Error{path_unsafe, engine_malformed, disk_full, io_error}
void write_on_base(EngineManifest manifest, const std::map<std::string, PackedFile>& own,
                   const std::map<std::string, std::string>& links, const InstalledEngine* base, const BaseFit& fit,
                   int out);

}  // namespace liftlock::engine
