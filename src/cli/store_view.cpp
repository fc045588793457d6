#include "cli/store_view.hpp"

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"

namespace liftlock {
namespace {

const Site& checked(const Site& site, std::string_view command, Access access) {
  site.require_zone(command, {Zone::low, Zone::transfer, Zone::ingest, Zone::production});
  if (access == Access::write) site.require_own();
  return site;
}

}  // namespace

OpenStore::OpenStore(const Site& site, std::string_view command, Access access)
    : blobs(checked(site, command, access).store_folder()), catalog(site.catalog_file(), access) {}

std::string describe_holders(const std::vector<std::string>& holders) {
  constexpr std::size_t k_shown = 3;
  const auto first = holders.size() > k_shown ? holders.size() - k_shown : 0;
  std::string out = first > 0 ? fmt::format("{} more, ", first) : "";
  for (auto i = first; i < holders.size(); ++i) out += (i > first ? ", " : "") + printable(holders[i]);
  return out;
}

Artifact require_artifact(const Catalog& catalog, std::string_view id_or_name) {
  if (auto found = catalog.find(id_or_name)) return std::move(*found);
  std::vector<std::string> names;
  for (const auto& artifact : catalog.artifacts()) {
    names.push_back(artifact.name);
    names.push_back(artifact.id());
  }
  const std::vector<std::string_view> known(names.begin(), names.end());
  const auto guess = nearest(id_or_name, known);
  throw Error(ErrorCode::not_found, fmt::format("the store holds no '{}'", printable(id_or_name)),
              guess ? fmt::format("did you mean '{}'? `liftlock ls` lists everything", printable(*guess)) : "");
}

}  // namespace liftlock
