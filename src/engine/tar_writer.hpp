// Writes an engine package, member by member.
#pragma once

#include <functional>
#include <span>

#include "engine/package.hpp"

namespace liftlock::engine {

/// Members must come in the order of the format; engine.json first.
class EngineWriter {
 public:
  /// @param out receives the bytes in order; need not be seekable
  explicit EngineWriter(int out) : m_out(out) {}

  void add_manifest(const EngineManifest& manifest);
  /// A folder or a symlink.
  void add(const Member& member);
  /// A file; `source` fills the buffer and returns how much it put there, 0 at the end.
  /// @throws Error{engine_malformed} when it gives another number of bytes than member.size
  void add_file(const Member& member, const std::function<std::size_t(std::span<std::uint8_t>)>& source);
  /// The two zero blocks.
  void finish();

 private:
  void pad(std::uint64_t size);
  int m_out;
};

}  // namespace liftlock::engine
