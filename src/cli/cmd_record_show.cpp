#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "cli/output_file.hpp"
#include "cli/record_view.hpp"
#include "cli/recorded_effect.hpp"
#include "os/file.hpp"
#include "record/answer_parts.hpp"

namespace liftlock {
namespace {

std::string text_of(const Record& record) {
  const auto& head = record.head;
  auto out =
      fmt::format("record {}\ntime {}\nuser {}, key {}, from {}\nasked {} of {} ({}) on {}\noutcome {}\n", head.id,
                  format_time(head.time), printable(head.user), printable(head.key_id), printable(head.peer),
                  printable(head.endpoint), printable(head.model), printable(head.model_digest), printable(head.engine),
                  printable(dump_json_line(record.outcome)));
  if (!head.tags.empty()) out += fmt::format("tags {}\n", printable(fmt::format("{}", fmt::join(head.tags, " "))));
  out += fmt::format("\n--- prompt\n{}\n", printable_lines(record.prompt));
  if (!record.recording.empty()) {
    out += fmt::format("--- recording\n{}; `liftlock record show {} --recording FILE` writes it to a file\n",
                       format_size(record.recording.size()), head.id);
  }
  for (const auto& part : answer_parts(record.answer)) {
    const auto what = part.name == k_content_part ? std::string() : ", " + part.name;
    out += fmt::format("--- answer{}\n{}\n", what, printable_lines(part.text));
  }
  return out;
}

void write_recording(const Record& record, const std::string& file) {
  if (record.recording.empty()) {
    throw Error(
        ErrorCode::not_found, fmt::format("the record {} holds no recording", record.head.id),
        "one of at most 64 MiB is kept of what speech models heard, in mode full, unless [record] recordings is "
        "false");
  }
  write_output(file, record.recording, 0600);
}

void run(Invocation& invocation, const std::string& id, const std::string& recording) {
  const auto site = record_site(invocation, "record show");
  Record record;
  recorded_effect(invocation, "record.read", id, Json::object(), [&] { record = open_record_reader(site).read(id); });
  if (!recording.empty()) write_recording(record, recording);
  if (is_standard_output(recording)) return;
  invocation.print(to_json(record), [&] { return text_of(record); });
}

}  // namespace

void add_record_show(CLI::App& group, Invocation& invocation) {
  auto* command = group.add_subcommand("show", "Show a prompt and its answer; the audit log has it first");
  auto id = std::make_shared<std::string>();
  command->add_option("ID", *id, "As `liftlock record find` shows it")->required();
  auto recording = std::make_shared<std::string>();
  command
      ->add_option("--recording", *recording,
                   "Write the sound that was heard to this file (mode 0600); - for standard output")
      ->type_name("FILE");
  command->footer("Example: liftlock record show 01KASX5B3VCHWM2QJ4R8ZT0N6E");
  command->callback([&invocation, id, recording] { run(invocation, *id, *recording); });
}

}  // namespace liftlock
