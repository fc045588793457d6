#include "ecosystem/oci/push_target.hpp"

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "ecosystem/oci/reference.hpp"

namespace liftlock::oci {
namespace {

class ImagePush final : public PushTarget {
 public:
  ImagePush(const PushSettings& settings, const BlobStore& store) : m_registry(registry_settings(settings), store) {}
  std::unique_ptr<PushPlan> plan(const Artifact& artifact) override {
    auto out = std::make_unique<RegistryPlan>(m_registry, m_registry.plan(artifact));
    out->details["manifest"] = parse_image_facts(artifact.facts).manifest.digest.text();
    return out;
  }

 private:
  RegistryPush m_registry;
};

}  // namespace

RegistrySettings registry_settings(const PushSettings& settings) {
  const auto& access = settings.access.value();
  RegistrySettings out{
      .server = access.server, .table = settings.table, .prefix = settings.text("prefix"), .login = access.login};
  if (!out.prefix.empty() && !is_repository(out.prefix)) {
    throw Error(
        ErrorCode::config_invalid,
        fmt::format("config.toml: the prefix '{}' of {} is no repository name", printable(out.prefix), settings.table),
        "lower-case letters, digits, '-', '_', '.' and '/' between them: \"airgap/plant4\"");
  }
  if (!access.token.empty()) {
    throw Error(ErrorCode::config_invalid,
                fmt::format("config.toml: {} is a registry, which gives out its tokens itself", settings.table),
                "write USER:PASSWORD into a login_file instead of a token_file");
  }
  return out;
}

RegistryPush::Made made_for_push(MadeManifest manifest, std::string name, std::string tag) {
  RegistryPush::Made out{.name = std::move(name),
                         .tag = std::move(tag),
                         .media_type = std::move(manifest.media_type),
                         .manifest = std::move(manifest.bytes),
                         .blobs = {}};
  for (auto& [digest, bytes] : manifest.made) {
    const auto size = bytes.size();
    out.blobs.push_back({digest, size, std::move(bytes)});
  }
  for (const auto& [digest, file] : manifest.stored) out.blobs.push_back({digest, file.size});
  return out;
}

RegistryPlan::RegistryPlan(RegistryPush& registry, ImagePlan image) : m_registry(registry), m_image(std::move(image)) {
  place = m_image.repository + m_image.reference;
  lacking = m_image.blobs.size() + m_image.documents.size();
  known = m_image.known;
  bytes = m_image.bytes();
  details = {{"repository", m_image.repository}, {"reference", m_image.reference}, {"sparse", m_image.sparse}};
  if (m_image.stand_in && m_image.stand_in->is_there) tell_stand_in();
}

void RegistryPlan::tell_stand_in() {
  const auto manifest = m_image.stand_in->manifest.digest.text();
  details["stand_in"] = manifest;
  differs = fmt::format(
      "its one platform that crossed, {}, and not {}: the registry does not take an index that names platforms which "
      "did not cross",
      manifest, m_image.stand_in->index.text());
}

void RegistryPlan::send(const PushProgress& progress) {
  if (m_registry.push(m_image, progress)) tell_stand_in();
}

std::unique_ptr<PushTarget> make_image_push(const PushSettings& settings, const BlobStore& store) {
  return std::make_unique<ImagePush>(settings, store);
}

}  // namespace liftlock::oci
