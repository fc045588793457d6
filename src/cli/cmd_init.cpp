#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cctype>
#include <chrono>
#include <iostream>
#include <nlohmann/json.hpp>
#include <set>
#include <span>

#include "audit/audit_log.hpp"
#include "base/clock.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/rel_path.hpp"
#include "cli/commands.hpp"
#include "cli/config_record.hpp"
#include "cli/output_file.hpp"
#include "cli/program.hpp"
#include "cli/reason_option.hpp"
#include "store/blob_store.hpp"
#include "store/catalog.hpp"
#include "store/maintenance.hpp"
#include "witness/cosignature.hpp"

namespace liftlock {
namespace {

struct Options {
  std::string zone;
  std::string organisation;
  std::string stack_file;
  std::string record;           ///< empty: ask, or full
  std::string when_unwritable;  ///< empty: ask, or stop
  std::vector<std::string> witnesses;
  bool new_audit_log = false;  ///< in the place of one that is lost
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

/// One of the words; the first is what an empty line means.
std::string ask(std::string_view question, std::span<const std::string_view> words, std::string_view option) {
  for (;;) {
    fmt::print(stderr, "{} [{}] ", question, words[0]);
    std::string line;
    if (!std::getline(std::cin, line))
      throw Error(ErrorCode::usage, "no answer", fmt::format("say it with {}", option));
    if (line.empty()) return std::string(words[0]);
    if (std::find(words.begin(), words.end(), line) != words.end()) return line;
  }
}

RecordChoice record_choice(Invocation& invocation, const Options& options) {
  RecordChoice choice;
  constexpr std::array<std::string_view, 3> k_modes = {"full", "hash-only", "off"};
  constexpr std::array<std::string_view, 2> k_unwritable = {"stop", "answer"};
  const bool is_person = ::isatty(STDIN_FILENO) == 1 && ::isatty(STDERR_FILENO) == 1 && !invocation.json();
  const auto require = [](const std::string& word, std::span<const std::string_view> known, const char* option) {
    if (word.empty() || std::find(known.begin(), known.end(), word) != known.end()) return;
    fail(ErrorCode::usage, "{} is {}, not '{}'", option, fmt::join(known, ", "), printable(word));
  };
  require(options.record, k_modes, "--record");
  require(options.when_unwritable, k_unwritable, "--when-unwritable");
  if (!options.record.empty()) {
    choice.mode = options.record;
  } else if (is_person) {
    choice.mode =
        ask("How are prompts and answers recorded? full: encrypted, for those who may read them; hash-only: digests\n"
            "in the audit log; off: not at all.",
            k_modes, "--record MODE");
  } else {
    invocation.reporter().note(
        "prompts and answers will be recorded in full, encrypted; --record or [record] of "
        "config.toml chooses otherwise");
  }
  auto unwritable = options.when_unwritable;
  if (unwritable.empty() && is_person && choice.mode != "off") {
    unwritable = ask(
        "A record that cannot be written (a full disk, say): stop: there is no answer then; answer: it goes out, and\n"
        "is counted as not recorded.",
        k_unwritable, "--when-unwritable WORD");
  }
  choice.or_stop = unwritable != "answer";
  return choice;
}

/// Before anything is made with them.
void check_witnesses(const std::vector<std::string>& keys) {
  std::set<std::string> names;
  for (const auto& key : keys) {
    try {
      if (names.insert(CosignerKey::parse(key).name).second) continue;
    } catch (const Error& error) {
      throw Error(ErrorCode::usage, fmt::format("--witness '{}': {}", printable(key), error.message()),
                  "it is what `liftlock audit witness key` prints on the witness");
    }
    fail(ErrorCode::usage, "--witness names the same witness twice: '{}'", printable(key));
  }
}

/// What is left of a lost log may be all that its auditor has: it goes aside, beside the folder, and nothing is
/// deleted. Returns where it is; empty when nothing was left.
fs::path move_lost_log_aside(const Site& site) {
  const auto left = site.audit_folder();
  if (!fs::exists(left) || fs::is_empty(left)) return {};
  // The machine's own clock: SOURCE_DATE_EPOCH would give two of them one name.
  auto time = format_time(std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()));
  std::erase_if(time, [](char c) { return c == '-' || c == ':'; });
  const auto aside = site.folder() / ("audit.lost-" + time);
  rename_file(left, aside);
  return aside;
}

/// The old one is lost: the first entry of the new one says that it is not the first. Returns where the rest of the old
/// one is; empty when there is none.
fs::path begin_audit_log_anew(const Invocation& invocation, const Site& site, const std::string& reason) {
  if (!audit_log_is_lost(site)) {
    throw Error(ErrorCode::usage, "no audit log is lost here",
                "--new-audit-log is for an installation that was used and has none");
  }
  if (reason.empty()) fail(ErrorCode::reason_required, "--new-audit-log needs --reason");
  auto aside = move_lost_log_aside(site);
  AuditLog(site.audit_folder(), "")
      .append({.type = "audit.anew",
               .actor = invocation.actor(),
               .outcome = Outcome::success,
               .subject = std::string(name(site.config().zone)),
               .detail = dump_json_line({{"remark", "the audit log was lost, and begun anew: " + reason}})});
  record_config(invocation, site);
  return aside;
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
  require_file_name(options.stack_file, "--stack-file");
  const auto existed = invocation.site().exists();
  invocation.site().require_own();
  if (options.new_audit_log && !existed) {
    throw Error(ErrorCode::state_missing,
                fmt::format("there is no installation in '{}'", printable(invocation.site().folder().string())),
                "a new one needs no --new-audit-log");
  }
  check_witnesses(options.witnesses);
  if (existed && !options.witnesses.empty()) {
    throw Error(ErrorCode::usage, "this installation has its config.toml already",
                "add the key to `witness` of [audit] there");
  }
  const bool has_models = *zone == Zone::ingest || *zone == Zone::production;
  const auto record = existed || !has_models ? RecordChoice() : record_choice(invocation, options);
  const auto site = Site::create(invocation.site().folder(), *zone, options.organisation, record, options.witnesses);
  if (existed) {
    make_folders(site.store_folder());
    const Catalog catalog(site.catalog_file());  // where somebody moved a lost store away
  } else {
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
  const auto aside = options.new_audit_log ? begin_audit_log_anew(invocation, site, options.reason) : fs::path();
  const bool has_stack_file = !options.stack_file.empty();
  const bool wrote_stack_file = has_stack_file && write_stack_file(options.stack_file);
  Json result = {{"state", site.folder().string()}, {"zone", name(*zone)}, {"created", !existed}};
  if (options.new_audit_log) result["new_audit_log"] = true;
  if (!aside.empty()) result["lost_audit_log"] = aside.string();
  if (has_stack_file) {
    result["stack_file"] = options.stack_file;
    result["stack_file_created"] = wrote_stack_file;
  }
  invocation.print(result, [&] {
    auto text = fmt::format("{} installation of zone {} in {}\n", existed ? "found the" : "made an", name(*zone),
                            site.folder().string());
    if (!aside.empty())
      text += fmt::format("what was left of the lost audit log is in {}\n", printable(aside.string()));
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
  command
      ->add_option(
          "--witness", options->witnesses,
          "Key of a machine that witnesses the audit log, as `liftlock audit witness key` prints it there; may "
          "be repeated")
      ->type_name("KEY");
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
