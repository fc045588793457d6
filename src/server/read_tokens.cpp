#include "server/read_tokens.hpp"

#include <openssl/crypto.h>

#include <algorithm>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "crypto/hash.hpp"

namespace liftlock {
namespace {

constexpr std::uint64_t k_max_file = 1u << 20;

std::optional<std::string> token_of(std::string_view authorization) {
  const auto space = authorization.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  const auto scheme = to_lower(authorization.substr(0, space));
  const auto value = trim(authorization.substr(space + 1));
  if (scheme == "bearer") return std::string(value);
  if (scheme != "basic") return std::nullopt;
  const auto decoded = decode_base64(value);
  if (!decoded) return std::nullopt;
  const auto colon = std::find(decoded->begin(), decoded->end(), ':');
  if (colon == decoded->end()) return std::nullopt;
  return std::string(colon + 1, decoded->end());
}

}  // namespace

ReadTokens ReadTokens::load(const fs::path& file) {
  ReadTokens tokens;
  const auto text = read_file(file, k_max_file);
  std::size_t number = 0;
  for (const auto line : split(text, '\n')) {
    ++number;
    const auto content = trim(line);
    if (content.empty() || content[0] == '#') continue;
    const auto space = content.find_first_of(" \t");
    const auto name = content.substr(0, space);
    const auto hex = space == std::string_view::npos ? std::string_view() : trim(content.substr(space));
    const auto digest = Digest::try_parse("sha256:" + std::string(hex));
    if (!digest) fail(ErrorCode::tokens_invalid, "{} line {}: not NAME and 64 hex digits", file.string(), number);
    for (const auto& entry : tokens.m_entries) {
      if (entry.name == name) fail(ErrorCode::tokens_invalid, "{} line {}: '{}' twice", file.string(), number, name);
    }
    tokens.m_entries.push_back({std::string(name), *digest});
  }
  if (tokens.m_entries.empty()) fail(ErrorCode::tokens_invalid, "{} holds no token", file.string());
  return tokens;
}

std::optional<std::string_view> ReadTokens::user(std::string_view authorization) const {
  const auto token = token_of(authorization);
  if (!token) return std::nullopt;
  const auto digest = sha256(*token);
  std::optional<std::string_view> found;
  for (const auto& entry : m_entries) {
    if (CRYPTO_memcmp(entry.digest.bytes().data(), digest.bytes().data(), digest.bytes().size()) == 0)
      found = entry.name;
  }
  return found;
}

}  // namespace liftlock
