#include "ecosystem/model/inspector.hpp"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "base/encoding.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/model/completeness.hpp"
#include "ecosystem/model/content.hpp"
#include "ecosystem/model/json_scanner.hpp"
#include "ecosystem/model/model_card.hpp"
#include "ecosystem/model/onnx.hpp"
#include "ecosystem/model/whisper.hpp"

namespace liftlock {
namespace {

constexpr std::array<std::string_view, 1> k_kinds = {"model"};
constexpr int k_json_depth = 64;
constexpr std::size_t k_max_config = 8u << 20;

std::string_view name_of(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}

template <typename T>
void put(Json& out, std::string_view key, const T& value) {
  if constexpr (requires { value.has_value(); }) {
    if (value) out[std::string(key)] = *value;
  } else {
    if (!value.empty()) out[std::string(key)] = printable(value);
  }
}

Json gguf_facts(const std::string& path, const GgufModel& model) {
  Json out = {
      {"path", path}, {"version", model.version}, {"tensors", model.tensor_count}, {"parameters", model.parameters}};
  put(out, "architecture", model.architecture);
  put(out, "type", model.type);
  put(out, "name", model.name);
  put(out, "size_label", model.size_label);
  put(out, "license", model.license);
  if (!model.datasets.empty()) out["datasets"] = model.datasets;
  if (!model.base_models.empty()) out["base_models"] = model.base_models;
  put(out, "tokenizer", model.tokenizer);
  put(out, "quantisation", model.quantisation);
  put(out, "context_length", model.context_length);
  put(out, "embedding_length", model.embedding_length);
  put(out, "block_count", model.block_count);
  put(out, "head_count", model.head_count);
  put(out, "head_count_kv", model.head_count_kv);
  put(out, "pooling_type", model.pooling_type);
  put(out, "vocabulary", model.vocabulary);
  if (model.chat_template) {
    out["chat_template"] = {{"sha256", model.chat_template->hex()}, {"length", model.chat_template_length}};
  }
  if (model.split) {
    out["split"] = {{"no", model.split->number}, {"count", model.split->count}, {"tensors", model.split->tensors}};
  }
  return out;
}

/// One inspection under way.
class Session {
 public:
  Session(const Artifact& artifact, std::span<const int> descriptors)
      : m_artifact(artifact), m_descriptors(descriptors) {}

  Inspection run() {
    for (const auto& file : m_artifact.files) m_files.paths.push_back(file.path.text());
    each([this](const std::string& path, const ByteSource& file) {
      if (path.ends_with(".onnx")) read_external(path, file);
    });
    each([this](const std::string& path, const ByteSource& file) { look_into(path, file); });
    // Each file may pass as an empty text.
    const bool has_bytes = std::any_of(m_artifact.files.begin(), m_artifact.files.end(),
                                       [](const ArtifactFile& file) { return file.size > 0; });
    if (!has_bytes && !m_files.paths.empty() && m_out.findings.empty())
      add(ErrorCode::model_malformed, m_files.paths.front(), "nothing of the model has a byte");
    for (auto& finding : check_completeness(m_files)) m_out.findings.push_back(std::move(finding));
    for (auto& note : completeness_notes(m_files)) m_notes.insert(std::move(note));
    summarise();
    return std::move(m_out);
  }

 private:
  void each(const std::function<void(const std::string&, const ByteSource&)>& visit) {
    for (std::size_t i = 0; i < m_artifact.files.size(); ++i) {
      const auto& path = m_artifact.files[i].path.text();
      try {
        visit(path, FileBytes(m_descriptors[i]));
      } catch (const Error& error) {
        m_out.findings.push_back({error.code(), path, error.message()});
      }
    }
  }

  void read_external(const std::string& path, const ByteSource& file);
  void look_into(const std::string& path, const ByteSource& file);
  void look_into_gguf(const std::string& path, const ByteSource& file);
  void look_into_safetensors(const std::string& path, const ByteSource& file);
  void look_into_whisper(const std::string& path, const ByteSource& file);
  void look_into_json(const std::string& path, const ByteSource& file);
  void take_config(const Json& config);
  void look_into_card(const std::string& path, const ByteSource& file);
  void summarise();

  void add(ErrorCode code, const std::string& path, std::string message) {
    m_out.findings.push_back({code, path, std::move(message)});
  }

