// A .baiengine package: an inference engine with its own libraries and without a C library, as others pack it. Format,
// and what is chosen here because nobody published it: docs/formats/baiengine.md.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.hpp"
#include "engine/base.hpp"
#include "intake/shape.hpp"

namespace liftlock {

inline constexpr std::string_view k_baiengine_ending = ".baiengine";
inline constexpr std::string_view k_baiengine_manifest = "manifest.json";
inline constexpr std::string_view k_baiengine_signatures = "signatures/";

struct BaiengineManifest {
  std::string name, version;
  std::string variant;                      ///< as judge_variant() knows them; "cpu" when nothing is said
  std::string architecture;                 ///< as OCI has it; empty: as its programs have it
  std::vector<std::string> executables;     ///< paths; empty: the programs that are known
  std::map<std::string, Digest> checksums;  ///< of all files but manifest.json and signatures/; empty: there are none
  std::vector<std::string> warnings;        ///< what a reader would like to know
};
/// @throws Error{json_invalid, json_duplicate_key, schema_violation, path_unsafe, too_new, engine_unfit} (the last for
///         another operating system)
BaiengineManifest parse_baiengine_manifest(std::string_view text);

/// One that was opened, its structure and its ELF files read in cells.
struct Baiengine {
  std::string name;  ///< of the file
  BaiengineManifest manifest;
  std::string manifest_text;
  std::vector<SignatureFile> signatures;  ///< over manifest_text
  std::shared_ptr<const Tree> tree;
  engine::OwnPrograms own;

  /// manifest.json lists a digest for every file, so that who signs it vouches for all.
  bool is_bound() const { return !manifest.checksums.empty(); }
};

/// @param file its bytes, which nobody else can change
/// @param digest of all of them
/// @throws Error{engine_malformed, package_malformed, digest_mismatch, missing_file, extra_file, path_unsafe,
///         limit_exceeded, disk_full}, and what parse_baiengine_manifest() throws
Baiengine open_baiengine(std::shared_ptr<const UniqueFd> file, const std::string& name, const ImportCells& cells);

/// An engine package made of it, in a file without a name.
struct BuiltEngine {
  UniqueFd package;
  std::optional<engine::EngineBase> base;  ///< nothing: its programs are static
  std::vector<std::string> notes;          ///< what of it will not load
};
/// @param digest, size of the .baiengine file
/// @param engines the installed engines; a file without a name is made there
/// @param base name of the engine that it shall stand on; empty: the one that fits
/// @throws what engine::choose_base() and write_on_base() throw
BuiltEngine build_on_base(const Baiengine& package, const Digest& digest, std::uint64_t size, const fs::path& engines,
                          const std::string& base, const ImportCells& cells);

}  // namespace liftlock
