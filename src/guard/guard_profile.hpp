// A guard profile: what a cross-domain guard or a scan kiosk lets pass. Format: docs/formats/profile.md.
#pragma once

#include <bitset>
#include <cstdint>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "guard/content_type.hpp"
#include "os/file.hpp"

namespace liftlock {

/// [unpack]: the guard unpacks archives and judges what comes out.
struct UnpackRules {
  unsigned max_nesting = 0;     ///< archives within each other; 0: none at all
  std::set<ContentType> types;  ///< of what lies in archives
  std::uint64_t max_files = 1'000'000;
  std::uint64_t max_bytes = 64ull << 30;
  std::uint64_t max_ratio = 400;
};

struct GuardProfile {
  static constexpr std::uint64_t k_no_limit = std::numeric_limits<std::uint64_t>::max();

  std::string name;
  std::set<ContentType> types;
  std::uint64_t max_file_size = k_no_limit;
  std::uint64_t max_bundle_size = k_no_limit;
  std::uint64_t max_files = k_no_limit;
  std::uint64_t max_name_length = k_no_limit;
  std::uint64_t max_path_length = k_no_limit;
  std::uint64_t max_depth = k_no_limit;
  std::bitset<256> name_characters = std::bitset<256>().set();
  std::optional<UnpackRules> unpack;
};

/// @throws Error{profile_invalid, unknown_key}
GuardProfile parse_guard_profile(std::string_view text);
/// @throws Error{not_found} and those of parse_guard_profile
GuardProfile read_guard_profile(const fs::path& file);

/// "A-Za-z0-9._-": single characters and ranges; nullopt for what is none.
std::optional<std::bitset<256>> parse_characters(std::string_view text);

enum class GuardRule : std::uint8_t {
  type,
  file_size,
  bundle_size,
  file_count,
  name_length,
  path_length,
  name_characters,
  depth,
  nesting,
  nested_type,
  unpacked_size,
  unpacked_count,
  unreadable,
  unsafe_name,
};
std::string_view name(GuardRule rule);
std::optional<GuardRule> parse_guard_rule(std::string_view text);
/// What to do about a file that breaks it.
std::string_view remedy(GuardRule rule);

/// A rule that a file breaks.
struct Breach {
  GuardRule rule;
  std::string path;     ///< printable; empty: the bundle as a whole
  std::string message;  ///< what it has and what is allowed, printable

  bool operator==(const Breach&) const = default;
};

}  // namespace liftlock
