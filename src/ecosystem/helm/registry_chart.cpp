#include "ecosystem/helm/registry_chart.hpp"

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/oci/manifest.hpp"
#include "ecosystem/oci/reference.hpp"
#include "ecosystem/oci/registry_client.hpp"

namespace liftlock::helm {
namespace {

constexpr std::string_view k_scheme = "oci://";

oci::Reference reference_of(const StackEntry& entry) {
  auto text = entry.text("source");
  if (text.empty()) {
    text = entry.text("repository");
    while (text.ends_with('/')) text.pop_back();
    text += "/" + entry.text("chart", entry.name);
  }
  oci::Reference out;
  try {
    out = oci::parse_reference(std::string_view(text).substr(k_scheme.size()));
  } catch (const Error& error) {
    throw Error(ErrorCode::stack_invalid, fmt::format("{}: {}", entry.where(), error.message()));
  }
  if (out.host.empty()) {
    throw Error(ErrorCode::stack_invalid, fmt::format("{}: '{}' names no registry", entry.where(), printable(text)),
                "write oci://HOST/REPOSITORY/CHART");
  }
  const auto version = entry.text("version");
  if (out.tag.empty()) out.tag = chart_tag(version);
  if (out.tag.empty() || (!version.empty() && out.tag != chart_tag(version))) {
    throw Error(ErrorCode::stack_invalid,
                out.tag.empty() ? fmt::format("{} names no version", entry.where())
                                : fmt::format("{}: the tag '{}' is not that of version = \"{}\"", entry.where(),
                                              out.tag, printable(version)),
                "name the exact version, as Chart.yaml has it: version = \"1.2.0\"");
  }
  return out;
}

std::shared_ptr<oci::RegistryClient> client_for(const oci::Reference& reference, const StackEntry& entry,
                                                CollectContext& context) {
  using Scheme = oci::RegistryAddress::Scheme;
  const auto authfile = entry.text("authfile");
  return std::make_shared<oci::RegistryClient>(
      context.downloader,
      oci::RegistryAddress{.host = reference.host,
                           .repository = reference.repository,
                           .scheme = entry.flag("insecure", false) ? Scheme::http : Scheme::https},
      oci::credential_files(authfile.empty() ? fs::path() : context.stack_folder / authfile));
}

/// Of a manifest; others lie beside it, as that with the provenance.
oci::Descriptor archive_layer(std::string_view bytes, const StackEntry& entry, const oci::Reference& reference) {
  const auto parsed = oci::parse_manifest(bytes);
  std::vector<oci::Descriptor> found;
  if (const auto* manifest = std::get_if<oci::Manifest>(&parsed)) {
    std::copy_if(manifest->layers.begin(), manifest->layers.end(), std::back_inserter(found),
                 [](const auto& layer) { return layer.media_type == k_content_type; });
  }
  if (found.size() != 1) {
    throw Error(ErrorCode::unresolvable,
                fmt::format("{}: {} is no chart ({})", entry.where(), reference.text(),
                            printable(oci::artifact_type_of(parsed))),
                fmt::format("an image or another artifact is named by [image.{}] with source = \"docker://{}\"",
                            entry.name, reference.text()));
  }
  return found[0];
}

}  // namespace

bool is_in_registry(const StackEntry& entry) {
  return entry.text("source").starts_with(k_scheme) || entry.text("repository").starts_with(k_scheme);
}

RegistryChart find_in_registry(const StackEntry& entry, CollectContext& context) {
  const auto reference = reference_of(entry);
  const auto client = client_for(reference, entry, context);
  const auto wanted = reference.digest ? reference.digest->text() : reference.tag;
  const auto document = client->get("manifests/" + wanted, {{"Accept", std::string(oci::media::oci_manifest)}},
                                    oci::k_max_manifest_bytes);
  const auto manifest = sha256(document.body);
  if (reference.digest && *reference.digest != manifest) {
    fail(ErrorCode::digest_mismatch, "{}: the manifest {} hashes to {}", entry.where(), wanted, manifest.text());
  }
  const auto layer = archive_layer(document.body, entry, reference);
  const auto slash = reference.repository.rfind('/');
  auto version = entry.text("version");
  if (version.empty()) {
    version = reference.tag;
    std::replace(version.begin(), version.end(), '_', '+');  // no version has a '_'
  }
  Json details = {{"registry", reference.host},
                  {"repository", reference.repository},
                  {"digest", layer.digest.text()},
                  {"manifest", manifest.text()}};
  std::string note;
  if (!reference.digest) {
    details["tag"] = reference.tag;
    note = fmt::format("tag {} of {}/{} is pinned to {}", reference.tag, reference.host, reference.repository,
                       manifest.text());
  }
  return {.chart = {reference.repository.substr(slash == std::string::npos ? 0 : slash + 1), version},
          .origin = client->url("blobs/" + layer.digest.text()),
          .digest = layer.digest,
          .evidence = {"registry-digest", std::move(details)},
          .note = std::move(note)};
}

std::function<std::vector<HttpHeader>()> registry_login(const StackEntry& entry, const std::string& origin,
                                                        CollectContext& context) {
  const auto client = client_for(reference_of(entry), entry, context);
  // A lock that was edited must not send the login elsewhere.
  if (!origin.starts_with(client->url(""))) return {};
  return [client] { return client->authorization(); };
}

}  // namespace liftlock::helm
