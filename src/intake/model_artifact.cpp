#include "intake/model_artifact.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "crypto/hash.hpp"
#include "crypto/sha256sums.hpp"
#include "ecosystem/model/content.hpp"

namespace liftlock {

Artifact make_model(const ModelParts& parts, const StagedFiles& staged) {
  Artifact model{.kind = parts.kind,
                 .name = portable_component(parts.name),
                 .version = parts.version.empty() ? std::string() : portable_component(parts.version),
                 .license = parts.license,
                 .facts = parts.facts,
                 .needs = {},
                 .files = {}};
  std::vector<ListedDigest> listed;
  for (const auto& file : parts.files) {
    const auto path = RelPath::parse(model.kind + "s/" + model.name + "/" + file.path);
    listed.push_back({path.text(), file.digest});
    model.files.push_back(
        {.path = path,
         .size = staged.size(file.digest),
         .digest = file.digest,
         .origin = file.origin,
         .evidence = file.evidence.empty() ? std::vector<Evidence>{{"first-use", Json::object()}} : file.evidence});
  }
  std::sort(model.files.begin(), model.files.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
  if (model.version.empty()) model.version = directory_hash(listed).hex().substr(0, 12);
  return model;
}

bool is_weights_name(std::string_view path) {
  const auto name = to_lower(path);
  return name.ends_with(".gguf") || name.ends_with(".safetensors") || name.ends_with(".onnx");
}

std::string why_unsafe_model_file(std::string_view path) {
  return why_unsafe_name(path);
}

void require_stated(std::string_view bytes, const Digest& stated, std::string_view path) {
  if (const auto actual = sha256(bytes); actual != stated)
    fail(ErrorCode::digest_mismatch, "'{}' has {} instead of {}", printable(path), actual.text(), stated.text());
}

}  // namespace liftlock
