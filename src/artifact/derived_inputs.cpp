#include "artifact/derived_inputs.hpp"

#include <fmt/format.h>

#include <optional>
#include <set>

#include "base/loose_json.hpp"

namespace liftlock {
namespace {

std::optional<Artifact> input_of(const Json& input) {
  const auto name = text_in(input, "name"), version = text_in(input, "version");
  const auto digest = Digest::try_parse("sha256:" + text_in(input, "sha256"));
  if (name.empty() || version.empty() || !digest) return std::nullopt;
  Artifact out{.kind = text_in(input, "form") == "archive" ? "file" : "deb", .name = name, .version = version};
  out.facts = {{"architecture", text_in(input, "architecture")}};
  if (const auto source = text_in(input, "source"); !source.empty()) out.facts["stanza"] = "Source: " + source + "\n";
  Evidence evidence{.type = {}, .details = Json::object()};
  if (const auto stated = input.find("evidence"); stated != input.end() && stated->is_object()) {
    evidence = {.type = text_in(*stated, "type"), .details = *stated};
    evidence.details.erase("type");
  }
  const auto size = input.find("size");
  out.files.push_back({.path = RelPath::parse(portable_component(name)),
                       .size = size != input.end() && size->is_number_unsigned() ? size->get<std::uint64_t>() : 0,
                       .digest = *digest,
                       .origin = text_in(input, "origin"),
                       .evidence = {std::move(evidence)}});
  return out;
}

}  // namespace

std::vector<Artifact> derived_inputs(const Artifact& artifact) {
  std::vector<Artifact> out;
  if (artifact.kind != "engine") return out;
  std::set<std::string> ids;
  for (const auto& file : artifact.files) {
    for (const auto& evidence : file.evidence) {
      if (evidence.type != "derived" || !evidence.details.is_object()) continue;
      const auto inputs = evidence.details.find("inputs");
      if (inputs == evidence.details.end() || !inputs->is_array()) continue;
      for (const auto& input : *inputs) {
        if (auto one = input_of(input); one && ids.insert(one->id()).second) out.push_back(std::move(*one));
      }
    }
  }
  return out;
}

}  // namespace liftlock
