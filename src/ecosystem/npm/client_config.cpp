#include "ecosystem/npm/client_config.hpp"

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "base/loose_json.hpp"
#include "base/text.hpp"
#include "ecosystem/npm/package_name.hpp"
#include "fetch/url.hpp"
#include "os/file.hpp"
#include "os/process.hpp"

namespace liftlock::npm {
namespace {

constexpr std::uint64_t k_max_npmrc = 1u << 20;

std::string with_slash(std::string url) {
  if (!url.empty() && !url.ends_with('/')) url += '/';
  return url;
}

/// ${NAME} of the environment, as npm replaces it; an unknown one stays as it is.
std::string with_environment(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const auto begin = text.find("${");
    const auto end = begin == std::string_view::npos ? begin : text.find('}', begin);
    if (end == std::string_view::npos) return out += text;
    const auto name = std::string(text.substr(begin + 2, end - begin - 2));
    const char* value = std::getenv(name.c_str());
    out += text.substr(0, begin);
    out += value != nullptr ? std::string_view(value) : text.substr(begin, end + 1 - begin);
    text.remove_prefix(end + 1);
  }
  return out;
}

std::string without_quotes(std::string_view text) {
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') text = text.substr(1, text.size() - 2);
  return std::string(text);
}

/// "//host[:port]/path" of a URL.
std::string place_of(const UrlParts& url, std::string_view text) {
  const auto after = text.find("://");
  const auto path = text.find('/', after + 3);
  auto rest = path == std::string_view::npos ? std::string_view("/") : text.substr(path);
  rest = rest.substr(0, rest.find_first_of("?#"));
  const bool usual = (url.scheme == "https" && url.port == "443") || (url.scheme == "http" && url.port == "80");
  return "//" + to_lower(url.host) + (usual || url.port.empty() ? "" : ":" + url.port) + std::string(rest);
}

Json config_of(const std::vector<std::string>& options, const fs::path& folder, const fs::path& scratch,
               const std::vector<std::string>& unset) {
  ProcessSpec spec;
  spec.argv = {"npm", "config", "list", "--json"};
  spec.argv.insert(spec.argv.end(), options.begin(), options.end());
  spec.set_environment = {{"npm_config_cache", (scratch / "npm-cache").string()},
                          {"npm_config_logs_max", "0"},
                          {"npm_config_update_notifier", "false"}};
  spec.unset_environment = unset;
  spec.working_folder = folder;
  const auto json = parse_json(run_process_checked(spec).output);
  if (!json.is_object()) fail(ErrorCode::tool_failed, "npm's configuration is no object");
  return json;
}

std::string read_if_there(const fs::path& file) {
  std::error_code ignored;
  return !file.empty() && fs::is_regular_file(file, ignored) ? read_file(file, k_max_npmrc) : "";
}

}  // namespace

void Credentials::add_npmrc(std::string_view text) {
  for (const auto raw : split(text, '\n')) {
    const auto line = trim(raw);
    const auto equals = line.find('=');
    if (!line.starts_with("//") || equals == std::string_view::npos) continue;
    const auto key = trim(line.substr(0, equals));
    const auto colon = key.rfind(':');
    if (colon == std::string_view::npos) continue;
    const auto value = with_environment(without_quotes(trim(line.substr(equals + 1))));
    auto place =
        to_lower(key.substr(0, key.find('/', 2))) + std::string(key.substr(key.find('/', 2), colon - key.find('/', 2)));
    auto& login = m_by_place[with_slash(std::move(place))];
    const auto field = key.substr(colon + 1);
    auto* slot = field == "_authToken"  ? &login.token
                 : field == "_auth"     ? &login.basic
                 : field == "username"  ? &login.user
                 : field == "_password" ? &login.password
                                        : nullptr;
    if (slot != nullptr && slot->empty()) *slot = value;
  }
}

