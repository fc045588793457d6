#include "ecosystem/oci/client_text.hpp"

#include <fmt/format.h>

#include "ecosystem/oci/mirror_index.hpp"

namespace liftlock::oci {

std::string client_text(std::string_view base_url, const std::set<std::string>& hosts, std::string_view example_image) {
  const bool plain = base_url.starts_with("http://");
  const auto mirror = base_url.substr(base_url.find("://") + 3);
  auto out = fmt::format(
      "# By its own name, with any client:\n"
      "skopeo copy {0}docker://{1}/{2} containers-storage:{2}\n"
      "podman pull {3}{1}/{2}\n"
      "docker pull {1}/{2}\n\n",
      plain ? "--src-tls-verify=false " : "", mirror, example_image, plain ? "--tls-verify=false " : "");
  for (const auto& host : hosts) {
    const auto folder = host_component(host);
    out += fmt::format(
        "# {0}: names stay as they are in charts and compose files.\n"
        "# containerd 1.5 and later, /etc/containerd/certs.d/{0}/hosts.toml:\n"
        "server = \"{1}/v2/{2}\"\n"
        "[host.\"{1}/v2/{2}\"]\n"
        "  capabilities = [\"pull\", \"resolve\"]\n"
        "  override_path = true\n\n"
        "# podman, skopeo, CRI-O, /etc/containers/registries.conf.d/50-liftlock-{2}.conf:\n"
        "[[registry]]\n"
        "prefix = \"{0}\"\n"
        "location = \"{3}/{2}\"\n{4}\n",
        host, base_url, folder, mirror, plain ? "insecure = true\n" : "");
  }
  out += fmt::format(
      "# docker, /etc/docker/daemon.json. A registry mirror stands in for Docker's own registry only: images of others "
      "are\n"
      "# pulled by the mirror's name, as above.\n"
      "{{\"registry-mirrors\": [\"{0}\"]{1}}}\n",
      base_url, plain ? fmt::format(", \"insecure-registries\": [\"{}\"]", mirror) : "");
  return out;
}

}  // namespace liftlock::oci
