#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "cli/cmd_audit.hpp"
#include "cli/record_view.hpp"
#include "cli/recorded_effect.hpp"
#include "record/answer_parts.hpp"
#include "record/retention.hpp"
#include "record/text_search.hpp"

namespace liftlock {
namespace {

constexpr std::size_t k_shortest = 12;  ///< bytes; less stands in too many records by chance

/// A text, or all texts of a list of them or of content parts: what people wrote into `content`, `input` or `prompt`.
void add_texts(const Json& content, std::vector<std::string>& out) {
  if (content.is_string()) out.push_back(content.get<std::string>());
  if (content.is_object() && content.contains("text")) add_texts(content.at("text"), out);
  if (!content.is_array()) return;
  for (const auto& part : content) add_texts(part, out);
}

/// The last question of a record, and its answer: what later prompts carry along when a talk goes on. Of a recording
/// its digest: the same may have been sent again.
std::vector<std::string> texts_of(const Record& record) {
  std::vector<std::string> out;
  // Vectors, orders and counts: others have the same, and what they are of is in the prompt.
  const bool has_words = !answers_in_numbers(record.head.endpoint);
  for (auto& part : has_words ? answer_parts(record.answer) : std::vector<AnswerPart>()) {
    // What engines add to many answers alike is nothing that was said.
    if (part.name != k_other_part) out.push_back(std::move(part.text));
  }
  const auto prompt = parse_json(record.prompt, {.max_bytes = 64u << 20, .max_depth = 64});
  const auto messages = prompt.find("messages");
  if (messages != prompt.end() && messages->is_array() && !messages->empty()) {
    add_texts(messages->back().value("content", Json()), out);
  }
  for (const auto* key : {"prompt", "input", "query", "documents"}) add_texts(prompt.value(key, Json()), out);
  if (const auto heard = prompt.find("recording"); heard != prompt.end() && heard->is_object())
    add_texts(heard->value("sha256", Json()), out);
  std::erase_if(out, [](const auto& text) { return text.size() < k_shortest; });
  return out;
}

std::vector<std::string> texts_to_find(const RecordReader& reader, const std::string& given) {
  if (!is_record_id(given)) return {text_or_stdin(given)};
  auto texts = texts_of(reader.read(given));
  if (texts.empty()) {
    fail(ErrorCode::usage, "question and answer of {} are shorter than {} bytes: they stand anywhere by chance", given,
         k_shortest);
  }
  return texts;
}

bool file_holds(const fs::path& file, const std::vector<std::string>& texts) {
  constexpr std::size_t k_step = 1u << 20;
  std::size_t longest = 0;
  for (const auto& text : texts) longest = std::max(longest, k_longest_spelling * text.size());
  std::ifstream in(file, std::ios::binary);
  std::string window, piece(k_step, '\0');
  while (in.read(piece.data(), static_cast<std::streamsize>(piece.size())) || in.gcount() > 0) {
    window.append(piece, 0, static_cast<std::size_t>(in.gcount()));
    if (std::any_of(texts.begin(), texts.end(), [&](const auto& text) { return holds_text(window, text); }))
      return true;
    if (window.size() > longest) window.erase(0, window.size() - longest);
  }
  return false;
}

/// Files in plain text: what engines and the server wrote about themselves, and what people wrote as reasons of holds,
/// notes of keys and settings.
std::vector<std::string> files_that_hold(const Site& site, const std::vector<std::string>& texts) {
  std::vector<std::string> out;
  const auto look = [&](const fs::path& file) {
    if (fs::is_regular_file(file) && file_holds(file, texts)) out.push_back(file.string());
  };
  for (const auto& folder : {site.logs_folder(), site.records_folder() / "holds"}) {
    if (!fs::exists(folder)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(folder)) look(entry.path());
  }
  const auto keys = site.access_file();
  for (const auto& file : {keys, fs::path(keys.string() + "-wal"), site.folder() / "config.toml"}) look(file);
  std::sort(out.begin(), out.end());
  return out;
}

/// What people said of what they did (reasons, remarks, names), which no erasure takes away.
Json entries_that_hold(const AuditLog& log, const std::vector<std::string>& texts) {
  auto out = Json::array();
  log.for_each(0, log.size(), [&](const AuditEntry& entry) {
    const auto& event = entry.event;
    const auto holds = [&](const auto& text) {
      return holds_text(event.detail, text) || holds_text(event.subject, text) || holds_text(event.actor, text);
    };
    if (std::any_of(texts.begin(), texts.end(), holds))
      out.push_back({{"index", entry.index}, {"time", format_time(entry.time)}, {"type", event.type}});
    return true;
  });
  return out;
}

void run(Invocation& invocation, const std::string& given) {
  const auto site = record_site(invocation, "audit spill");
  if (given.empty()) fail(ErrorCode::usage, "an empty text is everywhere");
  std::map<std::string, Json> records;
  std::vector<std::string> files;
  auto entries = Json::array();
  RecordReader::Findings findings;
  // The text is what leaked: the log must not keep it once more.
  const Json detail = is_record_id(given) ? Json{{"record", given}} : Json{{"bytes", given.size()}};
  recorded_effect(invocation, "record.spill", "records", detail, [&] {
    const auto log = open_audit_log(invocation);
    const auto reader = open_record_reader(site);
    const auto texts = texts_to_find(reader, given);
    for (const auto& text : texts) {
      if (text.empty()) fail(ErrorCode::usage, "an empty text is everywhere");
      RecordReader::Filter filter;
      filter.text = text;
      filter.log = &log;
      findings = reader.find(filter, [&](const RecordHead& head) {
        const auto record = reader.read(head.id);
        auto& json = records.emplace(head.id, to_json(head)).first->second;
        const auto note = [&](bool is_there, const char* place) {
          auto& in = json["in"];
          if (is_there && std::find(in.begin(), in.end(), place) == in.end()) in.push_back(place);
        };
        note(tags_hold(head, text), "tags");
        note(holds_text(record.prompt, text), "prompt");
        note(answer_holds(record.answer, text), "answer");
        return true;
      });
    }
    files = files_that_hold(site, texts);
    entries = entries_that_hold(log, texts);
  });
  auto list = Json::array();
  std::vector<std::vector<std::string>> rows{{"RECORD", "TIME", "USER", "MODEL", "IN"}};
  for (auto found = records.rbegin(); found != records.rend(); ++found) {  // ids rise with time
    const auto& json = found->second;
    rows.push_back({found->first, json.at("time"), printable(json.at("user").get<std::string>()),
                    printable(json.at("model").get<std::string>()),
                    fmt::format("{}", fmt::join(json.at("in").get<std::vector<std::string>>(), " "))});
    list.push_back(json);
  }
  Json json = {{"records", std::move(list)}, {"files", files}, {"entries", entries}};
  report_findings(invocation, findings, json);
  invocation.print(json, [&] {
    auto text = records.empty() ? "the text is in no record; " : format_table(rows);
    text += fmt::format("{} searched, {} without content\n", counted(findings.searched, "record"),
                        findings.without_content);
    if (!records.empty()) text += "erase one with `liftlock record erase RECORD --reason …`\n";
    for (const auto& file : files) text += fmt::format("it stands in {}\n", printable(file));
    for (const auto& entry : entries) {
      text += fmt::format("it stands in entry {} of the audit log ({} at {}), from which nothing is erased\n",
                          entry.at("index").get<std::uint64_t>(), entry.at("type").get<std::string>(),
                          entry.at("time").get<std::string>());
    }
    return text;
  });
}

}  // namespace

void add_audit_spill(CLI::App& group, Invocation& invocation) {
  auto* command = group.add_subcommand("spill", "List every record, log and setting that holds a text that leaked");
  auto text = std::make_shared<std::string>();
  command
      ->add_option(
          "TEXT|RECORD", *text,
          "The text; - reads it from stdin, away from other users' `ps`. Or the id of a record: its last question "
          "and its answer are looked for, which later prompts of a talk carry along")
      ->required();
  command->footer(
      "The search is in the audit log, the text is not. Not looked into: what people saved elsewhere, such as `run "
      "--history`,\n/save and the output of translate.\nExample: liftlock audit spill - < leaked.txt");
  command->callback([&invocation, text] { run(invocation, *text); });
}

}  // namespace liftlock
