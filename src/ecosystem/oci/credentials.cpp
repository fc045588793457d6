#include "ecosystem/oci/credentials.hpp"

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "os/file.hpp"
#include "os/process.hpp"

namespace liftlock::oci {
namespace {

constexpr std::uint64_t k_max_file = 1u << 20;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

/// Keys were URLs once: "https://host/v1/" means "host".
std::string plain_key(std::string_view key) {
  for (const std::string_view scheme : {"https://", "http://"}) {
    if (key.starts_with(scheme)) {
      key.remove_prefix(scheme.size());
      return std::string(key.substr(0, key.find('/')));
    }
  }
  while (key.ends_with('/')) key.remove_suffix(1);
  return std::string(key);
}

[[noreturn]] void unsupported(std::string_view host) {
  throw Error(ErrorCode::config_invalid,
              fmt::format("the login for {} is an identity token, which is not supported", host),
              "log in with a password or an access token: `skopeo login " + std::string(host) + "`");
}

std::optional<RegistryLogin> from_auth(const Json& entry, std::string_view host, std::string_view where) {
  if (!entry.is_object()) fail(ErrorCode::config_invalid, "{}: the login for {} is no object", where, host);
  if (!string_member_or(entry, "identitytoken", "", where).empty()) unsupported(host);
  const auto encoded = string_member_or(entry, "auth", "", where);
  if (encoded.empty()) return std::nullopt;
  const auto decoded = decode_base64(encoded);
  const auto text = decoded ? std::string(as_text(*decoded)) : std::string();
  const auto colon = text.find(':');
  if (colon == std::string::npos)
    fail(ErrorCode::config_invalid, "{}: the login for {} is not base64 of USER:PASSWORD", where, host);
  auto password = text.substr(colon + 1);
  while (password.ends_with('\0')) password.pop_back();
  return RegistryLogin{text.substr(0, colon), std::move(password)};
}

/// docker-credential-NAME get: the server on stdin, JSON on stdout, status 1 when it knows none.
std::optional<RegistryLogin> from_helper(const std::string& name, const std::string& host) {
  const auto is_plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.';
  };
  if (name.empty() || !std::all_of(name.begin(), name.end(), is_plain)) {
    fail(ErrorCode::config_invalid, "the credential helper '{}' has no plain name", printable(name));
  }
  const auto result = run_process({.argv = {"docker-credential-" + name, "get"},
                                   .input = host,
                                   .max_output = 1u << 20,
                                   .timeout = std::chrono::seconds(60)});
  if (result.status != 0) return std::nullopt;
  const auto where = "docker-credential-" + name;
  const auto json = parse_json(result.output);
  RegistryLogin login{string_member(json, "Username", where), string_member(json, "Secret", where)};
  if (login.user == "<token>") unsupported(host);
  return login;
}

std::optional<RegistryLogin> find_in(const Json& config, std::string_view host, std::string_view repository,
                                     std::string_view where) {
  if (config.contains("auths")) {
    const auto& auths = object_member(config, "auths", where);
    std::string wanted = std::string(host) + "/" + std::string(repository);
    while (true) {
      for (const auto& [key, entry] : auths.items()) {
        if (plain_key(key) != wanted) continue;
        if (auto login = from_auth(entry, host, where)) return login;
      }
      const auto slash = wanted.rfind('/');
      if (slash == std::string::npos) break;
      wanted.resize(slash);
    }
  }
  if (config.contains("credHelpers")) {
    for (const auto& [key, helper] : object_member(config, "credHelpers", where).items()) {
      if (plain_key(key) == host && helper.is_string())
        return from_helper(helper.get<std::string>(), std::string(host));
    }
  }
  const auto keeper = string_member_or(config, "credsStore", "", where);
  return keeper.empty() ? std::nullopt : from_helper(keeper, std::string(host));
}

}  // namespace

std::vector<fs::path> credential_files(const fs::path& authfile) {
  if (!authfile.empty()) return {authfile};
  if (const auto named = environment("REGISTRY_AUTH_FILE"); !named.empty()) return {named};
  const auto home = environment("HOME");
  const auto under = [&](const char* name, const char* fallback) -> fs::path {
    if (const auto value = environment(name); !value.empty()) return value;
    return home.empty() || *fallback == '\0' ? fs::path() : fs::path(home) / fallback;
  };
  std::vector<fs::path> out;
  const auto add = [&](const fs::path& folder, const char* file) {
    if (!folder.empty()) out.push_back(folder / file);
  };
  add(under("XDG_RUNTIME_DIR", ""), "containers/auth.json");
  add(under("XDG_CONFIG_HOME", ".config"), "containers/auth.json");
  add(under("DOCKER_CONFIG", ".docker"), "config.json");
  return out;
}

std::optional<RegistryLogin> find_login(const std::vector<fs::path>& files, std::string_view host,
                                        std::string_view repository) {
  for (const auto& file : files) {
    if (!fs::exists(file)) continue;
    const auto where = file.string();
    try {
      if (auto login = find_in(parse_json(read_file(file, k_max_file)), host, repository, where)) return login;
    } catch (const Error& error) {
      if (info(error.code()).error_class != ErrorClass::integrity) throw;
      fail(ErrorCode::config_invalid, "{}: {}", where, error.message());
    }
  }
  return std::nullopt;
}

}  // namespace liftlock::oci
