#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/ecosystems_high.hpp"
#include "cli/offline_settings.hpp"
#include "server/mirror_server.hpp"

namespace liftlock {

std::string mirror_url(const Site& site) {
  const auto [address, port] = parse_listen(site.config().listen);
  const bool v6 = address.find(':') != std::string::npos;
  return fmt::format("{}://{}{}{}:{}", site.config().tls_certificate ? "https" : "http", v6 ? "[" : "", address,
                     v6 ? "]" : "", port);
}

namespace {

struct Options {
  std::string base_url;
  std::string client;
};

bool serves(const ClientConfiguration& configuration, const std::string& client) {
  const auto& clients = configuration.clients;
  return client.empty() || std::find(clients.begin(), clients.end(), to_lower(client)) != clients.end();
}

[[noreturn]] void fail_unknown(const std::vector<ClientConfiguration>& all, const std::string& client) {
  std::set<std::string_view> names;
  for (const auto& one : all) names.insert(one.clients.begin(), one.clients.end());
  const std::vector<std::string_view> known(names.begin(), names.end());
  const auto near = nearest(client, known);
  throw Error(ErrorCode::not_found, fmt::format("nothing that is served is for the client '{}'", printable(client)),
              fmt::format("{}the clients are {}; without --client all are written",
                          near ? fmt::format("did you mean '{}'? ", *near) : "", fmt::join(known, ", ")));
}

ClientConfiguration plain_files(const std::string& url) {
  return {"Plain files",
          "/bundles/",
          {"curl"},
          fmt::format("curl -fLO -C - {0}/bundles/CHANNEL/latest/PATH\ncurl -fL {0}/files/   # lists, as JSON\n", url)};
}

void run(Invocation& invocation, const Options& options) {
  const auto site = invocation.site();
  site.require_zone("render clients", {Zone::ingest, Zone::production});
  auto url = options.base_url.empty() ? mirror_url(site) : options.base_url;
  while (url.ends_with('/')) url.pop_back();
  if (!url.starts_with("http://") && !url.starts_with("https://")) {
    fail(ErrorCode::usage, "--base-url must begin with http:// or https://, not '{}'", url);
  }
  auto all = client_configurations(site.store_folder(), site.catalog_file(), mirror_routes(), url);
  all.push_back(plain_files(url));
  Json json = Json::array();
  std::string text;
  for (const auto& one : all) {
    if (!serves(one, options.client)) continue;
    json.push_back({{"title", one.title}, {"prefix", one.prefix}, {"configuration", one.text}});
    text += fmt::format("{}# {} ({}{})\n\n{}\n", text.empty() ? "" : "\n", one.title, url, one.prefix, trim(one.text));
  }
  if (json.empty()) fail_unknown(all, options.client);
  invocation.print(json, [&] { return text; });
}

}  // namespace

void add_render_clients(CLI::App& group, Invocation& invocation) {
  auto* command = group.add_subcommand("clients", "How pip, apt, container tools and others use this mirror");
  auto options = std::make_shared<Options>();
  command->add_option("--base-url", options->base_url,
                      "URL that clients reach the mirror by (default: from config.toml)");
  command->add_option("--client", options->client,
                      "Only what concerns this client: pip, uv, apt, npm, helm, containerd, docker, podman, curl …");
  command->footer("Example: liftlock render clients --client pip --base-url https://mirror.example:8443");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
