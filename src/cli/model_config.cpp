#include "cli/model_config.hpp"

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/toml_document.hpp"

namespace liftlock {

std::vector<std::pair<std::string, fs::path>> model_paths(const fs::path& config) {
  const auto shown = printable(config.string());
  const auto refuse = [&](const std::string& why) {
    throw Error(ErrorCode::config_invalid, fmt::format("'{}' {}", shown, why),
                "name a model, or a .toml whose [models] table has keys such as llm_path = \"/models/chat.gguf\"");
  };
  const auto text = read_file(config, 1u << 20);
  toml::table document;
  try {
    document = parse_toml(text, ErrorCode::config_invalid);
  } catch (const Error& error) {
    refuse(fmt::format("is no TOML: {}", error.message()));
  }
  std::vector<std::pair<std::string, fs::path>> out;
  if (const auto* models = document["models"].as_table()) {
    for (const auto& [key, value] : *models) {
      const auto path = value.value<std::string>();
      if (!key.str().ends_with("_path") || !path || path->empty()) continue;
      out.emplace_back(printable(key.str()), fs::absolute(config).parent_path() / *path);
    }
  }
  if (out.empty()) refuse("names no model");
  return out;
}

}  // namespace liftlock
