// Low side: which images does a chart ask for? As a real helm renders it, where there is no network; without helm, as
// its files name them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "ecosystem/collector.hpp"

namespace liftlock::helm {

/// `manifests` of the answer are what `helm template` gives with the entry's `values`, or, where there is no helm or
/// the chart cannot be rendered like that, lines "image: NAME" of what the chart's files name: values as they are by
/// default, templates where no expression stands, and Chart.yaml's annotations
/// (artifacthub.io/docs/topics/annotations). `proven` says which. @throws Error{sandbox_unavailable, tool_failed}
CheckResult check_render(const StackEntry& entry, const std::vector<Artifact>& artifacts, CollectContext& context);

/// The images of a values.yaml, as charts usually write them: an object with `repository`, and perhaps `registry`,
/// `tag` and `digest`, below a key whose name has "image" in it; or an object of it all. What has `enabled: false` is
/// left out with all below. At most 1000.
/// @param values as parse_yaml gives it
/// @param app_version stands for a tag that is empty
std::vector<std::string> images_of_values(const Json& values, std::string_view app_version);

}  // namespace liftlock::helm
