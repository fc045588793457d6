// YAML 1.1 as documents of ecosystems use it (Chart.yaml, index.yaml, model cards), read by libyaml, into JSON:
// bounded, one document, no anchors (a few lines with aliases unfold to gigabytes), no key twice.
#pragma once

#include <cstddef>
#include <string_view>

#include "base/json.hpp"

namespace liftlock {

struct YamlLimits {
  std::size_t max_bytes = 1u << 20;
  int max_depth = 50;
};

/// Every scalar is a string, but for null in its plain forms; tags are ignored.
/// @param what names the document in errors. @throws Error{package_malformed, json_duplicate_key, limit_exceeded}
Json parse_yaml(std::string_view text, std::string_view what, YamlLimits limits = {});

}  // namespace liftlock
