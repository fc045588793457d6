#include "cli/ecosystems_high.hpp"

#include "ecosystem/apt/apt_route.hpp"
#include "ecosystem/apt/push.hpp"
#include "ecosystem/cargo/route.hpp"
#include "ecosystem/file/push.hpp"
#include "ecosystem/git/route.hpp"
#include "ecosystem/go/route.hpp"
#include "ecosystem/helm/push.hpp"
#include "ecosystem/helm/registry_route.hpp"
#include "ecosystem/helm/route.hpp"
#include "ecosystem/hub/route.hpp"
#include "ecosystem/maven/push.hpp"
#include "ecosystem/maven/route.hpp"
#include "ecosystem/modelpack/push.hpp"
#include "ecosystem/modelpack/route.hpp"
#include "ecosystem/npm/push.hpp"
#include "ecosystem/npm/route.hpp"
#include "ecosystem/oci/push_target.hpp"
#include "ecosystem/oci/route.hpp"
#include "ecosystem/ollama/serving/route.hpp"
#include "ecosystem/pypi/push.hpp"
#include "ecosystem/pypi/route.hpp"
#include "ecosystem/rpm/route.hpp"

namespace liftlock {

std::vector<MakeRoute> mirror_routes() {
  // clang-format off
  return {
      make_pypi_route,
      apt::make_apt_route,
      rpm::make_rpm_route,
      npm::make_npm_route,
      cargo::make_cargo_route,
      go::make_go_route,
      maven::make_maven_route,
      git::make_git_route,
      oci::make_image_route,
      helm::make_chart_route,
      helm::make_chart_registry_route,
      hub::make_hub_route,
      ollama::make_ollama_route,
      modelpack::make_modelpack_route,
  };
  // clang-format on
}

std::vector<PushKind> push_kinds() {
  // clang-format off
  return {
      {"oci", {"image"}, {}, oci::make_image_push},
      {"oci", {}, {"chart"}, helm::make_chart_registry_push},
      {"oci", {}, {"model"}, modelpack::make_modelpack_push},
      {"pypi", {"wheel", "sdist"}, {}, make_pypi_push},
      {"npm", {"npm"}, {}, npm::make_npm_push},
      {"maven", {"maven"}, {}, maven::make_maven_push},
      {"helm", {"chart"}, {}, helm::make_museum_push},
      {"aptly", {"deb"}, {}, apt::make_aptly_push},
      {"reprepro", {"deb"}, {}, apt::make_reprepro_push},
      {"raw", {"file"}, {"*"}, make_raw_push},
  };
  // clang-format on
}

}  // namespace liftlock
