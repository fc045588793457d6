// Asks a model for the translation of a document, part by part, and lets no answer in that would break the document.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "os/file.hpp"
#include "translate/marks.hpp"
#include "translate/piece.hpp"

namespace liftlock::translate {

/// Words that must be translated in one way only: lines "TERM = TRANSLATION", '#' begins a comment.
using Glossary = std::vector<std::pair<std::string, std::string>>;
/// @throws Error{config_invalid} with the number of the line
Glossary parse_glossary(std::string_view text);

/// The name of a language by its ISO 639-1 code; what is no known code is a name already.
std::string language_name(std::string_view language);

struct Settings {
  std::string from;  ///< "de" or "German"; empty: the model sees for itself
  std::string to;
  Glossary glossary;
  /// What the model is told, for models that were trained on a certain form: {from}, {to}, {glossary} and {text} stand
  /// for themselves. Empty: k_template.
  std::string model_template;
  std::size_t part_bytes = 1200;  ///< sentences are asked for together up to that size
};

extern const std::string_view k_template;

/// The answer to one request, which is all of the user's message; nullopt: stopped.
using Ask = std::function<std::optional<std::string>(const std::string& request)>;

/// A part that stayed as it was, or that misses a term.
struct Remark {
  std::size_t piece = 0;
  std::string what;
};

struct Outcome {
  std::vector<std::string> texts;  ///< one for each piece
  std::vector<Remark> remarks;
  std::size_t asked = 0, reused = 0, kept = 0;  ///< parts
  bool stopped = false;
};

/// Parts that were translated before, in a file beside the output, so that a run that was interrupted goes on. Not
/// encrypted: it is as secret as the output.
class Journal {
 public:
  /// nullopt: no file. What was made with other settings or another model is dropped.
  /// @param key settings_key()
  Journal(std::optional<fs::path> file, const std::string& key);
  const std::string* find(const std::string& part) const;
  void add(const std::string& part, const std::string& translation);
  /// When the output is there.
  void remove();

 private:
  std::optional<fs::path> m_file;
  UniqueFd m_fd;
  std::map<std::string, std::string> m_known;
};

/// What all of it comes to: two runs with the same key ask the same.
/// @param request what every part is asked with: the model, to its bytes, and what else the answer depends on
std::string settings_key(const Settings& settings, const Json& request);

/// @param advance is told after each piece
Outcome translate(const std::vector<Piece>& pieces, Markup markup, const Settings& settings, const Ask& ask,
                  Journal& journal, const std::function<void()>& advance);

}  // namespace liftlock::translate
