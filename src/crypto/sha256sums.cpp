#include "crypto/sha256sums.hpp"

#include <algorithm>
#include <map>
#include <optional>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "crypto/hash.hpp"

namespace liftlock {
namespace {

constexpr std::size_t k_hex = 64;

[[noreturn]] void bad_line(std::size_t number, std::string_view why) {
  fail(ErrorCode::schema_violation, "line {} of the list of digests: {}", number, why);
}

std::optional<Digest> parse_hex(std::string_view hex) {
  if (hex.size() != k_hex) return std::nullopt;
  const auto bytes = decode_hex(to_lower(hex));
  if (!bytes) return std::nullopt;
  return Digest(DigestAlgorithm::sha256, *bytes);
}

std::string unescape(std::string_view text, std::size_t number) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      out += text[i];
      continue;
    }
    const char next = ++i < text.size() ? text[i] : '\0';
    if (next != '\\' && next != 'n' && next != 'r') bad_line(number, "an unknown escape");
    out += next == 'n' ? '\n' : next == 'r' ? '\r' : '\\';
  }
  return out;
}

ListedDigest parse_line(std::string_view line, std::size_t number) {
  const bool escaped = line.starts_with('\\');
  if (escaped) line.remove_prefix(1);
  std::string_view path;
  std::optional<Digest> digest;
  if (line.starts_with("SHA256 (")) {
    const auto end = line.rfind(") = ");
    if (end == std::string_view::npos || end < 8) bad_line(number, "not of the form SHA256 (PATH) = HEX");
    path = line.substr(8, end - 8);
    digest = parse_hex(line.substr(end + 4));
  } else {
    const bool separated =
        line.size() > k_hex + 2 && line[k_hex] == ' ' && (line[k_hex + 1] == ' ' || line[k_hex + 1] == '*');
    if (!separated) bad_line(number, "not of the form HEX, two spaces, PATH");
    path = line.substr(k_hex + 2);
    digest = parse_hex(line.substr(0, k_hex));
  }
  if (!digest) bad_line(number, "the digest is not 64 hexadecimal digits");
  if (path.empty() || path.find('\0') != std::string_view::npos)
    bad_line(number, "the path is empty or has a zero byte");
  return {escaped ? unescape(path, number) : std::string(path), *digest};
}

}  // namespace

std::vector<ListedDigest> parse_sha256sums(std::string_view text, Sha256sumsLimits limits) {
  if (text.size() > limits.max_bytes) {
    fail(ErrorCode::limit_exceeded, "a list of digests of {} bytes; at most {} are read", text.size(),
         limits.max_bytes);
  }
  std::vector<ListedDigest> out;
  std::map<std::string, Digest, std::less<>> seen;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const auto end = text.find('\n');
    auto line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || line.starts_with('#')) continue;
    if (out.size() == limits.max_lines) {
      fail(ErrorCode::limit_exceeded, "a list of more than {} digests", limits.max_lines);
    }
    auto entry = parse_line(line, number);
    const auto [at, fresh] = seen.emplace(entry.path, entry.digest);
    if (!fresh && at->second != entry.digest) bad_line(number, "the path stands twice, with two digests");
    if (fresh) out.push_back(std::move(entry));
  }
  return out;
}

std::string sha256sums_line(const Digest& digest, std::string_view path) {
  std::string out;
  if (path.find_first_of("\\\n\r") != std::string_view::npos) out += '\\';
  out += digest.hex() + "  ";
  for (const char c : path) {
    if (c == '\\')
      out += "\\\\";
    else if (c == '\n')
      out += "\\n";
    else if (c == '\r')
      out += "\\r";
    else
      out += c;
  }
  return out + "\n";
}

Digest directory_hash(std::span<const ListedDigest> files) {
  std::vector<std::string> lines;
  lines.reserve(files.size());
  for (const auto& file : files) lines.push_back(sha256sums_line(file.digest, file.path));
  std::sort(lines.begin(), lines.end());
  Hasher hasher;
  for (const auto& line : lines) hasher.update(line);
  return hasher.finish();
}

}  // namespace liftlock
