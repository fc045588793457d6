// Debian version numbers: deb-version(7).
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string_view>

namespace liftlock::apt {

/// Is it [epoch:]upstream[-revision] as deb-version(7) allows? At most 512 bytes.
bool is_version(std::string_view text);

/// The order of dpkg. Total also over texts that are no versions, so that sorting foreign input is safe.
std::weak_ordering compare_versions(std::string_view a, std::string_view b);

enum class VersionRelation : std::uint8_t { any, earlier, earlier_or_equal, equal, later_or_equal, later };

/// "<<", "<=", "=", ">=", ">>", and the obsolete "<" and ">" (meaning "<=" and ">="); nullopt for anything else.
std::optional<VersionRelation> parse_version_relation(std::string_view text);
std::string_view text(VersionRelation relation);

/// Does `version` stand in this relation to `wanted`?
bool satisfies(std::string_view version, VersionRelation relation, std::string_view wanted);

}  // namespace liftlock::apt
