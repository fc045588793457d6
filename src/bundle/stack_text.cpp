// What is written from the KeySpecs: the template of liftlock.toml and the tables of docs/formats/stack.md.
#include <fmt/format.h>

#include "base/text.hpp"
#include "bundle/stack.hpp"

namespace liftlock {
namespace {

std::string_view toml_type(ValueType type) {
  switch (type) {
    case ValueType::string:
      return "string";
    case ValueType::strings:
      return "array of strings";
    case ValueType::boolean:
      return "boolean";
    case ValueType::string_map:
      return "table of strings";
  }
  return "";
}

/// '|' ends a cell of a table, also within code.
std::string cell(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') out += '\\';
    out += c;
  }
  return out;
}

std::string key_rows(std::span<const KeySpec> keys) {
  std::string out = "| key | type | required | meaning | example |\n|---|---|---|---|---|\n";
  for (const auto& key : keys) {
    out += fmt::format("| `{}` | {} | {} | {} | `{}` |\n", key.name, toml_type(key.type), key.required ? "yes" : "no",
                       cell(key.doc), cell(key.example));
  }
  return out;
}

/// "# " before each line of at most 116 bytes.
std::string commented(std::string_view text) {
  std::string out;
  std::string line;
  for (const auto word : split(text, ' ')) {
    if (!line.empty() && line.size() + 1 + word.size() > 116) {
      out += "# " + line + "\n";
      line.clear();
    }
    line += (line.empty() ? "" : " ") + std::string(word);
  }
  return out + "# " + line + "\n";
}

}  // namespace

std::string stack_template(std::string_view name, Collectors collectors) {
  std::string out = "# What should exist on the other side. `liftlock lock` resolves it, `liftlock fetch` gets it.\n\n";
  out += fmt::format("[stack]\nname = \"{}\"\n", name);
  for (const auto& key : stack_keys()) {
    if (!key.required) out += commented(key.doc) + fmt::format("# {} = {}\n", key.name, key.example);
  }
  for (const auto* collector : collectors) {
    out += fmt::format("\n# -- {}: ", collector->table());
    out += commented(collector->summary()).substr(2);
    out += fmt::format("#\n# [{}.NAME]\n", collector->table());
    for (const auto& key : collector->keys()) {
      out += commented(fmt::format("{}{}", key.doc, key.required ? " Required." : ""));
      out += fmt::format("# {} = {}\n", key.name, key.example);
    }
  }
  return out;
}

std::string stack_keys_markdown(Collectors collectors) {
  std::string out = fmt::format("### `[stack]`\n\n{}", key_rows(stack_keys()));
  for (const auto* collector : collectors) {
    out += fmt::format("\n### `[{}.NAME]`\n\nTakes {}.\n\n{}", collector->table(), collector->summary(),
                       key_rows(collector->keys()));
  }
  return out;
}

}  // namespace liftlock
