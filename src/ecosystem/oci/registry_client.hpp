// One repository of one registry: requests below /v2/REPOSITORY/, with whatever login the registry asks for.
// Protocol: opencontainers/distribution-spec 1.1; tokens: the distribution project's token authentication.
#pragma once

#include <chrono>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ecosystem/oci/credentials.hpp"
#include "ecosystem/oci/www_authenticate.hpp"
#include "fetch/downloader.hpp"

namespace liftlock::oci {

struct RegistryAddress {
  std::string host;  ///< with its port
  std::string repository;
  enum class Scheme : std::uint8_t { https, http } scheme = Scheme::https;
};

/// A request for a token that proves by itself who asks.
struct TokenRequest {
  std::string url;
  std::string authorization;  ///< value of the header
};
/// How a user without a login proves who asks for a token to pull. nullopt: not at all. May be called from several
/// threads.
using TokenProof = std::function<std::optional<TokenRequest>(const Challenge& challenge, std::string_view scope)>;

/// All members may be called from several threads.
class RegistryClient {
 public:
  /// @param proof tried where no login is known; a token server that refuses it is asked without one
  RegistryClient(Downloader& downloader, RegistryAddress address, std::vector<std::filesystem::path> credential_files,
                 TokenProof proof = {});

  /// GET of PATH below /v2/REPOSITORY/. A 401 is answered once with the login that it asks for: anonymous tokens,
  /// tokens for the user's login, Basic. Only "pull" is ever asked for. A password goes to a token server over TLS
  /// only, or over plain http where the registry itself is spoken to so.
  /// @param accepted statuses besides 200 that are no error
  /// @throws Error{http_status, network, limit_exceeded, config_invalid}
  Document get(std::string_view path, std::vector<HttpHeader> headers, std::uint64_t max_bytes,
               std::vector<int> accepted = {});

  /// The Authorization header for now, or none: for each attempt of a download. Renews tokens before they end.
  std::vector<HttpHeader> authorization();

  /// "https://HOST/v2/REPOSITORY/PATH"
  std::string url(std::string_view path) const;
  const RegistryAddress& address() const { return m_address; }

 private:
  using Clock = std::chrono::steady_clock;
  Document send(const std::string& url, std::vector<HttpHeader> headers, std::uint64_t max_bytes,
                std::vector<int> accepted);
  void answer(const Document& refused);
  void fetch_token(const Challenge& challenge, const std::optional<RegistryLogin>& login);
  Document ask_for_token(const Challenge& challenge, const std::optional<RegistryLogin>& login);
  std::string base() const;

  Downloader& m_downloader;
  RegistryAddress m_address;
  std::vector<std::filesystem::path> m_credential_files;
  TokenProof m_proof;
  std::recursive_mutex m_mutex;
  std::string m_authorization;           ///< value of the header; empty: none was asked for
  std::optional<Challenge> m_challenge;  ///< how to renew
  std::optional<Clock::time_point> m_renew_at;
  bool m_asked = false;  ///< the registry has said what it wants
};

}  // namespace liftlock::oci
