#include "artifact/artifact_text.hpp"

namespace liftlock {

void write_artifact(JsonText& out, const Artifact& artifact) {
  out.begin_object().key("facts").value(artifact.facts).key("files").begin_array();
  for (const auto& file : artifact.files) out.value(to_json(file));
  out.end_array();
  out.key("kind").value(artifact.kind).key("license").value(artifact.license).key("name").value(artifact.name);
  out.key("needs").value(artifact.needs).key("version").value(artifact.version).end_object();
}

std::string artifact_line(const Artifact& artifact) {
  JsonText out(JsonText::Style::line);
  write_artifact(out, artifact);
  return out.take();
}

}  // namespace liftlock
