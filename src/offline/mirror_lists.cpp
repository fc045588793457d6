#include "offline/mirror_lists.hpp"

#include <fmt/format.h>
#include <openssl/x509.h>

#include <algorithm>
#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "base/rel_path.hpp"
#include "net/upstream.hpp"

namespace liftlock::offline {
namespace {

constexpr std::uint64_t k_max_list = 1u << 20, k_max_key = 64u << 10, k_max_index = 64u << 20;
constexpr std::size_t k_max_names = 1000, k_max_name = 200, k_max_pages = 100;

/// Components that are plain names.
bool is_plain_path(std::string_view path) {
  const auto parsed = RelPath::try_parse(path);
  if (!parsed) return false;
  for (std::string_view rest = path; !rest.empty();) {
    const auto slash = std::min(rest.find('/'), rest.size());
    if (!is_plain_name(rest.substr(0, slash))) return false;
    rest.remove_prefix(std::min(slash + 1, rest.size()));
  }
  return true;
}

bool is_digits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

bool is_image_name(std::string_view name) {
  constexpr std::string_view k_letters = "abcdefghijklmnopqrstuvwxyz0123456789._-/";
  return !name.empty() && name.size() <= 255 && name.find_first_not_of(k_letters) == std::string_view::npos;
}

std::string checked(const Json& value, bool (*is_good)(std::string_view), std::string_view where) {
  if (!value.is_string() || !is_good(value.get_ref<const std::string&>())) {
    fail(ErrorCode::schema_violation, "{}: '{}' is no name", where, printable(value.dump().substr(0, k_max_name)));
  }
  return value.get<std::string>();
}

const Json& bounded_array(const Json& object, std::string_view key, std::string_view where) {
  const auto& out = array_member(object, key, where);
  if (out.size() > k_max_names) fail(ErrorCode::limit_exceeded, "{}: more than {} names", where, k_max_names);
  return out;
}

/// What programs on this machine trust: SSL_CERT_FILE, OpenSSL's default, or where distributions keep it.
fs::path trusted_certificates() {
  if (const char* given = std::getenv(X509_get_default_cert_file_env()); given != nullptr) return given;
  for (const char* file : {X509_get_default_cert_file(), "/etc/ssl/certs/ca-certificates.crt",
                           "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem"}) {
    std::error_code ignored;
    if (fs::exists(file, ignored)) return file;
  }
  return X509_get_default_cert_file();
}

class Asked {
 public:
  explicit Asked(const HttpAddress& mirror) : m_server{.address = mirror, .networks = {}, .tls = {}} {
    m_server.networks = std::make_shared<Networks>(std::vector{*Network::parse("0.0.0.0/0"), *Network::parse("::/0")});
    if (mirror.tls) m_server.tls = make_client_tls(trusted_certificates());
  }

  /// nullopt: there is no such thing.
  std::optional<std::string> get(std::string_view path, std::uint64_t max_body) {
    const UnixRequest request{.method = "GET",
                              .target = fmt::format("{}{}", m_server.address.path, path),
                              .headers = {{"Accept-Encoding", "identity"}},
                              .body = {}};
    constexpr auto k_patience = std::chrono::seconds(5);
    const UnixClientLimits limits{
        .max_body = max_body, .connect = k_patience, .idle = k_patience, .total = std::chrono::seconds(30)};
    UnixResponse answer;
    std::exception_ptr failed;
    const auto ask = [&]() -> asio::awaitable<void> {
      UpstreamExchange exchange(m_server, limits);
      answer = co_await exchange.send(request);
      answer.body = co_await exchange.read_all();
    };
    m_context.restart();
    asio::co_spawn(m_context, ask(), [&](std::exception_ptr error) { failed = std::move(error); });
    m_context.run();
    if (failed) std::rethrow_exception(failed);
    if (answer.status == 404) return std::nullopt;
    if (answer.status != 200) fail(ErrorCode::http_status, "it answers {} to {}", answer.status, request.target);
    return std::move(answer.body);
  }

