#include "ecosystem/helm/render_check.hpp"

#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/loose_json.hpp"
#include "base/text.hpp"
#include "ecosystem/helm/chart.hpp"
#include "ecosystem/offline_client.hpp"
#include "ecosystem/source_files.hpp"
#include "ecosystem/yaml.hpp"
#include "os/file.hpp"

namespace liftlock::helm {
namespace {

/// Of its own: a chart's name may be no name of a release, and templates see it.
constexpr std::string_view k_release = "release";
constexpr std::size_t k_max_images = 1000;
constexpr std::size_t k_max_file = 1u << 20;
constexpr std::size_t k_max_text = 32u << 20;

void walk_values(const Json& value, std::string_view key, std::string_view app_version, std::vector<std::string>& out) {
  if (out.size() >= k_max_images) return;
  if (value.is_array()) {
    for (const auto& item : value) walk_values(item, key, app_version, out);
    return;
  }
  if (!value.is_object() || text_in(value, "enabled") == "false") return;
  const auto repository = text_in(value, "repository");
  const bool is_image = to_lower(key).find("image") != std::string::npos || value.contains("tag");
  if (!repository.empty() && is_image && repository.find("://") == std::string::npos) {
    const auto registry = text_in(value, "registry");
    auto tag = text_in(value, "tag");
    if (tag.empty()) tag = app_version;
    auto name = (registry.empty() ? "" : registry + "/") + repository;
    if (!tag.empty()) name += ":" + tag;
    if (const auto digest = text_in(value, "digest"); !digest.empty()) name += "@" + digest;
    out.push_back(std::move(name));
  }
  for (const auto& [below, item] : value.items()) {
    if (below == "image" && item.is_string() && !item.get<std::string>().empty()) {
      out.push_back(item.get<std::string>());
    } else {
      walk_values(item, below, app_version, out);
    }
  }
}

/// What the chart's own files name, and those of charts that lie unpacked in it.
std::string read_images(int fd, std::string_view app_version) {
  std::string out;
  const auto add = [&](const std::string& name) { out += "image: " + Json(name).dump() + "\n"; };
  read_package_tar(
      fd, "chart", {},
      [&](std::string_view name) -> std::size_t {
        const bool yaml = name.ends_with(".yaml") || name.ends_with(".yml") || name.ends_with(".tpl");
        return yaml && out.size() < k_max_text ? k_max_file : 0;
      },
      [&](std::string_view name, std::string content) {
        if (content.empty()) return;
        const auto file = name.substr(name.rfind('/') == std::string_view::npos ? 0 : name.rfind('/') + 1);
        if (file == "values.yaml") {
          try {
            for (const auto& image : images_of_values(parse_yaml(content, name), app_version)) add(image);
          } catch (const Error&) {
            // Anchors, say: what helm takes and parse_yaml does not.
          }
        } else if (file == "Chart.yaml" || (name.find("templates/") != std::string_view::npos &&
                                            name.find("templates/tests/") == std::string_view::npos)) {
          out += content + "\n";
        }
      });
  return out;
}

std::string first_line(std::string_view text) {
  return printable(trim(text.substr(0, text.find('\n'))));
}

/// The files that the key `values` names. @throws Error{not_found}
std::vector<fs::path> values_of(const StackEntry& entry, const CollectContext& context) {
  std::vector<fs::path> out;
  for (const auto& values : entry.texts("values")) {
    out.push_back(fs::absolute(stack_path(values, context.stack_folder)));
    if (!fs::is_regular_file(out.back())) {
      throw Error(ErrorCode::not_found, fmt::format("{}: there is no file '{}'", entry.where(), printable(values)),
                  "name files with values in the key values, or leave it out");
    }
  }
  return out;
}

}  // namespace

std::vector<std::string> images_of_values(const Json& values, std::string_view app_version) {
  std::vector<std::string> out;
  walk_values(values, "", app_version, out);
  return out;
}

CheckResult check_render(const StackEntry& entry, const std::vector<Artifact>& artifacts, CollectContext& context) {
  if (artifacts.empty()) return {};
  const auto& artifact = artifacts[0];
  const auto& file = artifact.files.at(0);
  const auto chart = artifact.facts.find("chart");
  const bool described = chart != artifact.facts.end() && chart->is_object();
  const bool is_library = described && text_in(*chart, "type") == "library";
  const auto values_files = values_of(entry, context);
  if (!is_library && find_program("helm")) {
    const ScratchFolder scratch(context.scratch, "helm-" + portable_component(entry.name));
    link_files(context, artifacts, "charts/", scratch.path());
    ProcessSpec spec;
    spec.argv = {
        "helm",           "template",    std::string(k_release), (scratch.path() / file.path.filename()).string(),
        "--include-crds", "--skip-tests"};
    for (const auto& values : values_files) spec.argv.insert(spec.argv.end(), {"--values", values.string()});
    for (const auto* name : {"HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"})
      spec.set_environment[name] = (scratch.path() / name).string();
    spec.unset_environment = {"KUBECONFIG", "HELM_NAMESPACE", "HELM_DEBUG"};
    spec.working_folder = scratch.path();
    auto answer = run_offline(spec, {.prefixes = {"Error:"}});
    if (answer.done) {
      auto version = spec;
      version.argv = {"helm", "version", "--short"};
      return {.proven = fmt::format("helm template renders it without a network ({}), and the stack brings the images",
                                    first_line(run_process(version).output)),
              .missing = {},
              .manifests = std::move(answer.output)};
    }
    const auto hint = values_files.empty()
                          ? fmt::format("; values that it needs are named by the key values of {}", entry.where())
                          : std::string();
    return {.proven = {}, .missing = {{fmt::format("helm template does not render it: {}{}", answer.words, hint), ""}}};
  }
  const auto app_version = described ? text_in(*chart, "appVersion") : "";
  const auto fd = context.store.open(file.digest);
  return {.proven = fmt::format("the stack brings the images that its files name; what values and expressions make of "
                                "them was not tried: {}",
                                is_library ? "helm renders no library chart" : "there is no helm here"),
          .missing = {},
          .manifests = read_images(fd.get(), app_version)};
}

}  // namespace liftlock::helm
