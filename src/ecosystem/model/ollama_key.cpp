#include "ecosystem/model/ollama_key.hpp"

#include <sys/random.h>

#include <array>
#include <chrono>
#include <cstdlib>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/model/hub_protocol.hpp"
#include "os/file.hpp"

namespace liftlock {
namespace {

constexpr std::uint64_t k_max_key = 64u << 10;

/// As Go's url.QueryEscape: a server that writes the query anew to check the signature gets the same one.
std::string query_word(std::string_view text) {
  const auto escaped = encode_percent_path(text);
  std::string out;
  for (std::size_t i = 0; i < escaped.size(); ++i) {
    if (escaped.compare(i, 3, "%20") == 0) {
      out += '+';
      i += 2;
    } else {
      out += escaped[i] == '/' ? std::string("%2F") : std::string(1, escaped[i]);
    }
  }
  return out;
}

std::string nonce() {
  std::array<std::uint8_t, 16> bytes{};
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) fail_errno("getrandom");
  return encode_base64url(bytes);
}

}  // namespace

fs::path ollama_key_file() {
  const char* home = std::getenv("HOME");
  return home == nullptr ? fs::path() : fs::path(home) / ".ollama/id_ed25519";
}

std::optional<OpensshKey> ollama_key() {
  const auto file = ollama_key_file();
  std::error_code ignored;
  if (file.empty() || !fs::exists(file, ignored)) return std::nullopt;
  try {
    return OpensshKey::parse(read_file(file, k_max_key));
  } catch (const Error& error) {
    throw Error(ErrorCode::config_invalid, fmt::format("'{}': {}", printable(file.string()), error.message()),
                "it is Ollama's: look whether `ollama pull` can use it");
  }
}

std::optional<oci::TokenRequest> signed_token_request(const OpensshKey& key, std::string_view registry,
                                                      const oci::Challenge& challenge, std::string_view scope) {
  const auto realm = challenge.param("realm");
  if (origin_of_url(realm) != origin_of_url(registry)) return std::nullopt;
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(
      std::chrono::system_clock::now().time_since_epoch());  // the wall clock, whatever SOURCE_DATE_EPOCH says
  const auto url =
      fmt::format("{}{}nonce={}&scope={}&service={}&ts={}", realm, realm.find('?') == std::string::npos ? "?" : "&",
                  nonce(), query_word(scope), query_word(challenge.param("service")), seconds.count());
  const auto nothing = sha256(std::string_view()).hex();  // the body has nothing
  const auto signature = key.key().sign(fmt::format("GET,{},{}", url, encode_base64(as_bytes(nothing))));
  return oci::TokenRequest{url, key.public_word() + ":" + encode_base64(signature)};
}

}  // namespace liftlock
