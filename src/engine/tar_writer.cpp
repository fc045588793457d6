#include "engine/tar_writer.hpp"

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "os/file.hpp"

namespace liftlock::engine {
namespace {

constexpr std::string_view k_what = "an engine package";

}  // namespace

void EngineWriter::pad(std::uint64_t size) {
  if (const auto rest = size % 512; rest != 0) write_all(m_out, std::string(512 - rest, '\0'), k_what);
}

void EngineWriter::add_manifest(const EngineManifest& manifest) {
  const auto text = dump_json(to_json(manifest));
  Member member;
  member.path = "engine.json";
  member.size = text.size();
  write_all(m_out, tar_header(member), k_what);
  write_all(m_out, text, k_what);
  pad(text.size());
}

void EngineWriter::add(const Member& member) {
  write_all(m_out, tar_header(member), k_what);
}

void EngineWriter::add_file(const Member& member, const std::function<std::size_t(std::span<std::uint8_t>)>& source) {
  write_all(m_out, tar_header(member), k_what);
  std::vector<std::uint8_t> buffer(1u << 18);
  std::uint64_t done = 0;
  while (const auto got = source(buffer)) {
    done += got;
    if (done > member.size) break;
    write_all(m_out, std::span(buffer.data(), got), k_what);
  }
  if (done != member.size) {
    fail(ErrorCode::engine_malformed, "'{}' has not the {} bytes that were announced", printable(member.path),
         member.size);
  }
  pad(done);
}

void EngineWriter::finish() {
  write_all(m_out, std::string(1024, '\0'), k_what);
}

}  // namespace liftlock::engine
