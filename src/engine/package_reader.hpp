// Reads an engine package strictly: every header is written anew from what it says and compared.
#pragma once

#include <set>
#include <span>
#include <string>

#include "engine/package.hpp"

namespace liftlock::engine {

class EngineReader {
 public:
  /// Reads engine.json. @param fd a regular file; stays open as long as this object; its offset is not used
  /// @throws Error{engine_malformed, too_new, json_invalid, schema_violation, limit_exceeded}
  explicit EngineReader(int fd, EngineLimits limits = {});

  const EngineManifest& manifest() const { return m_manifest; }
  /// The bytes of engine.json.
  const std::string& manifest_text() const { return m_manifest_text; }

  /// The next member, in order; false at the proper end, where the manifest's sums were checked.
  /// What of the current file was not read is passed over.
  bool next(Member& member);
  /// Bytes of the current file; 0 at its end.
  std::size_t read(std::span<std::uint8_t> buffer);

 private:
  bool read_header(Member& member);
  void check_place(const Member& member);
  void finish();

  int m_fd;
  EngineLimits m_limits;
  std::uint64_t m_file_size = 0;
  std::uint64_t m_next = 0;  ///< offset of the next header
  std::uint64_t m_data = 0;  ///< offset of the unread data of the current file
  std::uint64_t m_left = 0;  ///< unread bytes of it
  EngineManifest m_manifest;
  std::string m_manifest_text;
  std::string m_last;
  std::set<std::string, std::less<>> m_folders;
  std::set<std::string, std::less<>> m_found;  ///< executables and the loader that were seen
  std::uint64_t m_members = 0;
  std::uint64_t m_bytes = 0;
};

}  // namespace liftlock::engine
