#include "translate/translator.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "crypto/hash.hpp"

namespace liftlock::translate {
namespace {

constexpr std::uint64_t k_max_journal = 256u << 20;
constexpr std::size_t k_max_glossary = 10'000;

std::string replaced(std::string text, std::string_view what, std::string_view by) {
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size())) {
    text.replace(at, what.size(), by);
  }
  return text;
}

/// Of ASCII; other letters must be written as they are in the glossary.
bool contains(std::string_view text, std::string_view term) {
  return to_lower(text).find(to_lower(term)) != std::string::npos;
}

bool has_letters(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](unsigned char c) { return std::isalpha(c) != 0 || c >= 0x80; });
}

/// Without the marks: "⟦1⟧" alone is nothing to translate.
bool has_words(std::string_view text) {
  std::string bare(text);
  for (const std::string_view mark : {"⟦", "⟧"}) bare = replaced(bare, mark, "");
  return has_letters(bare);
}

Glossary terms_of(const Glossary& glossary, std::string_view text) {
  Glossary out;
  std::copy_if(glossary.begin(), glossary.end(), std::back_inserter(out),
               [&](const auto& term) { return contains(text, term.first); });
  return out;
}

std::string request_for(const Settings& settings, std::string_view text) {
  std::string terms;
  for (const auto& [term, translation] : terms_of(settings.glossary, text)) {
    terms += fmt::format("Translate \"{}\" as \"{}\". ", term, translation);
  }
  if (text.find("⟦") != std::string_view::npos) terms += "Keep each mark such as ⟦1⟧ as it is, where it belongs. ";
  auto request = settings.model_template.empty() ? std::string(k_template) : settings.model_template;
  request = replaced(request, "{from}", settings.from.empty() ? "its language" : language_name(settings.from));
  request = replaced(request, "{to}", language_name(settings.to));
  request = replaced(request, "{glossary}", terms);
  // Last, so that nothing in the text is taken for one of these.
  return replaced(request, "{text}", text);
}

/// One line, without what models like to put around an answer.
std::string bare_answer(std::string_view answer, std::string_view part) {
  auto text = trim(answer);
  for (const auto& [open, close] :
       {std::pair<std::string_view, std::string_view>{"\"", "\""}, {"“", "”"}, {"„", "“"}}) {
    const bool quoted = text.size() > open.size() + close.size() && text.starts_with(open) && text.ends_with(close);
    if (quoted && !part.starts_with(open))
      text = trim(text.substr(open.size(), text.size() - open.size() - close.size()));
  }
  std::string line;
  for (const auto& one : split(text, '\n')) {
    if (trim(one).empty()) continue;
    line += std::string(line.empty() ? "" : " ") + std::string(trim(one));
  }
  return line;
}

/// Sentences that follow one another, up to a size; with the blanks behind them.
std::vector<std::string_view> parts_of(std::string_view text, std::size_t size) {
  std::vector<std::string_view> out;
  for (const auto sentence : sentences(text)) {
    if (out.empty() || out.back().size() + sentence.size() > size) {
      out.push_back(sentence);
    } else {
      out.back() = {out.back().data(), out.back().size() + sentence.size()};
    }
  }
  return out;
}

class Run {
 public:
  Run(Markup markup, const Settings& settings, const Ask& ask, Journal& journal)
      : m_markup(markup), m_settings(settings), m_ask(ask), m_journal(journal) {}

  std::string piece(std::size_t number, const Piece& piece) {
    const auto marked = mark(piece.words, m_markup);
    std::string out;
    bool changed = false;
    for (const auto part : parts_of(marked.text, m_settings.part_bytes)) {
      const auto words = trim(part);
      std::optional<std::string> said;
      if (has_words(words)) said = translated(number, words, marked, piece.cell);
      if (outcome.stopped) return piece.text;
      changed = changed || said;
      // What is not translated is in the document as it was.
      out += said ? *said : *unmark(words, words, marked);
      out += part.substr(static_cast<std::size_t>(words.data() - part.data()) + words.size());
    }
    return changed ? out : piece.text;
  }

  Outcome outcome;

 private:
  std::optional<std::string> translated(std::size_t number, std::string_view words, const Marked& marked, bool cell) {
    if (const auto* before = m_journal.find(std::string(words))) {
      if (auto text = checked(*before, words, marked, cell)) {
        ++outcome.reused;
        return text;
      }
    }
    const auto request = request_for(m_settings, words);
    for (int attempt = 1; attempt <= 2; ++attempt) {
      const auto answer = m_ask(request);
      if (!answer) {
        outcome.stopped = true;
        return std::nullopt;
      }
      const auto line = bare_answer(*answer, words);
      auto text = checked(line, words, marked, cell);
      if (!text) continue;
      ++outcome.asked;
      m_journal.add(std::string(words), line);
      for (const auto& [term, translation] : terms_of(m_settings.glossary, words)) {
        if (contains(*text, translation)) continue;
        outcome.remarks.push_back({number, fmt::format("\"{}\" is not translated as \"{}\"", term, translation)});
      }
      return text;
    }
    ++outcome.kept;
    outcome.remarks.push_back({number, "not translated: the model's answer was empty, endless or lost a mark"});
    return std::nullopt;
  }

  /// nullopt: it would break the document, or cannot be a translation.
  std::optional<std::string> checked(const std::string& line, std::string_view words, const Marked& marked,
                                     bool cell) const {
    if (!has_letters(line) || line.size() > 8 * words.size() + 200) return std::nullopt;
    auto text = unmark(line, words, marked);
    if (text && loses_emphasis(*text, *unmark(words, words, marked))) return std::nullopt;
    if (text && cell && text->find('|') != std::string::npos && words.find('|') == std::string_view::npos) {
      text = replaced(*text, "|", "\\|");
    }
    return text;
  }

