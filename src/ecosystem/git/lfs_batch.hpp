// Git LFS: what a client asks of a server, and what the server answers. Both are from strangers: the answer on the low
// side, the question on the high side. Source: git-lfs docs/api/batch.md
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/json.hpp"
#include "ecosystem/git/lfs_pointer.hpp"

namespace liftlock::git {

inline constexpr std::string_view k_lfs_type = "application/vnd.git-lfs+json";
/// Of an answer to so many as we ask about, and of a question.
inline constexpr std::size_t k_lfs_at_once = 100, k_max_lfs_asked = 1000;
inline constexpr std::uint64_t k_max_lfs_answer = 4u << 20, k_max_lfs_question = 1u << 20;

/// The body of a question for downloads.
std::string lfs_question(std::span<const LfsPointer> wanted);

/// Where a file is to be had.
struct LfsDownload {
  std::string href;  ///< https:// or http://; the latter only where the server itself was asked so
  std::vector<std::pair<std::string, std::string>> headers;
  std::optional<std::chrono::seconds> good_for;  ///< as the server says
  std::optional<Timestamp> expires_at = {};      ///< the same as a time of its clock
  bool authenticated = false;                    ///< the server says that no login is needed there
};

/// What the server was asked in, and may not fall behind.
enum class LfsScheme : std::uint8_t { https, http };

/// One for each that was asked for, in that order; nullopt: the server does not have it (404, 410, or no word of
/// where). Exactly these are answered, each once, with the size that was asked for.
/// @throws Error{schema_violation, size_mismatch, json_invalid, json_duplicate_key, limit_exceeded};
/// Error{http_status} where the server says of one that something else is wrong with it
std::vector<std::optional<LfsDownload>> parse_lfs_answer(std::string_view json, std::span<const LfsPointer> asked,
                                                         LfsScheme scheme);

struct LfsAsked {
  std::string oid;  ///< as it was sent; at most 256 bytes
  std::uint64_t size = 0;
};

struct LfsQuestion {
  enum class Operation : std::uint8_t { download, upload } operation = Operation::download;
  bool basic = true;   ///< "basic" is among the transfers that the client knows; it always is where it names none
  bool sha256 = true;  ///< of the names; so it is where it says nothing
  std::vector<LfsAsked> objects;
};

/// @throws Error{schema_violation, json_invalid, json_duplicate_key, limit_exceeded}
LfsQuestion parse_lfs_question(std::string_view json);

}  // namespace liftlock::git
