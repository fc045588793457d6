#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "cli/cmd_audit.hpp"
#include "cli/witness_view.hpp"
#include "witness/witness_memory.hpp"

namespace liftlock {
namespace {

void run(Invocation& invocation) {
  const auto site = invocation.site();
  const auto log = open_audit_log(invocation);
  const auto when = now();
  const auto standings = Meetings(site).standings(log, when);
  const auto key = NoteKey::parse(log.verifier_key());
  Json result = {{"log", key.text()},
                 {"fingerprint", fingerprint(key).text()},
                 {"witnesses", witnesses_json(standings)},
                 {"witness_key", nullptr},
                 {"logs", Json::array()}};
  std::vector<std::vector<std::string>> rows{{"LOG", "ENTRIES", "COSIGNED", "FINGERPRINT"}};
  if (const auto memory = WitnessMemory::look(site.witness_folder())) {
    result["witness_key"] = memory->key.text();
    for (const auto& known : memory->logs) {
      result["logs"].push_back({{"log", known.key.name},
                                {"key", known.key.text()},
                                {"fingerprint", fingerprint(known.key).text()},
                                {"size", known.checkpoint.size},
                                {"time", format_time(known.time)},
                                {"checkpoint", known.note}});
      rows.push_back({printable(known.key.name), std::to_string(known.checkpoint.size), format_time(known.time),
                      fingerprint(known.key).spoken()});
    }
  }
  invocation.print(result, [&] {
    auto text = fmt::format("this log: {}\nfingerprint: {}\n", printable(key.name), fingerprint(key).spoken());
    text += standings.empty() ? "config.toml names no witness of it\n" : witnesses_text(standings, when);
    if (rows.size() > 1) text += "witness of:\n" + format_table(rows);
    return text;
  });
}

}  // namespace

void add_audit_witness(CLI::App& group, Invocation& invocation) {
  auto* witness = group.add_subcommand("witness", "Let another machine remember how far it saw the log, and cosign it");
  witness->require_subcommand(1);
  add_audit_witness_key(*witness, invocation);
  add_audit_witness_request(*witness, invocation);
  add_audit_witness_cosign(*witness, invocation);
  add_audit_witness_accept(*witness, invocation);
  auto* show = witness->add_subcommand("show", "Show this log's witnesses, and the logs that this machine witnesses");
  show->footer(
      "`liftlock status` is the alarm: it ends with 3 when a witness was not met, 4 when the log is not what it saw.\n"
      "Example: liftlock audit witness show");
  show->callback([&invocation] { run(invocation); });
  witness->footer(
      "Whoever restores an old copy of this machine, or edits or forks its log, cannot have it cosigned.\n"
      "  here, once     name the witness's key in config.toml: [audit] witness = [\"NAME+HEX+BASE64\"]\n"
      "  here           liftlock audit witness request --output /media/stick/request\n"
      "  on the witness liftlock audit witness cosign /media/stick/request --output /media/stick/answer\n"
      "  here           liftlock audit witness accept /media/stick/answer");
}

}  // namespace liftlock
