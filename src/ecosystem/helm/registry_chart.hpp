// Low side: a chart in an OCI registry, as `helm push` puts it there (https://helm.sh/docs/topics/registries/): a
// manifest with the chart's metadata as its config, and the archive as a layer.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "ecosystem/collector.hpp"
#include "ecosystem/helm/chart.hpp"

namespace liftlock::helm {

struct RegistryChart {
  ChartFileName chart;
  std::string origin;  ///< URL of the archive
  Digest digest;       ///< of the archive, as the manifest states it
  Evidence evidence;   ///< "registry-digest"
  std::string note;    ///< what the tag means today; empty where a digest was named
};

/// Does its `source` or `repository` begin with "oci://"?
bool is_in_registry(const StackEntry& entry);

/// Asks the registry for the manifest of `source` = "oci://HOST[:PORT]/REPOSITORY/CHART[:TAG][@DIGEST]", or of
/// `chart` below `repository`; neither holds a password.
/// @throws Error{stack_invalid} for what is no such address, or names no version; Error{unresolvable} for what is no
/// chart; Error{digest_mismatch, http_status, network, limit_exceeded, config_invalid, …}
RegistryChart find_in_registry(const StackEntry& entry, CollectContext& context);

/// The login for each attempt to get `origin`; none where that is elsewhere than the entry's chart.
std::function<std::vector<HttpHeader>()> registry_login(const StackEntry& entry, const std::string& origin,
                                                        CollectContext& context);

}  // namespace liftlock::helm
