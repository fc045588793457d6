// High side: answers in the forms of the OCI distribution specification.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/json.hpp"
#include "ecosystem/route.hpp"

namespace liftlock::oci {

inline constexpr std::string_view k_json = "application/json";

HttpResponse document(int status, std::string_view type, const Json& json);
/// The specification's error form; clients show code and message.
HttpResponse refusal(int status, std::string_view code, std::string message);

/// "NAME/manifests/REFERENCE": names may hold these words as well, so the last one counts.
struct RegistryPath {
  std::string_view name, what, which;
};
/// @param path behind "/v2/". nullopt when it has no such form
std::optional<RegistryPath> split_registry_path(std::string_view path);

}  // namespace liftlock::oci
