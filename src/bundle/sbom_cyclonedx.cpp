#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "artifact/derived_inputs.hpp"
#include "base/json_text.hpp"
#include "base/loose_json.hpp"
#include "bundle/licenses.hpp"
#include "bundle/sbom.hpp"
#include "bundle/sbom_items.hpp"

namespace liftlock {
namespace {

using namespace bill;

Json property(std::string_view name, std::string value) {
  return {{"name", fmt::format("liftlock:{}", name)}, {"value", std::move(value)}};
}

/// What has no place of its own in the model card.
Json model_properties(const Item& item) {
  auto out = Json::array();
  for (const auto* key : {"quantisation", "size_label"}) {
    if (const auto text = text_in(item.facts, key); !text.empty()) out.push_back(property(key, text));
  }
  for (const auto* key : {"parameters", "context_length", "vocabulary"}) {
    if (item.facts.is_object() && item.facts.contains(key) && item.facts.at(key).is_number_integer())
      out.push_back(property(key, item.facts.at(key).dump()));
  }
  for (const auto& format : list(item.facts, "formats")) out.push_back(property("format", format));
  for (const auto& language : list(item.card(), "language")) out.push_back(property("language", language));
  if (const auto library = text_in(item.card(), "library_name"); !library.empty())
    out.push_back(property("library", library));
  return out;
}

Json model_card(const Item& item) {
  auto parameters = Json::object();
  if (const auto task = text_in(item.card(), "pipeline_tag"); !task.empty()) parameters["task"] = task;
  if (const auto architecture = text_in(item.facts, "architecture"); !architecture.empty())
    parameters["architectureFamily"] = architecture;
  if (const auto name = text_in(item.facts, "name"); !name.empty()) parameters["modelArchitecture"] = name;
  for (const auto& dataset : item.datasets())
    parameters["datasets"].push_back({{"type", "dataset"}, {"name", dataset}});
  auto out = Json::object();
  if (!parameters.empty()) out["modelParameters"] = std::move(parameters);
  if (auto properties = model_properties(item); !properties.empty()) out["properties"] = std::move(properties);
  return out;
}

Json licenses(const std::string& text) {
  if (const auto id = spdx_license_id(text)) return {{{"license", {{"id", *id}}}}};
  if (const auto expression = spdx_license_expression(text)) return {{{"expression", *expression}}};
  return {{{"license", {{"name", text}}}}};
}

/// With what it was made of; without the files, where there are several.
Json component(const Item& item, const std::string& ref) {
  const auto& artifact = item.artifact;
  Json out = {
      {"type", words_of(artifact.kind).type}, {"bom-ref", ref}, {"name", artifact.name}, {"version", artifact.version}};
  if (const auto url = package_url(artifact); !url.empty()) out["purl"] = url;
  if (const auto license = item.license(); !license.empty()) out["licenses"] = licenses(license);
  if (artifact.kind == "model") {
    if (auto card = model_card(item); !card.empty()) out["modelCard"] = std::move(card);
    for (const auto& base : item.base_models())
      out["pedigree"]["ancestors"].push_back({{"type", "machine-learning-model"}, {"name", base}});
  }
  if (artifact.files.size() == 1) {
    const auto& file = artifact.files[0];
    out["hashes"] = {{{"alg", "SHA-256"}, {"content", file.digest.hex()}}};
    if (is_plain_url(file.origin)) out["externalReferences"] = {{{"type", "distribution"}, {"url", file.origin}}};
  }
  for (const auto& part : derived_inputs(artifact))
    out["components"].push_back(component({part, Json::object()}, fmt::format("{}/{}", ref, part.id())));
  return out;
}

void write_files(JsonText& out, const std::vector<ArtifactFile>& files) {
  out.key("components").begin_array();
  for (const auto& file : files) {
    out.begin_object().key("hashes").begin_array();
    out.begin_object().key("alg").text("SHA-256").key("content").text(file.digest.hex()).end_object();
    out.end_array().key("name").text(file.path.text()).key("type").text("file").end_object();
  }
  out.end_array();
}

void write_component(JsonText& out, const Item& item, const std::string& ref) {
  const auto& files = item.artifact.files;
  const auto whole = component(item, ref);
  bool written = files.size() == 1;
  out.begin_object();
  for (const auto& [key, value] : whole.items()) {
    if (!written && key > "components") {
      write_files(out, files);
      written = true;
    }
    out.key(key).value(value);
  }
  out.end_object();
}

}  // namespace

std::string write_sbom(std::string_view stack, const std::vector<Artifact>& artifacts,
                       const InspectedFacts& inspected) {
  const Listed listed(artifacts);
  JsonText out(JsonText::Style::document);
  out.begin_object().key("bomFormat").value("CycloneDX").key("components").begin_array();
  for (const auto& one : listed.all()) write_component(out, item_of(*one.artifact, inspected), one.ref);
  out.end_array().key("dependencies").begin_array();
  for (const auto& one : listed.all()) {
    auto needs = Json::array();
    for (const auto needed : listed.needs_of(*one.artifact)) needs.push_back(listed.all()[needed].ref);
    if (!needs.empty()) out.value({{"ref", one.ref}, {"dependsOn", std::move(needs)}});
  }
  out.end_array().key("metadata");
  out.value({{"component", {{"type", "application"}, {"name", stack}, {"bom-ref", fmt::format("stack:{}", stack)}}}});
  out.key("specVersion").value("1.6").key("version").value(1).end_object();
  return out.take();
}

}  // namespace liftlock