 private:
  RemoteServer m_server;
  asio::io_context m_context;
};

std::optional<AptLists> apt_lists(Asked& mirror) {
  const auto list = mirror.get("/debian/", k_max_list);
  if (!list) return std::nullopt;
  AptLists out{.suites = parse_suites(*list), .key = {}};
  if (out.suites.empty()) return out;
  out.key = mirror.get("/debian/mirror-key.asc", k_max_key).value_or("");
  if (!out.key.starts_with("-----BEGIN PGP PUBLIC KEY BLOCK-----"))
    fail(ErrorCode::schema_violation, "its /debian/mirror-key.asc is no key");
  return out;
}

/// Page by page, as each says which name was its last.
std::optional<std::set<std::string>> registries(Asked& mirror) {
  std::set<std::string> out;
  std::string last;
  for (std::size_t pages = 0; pages < k_max_pages; ++pages) {
    const auto list = mirror.get(fmt::format("/v2/_catalog?n={}&last={}", k_max_names, last), k_max_list);
    if (!list) return std::nullopt;
    const auto names = parse_catalog(*list);
    for (const auto& name : names) {
      if (auto registry = registry_of(name)) out.insert(std::move(*registry));
    }
    if (names.size() < k_max_names) return out;
    last = names.back();
  }
  fail(ErrorCode::limit_exceeded, "its catalog has more than {} pages", k_max_pages);
}

}  // namespace

bool is_plain_name(std::string_view name) {
  if (name.empty() || name.size() > k_max_name || name[0] == '-' || name[0] == '.') return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
  });
}

std::vector<std::string> parse_suites(std::string_view text) {
  constexpr std::string_view k_where = "/debian/";
  std::vector<std::string> out;
  const auto list = parse_json(text);
  for (const auto& suite : bounded_array(list, "suites", k_where))
    out.push_back(checked(suite, is_plain_name, k_where));
  return out;
}

std::vector<RpmRepository> parse_rpm_repositories(std::string_view text) {
  constexpr std::string_view k_where = "/rpm/";
  std::vector<RpmRepository> out;
  const auto list = parse_json(text);
  for (const auto& one : bounded_array(list, "repositories", k_where)) {
    auto& repository = out.emplace_back();
    repository.name = checked(member(one, "name", k_where), is_plain_name, k_where);
    for (const auto& key : bounded_array(one, "keys", k_where))
      repository.keys.push_back(checked(key, is_plain_path, k_where));
  }
  return out;
}

std::vector<std::string> parse_catalog(std::string_view text) {
  constexpr std::string_view k_where = "/v2/_catalog";
  std::vector<std::string> out;
  const auto list = parse_json(text);
  for (const auto& name : bounded_array(list, "repositories", k_where))
    out.push_back(checked(name, is_image_name, k_where));
  return out;
}

std::optional<std::string> registry_of(std::string_view image) {
  const auto slash = image.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  auto host = image.substr(0, slash);
  std::string_view port;
  if (const auto at = host.rfind('_'); at != std::string_view::npos && is_digits(host.substr(at + 1))) {
    port = host.substr(at + 1);
    host = host.substr(0, at);
  }
  const bool is_host =
      is_plain_name(host) && host.find('_') == std::string_view::npos && (!port.empty() || host.find('.') != host.npos);
  if (!is_host || host == "localhost" || host.starts_with("127.")) return std::nullopt;
  return port.empty() ? std::string(host) : fmt::format("{}:{}", host, port);
}

MirrorLists ask_mirror(const HttpAddress& mirror, const WantedLists& wanted) {
  MirrorLists out;
  // One list that is no good does not keep another client from its own; nobody waits thrice for a mirror that is away.
  bool is_away = false;
  const auto ask = [&](bool is_wanted, const auto& take) {
    if (!is_wanted || is_away) return;
    try {
      Asked asked(mirror);
      take(asked);
    } catch (const Error& error) {
      out.trouble.push_back(error.message());
      is_away = error.code() == ErrorCode::network || error.code() == ErrorCode::tls_invalid;
    }
  };
  ask(wanted.apt, [&](Asked& asked) { out.apt = apt_lists(asked); });
  ask(wanted.rpm, [&](Asked& asked) {
    if (const auto list = asked.get("/rpm/", k_max_list)) out.rpm = parse_rpm_repositories(*list);
  });
  ask(wanted.charts, [&](Asked& asked) { out.charts = asked.get("/charts/index.yaml", k_max_index); });
  ask(wanted.images, [&](Asked& asked) { out.registries = registries(asked); });
  ask(wanted.maven, [&](Asked& asked) {
    out.maven = asked.get("/maven/org/apache/maven/apache-maven/maven-metadata.xml", k_max_list).has_value();
  });
  return out;
}

}  // namespace liftlock::offline
