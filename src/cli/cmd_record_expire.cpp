#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "cli/moment.hpp"
#include "cli/reason_option.hpp"
#include "cli/record_view.hpp"
#include "cli/recorded_effect.hpp"
#include "record/retention.hpp"

namespace liftlock {
namespace {

struct Options {
  std::string older_than, reason;
  bool dry_run = false;
};

Retention retention_of(const Options& options, const SiteConfig& config, Timestamp when) {
  if (options.older_than.empty()) {
    Retention out{.all = config.record_keep};
    for (const auto& [text, keep] : config.record_keeps) {
      if (const auto known = parse_record_class(text)) out.classes.emplace(*known, keep);
    }
    if (out.all || !out.classes.empty()) return out;
    throw Error(ErrorCode::usage, "nothing says how long records are kept",
                "give --older-than 365d, or set keep = \"6y\" under [record] of config.toml, or a time for each class "
                "under [record.keep]");
  }
  if (const auto age = parse_retention(options.older_than)) return {.all = age};
  const auto moment = parse_day_or_time(options.older_than, Day::begins);
  if (moment && *moment <= when) return {.all = when - *moment};
  fail(ErrorCode::usage,
       "--older-than wants how long ago (365d, 6y), or a day or time that is past (2026-11-01), not '{}'",
       printable(options.older_than));
}

Json to_json(const std::map<RecordClass, Timestamp>& before) {
  auto out = Json::object();
  for (const auto& [one, time] : before) out[std::string(name(one))] = format_time(time);
  return out;
}

void run(Invocation& invocation, const Options& options) {
  // What the site's own rule says has its reason there.
  const bool is_own_word = !options.older_than.empty() && !options.dry_run;
  if (is_own_word && options.reason.empty()) fail(ErrorCode::reason_required, "an erasure cannot be undone");
  const auto site = record_site(invocation, "record expire");
  const auto when = now();
  const Expiry expiry(retention_of(options, site.config(), when), open_record_reader(site), when);
  const auto before = to_json(expiry.before());
  const auto& findings = expiry.findings();
  RecordKeeper keeper(site.records_folder());
  const auto expire = [&](RecordKeeper::Do what) {
    return keeper.expire([&](const std::string& id, Timestamp begun) { return expiry.is_over(id, begun); }, what);
  };
  auto expired = expire(RecordKeeper::Do::count);
  if (!options.dry_run && expired.records > 0) {
    Json detail = {{"before", before},
                   {"records", expired.records},
                   {"held", expired.held},
                   {"damaged", findings.damaged.size()},
                   {"without_content", findings.without_content}};
    if (!options.reason.empty()) detail["reason"] = options.reason;
    // An override of what config.toml keeps, which the auditor's report begins with.
    if (is_own_word) detail["remark"] = fmt::format("older than {}: {}", options.older_than, options.reason);
    recorded_effect(invocation, "record.expire", "records", detail, [&] { expired = expire(RecordKeeper::Do::erase); });
  }
  Json json = {{"before", before},
               {"dry_run", options.dry_run},
               {"records", expired.records},
               {"held", expired.held},
               {"segments", expired.segments}};
  report_findings(invocation, findings, json);
  invocation.print(json, [&] {
    auto out = fmt::format("{} {}; {} held\n", options.dry_run ? "would erase" : "erased",
                           counted(expired.records, "record"), expired.held);
    for (const auto& [one, time] : expiry.before())
      out += fmt::format("  {:<14} begun up to {}\n", name(one), format_end(time));
    return out;
  });
}

}  // namespace

void add_record_expire(CLI::App& group, Invocation& invocation) {
  auto* command = group.add_subcommand("expire", "Erase what is older than it is to be kept, but for what is held");
  auto options = std::make_shared<Options>();
  command->add_option(
      "--older-than", options->older_than,
      "365d, 6y, a day like 2026-11-01 (its begin, UTC) or a time, for every class of records; default: "
      "keep of [record] in config.toml");
  add_reason(*command, options->reason, "Why, for the audit log; --older-than needs one");
  command->add_flag("--dry-run", options->dry_run, "Say what would go, erase nothing");
  command->footer("Example: liftlock record expire --older-than 6y --dry-run");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