std::vector<HttpHeader> Credentials::headers_for(const std::string& url) const {
  if (m_by_place.empty() || !url.starts_with("http")) return {};
  const auto place = place_of(parse_url(url), url);
  // Upwards from the file's folder to the host.
  for (auto slash = place.rfind('/'); slash != std::string::npos && slash >= 2; slash = place.rfind('/', slash - 1)) {
    const auto found = m_by_place.find(place.substr(0, slash + 1));
    if (found == m_by_place.end()) continue;
    const auto& login = found->second;
    if (!login.token.empty()) return {{"Authorization", "Bearer " + login.token}};
    if (!login.basic.empty()) return {{"Authorization", "Basic " + login.basic}};
    if (const auto password = decode_base64(login.password); !login.user.empty() && password) {
      const auto both = login.user + ":" + std::string(as_text(*password));
      return {{"Authorization", "Basic " + encode_base64(as_bytes(both))}};
    }
  }
  return {};
}

ClientConfig ClientConfig::read(const fs::path& folder, const fs::path& scratch) {
  ClientConfig out;
  out.credentials.add_npmrc(read_if_there(folder / ".npmrc"));
  const char* home = std::getenv("HOME");
  if (!find_program("npm")) {
    if (home != nullptr) out.credentials.add_npmrc(read_if_there(fs::path(home) / ".npmrc"));
    return out;
  }
  const auto config = config_of({}, folder, scratch, {});
  for (const auto* key : {"userconfig", "globalconfig"}) {
    out.credentials.add_npmrc(read_if_there(text_in(config, key)));
  }
  out.registry = with_slash(text_in(config, "registry"));
  if (const auto policy = text_in(config, "replace-registry-host"); !policy.empty()) out.replace_registry_host = policy;
  for (const auto& [key, value] : config.items()) {
    if (key.starts_with('@') && key.ends_with(":registry") && value.is_string()) {
      out.scopes[key.substr(0, key.find(':'))] = with_slash(value.get<std::string>());
    }
  }
  return out;
}

void ClientConfig::ask_default_registry(const fs::path& scratch) {
  if (registry.empty()) return;
  // Two names: npm refuses one file in both places.
  const auto bare = config_of({"--userconfig=" + (scratch / "no-user-npmrc").string(),
                               "--globalconfig=" + (scratch / "no-global-npmrc").string()},
                              scratch, scratch, {"npm_config_registry", "NPM_CONFIG_REGISTRY"});
  default_registry = with_slash(text_in(bare, "registry"));
}

bool ClientConfig::needs_default_registry(const std::string& resolved) const {
  return replace_registry_host == "npmjs" && !registry.empty() && !resolved.empty() &&
         at_registry(resolved, registry) != resolved;
}

std::string ClientConfig::tarball_url(const std::string& name, const std::string& version,
                                      const std::string& resolved) const {
  if (resolved.empty()) {
    const auto scope = scopes.find(name.substr(0, name.find('/')));
    const auto& from = name.starts_with('@') && scope != scopes.end() ? scope->second : registry;
    if (from.empty()) {
      throw Error(ErrorCode::tool_missing, fmt::format("the lock does not say where {}@{} is", name, version),
                  "install npm, whose configuration says it, or name the registry with `registry`");
    }
    return from + name + "/-/" + tarball_name(name, version);
  }
  if (registry.empty() || replace_registry_host == "never") return resolved;
  const auto host = to_lower(parse_url(resolved).host);
  const auto wanted = replace_registry_host == "npmjs" ? default_registry : replace_registry_host;
  const bool replaced =
      wanted == "always" ||
      (!wanted.empty() && host == to_lower(wanted.starts_with("http") ? parse_url(wanted).host : wanted));
  return replaced ? at_registry(resolved, registry) : resolved;
}

std::string at_registry(const std::string& url, const std::string& registry) {
  const auto path_of = [](const std::string& text) {
    const auto slash = text.find('/', text.find("://") + 3);
    return slash == std::string::npos ? std::string("/") : text.substr(slash);
  };
  const auto base = path_of(registry);  // ends with '/'
  auto path = path_of(url);
  if (!path.starts_with(base)) path = base + path.substr(1);
  return registry.substr(0, registry.size() - base.size()) + path;
}

}  // namespace liftlock::npm