  /// Its marks may all be there: around nothing, or where no renderer takes them for emphasis.
  bool loses_emphasis(std::string_view text, std::string_view source) const {
    if (m_markup == Markup::none) return false;
    const auto before = emphases(source);
    return !before.empty() && emphases(text) != before;
  }

  Markup m_markup;
  const Settings& m_settings;
  const Ask& m_ask;
  Journal& m_journal;
};

}  // namespace

const std::string_view k_template =
    "Translate the following text from {from} to {to}. {glossary}Answer with the translation only.\n\n{text}";

std::string language_name(std::string_view language) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 36> k_names = {
      {{"ar", "Arabic"},     {"bg", "Bulgarian"},  {"cs", "Czech"},   {"da", "Danish"},    {"de", "German"},
       {"el", "Greek"},      {"en", "English"},    {"es", "Spanish"}, {"et", "Estonian"},  {"fa", "Persian"},
       {"fi", "Finnish"},    {"fr", "French"},     {"he", "Hebrew"},  {"hi", "Hindi"},     {"hr", "Croatian"},
       {"hu", "Hungarian"},  {"id", "Indonesian"}, {"it", "Italian"}, {"ja", "Japanese"},  {"ko", "Korean"},
       {"lt", "Lithuanian"}, {"lv", "Latvian"},    {"nl", "Dutch"},   {"no", "Norwegian"}, {"pl", "Polish"},
       {"pt", "Portuguese"}, {"ro", "Romanian"},   {"ru", "Russian"}, {"sk", "Slovak"},    {"sl", "Slovenian"},
       {"sv", "Swedish"},    {"th", "Thai"},       {"tr", "Turkish"}, {"uk", "Ukrainian"}, {"vi", "Vietnamese"},
       {"zh", "Chinese"}}};
  const auto code = to_lower(language);
  const auto* found =
      std::find_if(k_names.begin(), k_names.end(), [&](const auto& known) { return known.first == code; });
  return std::string(found == k_names.end() ? language : found->second);
}

Glossary parse_glossary(std::string_view text) {
  if (!is_utf8(text)) fail(ErrorCode::config_invalid, "the glossary is not UTF-8");
  Glossary out;
  std::size_t number = 0;
  for (const auto whole : split(text, '\n')) {
    ++number;
    const auto line = trim(whole);
    if (line.empty() || line.starts_with('#')) continue;
    const auto sign = line.find('=');
    const auto term = trim(line.substr(0, sign));
    const auto translation = sign == std::string_view::npos ? std::string_view() : trim(line.substr(sign + 1));
    if (term.empty() || translation.empty()) {
      throw Error(ErrorCode::config_invalid,
                  fmt::format("line {} of the glossary is no term and its translation", number),
                  "write each line as TERM = TRANSLATION");
    }
    if (out.size() == k_max_glossary)
      fail(ErrorCode::config_invalid, "a glossary has at most {} terms", k_max_glossary);
    out.emplace_back(term, translation);
  }
  return out;
}

std::string settings_key(const Settings& settings, const Json& request) {
  Json terms = Json::array();
  for (const auto& [term, translation] : settings.glossary) terms.push_back({term, translation});
  return sha256(dump_json_line({{"request", request},
                                {"from", settings.from},
                                {"to", settings.to},
                                {"template", settings.model_template},
                                {"glossary", terms}}))
      .text();
}

Journal::Journal(std::optional<fs::path> file, const std::string& key) : m_file(std::move(file)) {
  if (!m_file) return;
  std::string begin = dump_json_line({{"translation", key}}) + "\n";
  bool same = false;
  std::size_t size = 0;
  if (const auto before = open_file_if_exists(*m_file, O_RDONLY)) {
    const auto text = read_all(before->get(), k_max_journal, m_file->string());
    same = text.starts_with(begin);
    // The last line may have been cut off.
    const auto whole = std::string_view(text).substr(0, text.rfind('\n') + 1);
    size = same ? whole.size() : 0;
    for (const auto line : split(whole.substr(same ? begin.size() : whole.size()), '\n')) {
      if (line.empty()) continue;
      const auto entry = parse_json(line);
      m_known[string_member(entry, "part", "the journal")] = string_member(entry, "is", "the journal");
    }
  }
  m_fd = UniqueFd(::open(m_file->c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!m_fd.valid() || ::ftruncate(m_fd.get(), static_cast<off_t>(size)) != 0) fail_errno(m_file->string());
  if (!same) write_all(m_fd.get(), begin, m_file->string());
}

const std::string* Journal::find(const std::string& part) const {
  const auto found = m_known.find(part);
  return found == m_known.end() ? nullptr : &found->second;
}

void Journal::add(const std::string& part, const std::string& translation) {
  m_known[part] = translation;
  if (m_file) write_all(m_fd.get(), dump_json_line({{"part", part}, {"is", translation}}) + "\n", m_file->string());
}

void Journal::remove() {
  if (m_file) fs::remove(*m_file);
}

Outcome translate(const std::vector<Piece>& pieces, Markup markup, const Settings& settings, const Ask& ask,
                  Journal& journal, const std::function<void()>& advance) {
  Run run(markup, settings, ask, journal);
  for (std::size_t i = 0; i < pieces.size() && !run.outcome.stopped; ++i) {
    run.outcome.texts.push_back(pieces[i].words.empty() ? pieces[i].text : run.piece(i, pieces[i]));
    advance();
  }
  return std::move(run.outcome);
}

}  // namespace liftlock::translate
