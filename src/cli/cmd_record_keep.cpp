// What is done to records, with a reason: hold, release, erase. To one by its id, or to all that a search finds.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "base/counted.hpp"
#include "base/error.hpp"
#include "cli/cmd_audit.hpp"
#include "cli/interrupt.hpp"
#include "cli/reason_option.hpp"
#include "cli/record_view.hpp"
#include "cli/recorded_effect.hpp"
#include "record/record_keeper.hpp"

namespace liftlock {
namespace {

/// So many are announced, done and told of before Ctrl-C is looked at: a hold is a file of its own, and its sync.
constexpr std::ptrdiff_t k_batch = 500;
constexpr std::size_t k_named = 5;

using Hold = RecordKeeper::Hold;

struct Act {
  std::string name;         ///< of the command, and of the event: record.NAME
  std::string description;  ///< of the command
  std::string why_reason;   ///< why it has to be given one
  std::string result;       ///< as JSON tells it of one: "held"
  std::string told;         ///< as people are told: "ID is …"
  std::string example;      ///< a reason
  std::string left;         ///< what is said of those that are left as they are
  std::function<bool(const std::optional<Hold>& now, const std::string& reason)> leaves;
  std::function<Outcomes(RecordKeeper&, const std::set<std::string>& ids, const Hold&)> act;
};

struct Options {
  std::string id;
  WantedRecords wanted;
  std::string reason;
  bool dry_run = false;
};

/// What a search found, and what became of it.
struct Many {
  std::vector<std::string> records;  ///< to be held, released or erased; the newest first
  std::vector<std::string> left;     ///< as they are, because of a hold that they have or lack
  std::uint64_t held_before = 0;     ///< of the records
  std::uint64_t done = 0;
  bool interrupted = false;
  std::optional<Error> failure;
  RecordReader::Findings findings;
};

Many look(Invocation& invocation, const Site& site, const Act& act, const Options& options,
          const RecordReader::Filter& filter) {
  Many out;
  const RecordKeeper keeper(site.records_folder());
  auto entry = wanted_entry(filter);
  entry["for"] = "record." + act.name;
  recorded_effect(invocation, "record.find", "records", entry, [&] {
    out.findings = open_record_reader(site).find(filter, [&](const RecordHead& head) {
      const auto hold = keeper.hold_of(head.id);
      const bool leaves = act.leaves(hold, options.reason);
      (leaves ? out.left : out.records).push_back(head.id);
      if (hold && !leaves) ++out.held_before;
      return true;
    });
  });
  return out;
}

/// Somebody did something else to it since it was found.
bool has_changed(const Error& error) {
  const auto code = error.code();
  return code == ErrorCode::immutable || code == ErrorCode::not_found || code == ErrorCode::record_erased;
}

/// Batch after batch. @param event of one record
void do_to_each(AuditLog& log, const AuditEvent& event,
                const std::function<Outcomes(const std::set<std::string>&)>& act, const InterruptStop& stop,
                Many& many) {
  for (auto at = many.records.begin(); at != many.records.end();) {
    if (stop.requested()) {
      many.interrupted = true;
      return;
    }
    const auto end = at + std::min(k_batch, many.records.end() - at);
    const std::set<std::string> ids(at, end);
    at = end;
    const auto outcomes = logged_effects(log, event, {ids.begin(), ids.end()}, [&] { return act(ids); });
    for (const auto& [id, why] : outcomes) {
      if (!why) {
        ++many.done;
      } else if (has_changed(*why)) {
        many.left.push_back(id);
      } else if (!many.failure) {
        many.failure = why;
      }
    }
    if (many.failure) return;
  }
}

/// Between entries for all of them together, of which the last has how many there were. Each record has entries of its
/// own besides: what is asked about it later is asked by its id.
void do_to_all(Invocation& invocation, const Site& site, const Act& act, const Options& options, const Json& chosen_by,
               const InterruptStop& stop, Many& many) {
  AuditLog log(site.audit_folder(), "");
  Json detail = {{"reason", options.reason}, {"chosen_by", chosen_by}};
  AuditEvent event{.type = "record." + act.name,
                   .actor = invocation.actor(),
                   .outcome = Outcome::intent,
                   .subject = {},
                   .detail = dump_json_line(detail)};
  auto summary = event;
  summary.subject = "records";
  detail["records"] = many.records.size();
  summary.detail = dump_json_line(detail);
  log.append(summary);
  RecordKeeper keeper(site.records_folder());
  const Hold hold{.reason = options.reason, .actor = event.actor, .time = now()};
  try {
    do_to_each(
        log, event, [&](const auto& ids) { return act.act(keeper, ids, hold); }, stop, many);
  } catch (const Error& error) {
    many.failure = error;
  }
  detail["done"] = many.done;
  if (many.interrupted) detail["error"] = "interrupted";
  if (many.failure) detail["error"] = info(many.failure->code()).slug;
  summary.outcome = detail.contains("error") ? Outcome::failure : Outcome::success;
  summary.detail = dump_json_line(detail);
  log.append(summary);
}

/// "3 left as they are, which are held: ID, ID, ID"
std::string left_text(const Act& act, const std::vector<std::string>& left) {
  if (left.empty()) return {};
  const auto shown = std::min(left.size(), k_named);
  const auto end = left.begin() + static_cast<std::ptrdiff_t>(shown);
  const auto more = left.size() > shown ? fmt::format(" and {} more", left.size() - shown) : std::string();
  return fmt::format("{} left as {}, {}: {}{}\n", counted(left.size(), "record"),
                     left.size() == 1 ? "it is" : "they are", act.left, fmt::join(left.begin(), end, ", "), more);
}

void print_many(Invocation& invocation, const Act& act, const Options& options, const Many& many) {
  const auto count = options.dry_run ? many.records.size() : many.done;
  Json json = {{"dry_run", options.dry_run},
               {"records", count},
               {"left", many.left},
               {"held_before", many.held_before},
               {"interrupted", many.interrupted}};
  report_findings(invocation, many.findings, json);
  invocation.print(json, [&] {
    auto out = fmt::format("{} {}\n", options.dry_run ? "would " + act.name : act.result, counted(count, "record"));
    if (act.name == "hold" && many.held_before > 0)
      out += fmt::format("{} had a hold for another reason, which this one replaces\n",
                         counted(many.held_before, "record"));
    return out + left_text(act, many.left) +
           fmt::format("{} searched, {} without content\n", counted(many.findings.searched, "record"),
                       many.findings.without_content);
  });
  if (!many.interrupted) return;
  invocation.reporter().note("interrupted: the same command goes on from here");
  invocation.set_status(k_interrupted_status);
}

void run_many(Invocation& invocation, const Act& act, const Options& options) {
  const InterruptStop stop;
  const auto site = record_site(invocation, "record " + act.name);
  const auto log = open_audit_log(invocation);
  auto filter = filter_of(options.wanted, log);
  filter.stop = stop.token();
  auto many = look(invocation, site, act, options, filter);
  many.interrupted = stop.requested();
  if (!options.dry_run && !many.interrupted && !many.records.empty())
    do_to_all(invocation, site, act, options, wanted_entry(filter), stop, many);
  print_many(invocation, act, options, many);
  if (many.failure) throw Error(*many.failure);
}

void run_one(Invocation& invocation, const Act& act, const Options& options) {
  const auto site = record_site(invocation, "record " + act.name);
  recorded_effect(invocation, "record." + act.name, options.id, {{"reason", options.reason}}, [&] {
    RecordKeeper keeper(site.records_folder());
    const Hold hold{.reason = options.reason, .actor = invocation.actor(), .time = now()};
    const auto outcomes = act.act(keeper, {options.id}, hold);
    if (const auto& why = outcomes.at(options.id)) throw Error(*why);
  });
  invocation.print({{"id", options.id}, {act.result, true}},
                   [&] { return fmt::format("{} is {}\n", options.id, act.told); });
}

void run(Invocation& invocation, const Act& act, const Options& options) {
  const bool is_one = !options.id.empty();
  if (is_one == options.wanted.any() || (is_one && options.dry_run)) {
    throw Error(ErrorCode::usage,
                is_one ? "an ID is one record: nothing is to be searched or counted" : "which records?",
                "give an ID, or what all of them have in common: --user, --model, --tag, --text, --from, --to");
  }
  if (options.reason.empty() && !options.dry_run) throw Error(ErrorCode::reason_required, act.why_reason);
  return is_one ? run_one(invocation, act, options) : run_many(invocation, act, options);
}

void add(CLI::App& group, Invocation& invocation, Act act) {
  auto* command = group.add_subcommand(act.name, act.description);
  auto options = std::make_shared<Options>();
  command->add_option("ID", options->id, "One, as `liftlock record find` shows it");
  add_wanted_records(*command, options->wanted);
  add_reason(*command, options->reason, "Why, for the audit log");
  command->add_flag("--dry-run", options->dry_run, "Say how many a search finds, and do nothing to them");
  command->footer(fmt::format(
      "An ID, or all records that a search finds. Records without content (erased, hash-only) are found by no search.\n"
      "Ctrl-C stops between two batches of {}, and the same command goes on from there.\n"
      "Example: liftlock record {} 01KASX5B3VCHWM2QJ4R8ZT0N6E --reason '{}'",
      k_batch, act.name, act.example));
  command->callback([&invocation, options, act = std::move(act)] { run(invocation, act, *options); });
}

}  // namespace

void add_record_keep(CLI::App& group, Invocation& invocation) {
  add(group, invocation,
      {.name = "erase",
       .description = "Destroy the keys of records: nobody can read them any more, the audit log stays whole",
       .why_reason = "an erasure cannot be undone",
       .result = "erased",
       .told = "erased",
       .example = "request of the person, ticket 12",
       .left = "held",
       .leaves = [](const auto& now, const auto&) { return now.has_value(); },
       .act = [](auto& keeper, const auto& ids, const auto&) { return keeper.erase(ids); }});
  add(group, invocation,
      {.name = "hold",
       .description = "Keep records from being erased or expiring (legal hold)",
       .why_reason = "a hold keeps what others want erased",
       .result = "held",
       .told = "held until it is released",
       .example = "court case 12",
       .left = "held for this reason already",
       .leaves = [](const auto& now, const auto& reason) { return now && now->reason == reason; },
       .act = [](auto& keeper, const auto& ids, const auto& hold) { return keeper.hold(ids, hold); }});
  add(group, invocation,
      {.name = "release",
       .description = "End the holds of records",
       .why_reason = "what is released can be erased",
       .result = "released",
       .told = "released",
       .example = "court case 12 ended",
       .left = "not held",
       .leaves = [](const auto& now, const auto&) { return !now.has_value(); },
       .act = [](auto& keeper, const auto& ids, const auto&) { return keeper.release(ids); }});
}

}  // namespace liftlock
