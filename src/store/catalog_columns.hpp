// Inside of Catalog: how digests, times and documents stand in its columns.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "artifact/artifact.hpp"
#include "artifact/artifact_lines.hpp"
#include "base/clock.hpp"
#include "base/digest.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "db/database.hpp"

namespace liftlock {

/// Documents are written by us and covered by their digests on the way in, so the parser's limits for foreign ones do
/// not matter.
inline constexpr JsonLimits k_own_limits{.max_bytes = 1u << 30, .max_depth = 64};

inline Digest digest_column(const Statement& row, int column) {
  return Digest(DigestAlgorithm::sha256, row.blob(column));
}

/// @throws Error{store_invalid}
inline Artifact artifact_column(const Statement& row, int column) try {
  return parse_artifact(row.text(column), k_own_limits);
} catch (const Error& error) {
  fail(ErrorCode::store_invalid, "an artifact in catalog.db cannot be read: {}", error.what());
}

inline Timestamp time_column(const Statement& row, int column) {
  return Timestamp(std::chrono::seconds(row.integer(column)));
}
inline std::int64_t time_value(Timestamp time) {
  return time.time_since_epoch().count();
}

/// The first column of what is left of the rows.
inline std::vector<std::string> text_rows(Statement& statement) {
  std::vector<std::string> out;
  while (statement.step()) out.emplace_back(statement.text(0));
  return out;
}

}  // namespace liftlock
