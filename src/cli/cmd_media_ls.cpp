#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <map>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "cli/cmd_audit.hpp"
#include "cli/cmd_media.hpp"

namespace liftlock {
namespace {

struct Move {
  AuditEntry entry;
  Json detail;
};

bool is_move(const AuditEntry& entry) {
  const auto& event = entry.event;
  return event.outcome == Outcome::success && (event.type == k_media_in_event || event.type == k_media_out_event);
}

std::string_view word(const Move& move) {
  return move.entry.event.type == k_media_in_event ? "in" : "out";
}

/// "demo/7, demo/8"
std::string bundles_text(const Json& detail) {
  std::vector<std::string> names;
  for (const auto& one : detail.value("bundles", Json::array())) names.push_back(printable(one.value("bundle", "")));
  return fmt::format("{}", fmt::join(names, ", "));
}

void run(Invocation& invocation, bool all) {
  std::vector<Move> moves;
  std::map<std::string, std::size_t> last;  // by serial number
  const auto log = open_audit_log(invocation);
  log.for_each(0, log.size(), [&](const AuditEntry& entry) {
    if (!is_move(entry)) return true;
    const auto known = last.find(entry.event.subject);
    if (all || known == last.end()) {
      last[entry.event.subject] = moves.size();
      moves.push_back({entry, parse_json(entry.event.detail)});
    } else {
      moves[known->second] = {entry, parse_json(entry.event.detail)};
    }
    return true;
  });
  auto json = Json::array();
  std::vector<std::vector<std::string>> rows{
      {"SERIAL", "MODEL", "WHERE", "SINCE", "REGISTERED BY", "CARRIER", "TICKET", "BUNDLES"}};
  for (const auto& move : moves) {
    const auto& event = move.entry.event;
    const auto text = [&](const char* key) { return move.detail.value(key, ""); };
    json.push_back({{"serial", event.subject},
                    {"model", text("model")},
                    {"move", word(move)},
                    {"time", format_time(move.entry.time)},
                    {"entry", move.entry.index},
                    {"actor", event.actor},
                    {"carrier", text("carrier")},
                    {"ticket", text("ticket")},
                    {"bundles", move.detail.value("bundles", Json::array())}});
    rows.push_back({printable(event.subject), printable(text("model")), std::string(word(move)),
                    format_time(move.entry.time), printable(event.actor), printable(text("carrier")),
                    printable(text("ticket")), bundles_text(move.detail)});
  }
  invocation.print({{"media", std::move(json)}},
                   [&] { return rows.size() == 1 ? "no medium was registered here\n" : format_table(rows); });
}

}  // namespace

void add_media_ls(CLI::App& group, Invocation& invocation) {
  auto* command = group.add_subcommand("ls", "List each medium: in or out, since when, with whom");
  auto all = std::make_shared<bool>(false);
  command->add_flag("--all", *all, "Each move, not only the last of each medium");
  command->footer("Example: liftlock media ls --all --json");
  command->callback([&invocation, all] { run(invocation, *all); });
}

}  // namespace liftlock
