#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "cli/answer_options.hpp"
#include "cli/commands.hpp"
#include "cli/model_session.hpp"
#include "cli/output_file.hpp"
#include "os/file.hpp"
#include "translate/translator.hpp"

namespace liftlock {
namespace {

constexpr std::uint64_t k_max_document = 64u << 20;
constexpr std::uint64_t k_max_settings_file = 4u << 20;
constexpr std::size_t k_max_remarks = 20;
constexpr int k_interrupted = 130;

struct Options {
  AnswerOptions answer;
  translate::Settings settings;
  std::string input, output, format, glossary, model_template;
};

/// "md" and "txt", by the name or as it is said.
translate::Markup markup_of(const Options& options) {
  const auto extension = to_lower(fs::path(options.input).extension().string());
  const auto format = !options.format.empty()                          ? options.format
                      : extension == ".md" || extension == ".markdown" ? "md"
                                                                       : "txt";
  return format == "md" ? translate::Markup::markdown : translate::Markup::none;
}

std::string document_of(const Options& options) {
  const bool standard_input = options.input == "-";
  auto text = standard_input ? read_standard_input(k_max_document) : read_file(options.input, k_max_document);
  if (!is_utf8(text) || text.find('\0') != std::string::npos) {
    throw Error(ErrorCode::usage, fmt::format("{} is no text in UTF-8", printable(options.input)),
                "convert it first: iconv");
  }
  return text;
}

/// Where a piece begins in the document.
std::size_t line_of(const std::vector<translate::Piece>& pieces, std::size_t piece) {
  std::ptrdiff_t line = 1;
  for (std::size_t i = 0; i < piece; ++i) line += std::count(pieces[i].text.begin(), pieces[i].text.end(), '\n');
  return static_cast<std::size_t>(line);
}

void tell_remarks(Invocation& invocation, const std::vector<translate::Piece>& pieces,
                  const translate::Outcome& outcome) {
  std::size_t told = 0;
  for (const auto& remark : outcome.remarks) {
    if (told++ == k_max_remarks) break;
    invocation.reporter().warn(fmt::format("line {}: {}", line_of(pieces, remark.piece), printable(remark.what)));
  }
  if (outcome.remarks.size() > k_max_remarks) {
    invocation.reporter().warn(fmt::format("and {} more", outcome.remarks.size() - k_max_remarks));
  }
}

void run(Invocation& invocation, Options options) {
  if (is_standard_output(options.output)) options.output.clear();
  const auto text = document_of(options);
  if (!options.glossary.empty()) {
    options.settings.glossary = translate::parse_glossary(read_file(options.glossary, k_max_settings_file));
  }
  if (!options.model_template.empty()) {
    options.settings.model_template = read_file(options.model_template, k_max_settings_file);
    if (options.settings.model_template.find("{text}") == std::string::npos) {
      fail(ErrorCode::usage, "{} has no {{text}}", printable(options.model_template));
    }
  }
  if (invocation.json() && options.output.empty())
    fail(ErrorCode::usage, "--json tells of a translation that goes to --output");
  const auto markup = markup_of(options);
  const auto pieces =
      markup == translate::Markup::markdown ? translate::cut_markdown(text) : translate::cut_plain_text(text);

  auto session = open_model_session(invocation, options.answer.model, "translate");
  const auto ask = [&](const std::string& request) -> std::optional<std::string> {
    auto messages = first_messages(options.answer);
    messages.push_back({{"role", "user"}, {"content", request}});
    auto said = session.ask(chat_request(options.answer, messages), [](std::string_view) {});
    if (said.stopped) return std::nullopt;
    // An answer that was cut off is none.
    return said.finish == "length" ? std::string() : std::move(said.text);
  };
  std::optional<fs::path> partial;
  if (!options.output.empty()) partial = options.output + ".partial";
  auto asked_with = chat_request(options.answer, first_messages(options.answer));
  asked_with["model"] = session.resolved();
  translate::Journal journal(partial, translate::settings_key(options.settings, asked_with));
  translate::Outcome outcome;
  {
    ProgressTask task(invocation.reporter(), "translating", Unit::items, pieces.size());
    outcome = translate::translate(pieces, markup, options.settings, ask, journal, [&] { task.advance(1); });
  }
  if (outcome.stopped) {
    if (partial) invocation.reporter().note("interrupted: the same command goes on from here");
    return invocation.set_status(k_interrupted);
  }
  std::string translation;
  for (const auto& piece : outcome.texts) translation += piece;
  if (options.output.empty()) {
    print_words(translation);
  } else {
    write_file_atomically(options.output, translation, 0600);
    journal.remove();
  }
  tell_remarks(invocation, pieces, outcome);
  if (options.output.empty()) return;
  invocation.print({{"output", options.output},
                    {"parts", outcome.asked + outcome.reused + outcome.kept},
                    {"reused", outcome.reused},
                    {"kept", outcome.kept},
                    {"remarks", outcome.remarks.size()}},
                   [&] {
                     return fmt::format("wrote {}: {} parts, {} of them from the run before, {} not translated",
                                        options.output, outcome.asked + outcome.reused + outcome.kept, outcome.reused,
                                        outcome.kept);
                   });
}

}  // namespace

void add_translate(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("translate", "Translate a text file or Markdown with a model");
  auto options = std::make_shared<Options>();
  add_answer_options(*command, options->answer);
  command->add_option("FILE", options->input, "Text or Markdown in UTF-8; - is standard input")->required();
  command->add_option("--to", options->settings.to, "Language: de, German, …")->required();
  command->add_option("--from", options->settings.from, "Language of the text; without it the model sees for itself");
  command->add_option("--output,-o", options->output, "File to write; without it, or with -: standard output");
  command->add_option("--format", options->format, "txt or md; without it: by the name of the file")
      ->check(CLI::IsMember({"txt", "md"}));
  command->add_option("--glossary", options->glossary, "File of lines TERM = TRANSLATION");
  command->add_option("--template", options->model_template,
                      "File with the request that the model was trained on: {from}, {to}, {glossary}, {text}");
  command->footer(
      "Code, addresses, links, emphasis, tables and marks of lines stay as they are. An answer that would break them\n"
      "is asked for again, and then left out; the lines are named. With --output a run that is interrupted goes on\n"
      "from where it was.\n"
      "How good it is depends on the model. Every request goes on record, as with `ask`.\n"
      "Example: liftlock translate MODEL report.md --from en --to de --glossary terms.txt --output bericht.md");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
