#include "artifact/artifact_text.hpp"

#include <utility>

namespace liftlock {
namespace {

/// The type stands among the details, where its name belongs.
void write(JsonText& out, const Evidence& evidence) {
  constexpr std::string_view k_type = "type";
  bool typed = false;
  const auto write_type = [&] {
    if (!std::exchange(typed, true)) out.key(k_type).text(evidence.type);
  };
  out.begin_object();
  if (evidence.details.is_object()) {
    for (const auto& [name, detail] : evidence.details.get_ref<const Json::object_t&>()) {
      if (name >= k_type) write_type();
      if (name != k_type) out.key(name).value(detail);
    }
  }
  write_type();
  out.end_object();
}

void write(JsonText& out, const ArtifactFile& file) {
  out.begin_object().key("digests").begin_object().key("sha256").text(file.digest.hex()).end_object();
  out.key("evidence").begin_array();
  for (const auto& evidence : file.evidence) write(out, evidence);
  out.end_array().key("origin").text(file.origin).key("path").text(file.path.text());
  out.key("size").number(file.size).end_object();
}

}  // namespace

void write_artifact(JsonText& out, const Artifact& artifact) {
  out.begin_object().key("facts").value(artifact.facts).key("files").begin_array();
  for (const auto& file : artifact.files) write(out, file);
  out.end_array();
  out.key("kind").text(artifact.kind).key("license").text(artifact.license).key("name").text(artifact.name);
  out.key("needs").begin_array();
  for (const auto& need : artifact.needs) out.text(need);
  out.end_array().key("version").text(artifact.version).end_object();
}

std::string artifact_line(const Artifact& artifact) {
  JsonText out(JsonText::Style::line);
  write_artifact(out, artifact);
  return out.take();
}

}  // namespace liftlock
