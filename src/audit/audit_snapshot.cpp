#include "audit/audit_snapshot.hpp"

#include <fcntl.h>

#include <algorithm>

#include "base/encoding.hpp"
#include "base/error.hpp"

namespace liftlock {

std::optional<std::string> read_if_exists(const fs::path& path, std::uint64_t max_bytes) {
  const auto fd = open_file_if_exists(path, O_RDONLY);
  if (!fd) return std::nullopt;
  return read_all(fd->get(), max_bytes, path.string());
}

std::string tile_bytes(const std::vector<TreeHash>& hashes) {
  std::string out;
  out.reserve(hashes.size() * 32);
  for (const auto& hash : hashes) out += as_text(hash);
  return out;
}

std::string bundle_bytes(const std::vector<std::string>& entries, std::size_t begin, std::size_t end) {
  std::string out;
  for (auto i = begin; i < end; ++i) out += frame_entry(entries[i]);
  return out;
}

std::vector<TreeHash> AuditSnapshot::tile(int level, std::uint64_t number) const {
  const auto full = size() >> (8 * (level + 1));
  if (number == full && static_cast<std::size_t>(level) < state.edge.levels().size()) {
    return state.edge.levels()[static_cast<std::size_t>(level)];
  }
  for (const auto& tile : state.filled) {
    if (tile.level == level && tile.number == number) return tile.hashes;
  }
  const auto path = tile_path(level, number, 0);
  if (number > full) fail(ErrorCode::audit_broken, "{} lies beyond the log", path);
  const auto bytes = read_if_exists(folder / path, 32 * k_tile_width);
  if (!bytes || bytes->size() != 32 * k_tile_width) fail(ErrorCode::audit_broken, "{} is missing or cut", path);
  return parse_tile(*bytes);
}

ReadTile AuditSnapshot::reader() const {
  return [this](int level, std::uint64_t number) { return tile(level, number); };
}

std::vector<std::string> AuditSnapshot::bundle(std::uint64_t number) const {
  const auto first = number * k_tile_width;
  if (first >= state.base) {
    const auto begin = std::min<std::uint64_t>(first - state.base, state.tail.size());
    const auto end = std::min<std::uint64_t>(begin + k_tile_width, state.tail.size());
    return {state.tail.begin() + static_cast<std::ptrdiff_t>(begin),
            state.tail.begin() + static_cast<std::ptrdiff_t>(end)};
  }
  const auto path = tile_path(-1, number, 0);
  const auto bytes = read_if_exists(folder / path, k_max_bundle);
  if (!bytes) fail(ErrorCode::audit_broken, "{} is missing", path);
  auto entries = with_context("in " + path, [&] { return parse_entry_bundle(*bytes); });
  if (entries.size() != k_tile_width) fail(ErrorCode::audit_broken, "{} holds {} entries", path, entries.size());
  return entries;
}

std::vector<std::pair<std::string, std::string>> AuditSnapshot::partial_files() const {
  std::vector<std::pair<std::string, std::string>> files;
  const auto& levels = state.edge.levels();
  for (std::size_t level = 0; level < levels.size(); ++level) {
    if (levels[level].empty()) continue;
    const auto path = tile_path(static_cast<int>(level), size() >> (8 * (level + 1)), levels[level].size());
    files.emplace_back(path, tile_bytes(levels[level]));
  }
  if (const auto width = size() % k_tile_width; width > 0) {
    files.emplace_back(tile_path(-1, size() / k_tile_width, width),
                       bundle_bytes(state.tail, state.tail.size() - width, state.tail.size()));
  }
  return files;
}

bool AuditSnapshot::derives(const FullTile& tile) const {
  return std::any_of(state.filled.begin(), state.filled.end(),
                     [&](const auto& filled) { return filled.level == tile.level && filled.number == tile.number; });
}

}  // namespace liftlock
