#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "bundle/ingest.hpp"
#include "cli/bundle_view.hpp"
#include "cli/commands.hpp"
#include "cli/config_record.hpp"
#include "cli/inspection.hpp"
#include "cli/interrupt.hpp"
#include "cli/reason_option.hpp"

namespace liftlock {
namespace {

struct Options {
  std::string source;
  std::string expect;
  std::vector<std::string> signatures;
  bool dry_run = false;
  bool allow_rollback = false;
  bool accept_expired = false;
  bool restore_retired = false;
  std::string reason;
};

std::string_view status_name(IngestResult::Status status) {
  switch (status) {
    case IngestResult::Status::published:
      return "published";
    case IngestResult::Status::already_present:
      return "already-present";
    case IngestResult::Status::dry_run:
      return "dry-run";
  }
  fail(ErrorCode::internal, "unknown ingest status");
}

std::string closing_line(const IngestResult& result) {
  switch (result.status) {
    case IngestResult::Status::published:
      return fmt::format("published: {}, {}, {} new in the store\n", counted(result.files, "file"),
                         format_size(result.bytes), result.new_blobs);
    case IngestResult::Status::already_present:
      return "already present: exactly this bundle was ingested before; nothing was read again ("
             "`liftlock verify` checks a medium, `liftlock scrub` the store)\n";
    case IngestResult::Status::dry_run:
      return "dry run: everything was checked, nothing was published\n";
  }
  fail(ErrorCode::internal, "unknown ingest status");
}

void run(Invocation& invocation, const Options& options) {
  const auto site = invocation.site();
  site.require_zone("ingest", {Zone::ingest});
  require_known_kinds(site.config());
  resume_after_interrupt();
  record_config(invocation, site);
  IngestRequest request{.source = options.source,
                        .expect = std::nullopt,
                        .signatures = {options.signatures.begin(), options.signatures.end()},
                        .dry_run = options.dry_run,
                        .allow_rollback = options.allow_rollback,
                        .accept_expired = options.accept_expired,
                        .restore_retired = options.restore_retired,
                        .reason = options.reason,
                        .actor = invocation.actor(),
                        .inspect = make_inspect()};
  if (!options.expect.empty()) request.expect = parse_digest(options.expect);
  const auto result = ingest(site, request, invocation.reporter());
  const Json json = {{"status", status_name(result.status)},
                     {"channel", result.info.channel},
                     {"sequence", result.info.sequence},
                     {"digest", result.digest.text()},
                     {"files", result.files},
                     {"bytes", result.bytes},
                     {"new_blobs", result.new_blobs},
                     {"notes", result.notes},
                     {"signatures", signatures_json(result.signatures)}};
  invocation.print(json, [&] {
    std::string out =
        bundle_heading(result.info, result.digest) + signatures_text(result.signatures) + left_out_text(result.info);
    for (const auto& note : result.notes) out += "note: " + note + "\n";
    return out + closing_line(result);
  });
}

}  // namespace

void add_ingest(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("ingest", "Take a bundle in: verify, inspect, publish; all of it or nothing");
  auto options = std::make_shared<Options>();
  command->add_option("SOURCE", options->source, "NAME or NAME/FOLDER of a source of config.toml, or a path inside one")
      ->required();
  command->add_option("--expect", options->expect, "SHA-256 of manifest/bundle.json, as announced by another way")
      ->type_name("DIGEST");
  command
      ->add_option("--signatures", options->signatures,
                   "A folder that `sign --out` wrote: more signatures of this bundle; may be given again")
      ->type_name("FOLDER")
      ->check(CLI::ExistingDirectory);
  command->add_flag("--dry-run", options->dry_run, "Do all but publish");
  command->add_flag("--allow-rollback", options->allow_rollback,
                    "Accept a sequence that the channel has left behind; needs --reason");
  command->add_flag("--accept-expired", options->accept_expired, "Accept a bundle past its expiry; needs --reason");
  command->add_flag("--restore-retired", options->restore_retired,
                    "Bring a bundle back that was retired here; needs --reason");
  add_reason(*command, options->reason, "Why a rule is overridden; written to the audit log");
  command->footer(
      "Killed at any point it leaves nothing visible; the same command checks what it had, and goes on. The same "
      "bundle again is "
      "no error.\n"
      "Example: liftlock ingest usb/demo-7 --expect 'sha256:3b1f…'");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
