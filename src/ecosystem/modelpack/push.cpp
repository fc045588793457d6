#include "ecosystem/modelpack/push.hpp"

#include <fmt/format.h>

#include <map>

#include "base/error.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/modelpack/modelpack.hpp"
#include "ecosystem/oci/push_target.hpp"

namespace liftlock::modelpack {
namespace {

/// A manifest that is not asked for may be answered with 404, and be written over.
std::string any_manifest() {
  return fmt::format("{}, {}, {}, {}", oci::media::oci_manifest, oci::media::oci_index, oci::media::docker_manifest,
                     oci::media::docker_list);
}

class ModelPush final : public PushTarget {
 public:
  ModelPush(const PushSettings& settings, const BlobStore& store)
      : m_registry(oci::registry_settings(settings), store), m_store(store), m_prefix(settings.text("prefix")) {}

  std::unique_ptr<PushPlan> plan(const Artifact& model) override {
    require_files(model);
    const auto made = oci::made_for_push(make_modelpack(model), repository_name(model), tag_of(model));
    const auto digest = sha256(made.manifest);
    // Names that differ in what registries do not allow are one name there.
    const auto place = fmt::format("{}{}{}:{}", m_prefix, m_prefix.empty() ? "" : "/", made.name, made.tag);
    const bool is_taken = m_planned.emplace(place, digest).first->second != digest;
    const auto there = m_registry.manifest(made.name, made.tag, any_manifest());
    if (!is_taken && (!there || *there == made.manifest)) {
      auto out = std::make_unique<oci::RegistryPlan>(m_registry, m_registry.plan(made));
      out->details["manifest"] = digest.text();
      return out;
    }
    auto out = std::make_unique<oci::RegistryPlan>(m_registry, oci::ImagePlan{});
    out->place = place;
    if (!is_taken && has_files_of(*there, model))
      out->known = 1;
    else
      out->other.push_back(place);
    return out;
  }

 private:
  /// Nobody is to learn of a withheld file when half of the model is sent.
  void require_files(const Artifact& model) const {
    for (const auto& file : model.files) {
      if (!m_store.contains(file.digest))
        fail(ErrorCode::not_found, "the store does not hold '{}' of {}", file.path.text(), model.id());
    }
  }

  oci::RegistryPush m_registry;
  const BlobStore& m_store;
  std::string m_prefix;
  std::map<std::string, Digest> m_planned;  ///< by place, of this run
};

}  // namespace

std::unique_ptr<PushTarget> make_modelpack_push(const PushSettings& settings, const BlobStore& store) {
  return std::make_unique<ModelPush>(settings, store);
}

}  // namespace liftlock::modelpack
