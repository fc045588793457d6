#include "ecosystem/ollama/serving/model.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/hub/repository.hpp"
#include "ecosystem/model/gguf.hpp"
#include "ecosystem/ollama/modelfile.hpp"
#include "ecosystem/ollama/serving/chat_template.hpp"
#include "os/file.hpp"

namespace liftlock::ollama {
namespace {

constexpr std::uint64_t k_max_template = 1u << 20;
constexpr std::uint64_t k_max_licence = 4u << 20;

const ArtifactFile* file_at(const Artifact& artifact, std::string_view path) {
  const auto found = std::find_if(artifact.files.begin(), artifact.files.end(),
                                  [&](const auto& file) { return hub::path_in_model(file) == path; });
  return found == artifact.files.end() ? nullptr : &*found;
}

bool is_gguf_name(std::string_view path) {
  return to_lower(path).ends_with(".gguf");
}

bool is_licence_name(std::string_view path) {
  const auto name = to_lower(path);
  return name == "license" || name == "license.txt" || name == "license.md" || name == "copying";
}

class Making {
 public:
  Making(const Artifact& artifact, const BlobStore& store) : m_artifact(artifact), m_store(store) {}

  Model run() {
    if (const auto* manifest = file_at(m_artifact, k_manifest_file)) {
      take_over(*manifest);
    } else {
      read_modelfile();
      look_into_files();
      assemble();
    }
    return std::move(m_out);
  }

 private:
  std::string text_of(const ArtifactFile& file, std::uint64_t most) const {
    return read_all(m_store.open(file.digest).get(), most, file.path.text());
  }

  /// The manifest that the model had in Ollama: its digests hold, so it is the model of this very ID.
  void take_over(const ArtifactFile& file) {
    m_out.manifest = text_of(file, k_max_manifest_bytes);
    const auto manifest = parse_manifest(m_out.manifest);
    auto layers = manifest.layers;
    layers.push_back(manifest.config);
    for (const auto& layer : layers) {
      const auto found = std::find_if(m_artifact.files.begin(), m_artifact.files.end(),
                                      [&](const auto& each) { return each.digest == layer.digest; });
      if (found == m_artifact.files.end() || found->size != layer.size) {
        throw Error(ErrorCode::model_malformed,
                    fmt::format("the Ollama manifest of {} names {}, which is not among its files", m_artifact.id(),
                                layer.digest.text()),
                    "take the model from Ollama's store again, without include or exclude");
      }
      m_out.stored.emplace(layer.digest, *found);
    }
  }

  /// What is wrong with it was said when the model was taken in; a wrong template is worse than none.
  void read_modelfile() {
    std::vector<std::string> paths;
    const ArtifactFile* found = nullptr;
    for (const auto& file : m_artifact.files) {
      paths.emplace_back(hub::path_in_model(file));
      if (is_modelfile(paths.back())) found = &file;
    }
    if (found == nullptr || found->size > k_max_modelfile) return;
    const auto text = text_of(*found, k_max_modelfile);
    try {
      auto modelfile = parse_modelfile(text);
      m_use = use_of(modelfile, paths);
      if (m_use.applies) m_modelfile = std::move(modelfile);
    } catch (const Error&) {
      m_use = {};
    }
  }

  void look_into_files() {
    take_files();
    if (m_weights) return;
    if (!m_use.weights.empty() || !m_use.adapters.empty()) {
      // What the Modelfile names is no model: without it the model would be served, so its choice does not count.
      m_use = {};
      m_layers.clear();
      m_out.stored.clear();
      m_has_projector = false;
      take_files();
      if (m_weights) return;
    }
    throw Error(ErrorCode::model_unsupported,
                fmt::format("{} has no GGUF file that Ollama could load", m_artifact.id()),
                "Ollama loads GGUF files; carry the model in that format");
  }

  void take_files() {
    for (const auto& file : m_artifact.files) {
      const auto path = hub::path_in_model(file);
      if (is_gguf_name(path)) {
        look_into_gguf(file, path);
      } else if (is_licence_name(path) && file.size <= k_max_licence) {
        store_layer(media::license, file);
      } else if (const auto type = media_type_of_file(path); !type.empty() && path.starts_with("ollama/")) {
        store_layer(type, file);
      }
    }
  }

  void look_into_gguf(const ArtifactFile& file, std::string_view path) {
    const auto fd = m_store.open(file.digest);
    const FileBytes bytes(fd.get());
    const auto model = [&] {
      try {
        return read_gguf(bytes);
      } catch (const Error& error) {
        throw Error(error.code(), fmt::format("'{}' of {}: {}", path, m_artifact.id(), error.what()));
      }
    }();
    if (model.split && model.split->count > 1) {
      throw Error(ErrorCode::model_unsupported,
                  fmt::format("'{}' is one file of a split GGUF, which Ollama does not load", path),
                  "join it on the low side (llama-gguf-split --merge) and carry one file");
    }
    if (model.architecture == "clip" || model.type == "mmproj" || is_projector_name(path)) {
      m_has_projector = true;
      return store_layer(media::projector, file);
    }
    if (model.type == "adapter" || m_use.adapters.contains(path)) return store_layer(media::adapter, file);
    if (m_weights || model.type == "imatrix") return;  // of several quantisations the first by its path
    if (!m_use.weights.empty() && !m_use.weights.contains(path)) return;
    m_weights = model;
    store_layer(media::model, file);
    if (model.chat_template && model.chat_template_length <= k_max_template) {
      m_template.resize(model.chat_template_length);
      bytes.read(model.chat_template_offset, {reinterpret_cast<std::uint8_t*>(m_template.data()), m_template.size()});
    }
  }

