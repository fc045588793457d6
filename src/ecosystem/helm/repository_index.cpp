#include "ecosystem/helm/repository_index.hpp"

#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "ecosystem/yaml.hpp"

namespace liftlock::helm {
namespace {

constexpr std::size_t k_max_index = 64u << 20;
constexpr std::size_t k_shown = 5;

}  // namespace

IndexedChart find_in_index(std::string_view index, std::string_view base, const std::string& name,
                           const std::string& version) {
  const auto json = parse_yaml(index, "index.yaml", {.max_bytes = k_max_index});
  const auto& charts = object_member(json, "entries", "index.yaml");
  const auto found = charts.find(name);
  if (found == charts.end() || !found->is_array()) {
    throw Error(ErrorCode::unresolvable, fmt::format("the repository has no chart '{}'", printable(name)),
                "look for its name with `helm search repo`");
  }
  std::string others;
  std::size_t count = 0;
  for (const auto& one : *found) {
    const auto its = string_member(one, "version", "index.yaml");
    if (its != version) {
      if (count++ < k_shown) others += (others.empty() ? "" : ", ") + printable(its);
      continue;
    }
    const auto& urls = array_member(one, "urls", "index.yaml");
    if (urls.empty() || !urls[0].is_string()) break;
    IndexedChart out{.url = urls[0].get<std::string>(), .digest = {}};
    if (out.url.find("://") == std::string::npos) out.url = std::string(base) + out.url;
    const auto digest = string_member_or(one, "digest", "", "index.yaml");
    if (!digest.empty()) out.digest = Digest::parse_sha256_hex(digest);
    return out;
  }
  throw Error(ErrorCode::unresolvable,
              fmt::format("the repository has no version '{}' of {}; it has {}", printable(version), printable(name),
                          others.empty() ? "none" : others + (count > k_shown ? " and others" : "")),
              "name one of them");
}

}  // namespace liftlock::helm
