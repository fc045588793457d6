// How shapes that hold models make one artifact of kind "model" out of files.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "artifact/artifact.hpp"
#include "intake/shape.hpp"

namespace liftlock {

struct ModelParts {
  struct File {
    std::string path;  ///< below the model
    Digest digest;
    std::string origin;
    std::vector<Evidence> evidence;  ///< empty: nothing but this import says so
  };
  std::string name;     ///< as people wrote it
  std::string version;  ///< empty: 12 digits of the content's SHA-256
  std::string license;
  Json facts = Json::object();
  std::vector<File> files;
  std::string kind = "model";  ///< or "dataset"
};

/// @throws Error{path_unsafe, path_collision}
Artifact make_model(const ModelParts& parts, const StagedFiles& staged);

/// Does a file of this name hold weights that are served: GGUF, safetensors, ONNX?
bool is_weights_name(std::string_view path);
/// Empty when a file of this name may be part of a model.
std::string why_unsafe_model_file(std::string_view path);

/// @throws Error{digest_mismatch} unless these bytes have that digest
void require_stated(std::string_view bytes, const Digest& stated, std::string_view path);

}  // namespace liftlock
