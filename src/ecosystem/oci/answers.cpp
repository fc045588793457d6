#include "ecosystem/oci/answers.hpp"

#include <nlohmann/json.hpp>

namespace liftlock::oci {

HttpResponse document(int status, std::string_view type, const Json& json) {
  HttpResponse out;
  out.status = status;
  out.set("Content-Type", std::string(type));
  out.set("Docker-Distribution-Api-Version", "registry/2.0");
  out.body = dump_json_line(json);
  return out;
}

HttpResponse refusal(int status, std::string_view code, std::string message) {
  return document(status, k_json, {{"errors", Json::array({{{"code", code}, {"message", std::move(message)}}})}});
}

std::optional<RegistryPath> split_registry_path(std::string_view path) {
  const auto slash = path.rfind('/');
  if (slash == std::string_view::npos || slash == 0) return std::nullopt;
  const auto verb = path.rfind('/', slash - 1);
  if (verb == std::string_view::npos) return std::nullopt;
  return RegistryPath{path.substr(0, verb), path.substr(verb + 1, slash - verb - 1), path.substr(slash + 1)};
}

}  // namespace liftlock::oci
