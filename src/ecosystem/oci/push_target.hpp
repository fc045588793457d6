// High side: images as one of the things that go into a repository of the site.
#pragma once

#include "ecosystem/oci/made_registry.hpp"
#include "ecosystem/oci/push.hpp"
#include "ecosystem/push.hpp"

namespace liftlock::oci {

/// Its key `prefix`: in front of each repository's name. @throws Error{config_invalid}
RegistrySettings registry_settings(const PushSettings& settings);

std::unique_ptr<PushTarget> make_image_push(const PushSettings& settings, const BlobStore& store);

/// What the mirror serves of an artifact of another kind, for a registry under PREFIX/NAME:TAG.
RegistryPush::Made made_for_push(MadeManifest manifest, std::string name, std::string tag);

/// What is lacking of an image, or of what was made into one, as a plan.
class RegistryPlan final : public PushPlan {
 public:
  RegistryPlan(RegistryPush& registry, ImagePlan image);
  void send(const PushProgress& progress) override;

 private:
  void tell_stand_in();

  RegistryPush& m_registry;
  ImagePlan m_image;
};

}  // namespace liftlock::oci
