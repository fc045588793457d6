// Engine packages, the format: docs/formats/engine.md.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.hpp"
#include "base/json.hpp"

namespace liftlock::engine {

struct EngineLimits {
  std::size_t max_manifest = 4u << 20;
  std::size_t max_members = 200'000;
  std::uint64_t max_unpacked = 64ull << 30;
};

/// A package that an engine was made of.
struct EngineInput {
  std::string name, version, architecture;
  Digest digest;
  std::uint64_t size = 0;
};

struct EngineManifest {
  std::string name, version, variant;
  std::string architecture;                        ///< as OCI has it: "amd64"
  std::map<std::string, std::string> executables;  ///< "llama-server" → "usr/bin/llama-server"
  std::vector<std::string> library_path;           ///< for LD_LIBRARY_PATH, relative to the package
  std::string loader;                              ///< "lib64/ld-linux-x86-64.so.2"
  std::uint64_t files = 0;                         ///< members after engine.json
  std::uint64_t unpacked_size = 0;                 ///< bytes of all files
  std::vector<EngineInput> inputs;
};

Json to_json(const EngineManifest& manifest);
/// @throws Error{json_invalid, schema_violation, engine_malformed, too_new, limit_exceeded}
EngineManifest parse_engine_manifest(std::string_view text);

enum class MemberType : std::uint8_t { file, folder, symlink };

struct Member {
  std::string path;
  MemberType type = MemberType::file;
  bool executable = false;  ///< of files
  std::uint64_t size = 0;   ///< of files
  std::string target;       ///< of symlinks
};

/// Why a path or a symlink may not stand in a package; empty when it may.
std::string why_not_engine_path(std::string_view path);
std::string why_not_engine_link(std::string_view path, std::string_view target);

/// The 512 bytes of a member's header. @throws Error{engine_malformed} when ustar cannot hold it
std::string tar_header(const Member& member);

}  // namespace liftlock::engine
