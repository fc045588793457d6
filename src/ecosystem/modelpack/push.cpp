#include "ecosystem/modelpack/push.hpp"

#include <fmt/format.h>

#include <map>

#include "base/text.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/modelpack/modelpack.hpp"
#include "ecosystem/oci/manifest.hpp"
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
    const auto made = oci::made_for_push(make_modelpack(model), repository_name(model), tag_of(model));
    auto out = nothing_to_send(made);
    out->left_out = why_left_out(model, made.manifest);
    if (!out->left_out.empty()) return out;
    // Names that differ in what registries do not allow are one name there.
    const auto& owner = m_planned.emplace(out->place, model.id()).first->second;
    if (owner != model.id()) {
      out->rival = owner;
      out->other.push_back(out->place);
      return out;
    }
    const auto there = m_registry.manifest(made.name, made.tag, any_manifest());
    if (!there || *there == made.manifest) {
      out = std::make_unique<oci::RegistryPlan>(m_registry, m_registry.plan(made));
      out->details["manifest"] = sha256(made.manifest).text();
    } else if (has_files_of(*there, model)) {
      out->known = 1;
    } else {
      out->other.push_back(out->place);
    }
    return out;
  }

 private:
  std::unique_ptr<oci::RegistryPlan> nothing_to_send(const oci::RegistryPush::Made& made) {
    oci::ImagePlan none;
    none.repository = fmt::format("{}{}{}", m_prefix, m_prefix.empty() ? "" : "/", made.name);
    none.reference = ":" + made.tag;
    return std::make_unique<oci::RegistryPlan>(m_registry, std::move(none));
  }

  /// Half of a model is never sent: nobody would see that a file of it was withheld. Empty: it may go.
  std::string why_left_out(const Artifact& model, std::string_view manifest) const {
    for (const auto& file : model.files) {
      if (!m_store.contains(file.digest)) return fmt::format("the store does not hold '{}'", file.path.text());
    }
    if (manifest.size() > oci::k_max_manifest_bytes) {
      return fmt::format("its manifest, with all of its {} files, has {}, and registries take {}", model.files.size(),
                         format_size(manifest.size()), format_size(oci::k_max_manifest_bytes));
    }
    return {};
  }

  oci::RegistryPush m_registry;
  const BlobStore& m_store;
  std::string m_prefix;
  std::map<std::string, std::string> m_planned;  ///< by place, of this run: the id of the model that it is of
};

}  // namespace

std::unique_ptr<PushTarget> make_modelpack_push(const PushSettings& settings, const BlobStore& store) {
  return std::make_unique<ModelPush>(settings, store);
}

}  // namespace liftlock::modelpack