  const Artifact& m_artifact;
  std::span<const int> m_descriptors;
  ModelFiles m_files;
  std::set<std::string> m_external;
  std::set<std::string> m_notes;
  std::set<std::string> m_formats;
  Json m_onnx = Json::array();
  std::ptrdiff_t m_card_depth = std::numeric_limits<std::ptrdiff_t>::max();
  Inspection m_out;
};

void Session::read_external(const std::string& path, const ByteSource& file) {
  const auto model = read_onnx(file);
  const auto folder = path.substr(0, path.rfind('/') + 1);
  for (const auto& location : model.external) {
    const auto at = folder + location;
    m_external.insert(at);
    if (!std::binary_search(m_files.paths.begin(), m_files.paths.end(), at)) {
      add(ErrorCode::model_incomplete, at, fmt::format("{} takes weights from it and it is missing", name_of(path)));
    }
  }
  for (const auto& domain : model.domains) {
    m_notes.insert(fmt::format("{} uses operators of '{}', which need a runtime that has them", path, domain));
  }
  m_onnx.push_back({{"path", path},
                    {"ir_version", model.ir_version},
                    {"producer", model.producer},
                    {"external_files", model.external.size()}});
}

void Session::look_into(const std::string& path, const ByteSource& file) {
  if (m_external.contains(path)) return;  // raw numbers
  const auto content = recognise(path, file);
  switch (content.kind) {
    case ContentKind::gguf:
      look_into_gguf(path, file);
      break;
    case ContentKind::safetensors:
      look_into_safetensors(path, file);
      break;
    case ContentKind::safetensors_index:
      m_files.indexes.emplace(path, read_safetensors_index(file));
      return;
    case ContentKind::onnx:
      m_formats.insert("onnx");
      break;
    case ContentKind::whisper:
      look_into_whisper(path, file);
      break;
    case ContentKind::json:
      return look_into_json(path, file);
    case ContentKind::sentencepiece:
      check_sentencepiece(file);
      break;
    case ContentKind::unsafe:
      return add(ErrorCode::model_unsafe_format, path, content.reason);
    case ContentKind::unknown:
      return add(ErrorCode::model_unsupported, path, content.reason + ": it cannot be checked");
    case ContentKind::text:
      return look_into_card(path, file);
    case ContentKind::image:
      return;
  }
  if (ends_as_zip(file)) add(ErrorCode::model_unsafe_format, path, "it ends as a zip archive does: two files in one");
}

void Session::look_into_gguf(const std::string& path, const ByteSource& file) {
  m_formats.insert("gguf");
  try {
    auto model = read_gguf(file);
    if (!model.unsupported.empty()) add(ErrorCode::model_unsupported, path, model.unsupported);
    for (const auto& note : model.notes) m_notes.insert(path + ": " + note);
    m_files.gguf.emplace(path, std::move(model));
  } catch (const Error&) {
    // Its bytes may say what it really is.
    if (auto real = recognise("-", file); real.kind == ContentKind::unsafe)
      add(ErrorCode::model_unsafe_format, path, real.reason);
    throw;
  }
}

void Session::look_into_safetensors(const std::string& path, const ByteSource& file) {
  m_formats.insert("safetensors");
  try {
    auto model = read_safetensors(file);
    if (!model.unsupported.empty()) add(ErrorCode::model_unsupported, path, model.unsupported);
    m_files.safetensors.emplace(path, std::move(model));
  } catch (const Error&) {
    if (auto real = recognise("-", file); real.kind == ContentKind::unsafe)
      add(ErrorCode::model_unsafe_format, path, real.reason);
    throw;
  }
}

void Session::look_into_whisper(const std::string& path, const ByteSource& file) {
  m_formats.insert("whisper");
  const auto model = read_whisper(file);
  auto& facts = m_out.facts;
  facts["architecture"] = "whisper";
  facts["quantisation"] = model.quantisation;
  facts["parameters"] = model.parameters;
  facts["vocabulary"] = model.vocabulary;
  facts["whisper"].push_back({{"path", path},
                              {"multilingual", model.multilingual},
                              {"parameters", model.parameters},
                              {"tensors", model.tensor_count},
                              {"audio_context", model.audio_context},
                              {"audio_layers", model.audio_layers},
                              {"text_context", model.text_context},
                              {"text_layers", model.text_layers},
                              {"state", model.state},
                              {"mels", model.mels}});
}

void Session::look_into_json(const std::string& path, const ByteSource& file) {
  const auto name = name_of(path);
  const bool small = file.size() <= k_max_config;
  if (!small || (name != "config.json" && name != "tokenizer_config.json")) return check_json(file, name, k_json_depth);
  ForwardReader in(file, 0, file.size());
  const auto json = parse_json(in.text(file.size()), {.max_bytes = k_max_config, .max_depth = k_json_depth});
  if (!json.is_object()) return;
  if (name == "config.json") return take_config(json);
  const auto found = json.find("chat_template");
  if (found != json.end() && found->is_string()) {
    const auto text = found->get<std::string>();
    m_out.facts["chat_template"] = {{"sha256", sha256(text).hex()}, {"length", text.size()}};
  }
}

void Session::take_config(const Json& config) {
  const auto text = [&](const char* key, const char* as) {
    const auto found = config.find(key);
    if (found != config.end() && found->is_string())
      m_out.facts[as] = printable(found->get<std::string>().substr(0, 200));
  };
  const auto number = [&](const char* key, const char* as) {
    const auto found = config.find(key);
    if (found != config.end() && found->is_number_unsigned()) m_out.facts[as] = *found;
  };
  text("model_type", "architecture");
  text("torch_dtype", "quantisation");
  text("dtype", "quantisation");
  number("max_position_embeddings", "context_length");
  number("num_hidden_layers", "block_count");
  number("vocab_size", "vocabulary");
}

/// The card of the whole is the README.md that lies highest: sentence-transformers have others below.
void Session::look_into_card(const std::string& path, const ByteSource& file) {
  const auto depth = std::count(path.begin(), path.end(), '/');
  if (name_of(path) != "README.md" || depth >= m_card_depth) return;
  m_card_depth = depth;
  ForwardReader in(file, 0, file.size());
  const auto text = in.text(std::min<std::uint64_t>(file.size(), k_max_model_card));
  try {
    m_out.facts.erase("card");
    if (auto card = read_model_card(text); !card.empty()) m_out.facts["card"] = std::move(card);
  } catch (const Error& error) {
    m_notes.insert(
        fmt::format("{}: what the card says of licence and datasets is not read: {}", path, error.message()));
  }
}

void Session::summarise() {
  auto& facts = m_out.facts;
  for (const auto& [path, model] : m_files.gguf) {
    auto entry = gguf_facts(path, model);
    if (model.architecture == "clip" || model.type == "mmproj" ||
        to_string(entry["path"]).find("mmproj") != std::string::npos) {
      facts["mmproj"] = path;
      entry["type"] = "mmproj";
    } else if (!facts.contains("gguf_main") && !model.architecture.empty()) {
      facts["gguf_main"] = path;
      for (const auto* key : {"architecture", "name", "size_label", "quantisation", "context_length", "block_count",
                              "pooling_type", "vocabulary", "chat_template", "license", "datasets", "base_models"}) {
        if (entry.contains(key)) facts[key] = entry[key];
      }
    }
    facts["gguf"].push_back(std::move(entry));
  }
  std::uint64_t parameters = 0;
  for (const auto& [path, model] : m_files.gguf) {
    if (facts.value("mmproj", "") != path) parameters += model.parameters;
  }
  for (const auto& [path, model] : m_files.safetensors) {
    parameters += model.parameters;
    Json entry = {
        {"path", path}, {"tensors", model.tensor_count}, {"parameters", model.parameters}, {"dtypes", model.dtypes}};
    put(entry, "format", model.format);
    facts["safetensors"].push_back(std::move(entry));
  }
  if (parameters > 0) facts["parameters"] = parameters;
  if (!m_onnx.empty()) facts["onnx"] = std::move(m_onnx);
  facts["formats"] = m_formats;
  if (m_formats.empty() && m_out.findings.empty())
    m_notes.insert("there are no weights in a format that is known here");
  if (!m_notes.empty()) facts["notes"] = m_notes;
}

}  // namespace

std::span<const std::string_view> ModelInspector::kinds() const {
  return k_kinds;
}

Inspection ModelInspector::inspect(const Artifact& artifact, std::span<const int> files) const {
  return Session(artifact, files).run();
}

}  // namespace liftlock
