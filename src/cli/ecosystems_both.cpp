#include "advisory/inspector.hpp"
#include "cli/inspection.hpp"
#include "ecosystem/apt/deb_inspector.hpp"
#include "ecosystem/apt/index_inspector.hpp"
#include "ecosystem/cargo/inspector.hpp"
#include "ecosystem/file/inspector.hpp"
#include "ecosystem/git/inspector.hpp"
#include "ecosystem/go/inspector.hpp"
#include "ecosystem/helm/inspector.hpp"
#include "ecosystem/maven/inspector.hpp"
#include "ecosystem/model/dataset.hpp"
#include "ecosystem/model/inspector.hpp"
#include "ecosystem/npm/inspector.hpp"
#include "ecosystem/oci/inspector.hpp"
#include "ecosystem/pypi/inspector.hpp"
#include "ecosystem/rpm/inspector.hpp"
#include "engine/engine_inspector.hpp"

namespace liftlock {

const std::vector<const Inspector*>& inspectors() {
  static const apt::DebInspector k_apt;
  static const apt::IndexInspector k_apt_index;
  static const rpm::RpmInspector k_rpm;
  static const rpm::RpmIndexInspector k_rpm_index;
  static const rpm::RpmKeyInspector k_rpm_key;
  static const cargo::CrateInspector k_crate;
  static const go::ModuleInspector k_go;
  static const git::BundleInspector k_git;
  static const maven::MavenInspector k_maven;
  static const FileInspector k_file;
  static const ModelInspector k_model;
  static const DatasetInspector k_dataset;
  static const oci::ImageInspector k_image;
  static const std::unique_ptr<Inspector> k_python = make_pypi_inspector();
  static const npm::PackageInspector k_npm;
  static const helm::ChartInspector k_chart;
  static const engine::EngineInspector k_engine;
  static const advisory::AdvisoriesInspector k_advisories;
  // clang-format off
  static const std::vector<const Inspector*> k_inspectors = {
      k_python.get(),
      &k_apt,
      &k_apt_index,
      &k_rpm,
      &k_rpm_index,
      &k_rpm_key,
      &k_npm,
      &k_crate,
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
  return k_inspectors;
}

}  // namespace liftlock
