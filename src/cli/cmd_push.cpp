#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <set>

#include "audit/audit_log.hpp"
#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/config_record.hpp"
#include "cli/pool_settings.hpp"
#include "cli/remote_server.hpp"
#include "ecosystem/oci/push.hpp"
#include "store/catalog.hpp"

namespace liftlock {
namespace {

struct Options {
  std::string registry;
  std::vector<std::string> images;
  bool dry_run = false;
};

constexpr std::string_view k_scheme = "oci://";

const RegistryConfig& registry_config(const Site& site, std::string_view wanted) {
  if (!wanted.starts_with(k_scheme)) {
    fail(ErrorCode::usage, "'{}' is no registry: write oci://HOST:PORT", printable(wanted));
  }
  wanted.remove_prefix(k_scheme.size());
  if (wanted.ends_with('/')) wanted.remove_suffix(1);
  for (const auto& [name, config] : site.config().registries) {
    const auto address = HttpAddress::parse(config.address);
    if (wanted == name || (address && wanted == address->authority())) return config;
  }
  throw Error(
      ErrorCode::source_unknown, fmt::format("config.toml has no registry '{}'", printable(wanted)),
      fmt::format("images go to registries of config.toml only: [registry.NAME] with address = \"https://{}\" and "
                  "ca_file",
                  printable(wanted)));
}

oci::PushTarget target_of(const Site& site, const RegistryConfig& config) {
  oci::PushTarget target{.server = remote_server(site, {.table = "[registry.NAME]",
                                                        .key = "address",
                                                        .address = config.address,
                                                        .ca_file = config.ca_file,
                                                        .allow_http = config.allow_http,
                                                        .sends_secret = config.login_file.has_value()}),
                         .prefix = config.prefix,
                         .login = {}};
  if (!config.prefix.empty() && !oci::is_repository(config.prefix)) {
    throw Error(
        ErrorCode::config_invalid,
        fmt::format("config.toml: the prefix '{}' of a registry is no repository name", printable(config.prefix)),
        "lower-case letters, digits, '-', '_', '.' and '/' between them: \"airgap/plant4\"");
  }
  if (config.login_file) target.login = read_credential(*config.login_file);
  if (!target.login.empty() && target.login.find(':') == std::string::npos) {
    fail(ErrorCode::config_invalid, "'{}' does not hold USER:PASSWORD", printable(config.login_file->string()));
  }
  return target;
}

/// Those that were named, or all; of an id in several bundles the newest.
std::vector<Artifact> chosen_images(const Catalog& catalog, const std::vector<std::string>& names) {
  std::set<std::string> ids;
  for (const auto& name : names) {
    auto found = catalog.find(name);
    // As the plan writes them, and clients do.
    const auto colon = name.rfind(':');
    if (!found && colon != std::string::npos)
      found = catalog.find(name.substr(0, colon) + "@" + name.substr(colon + 1));
    if (!found) fail(ErrorCode::not_found, "nothing here is called '{}'", printable(name));
    if (found->kind != oci::k_image_kind) fail(ErrorCode::usage, "'{}' is no image", printable(found->id()));
    ids.insert(found->id());
  }
  if (names.empty()) {
    for (const auto& artifact : catalog.artifacts()) {
      if (artifact.kind == oci::k_image_kind) ids.insert(artifact.id());
    }
  }
  std::vector<Artifact> out;
  for (const auto& id : ids) out.push_back(*catalog.find(id));
  return out;
}

Json json_of(const Artifact& image, const oci::ImagePlan& plan) {
  return {{"id", image.id()},
          {"repository", plan.repository},
          {"reference", plan.reference},
          {"lacking", plan.blobs.size() + plan.documents.size()},
          {"known", plan.known},
          {"bytes", plan.bytes()},
          {"sparse", plan.sparse}};
}

std::string line_of(const Artifact& image, const std::string& registry, const oci::ImagePlan& plan) {
  const auto lacking = plan.blobs.size() + plan.documents.size();
  return fmt::format("{} -> {}/{}{}: {}\n", printable(image.id()), registry, plan.repository, plan.reference,
                     plan.is_done() ? "is there"
                                    : fmt::format("{} of {}, {} to send", lacking,
                                                  counted(lacking + plan.known, "file"), format_size(plan.bytes())));
}

void run(Invocation& invocation, const Options& options) {
  const auto site = invocation.site();
  site.require_zone("push", {Zone::ingest, Zone::production});
  const auto& config = registry_config(site, options.registry);
  record_config(invocation, site);
  const auto target = target_of(site, config);
  const auto registry = target.server.address.authority();
  const BlobStore store(site.store_folder());
  const auto images = chosen_images(Catalog(site.catalog_file(), Access::read), options.images);
  oci::RegistryPush push(target, store);
  std::vector<oci::ImagePlan> plans;
  auto listed = Json::array();
  std::string text;
  std::uint64_t bytes = 0;
  for (const auto& image : images) {
    const auto& plan = plans.emplace_back(push.plan(image));
    listed.push_back(json_of(image, plan));
    text += line_of(image, registry, plan);
    bytes += plan.bytes();
  }
  if (!options.dry_run && bytes > 0) {
    invocation.reporter().note(fmt::format("to {}: {}", registry, format_size(bytes)));
    AuditLog log(site.audit_folder(), "");
    ProgressTask progress(invocation.reporter(), "push", Unit::bytes, bytes);
    for (std::size_t i = 0; i < images.size(); ++i) {
      if (plans[i].is_done()) continue;
      const Json detail = {{"registry", registry},
                           {"repository", plans[i].repository},
                           {"manifest", oci::parse_image_facts(images[i].facts).manifest.digest.text()}};
      logged_effect(log,
                    {.type = "image.push",
                     .actor = invocation.actor(),
                     .outcome = Outcome::intent,
                     .subject = images[i].id(),
                     .detail = dump_json_line(detail)},
                    [&] { push.push(plans[i], [&](std::uint64_t done) { progress.advance(done); }); });
    }
  }
  const Json json = {{"registry", registry}, {"pushed", !options.dry_run}, {"images", std::move(listed)}};
  invocation.print(json, [&] {
    if (images.empty()) return std::string("there are no images here\n");
    if (options.dry_run) return text + "dry run: nothing was sent\n";
    return text + (bytes > 0 ? fmt::format("sent: {}\n", format_size(bytes)) : "nothing to send\n");
  });
}

}  // namespace

void add_push(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("push", "Put images into a registry that the site runs already");
  auto options = std::make_shared<Options>();
  command
      ->add_option("REGISTRY", options->registry, "oci://HOST:PORT or oci://NAME of a [registry.NAME] of config.toml")
      ->required();
  command->add_option("IMAGE", options->images, "As `liftlock ls` names them (default: all)");
  command->add_flag("--dry-run", options->dry_run, "Only say what is lacking there");
  command->footer(
      "First it asks what the registry has, then it sends what is lacking; a tag moves when all that it means is "
      "there.\n"
      "Again it sends nothing; cut off, the same command goes on. Digests, and so signatures, stay as they are.\n"
      "Example: liftlock push oci://registry.site.example:5000 --dry-run");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
