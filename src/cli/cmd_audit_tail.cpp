#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "audit/audit_entry.hpp"
#include "base/encoding.hpp"
#include "base/text.hpp"
#include "cli/cmd_audit.hpp"
#include "cli/whole_number.hpp"

namespace liftlock {
namespace {

struct Options {
  std::uint64_t count = 20;
  std::string type;
  std::string subject;
};

/// The newest `count` entries that match, oldest first. Reads backwards in steps, so that a long log costs nothing.
/// @param types of what was read: where nothing matches, all that are in the log
std::vector<AuditEntry> newest(const AuditLog& log, const Options& options, std::set<std::string>& types) {
  std::vector<AuditEntry> found;
  for (auto end = log.size(); end > 0 && found.size() < options.count;) {
    const auto begin = end - std::min<std::uint64_t>(end, 256);
    std::vector<AuditEntry> step;
    log.for_each(begin, end, [&](const AuditEntry& entry) {
      types.insert(entry.event.type);
      const bool wanted = (options.type.empty() || entry.event.type == options.type) &&
                          (options.subject.empty() || entry.event.subject == options.subject);
      if (wanted) step.push_back(entry);
      return true;
    });
    found.insert(found.begin(), step.begin(), step.end());
    end = begin;
  }
  if (found.size() > options.count) {
    found.erase(found.begin(), found.end() - static_cast<std::ptrdiff_t>(options.count));
  }
  return found;
}

/// Of a long one its beginning; --json has it all.
std::string shortened(std::string detail) {
  constexpr std::size_t k_shown = 600;
  if (detail.size() <= k_shown) return detail;
  auto end = k_shown;
  while (end > 0 && (detail[end] & 0xc0) == 0x80) --end;  // not in the middle of a character
  return detail.substr(0, end) + "…";
}

/// No error: a script may ask for what did not happen yet.
void say_what_there_is(Reporter& reporter, const Options& options, const std::set<std::string>& types) {
  if (options.type.empty() || types.contains(options.type)) {
    if (!options.subject.empty())
      reporter.note(fmt::format("no entry{} is about '{}'; a subject is written as in `liftlock audit tail`: demo/7",
                                options.type.empty() ? "" : " of this type", options.subject));
    return;
  }
  if (types.empty()) return reporter.note("the log has no entry yet");
  const std::vector<std::string_view> known(types.begin(), types.end());
  const auto near = nearest(options.type, known);
  reporter.note(fmt::format("no entry is of type '{}'; {}the types in this log are {}", options.type,
                            near ? fmt::format("did you mean '{}'? ", *near) : "", fmt::join(known, ", ")));
}

void run(Invocation& invocation, const Options& options) {
  const auto log = open_audit_log(invocation);
  auto entries = Json::array();
  std::vector<std::vector<std::string>> rows{{"ENTRY", "TIME", "TYPE", "OUTCOME", "SUBJECT", "ACTOR", "DETAIL"}};
  std::set<std::string> types;
  const auto found = newest(log, options, types);
  if (found.empty()) say_what_there_is(invocation.reporter(), options, types);
  for (const auto& entry : found) {
    entries.push_back(to_json(entry));
    rows.push_back({std::to_string(entry.index), format_time(entry.time), entry.event.type,
                    std::string(name(entry.event.outcome)), printable(entry.event.subject),
                    printable(entry.event.actor), shortened(printable(entry.event.detail))});
  }
  invocation.print({{"size", log.size()}, {"entries", std::move(entries)}}, [&] { return format_table(rows); });
}

}  // namespace

void add_audit_tail(CLI::App& group, Invocation& invocation) {
  auto* command = group.add_subcommand("tail", "Show the newest entries of the audit log");
  auto options = std::make_shared<Options>();
  command->add_option("-n,--count", options->count, "How many (default 20)")->check(whole_number(1, 100'000));
  command->add_option("--type", options->type, "Only entries of this type, e.g. bundle.ingest");
  command->add_option("--subject", options->subject, "Only entries about this subject, e.g. demo/7");
  command->footer(
      "Of a long DETAIL only its beginning is shown; --json has it all.\n"
      "Example: liftlock audit tail -n 5 --type bundle.ingest");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
