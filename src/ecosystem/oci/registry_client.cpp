#include "ecosystem/oci/registry_client.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"

namespace liftlock::oci {
namespace {

constexpr std::uint64_t k_max_token_answer = 1u << 20;
constexpr std::size_t k_max_token = 64u << 10;
/// What the protocol says a token lives when its server does not.
constexpr std::uint64_t k_default_lifetime_s = 60;

std::string basic(const RegistryLogin& login) {
  return "Basic " + encode_base64(as_bytes(login.user + ":" + login.password));
}

bool is_header_safe(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7F; });
}

const Challenge* find_scheme(const std::vector<Challenge>& challenges, std::string_view scheme) {
  const auto found =
      std::find_if(challenges.begin(), challenges.end(), [&](const auto& c) { return c.scheme == scheme; });
  return found == challenges.end() ? nullptr : &*found;
}

}  // namespace

RegistryClient::RegistryClient(Downloader& downloader, RegistryAddress address,
                               std::vector<std::filesystem::path> files, TokenProof proof)
    : m_downloader(downloader),
      m_address(std::move(address)),
      m_credential_files(std::move(files)),
      m_proof(std::move(proof)) {}

std::string RegistryClient::base() const {
  // Docker's own registry is called otherwise in names of images than on the network (distribution/reference, docker).
  const auto host = m_address.host == "docker.io" ? std::string("registry-1.docker.io") : m_address.host;
  return (m_address.scheme == RegistryAddress::Scheme::http ? "http://" : "https://") + host + "/v2/";
}

std::string RegistryClient::url(std::string_view path) const {
  return base() + m_address.repository + "/" + std::string(path);
}

Document RegistryClient::send(const std::string& url, std::vector<HttpHeader> headers, std::uint64_t max_bytes,
                              std::vector<int> accepted) {
  accepted.insert(accepted.end(), {200, 401});
  {
    const std::lock_guard lock(m_mutex);
    if (!m_authorization.empty()) headers.push_back({"Authorization", m_authorization});
  }
  return m_downloader.get({.url = url,
                           .headers = std::move(headers),
                           .max_bytes = max_bytes,
                           .head = false,
                           .accepted_status = std::move(accepted)});
}

Document RegistryClient::get(std::string_view path, std::vector<HttpHeader> headers, std::uint64_t max_bytes,
                             std::vector<int> accepted) {
  auto document = send(url(path), headers, max_bytes, accepted);
  if (document.status != 401) {
    const std::lock_guard lock(m_mutex);
    m_asked = true;
    return document;
  }
  answer(document);
  document = send(url(path), std::move(headers), max_bytes, std::move(accepted));
  if (document.status != 401) return document;
  throw Error(ErrorCode::http_status,
              fmt::format("{} refuses to hand out {} (401)", m_address.host, m_address.repository),
              fmt::format("log in with `skopeo login {}`, or name the credentials with authfile", m_address.host));
}

void RegistryClient::answer(const Document& refused) {
  const std::lock_guard lock(m_mutex);
  std::vector<Challenge> challenges;
  for (const auto& header : refused.headers) {
    if (to_lower(header.name) != "www-authenticate") continue;
    for (auto& challenge : parse_www_authenticate(header.value)) challenges.push_back(std::move(challenge));
  }
  const auto login = find_login(m_credential_files, m_address.host, m_address.repository);
  m_asked = true;
  if (const auto* bearer = find_scheme(challenges, "bearer")) {
    m_challenge = *bearer;
    return fetch_token(*bearer, login);
  }
  if (find_scheme(challenges, "basic") == nullptr) {
    fail(ErrorCode::http_status, "{} refuses (401) and asks for no kind of login that is known", m_address.host);
  }
  if (!login) {
    throw Error(ErrorCode::http_status, fmt::format("{} asks for a login, and none is known", m_address.host),
                fmt::format("log in with `skopeo login {}`, or name the credentials with authfile", m_address.host));
  }
  m_authorization = basic(*login);
}

Document RegistryClient::ask_for_token(const Challenge& challenge, const std::optional<RegistryLogin>& login) {
  const auto realm = challenge.param("realm");
  const bool plain_allowed = m_address.scheme == RegistryAddress::Scheme::http;
  if (!realm.starts_with("https://") && !(plain_allowed && realm.starts_with("http://"))) {
    fail(ErrorCode::http_status, "{} names the token server '{}', which is no https address", m_address.host,
         printable(realm.substr(0, 300)));
  }
  // The challenge's scope is not repeated: nothing but pulling from this repository is ever asked for.
  const auto scope = "repository:" + m_address.repository + ":pull";
  const auto ask = [&](const std::string& url, std::vector<HttpHeader> headers, std::vector<int> accepted) {
    return with_context("while asking for a token for " + m_address.host, [&] {
      return m_downloader.get({.url = url,
                               .headers = std::move(headers),
                               .max_bytes = k_max_token_answer,
                               .head = false,
                               .accepted_status = std::move(accepted)});
    });
  };
  if (!login && m_proof) {
    if (const auto request = m_proof(challenge, scope)) {
      auto answer = ask(request->url, {{"Authorization", request->authorization}}, {200, 400, 401, 403});
      if (answer.status == 200) return answer;
    }
  }
  auto url = realm + (realm.find('?') == std::string::npos ? "?" : "&") + "scope=" + encode_percent_path(scope);
  if (const auto service = challenge.param("service"); !service.empty())
    url += "&service=" + encode_percent_path(service);
  std::vector<HttpHeader> headers;
  if (login) headers.push_back({"Authorization", basic(*login)});
  return ask(url, std::move(headers), {200});
}

void RegistryClient::fetch_token(const Challenge& challenge, const std::optional<RegistryLogin>& login) {
  const auto document = ask_for_token(challenge, login);
  const std::string where = "the token server's answer";
  const auto json = parse_json(document.body);
  auto token = string_member_or(json, "token", "", where);
  if (token.empty()) token = string_member_or(json, "access_token", "", where);
  if (token.empty() || token.size() > k_max_token || !is_header_safe(token))
    fail(ErrorCode::http_status, "{} holds no token", where);
  const bool stated = json.contains("expires_in") && json["expires_in"].is_number_unsigned();
  const auto lifetime =
      std::clamp<std::uint64_t>(stated ? uint_member(json, "expires_in", where) : k_default_lifetime_s, 10, 86400);
  m_renew_at = Clock::now() + std::chrono::seconds(lifetime - std::min<std::uint64_t>(30, lifetime / 2));
  m_authorization = "Bearer " + token;
}

std::vector<HttpHeader> RegistryClient::authorization() {
  const std::lock_guard lock(m_mutex);
  if (!m_asked) {
    const auto ping = send(base(), {}, k_max_token_answer, {});
    m_asked = true;
    if (ping.status == 401) answer(ping);
  } else if (m_challenge && m_renew_at && Clock::now() >= *m_renew_at) {
    fetch_token(*m_challenge, find_login(m_credential_files, m_address.host, m_address.repository));
  }
  if (m_authorization.empty()) return {};
  return {{"Authorization", m_authorization}};
}

}  // namespace liftlock::oci