  void store_layer(std::string_view type, const ArtifactFile& file) {
    m_layers.push_back({std::string(type), file.digest, file.size});
    m_out.stored.emplace(file.digest, file);
  }
  Layer make_blob(std::string_view type, std::string text) {
    Layer layer{std::string(type), sha256(text), text.size()};
    m_out.made.emplace(layer.digest, std::move(text));
    return layer;
  }
  bool has_layer(std::string_view type) const {
    return std::any_of(m_layers.begin(), m_layers.end(), [&](const auto& layer) { return layer.media_type == type; });
  }

  void add_text(std::string_view type, const std::string& text) {
    if (!has_layer(type) && !text.empty()) m_layers.push_back(make_blob(type, text));
  }

  /// What the model's folder ollama/ does not have. Parameters wait for what a template adds to them.
  void add_modelfile() {
    if (!m_modelfile) return;
    add_text(media::chat_template, m_modelfile->chat_template.value_or(""));
    add_text(media::system, m_modelfile->system.value_or(""));
    if (!has_layer(media::license)) {
      for (const auto& text : m_modelfile->licenses) m_layers.push_back(make_blob(media::license, text));
    }
    if (!m_modelfile->messages.empty() && !has_layer(media::messages)) {
      auto messages = Json::array();
      for (const auto& [role, content] : m_modelfile->messages)
        messages.push_back({{"role", role}, {"content", content}});
      m_layers.push_back(make_blob(media::messages, dump_json_line(messages)));
    }
    m_params = m_modelfile->params;
  }

  void add_params() {
    if (!m_params.empty() && !has_layer(media::params))
      m_layers.push_back(make_blob(media::params, dump_json_line(m_params)));
  }

  void add_template() {
    if (has_layer(media::chat_template)) return;
    const auto known = known_template(m_template);
    if (!known) return;
    m_out.chat_format = known->family;
    m_layers.push_back(make_blob(media::chat_template, std::string(known->text)));
    if (!m_params.contains("stop")) m_params["stop"] = known->stop;
  }

  Layer config() {
    Json diff_ids = Json::array();
    for (const auto& layer : m_layers) diff_ids.push_back(layer.digest.text());
    Json families = Json::array({m_weights->architecture});
    if (m_has_projector) families.push_back("clip");
    Json out = {{"model_format", "gguf"},
                {"model_family", m_weights->architecture},
                {"model_families", std::move(families)},
                {"model_type", format_count(m_weights->parameters)},
                {"file_type", m_weights->quantisation},
                {"architecture", "amd64"},
                {"os", "linux"},
                {"rootfs", {{"type", "layers"}, {"diff_ids", std::move(diff_ids)}}}};
    if (m_modelfile) {
      const auto add = [&](const char* key, const std::string& value) {
        if (!value.empty()) out[key] = value;
      };
      add("renderer", m_modelfile->renderer);
      add("parser", m_modelfile->parser);
      add("requires", m_modelfile->needs_version);
    }
    return make_blob(media::config, dump_json_line(out));
  }

  void assemble() {
    add_modelfile();
    add_template();
    add_params();
    // As Ollama orders them: the weights first.
    std::stable_sort(m_layers.begin(), m_layers.end(), [](const auto& a, const auto& b) {
      return (a.media_type == media::model) > (b.media_type == media::model);
    });
    m_out.manifest = manifest_text({config(), m_layers});
  }

  const Artifact& m_artifact;
  const BlobStore& m_store;
  Model m_out;
  std::vector<Layer> m_layers;
  std::optional<GgufModel> m_weights;
  std::optional<Modelfile> m_modelfile;  ///< where it applies
  ModelfileUse m_use;
  Json m_params = Json::object();
  std::string m_template;
  bool m_has_projector = false;
};

}  // namespace

Model make_model(const Artifact& artifact, const BlobStore& store) {
  return Making(artifact, store).run();
}

bool could_be_model(const Artifact& artifact) {
  return std::any_of(artifact.files.begin(), artifact.files.end(),
                     [](const auto& file) { return is_gguf_name(file.path.filename()); });
}

Name name_of(const Artifact& artifact) {
  const auto found = artifact.facts.find("ollama");
  if (found != artifact.facts.end() && found->is_string()) {
    try {
      return parse_name(found->get<std::string>());
    } catch (const Error&) {
      // Facts that are none are not believed.
    }
  }
  Name out;
  out.model = fit_part(artifact.name);
  return out;
}

}  // namespace liftlock::ollama
