// An artifact as text, file by file: one of many files need not be a JSON value first.
#pragma once

#include <string>

#include "artifact/artifact.hpp"
#include "base/json_text.hpp"

namespace liftlock {

/// As out.value(to_json(artifact)).
void write_artifact(JsonText& out, const Artifact& artifact);
/// dump_json_line(to_json(artifact)): a line of manifest/artifacts.jsonl, without its newline.
std::string artifact_line(const Artifact& artifact);

}  // namespace liftlock
