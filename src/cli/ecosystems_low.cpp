#include <vector>

#include "advisory/collector.hpp"
#include "cli/collectors.hpp"
#include "cli/program.hpp"
#include "ecosystem/apt/apt_collector.hpp"
#include "ecosystem/cargo/collector.hpp"
#include "ecosystem/file/collector.hpp"
#include "ecosystem/git/collector.hpp"
#include "ecosystem/go/collector.hpp"
#include "ecosystem/helm/collector.hpp"
#include "ecosystem/maven/collector.hpp"
#include "ecosystem/model/collector.hpp"
#include "ecosystem/npm/collector.hpp"
#include "ecosystem/oci/collector.hpp"
#include "ecosystem/pypi/collector.hpp"
#include "ecosystem/rpm/collector.hpp"
#include "engine/engine_collector.hpp"

namespace liftlock {

Collectors collectors() {
  static const std::unique_ptr<Collector> k_python = make_pypi_collector();
  static const apt::AptCollector k_apt;
  static const rpm::RpmCollector k_rpm;
  static const npm::PackageCollector k_npm;
  static const cargo::CargoCollector k_cargo;
  static const go::GoCollector k_go;
  static const git::GitCollector k_git;
  static const maven::MavenCollector k_maven;
  static const helm::ChartCollector k_chart;
  static const oci::ImageCollector k_image;
  static const ModelCollector k_model;
  static const DatasetCollector k_dataset;
  static const engine::EngineCollector k_engine;
  static const advisory::AdvisoriesCollector k_advisories;
  static const FileCollector k_file;
  // clang-format off
  static const std::vector<const Collector*> k_collectors = {
      k_python.get(),
      &k_apt,
      &k_rpm,
      &k_npm,
      &k_cargo,
      &k_go,
      &k_maven,
      &k_git,
      &k_image,
      &k_chart,
      &k_model,
      &k_dataset,
      &k_engine,
      &k_advisories,
      &k_file,
  };
  // clang-format on
  return k_collectors;
}

std::optional<std::string> stack_file_text(std::string_view name) {
  return stack_template(name, collectors());
}

}  // namespace liftlock
