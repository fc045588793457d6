#include "ecosystem/cargo/registry_config.hpp"

#include <array>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "ecosystem/cargo/crate_name.hpp"

namespace liftlock::cargo {
namespace {

constexpr std::size_t k_max_config = 1u << 20;

void replace_all(std::string& text, std::string_view marker, std::string_view value) {
  for (auto at = text.find(marker); at != std::string::npos; at = text.find(marker, at + value.size()))
    text.replace(at, marker.size(), value);
}

/// The folders of the index path, without the name.
std::string prefix_of(std::string_view name) {
  if (name.size() <= 2) return std::to_string(name.size());
  if (name.size() == 3) return "3/" + std::string(name.substr(0, 1));
  return std::string(name.substr(0, 2)) + "/" + std::string(name.substr(2, 2));
}

}  // namespace

std::string RegistryConfig::download_url(std::string_view name, std::string_view version,
                                         const Digest& checksum) const {
  auto out = download;
  if (out.find('{') == std::string::npos) {
    return fmt::format("{}{}{}/{}/download", out, out.ends_with('/') ? "" : "/", name, version);
  }
  const std::array<std::pair<std::string_view, std::string>, 5> markers = {
      {{"{crate}", std::string(name)},
       {"{version}", std::string(version)},
       {"{prefix}", prefix_of(name)},
       {"{lowerprefix}", prefix_of(to_lower(name))},
       {"{sha256-checksum}", checksum.hex()}}};
  for (const auto& [marker, value] : markers) replace_all(out, marker, value);
  return out;
}

RegistryConfig parse_registry_config(std::string_view text) {
  constexpr std::string_view where = "config.json of the registry";
  try {
    const auto json = parse_json(text, {.max_bytes = k_max_config});
    RegistryConfig out{.download = string_member(json, "dl", where)};
    if (json.contains("auth-required")) out.needs_login = bool_member(json, "auth-required", where);
    const bool is_url = out.download.starts_with("https://") || out.download.starts_with("http://") ||
                        out.download.starts_with("file://");
    if (!is_url) fail(ErrorCode::schema_violation, "its 'dl' is no address");
    return out;
  } catch (const Error& error) {
    fail(ErrorCode::unresolvable, "config.json of the registry is not sound: {}", error.what());
  }
}

}  // namespace liftlock::cargo
