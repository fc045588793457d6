#include "quiet/switch_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.hpp"
#include "quiet/switches.hpp"

namespace liftlock::quiet {
namespace {

constexpr std::array<std::pair<std::string_view, EnvironmentForm>, 6> k_forms = {
    {{"shell", EnvironmentForm::shell},
     {"systemd", EnvironmentForm::systemd},
     {"dockerfile", EnvironmentForm::dockerfile},
     {"compose", EnvironmentForm::compose},
     {"env-file", EnvironmentForm::env_file},
     {"containers", EnvironmentForm::containers}}};

/// In single quotes; a quote inside ends them for a moment.
std::string shell_word(std::string_view value) {
  std::string out = "'";
  for (const char c : value) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

constexpr std::string_view k_special = "\"\\", k_special_with_dollar = "\"\\$";

/// In double quotes, with what is special there escaped: C-like escapes are common to systemd, Dockerfiles and YAML.
std::string double_quoted(std::string_view value, std::string_view special) {
  std::string out = "\"";
  for (const char c : value) {
    if (special.find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out + "\"";
}

bool is_plain(std::string_view value) {
  return !value.empty() && std::all_of(value.begin(), value.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("_-./:").find(c) != std::string_view::npos;
  });
}

std::string code(std::string_view text) {
  return text.empty() ? std::string() : fmt::format("`{}`", text);
}

std::string values_text(const Switch& one) {
  if (one.match == Match::exact) return code(one.value);
  if (one.match == Match::any_text) return fmt::format("{}, or any text", code(one.value));
  std::string words(one.accepted);
  for (std::size_t at = 0; (at = words.find('|', at)) != std::string::npos; at += 2) words.replace(at, 1, ", ");
  return fmt::format("{} (accepted: {}, in any case)", code(one.value), words);
}

std::string other_way(const Switch& one) {
  std::string out;
  if (one.file.form != FileForm::none) {
    out = fmt::format("`~/{}`: `{}` is `{}`", one.file.path, one.file.key, one.file.value);
  }
  if (!one.mirror_variable.empty()) {
    out += fmt::format("{}`{}` is an address of the local mirror", out.empty() ? "" : "; or ", one.mirror_variable);
    std::string further;
    for (const auto name : split(one.further_variables, '|')) {
      if (!name.empty()) further += fmt::format("{}`{}`", further.empty() ? "" : ", ", name);
    }
    if (!further.empty()) out += fmt::format(" (and {} name no other place)", further);
  }
  return out;
}

}  // namespace

std::optional<EnvironmentForm> parse_form(std::string_view name) {
  for (const auto& [known, form] : k_forms) {
    if (known == name) return form;
  }
  return std::nullopt;
}

std::string_view form_names() {
  return "shell, systemd, dockerfile, compose, env-file, containers";
}

std::string environment_text(const std::map<std::string, std::string>& variables, EnvironmentForm form) {
  std::string out;
  switch (form) {
    case EnvironmentForm::shell:
      for (const auto& [name, value] : variables) out += fmt::format("export {}={}\n", name, shell_word(value));
      return out;
    case EnvironmentForm::systemd:
      for (const auto& [name, value] : variables) {
        out += fmt::format("{}={}\n", name, is_plain(value) ? value : double_quoted(value, k_special));
      }
      return out;
    case EnvironmentForm::dockerfile:
      for (const auto& [name, value] : variables) {
        out += fmt::format("{}{}={}", out.empty() ? "ENV " : " \\\n    ", name,
                           is_plain(value) ? value : double_quoted(value, k_special_with_dollar));
      }
      return out.empty() ? out : out + "\n";
    case EnvironmentForm::compose:
      // Quoted: YAML would make a boolean of true, and compose refuses booleans; $ begins a variable there.
      out = "environment:\n";
      for (const auto& [name, value] : variables) {
        std::string doubled;
        for (const char c : value) doubled += c == '$' ? std::string("$$") : std::string(1, c);
        out += fmt::format("  {}: {}\n", name, double_quoted(doubled, k_special));
      }
      return out;
    case EnvironmentForm::env_file:
      for (const auto& [name, value] : variables) out += fmt::format("{}={}\n", name, value);
      return out;
    case EnvironmentForm::containers:
      out = "[containers]\nenv = [\n";
      for (const auto& [name, value] : variables)
        out += fmt::format("  {},\n", double_quoted(fmt::format("{}={}", name, value), k_special));
      return out + "]\n";
  }
  return out;
}

std::string table_document() {
  std::string out = fmt::format(
      R"(# The switches for telemetry, updates and downloads

`src/quiet/switches.cpp` is the table, and this page is made from it: `liftlock render telemetry --form document` writes
it, and a test compares. Table version {}, {} switches. What it says is what the file or page of the project in the last
column said when the line was written; a switch that no reader was found for is not in it.

A switch is in force when the variable has one of the values that its program accepts, or when the other way holds.
`liftlock health telemetry` judges that from the environment of a process and from the files of its user. A program that
ignores its own switch is not stopped by it: `liftlock offline` and the sandbox of engines are what does that.

)",
      k_table_version, all_switches().size());
  out +=
      "| program | variable | value | kind | what it stops | another way | source |\n|---|---|---|---|---|---|---|\n";
  for (const auto& one : all_switches()) {
    out += fmt::format("| {} | {} | {} | {} | {} | {} | {} |\n", one.program, code(one.variable), values_text(one),
                       name_of(one.purpose), one.stops, other_way(one), one.source);
  }
  out += R"(
Not in the table, on purpose:

- Chainlit removed its telemetry in 2.6.1 (its CHANGELOG); for crawl4ai no reader of a variable was found in its tree.
- `PYTHONDONTWRITEBYTECODE` has nothing to do with networks.
- `OLLAMA_NOPRUNE` protects blobs, and `OLLAMA_SKIP_TELEMETRY` is read by nothing in Ollama's source.
- Milvus and pymilvus: no variable was found. `LITELLM_DISABLE_TELEMETRY` and `PADDLE_PDX_DISABLE_MODEL_SOURCE_CHECK`:
  seen in programs of others only, not where they would be read.
- Variables that say where something lies (`TIKTOKEN_CACHE_DIR`, `NLTK_DATA`, `DOCLING_ARTIFACTS_PATH`) depend on the
  site.
- `DO_NOT_TRACK` is `1`, which vLLM demands; Langflow takes only `true` there, and has a switch of its own.

## What `liftlock --json health telemetry` writes

`table_version`, `good`, `verified` and `total`, and `processes`: for each `pid`, `program`, `verified`, and `switches`
with `program`, `variable`, `wanted`, `in_force`, `how` (`variable`, `file`, `mirror` or `none`) and `found`, the
value that stands there instead.
)";
  return out;
}

}  // namespace liftlock::quiet
