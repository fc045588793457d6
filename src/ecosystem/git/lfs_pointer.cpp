#include "ecosystem/git/lfs_pointer.hpp"

#include <fmt/format.h>

#include "base/text.hpp"

namespace liftlock::git {
namespace {

constexpr std::uint64_t k_max_size = (1ull << 53) - 1;
constexpr std::string_view k_sha256 = "sha256:";

/// The line at the beginning of text, without its end; text moves past it. nullopt: there is none.
std::optional<std::string_view> take_line(std::string_view& text) {
  if (text.empty()) return std::nullopt;
  const auto end = text.find('\n');
  auto line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

/// What follows "KEY " on a line.
std::optional<std::string_view> value_of(std::optional<std::string_view> line, std::string_view key) {
  if (!line || !line->starts_with(key) || line->substr(key.size(), 1) != " ") return std::nullopt;
  return line->substr(key.size() + 1);
}

std::optional<Digest> parse_sha256(std::string_view text) {
  return text.starts_with(k_sha256) ? parse_lfs_oid(text.substr(k_sha256.size())) : std::nullopt;
}

/// "ext-0-name sha256:HEX": what a program of the upstream's did to the file before it was stored. What is stored has
/// the oid, and crosses as it is.
bool is_extension(std::string_view line) {
  constexpr std::string_view k_begin = "ext-";
  const auto blank = line.find(' ');
  return line.starts_with(k_begin) && blank != std::string_view::npos && blank > k_begin.size() + 2 &&
         line[k_begin.size()] >= '0' && line[k_begin.size()] <= '9' && line[k_begin.size() + 1] == '-' &&
         parse_sha256(line.substr(blank + 1));
}

}  // namespace

std::optional<Digest> parse_lfs_oid(std::string_view hex) {
  if (hex.size() != 64 || hex.find_first_not_of("0123456789abcdef") != std::string_view::npos) return std::nullopt;
  return Digest::parse_sha256_hex(hex);
}

std::optional<LfsPointer> parse_lfs_pointer(std::string_view content) {
  if (content.size() > k_max_lfs_pointer) return std::nullopt;
  auto rest = trim(content);
  if (value_of(take_line(rest), "version") != "https://git-lfs.github.com/spec/v1") return std::nullopt;
  auto line = take_line(rest);
  while (line && is_extension(*line)) line = take_line(rest);
  const auto oid_text = value_of(line, "oid");
  const auto oid = oid_text ? parse_sha256(*oid_text) : std::nullopt;
  const auto size_text = value_of(take_line(rest), "size");
  const auto size = size_text ? parse_uint(*size_text) : std::nullopt;
  if (!oid || !size || *size > k_max_size || !rest.empty()) return std::nullopt;
  return LfsPointer{*oid, *size};
}

std::string lfs_place(const Digest& oid) {
  const auto hex = oid.hex();
  return fmt::format("objects/{}/{}/{}", hex.substr(0, 2), hex.substr(2, 2), hex);
}

std::string lfs_path(std::string_view repository, const Digest& oid) {
  return fmt::format("packages/git/{}.lfs/{}", repository, lfs_place(oid));
}

}  // namespace liftlock::git
