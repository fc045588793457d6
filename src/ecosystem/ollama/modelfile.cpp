#include "ecosystem/ollama/modelfile.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"

namespace liftlock::ollama {
namespace {

constexpr std::size_t k_max_instructions = 10'000;
constexpr std::size_t k_max_lines_of_files = 16;  ///< of FROM and of ADAPTER: each may name every file
constexpr std::string_view k_bom = "\xef\xbb\xbf";

constexpr std::array<std::string_view, 11> k_instructions = {"from",    "parameter", "template", "system",
                                                             "license", "adapter",   "message",  "renderer",
                                                             "parser",  "requires",  "draft"};
constexpr std::array<std::string_view, 3> k_roles = {"system", "user", "assistant"};

enum class ParamType : std::uint8_t { whole, number, flag, texts };
struct Param {
  std::string_view name;
  ParamType type;
};
/// Those of api/types.go; what Ollama itself passes over as deprecated is not among them.
constexpr std::array k_params = {Param{"num_ctx", ParamType::whole},
                                 Param{"num_predict", ParamType::whole},
                                 Param{"num_keep", ParamType::whole},
                                 Param{"num_batch", ParamType::whole},
                                 Param{"num_gpu", ParamType::whole},
                                 Param{"main_gpu", ParamType::whole},
                                 Param{"num_thread", ParamType::whole},
                                 Param{"seed", ParamType::whole},
                                 Param{"top_k", ParamType::whole},
                                 Param{"repeat_last_n", ParamType::whole},
                                 Param{"top_p", ParamType::number},
                                 Param{"min_p", ParamType::number},
                                 Param{"typical_p", ParamType::number},
                                 Param{"temperature", ParamType::number},
                                 Param{"repeat_penalty", ParamType::number},
                                 Param{"presence_penalty", ParamType::number},
                                 Param{"frequency_penalty", ParamType::number},
                                 Param{"use_mmap", ParamType::flag},
                                 Param{"stop", ParamType::texts}};

bool is_space(char c) {
  return c == ' ' || c == '\t';
}
bool is_newline(char c) {
  return c == '\n' || c == '\r';
}
bool is_alpha(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

/// Without its quotes; nullopt: they do not end here.
std::optional<std::string_view> unquoted(std::string_view text) {
  for (const std::string_view quote : {"\"\"\"", "\""}) {
    if (!text.starts_with(quote)) continue;
    if (text.size() < 2 * quote.size() || !text.ends_with(quote)) return std::nullopt;
    return text.substr(quote.size(), text.size() - 2 * quote.size());
  }
  return text;
}

template <typename T>
std::optional<T> number(std::string_view text) {
  T value{};
  if (text.starts_with('+')) text.remove_prefix(1);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// nullopt: it is no value of that type.
std::optional<Json> value_of(ParamType type, const std::string& text) {
  switch (type) {
    case ParamType::whole:
      if (const auto value = number<std::int64_t>(text)) return Json(*value);
      return std::nullopt;
    case ParamType::number:
      if (const auto value = number<double>(text); value && std::isfinite(*value)) return Json(*value);
      return std::nullopt;
    case ParamType::flag:
      if (text == "true" || text == "1") return Json(true);
      if (text == "false" || text == "0") return Json(false);
      return std::nullopt;
    case ParamType::texts:
      return Json(text);
  }
  return std::nullopt;
}

class Reader {
 public:
  explicit Reader(std::string_view text) : m_text(text) {
    if (m_text.starts_with(k_bom)) m_text.remove_prefix(k_bom.size());
  }

  Modelfile run() {
    while (skip_to_instruction()) instruction();
    if (m_out.from.empty()) fail(ErrorCode::model_malformed, "it has no FROM");
    return std::move(m_out);
  }

 private:
  [[noreturn]] void malformed(std::string_view why) const {
    fail(ErrorCode::model_malformed, "line {}: {}", m_line, why);
  }
  bool at_end() const { return m_at == m_text.size(); }
  char here() const { return m_text[m_at]; }
  void step() {
    if (here() == '\n') ++m_line;
    ++m_at;
  }
  void skip_spaces() {
    while (!at_end() && is_space(here())) step();
  }

  /// Over blank lines and comments. false: there is no more.
  bool skip_to_instruction() {
    while (!at_end()) {
      if (here() == '#') {
        while (!at_end() && !is_newline(here())) step();
      } else if (is_space(here()) || is_newline(here())) {
        step();
      } else {
        return true;
      }
    }
    return false;
  }

  /// A word that a blank follows.
  std::string_view word(std::string_view what, bool (*is_of_word)(char)) {
    skip_spaces();
    const auto begin = m_at;
    while (!at_end() && is_of_word(here())) step();
    const auto out = m_text.substr(begin, m_at - begin);
    if (out.empty() || at_end() || !is_space(here()))
      malformed(fmt::format("'{}' is no {} with a value", printable(m_text.substr(begin, 40)), what));
    return out;
  }

  /// To the end of the line; of a quoted one to the line on which the quotes end.
  std::string value() {
    skip_spaces();
    std::string text;
    std::size_t end = 0;  // of the text without blanks behind it
    const auto first_line = m_line;
    while (true) {
      if (at_end() || is_newline(here())) {
        if (const auto done = unquoted(std::string_view(text).substr(0, end))) return std::string(*done);
        if (at_end()) fail(ErrorCode::model_malformed, "line {}: the quotes that begin there do not end", first_line);
      }
      const char c = here();
      step();
      if (is_control(c) && !is_space(c) && !is_newline(c)) continue;
      text += c;
      if (!is_space(c) && !is_newline(c)) end = text.size();
    }
  }

  void instruction() {
    if (++m_count > k_max_instructions)
      fail(ErrorCode::limit_exceeded, "it has more than {} instructions", k_max_instructions);
    const auto line = m_line;
    const auto name = to_lower(word("instruction", is_alpha));
    if (std::find(k_instructions.begin(), k_instructions.end(), name) == k_instructions.end())
      malformed(fmt::format("'{}' is no instruction of a Modelfile", printable(name)));
    if (name == "parameter") return parameter(line);
    if (name == "message") return message();
    take(name, value(), line);
  }

  void take(std::string_view name, std::string text, std::size_t line) {
    if (name == "from") take_files("FROM", m_out.from, std::move(text));
    if (name == "adapter") take_files("ADAPTER", m_out.adapters, std::move(text));
    if (name == "template") m_out.chat_template = std::move(text);
    if (name == "system") m_out.system = std::move(text);
    if (name == "license") m_out.licenses.push_back(std::move(text));
    if (name == "renderer") m_out.renderer = std::move(text);
    if (name == "parser") m_out.parser = std::move(text);
    if (name == "requires") m_out.needs_version = std::move(text);
    if (name == "draft") m_out.left_out.push_back(fmt::format("line {}: DRAFT is not known here", line));
  }

  static void take_files(std::string_view instruction, std::vector<std::string>& words, std::string text) {
    if (words.size() == k_max_lines_of_files)
      fail(ErrorCode::limit_exceeded, "it has more than {} lines of {}; name a folder instead of each file",
           k_max_lines_of_files, instruction);
    words.push_back(std::move(text));
  }

  void parameter(std::size_t line) {
    const std::string name(word("parameter", [](char c) { return is_alpha(c) || c == '_' || (c >= '0' && c <= '9'); }));
    const auto text = value();
    const auto known =
        std::find_if(k_params.begin(), k_params.end(), [&](const auto& one) { return one.name == name; });
    if (known == k_params.end()) {
      m_out.left_out.push_back(fmt::format("line {}: the parameter {} is not known here", line, printable(name)));
      return;
    }
    auto parsed = value_of(known->type, text);
    if (!parsed) {
      m_out.left_out.push_back(
          fmt::format("line {}: '{}' is no value of {}", line, printable(text.substr(0, 40)), name));
    } else if (known->type == ParamType::texts) {
      m_out.params[name].push_back(std::move(*parsed));
    } else {
      m_out.params[name] = std::move(*parsed);
    }
  }

  void message() {
    const std::string role(word("role", is_alpha));
    if (std::find(k_roles.begin(), k_roles.end(), role) == k_roles.end())
      malformed(fmt::format("'{}' is no role of a message", printable(role)));
    m_out.messages.emplace_back(role, value());
  }

  std::string_view m_text;
  std::size_t m_at = 0;
  std::size_t m_line = 1;
  std::size_t m_count = 0;
  Modelfile m_out;
};

bool is_gguf(std::string_view path) {
  return to_lower(path).ends_with(".gguf");
}

/// The paths that a word of the Modelfile means. Whoever wrote it may have had the files elsewhere: then the name
/// counts.
std::vector<std::string> named(std::string_view word, std::span<const std::string> paths) {
  const bool everything = word == "." || word == "./";
  while (word.starts_with("./")) word.remove_prefix(2);
  while (word.ends_with('/')) word.remove_suffix(1);
  if (word.empty() && !everything) return {};
  const auto name = word.substr(word.rfind('/') + 1);
  std::vector<std::string> out;
  for (const auto& path : paths) {
    if (!is_gguf(path)) continue;
    if (path == word) return {path};
    const bool below = path.size() > word.size() && path.starts_with(word) && path[word.size()] == '/';
    if (everything || below || path == name) out.push_back(path);
  }
  return out;
}

}  // namespace

bool is_modelfile(std::string_view path) {
  return to_lower(path) == "modelfile";
}

Modelfile parse_modelfile(std::string_view text) {
  if (text.size() > k_max_modelfile)
    fail(ErrorCode::limit_exceeded, "it has {}; at most {} are read", format_size(text.size()),
         format_size(k_max_modelfile));
  if (!is_utf8(text)) fail(ErrorCode::model_malformed, "it is no text in UTF-8");
  return Reader(text).run();
}

bool is_projector_name(std::string_view path) {
  return path.find("mmproj") != std::string_view::npos;
}

ModelfileUse use_of(const Modelfile& modelfile, std::span<const std::string> paths) {
  ModelfileUse out;
  for (const auto& word : modelfile.from) {
    auto found = named(word, paths);
    if (found.empty())
      out.notes.push_back(fmt::format("FROM {} names no GGUF beside it", printable(word.substr(0, 200))));
    out.weights.insert(found.begin(), found.end());
  }
  out.applies = !out.weights.empty();
  if (!out.applies) {
    out.notes.back() += ", so nothing of it is used";
    return out;
  }
  for (const auto& word : modelfile.adapters) {
    auto found = named(word, paths);
    if (found.empty())
      out.notes.push_back(fmt::format("ADAPTER {} names no GGUF beside it: Ollama gets the model without it",
                                      printable(word.substr(0, 200))));
    out.adapters.insert(found.begin(), found.end());
  }
  if (std::all_of(out.weights.begin(), out.weights.end(),
                  [&](const auto& path) { return is_projector_name(path) || out.adapters.contains(path); })) {
    out.weights.clear();
    out.adapters.clear();
    out.notes.emplace_back(
        "FROM and ADAPTER leave no weights: the files are chosen as if neither line stood there, the rest is used");
  }
  out.notes.insert(out.notes.end(), modelfile.left_out.begin(), modelfile.left_out.end());
  return out;
}

std::string words_of(const Modelfile& modelfile) {
  std::vector<std::string> out;
  if (modelfile.chat_template) out.emplace_back("template");
  if (modelfile.system) out.emplace_back("system prompt");
  if (!modelfile.params.empty()) out.push_back(counted(modelfile.params.size(), "parameter"));
  if (!modelfile.messages.empty()) out.push_back(counted(modelfile.messages.size(), "message"));
  if (!modelfile.licenses.empty()) out.push_back(counted(modelfile.licenses.size(), "licence"));
  if (!modelfile.adapters.empty()) out.push_back(counted(modelfile.adapters.size(), "adapter"));
  return fmt::format("{}", fmt::join(out, ", "));
}

ModelfileReport report_on_modelfile(std::string_view text, std::span<const std::string> paths) {
  ModelfileReport out;
  try {
    const auto modelfile = parse_modelfile(text);
    const auto use = use_of(modelfile, paths);
    for (const auto& note : use.notes) out.notes.push_back("Modelfile: " + note);
    if (use.applies) out.brings = words_of(modelfile);
  } catch (const Error& error) {
    out.notes.push_back(fmt::format("Modelfile is not used: {}", error.message()));
  }
  return out;
}

}  // namespace liftlock::ollama
