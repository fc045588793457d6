#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <iostream>
#include <nlohmann/json.hpp>

#include "audit/audit_log.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/rel_path.hpp"
#include "cli/commands.hpp"
#include "cli/config_record.hpp"
#include "cli/program.hpp"
#include "cli/reason_option.hpp"
#include "store/blob_store.hpp"
#include "store/catalog.hpp"
#include "store/maintenance.hpp"

namespace liftlock {
namespace {

struct Options {
  std::string zone;
  std::string organisation;
  std::string stack_file;
  std::string record;           ///< empty: ask, or full
  std::string when_unwritable;  ///< empty: stop
  bool new_audit_log = false;   ///< in the place of one that is lost
  std::string reason;
};

std::string_view zones_of_side() {
  return side_name() == "low" ? "low or transfer" : "transfer, ingest or production";
}

/// The high executable cannot do a low installation's work, and the other way round.
void check_side(Zone zone) {
  const bool low = side_name() == "low";
  if (zone == Zone::transfer || low == (zone == Zone::low)) return;
  throw Error(ErrorCode::wrong_zone,
              fmt::format("zone '{}' belongs to the other side; this is the {} executable", name(zone), side_name()),
              fmt::format("make it there with the other side's executable; here --zone is {}", zones_of_side()));
}

/// Writes a commented liftlock.toml, never over one that is there. true when it wrote.
bool write_stack_file(const fs::path& file) {
  if (fs::exists(file)) return false;
  auto stack_name = portable_component(fs::absolute(file).parent_path().filename().string());
  // A stack's name begins with a letter or a digit and is more restricted than a file's.
  std::erase_if(stack_name, [](char c) {
    return !std::isalnum(static_cast<unsigned char>(c)) && c != '-' && c != '_' && c != '.';
  });
  stack_name.erase(0, stack_name.find_first_not_of("-_."));
  write_file_atomically(file, *stack_file_text(stack_name.empty() ? "demo" : stack_name.substr(0, 100)));
  return true;
}

std::string read_record_mode() {
  for (;;) {
    fmt::print(
        stderr,
        "How are prompts and answers recorded? full: encrypted, for those who may read them; hash-only: digests\n"
        "in the audit log; off: not at all. [full] ");
    std::string line;
    if (!std::getline(std::cin, line)) throw Error(ErrorCode::usage, "no answer", "say it with --record MODE");
    if (line.empty()) return "full";
    if (line == "full" || line == "hash-only" || line == "off") return line;
  }
}

RecordChoice record_choice(Invocation& invocation, const Options& options) {
  RecordChoice choice;
  const auto require = [](const std::string& word, std::initializer_list<std::string_view> known, const char* option) {
    if (word.empty() || std::find(known.begin(), known.end(), word) != known.end()) return;
    fail(ErrorCode::usage, "{} is {}, not '{}'", option, fmt::join(known, ", "), printable(word));
  };
  require(options.record, {"full", "hash-only", "off"}, "--record");
  require(options.when_unwritable, {"stop", "answer"}, "--when-unwritable");
  choice.or_stop = options.when_unwritable != "answer";
  if (!options.record.empty()) {
    choice.mode = options.record;
  } else if (::isatty(STDIN_FILENO) == 1 && ::isatty(STDERR_FILENO) == 1 && !invocation.json()) {
    choice.mode = read_record_mode();
  } else {
    invocation.reporter().note(
        "prompts and answers will be recorded in full, encrypted; --record or [record] of "
        "config.toml chooses otherwise");
  }
  return choice;
}

/// The old one is lost: the first entry of the new one says that it is not the first.
void begin_audit_log_anew(const Invocation& invocation, const Site& site, const std::string& reason) {
  if (!audit_log_is_lost(site)) {
    throw Error(ErrorCode::usage, "no audit log is lost here",
                "--new-audit-log is for an installation that was used and has none");
  }
  if (reason.empty()) fail(ErrorCode::reason_required, "--new-audit-log needs --reason");
  AuditLog(site.audit_folder(), "")
      .append({.type = "audit.anew",
               .actor = invocation.actor(),
               .outcome = Outcome::success,
               .subject = std::string(name(site.config().zone)),
               .detail = dump_json_line({{"reason", reason}})});
  record_config(invocation, site);
}

void run(Invocation& invocation, const Options& options) {
  const auto zone = options.zone.empty() && side_name() == "low" ? std::optional(Zone::low) : parse_zone(options.zone);
  if (!zone) {
    throw Error(
        ErrorCode::usage,
        options.zone.empty() ? "--zone is missing" : fmt::format("there is no zone '{}'", printable(options.zone)),
        fmt::format("--zone is {} on the {} side", zones_of_side(), side_name()));
  }
  check_side(*zone);
  const auto existed = invocation.site().exists();
  invocation.site().require_own();
  if (options.new_audit_log && !existed) {
    throw Error(ErrorCode::state_missing,
                fmt::format("there is no installation in '{}'", printable(invocation.site().folder().string())),
                "a new one needs no --new-audit-log");
  }
  const bool has_models = *zone == Zone::ingest || *zone == Zone::production;
  const auto record = existed || !has_models ? RecordChoice() : record_choice(invocation, options);
  const auto site = Site::create(invocation.site().folder(), *zone, options.organisation, record);
  if (!existed) {
    // Readers who may not write find an empty store and its log, not nothing.
    const BlobStore blobs(site.store_folder());
    const Catalog catalog(site.catalog_file());
    keep_gc_reserve(site.store_folder());
    AuditLog(site.audit_folder(), "")
        .append({.type = "site.init",
                 .actor = invocation.actor(),
                 .outcome = Outcome::success,
                 .subject = std::string(name(*zone)),
                 .detail = "{}"});
    record_config(invocation, site);
  }
  if (options.new_audit_log) begin_audit_log_anew(invocation, site, options.reason);
  const bool has_stack_file = !options.stack_file.empty();
  const bool wrote_stack_file = has_stack_file && write_stack_file(options.stack_file);
  Json result = {{"state", site.folder().string()}, {"zone", name(*zone)}, {"created", !existed}};
  if (options.new_audit_log) result["new_audit_log"] = true;
  if (has_stack_file) {
    result["stack_file"] = options.stack_file;
    result["stack_file_created"] = wrote_stack_file;
  }
  invocation.print(result, [&] {
    auto text = fmt::format("{} installation of zone {} in {}\n", existed ? "found the" : "made an", name(*zone),
                            site.folder().string());
    if (options.new_audit_log) text += "began the audit log anew; have its witnesses and auditors told\n";
    if (has_stack_file)
      text += fmt::format("{} {}\n", wrote_stack_file ? "wrote" : "left as it is:", options.stack_file);
    return text;
  });
}

}  // namespace

void add_init(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("init", "Create an installation: its folders, its zone and config.toml");
  auto options = std::make_shared<Options>();
  command
      ->add_option("--zone", options->zone,
                   fmt::format("What it is: {}{}", zones_of_side(), side_name() == "low" ? " (default: low)" : ""))
      ->type_name(side_name() == "low" ? "{low,transfer}" : "{transfer,ingest,production}");
  command->add_option("--organisation", options->organisation, "Whose installation it is, for people");
  command->add_flag("--new-audit-log", options->new_audit_log,
                    "Begin another audit log where the old one is lost and no backup has it; needs --reason");
  add_reason(*command, options->reason, "Why; the first entry of the new log");
  if (side_name() == "high") {
    command->add_option("--record", options->record, "How prompts and answers are recorded: full, hash-only or off")
        ->type_name("{full,hash-only,off}");
    command
        ->add_option("--when-unwritable", options->when_unwritable,
                     "What becomes of an answer whose record cannot be written: stop (default) or answer")
        ->type_name("{stop,answer}");
  }
  if (side_name() == "low") {
    command->add_option("--stack-file", options->stack_file, "Write a commented stack file here (liftlock.toml)")
        ->type_name("FILE");
  }
  command->footer("Example: liftlock --state /srv/liftlock init --zone ingest --organisation 'Plant 4'");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
