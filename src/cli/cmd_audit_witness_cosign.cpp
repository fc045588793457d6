#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "cli/cmd_audit.hpp"
#include "cli/config_record.hpp"
#include "cli/output_file.hpp"
#include "cli/reason_option.hpp"
#include "cli/witness_view.hpp"
#include "witness/witness_memory.hpp"

namespace liftlock {
namespace {

struct Options {
  std::string request;
  std::string output;
  std::string fingerprint;
  std::string reason;
  bool new_log = false;
};

/// What the person compared it with. Never silent: given on the command line, or answered on the terminal.
void confirm_fingerprint(Invocation& invocation, const Options& options, const NoteKey& key) {
  const auto actual = fingerprint(key);
  if (!options.fingerprint.empty()) {
    std::string text;
    for (const char c : options.fingerprint) {
      if (c != ' ') text += c;
    }
    const auto given = Digest::try_parse(text.find(':') == std::string::npos ? "sha256:" + text : text);
    if (!given) fail(ErrorCode::usage, "--fingerprint must be 64 hex digits, in groups or with sha256: before them");
    if (*given == actual) return;
    throw Error(
        ErrorCode::expect_mismatch,
        fmt::format("the log of the request has the fingerprint {}, not {}", actual.spoken(), given->spoken()),
        "stop: this is not the log that was meant; `liftlock audit witness show` on its machine shows which it is");
  }
  const auto question = fmt::format("Does the machine of the log {} show this fingerprint?\n  {}\nWitness it?",
                                    printable(key.name), actual.spoken());
  if (invocation.confirm(question)) return;
  throw Error(
      ErrorCode::confirmation_required,
      fmt::format("the log {} has the fingerprint {} and nobody confirmed it", printable(key.name), actual.spoken()),
      "compare it with `liftlock audit witness show` on its machine, then give --fingerprint DIGEST");
}

void run(Invocation& invocation, const Options& options) {
  const auto site = invocation.site();
  site.require_zone("audit witness cosign", {Zone::low, Zone::transfer, Zone::ingest, Zone::production});
  if (options.new_log && options.reason.empty())
    fail(ErrorCode::reason_required, "--new-log takes a log on that this witness never saw");
  if (!options.new_log && !options.reason.empty()) fail(ErrorCode::usage, "--reason is for --new-log");
  record_config(invocation, site);
  const auto request = WitnessRequest::parse(get_carried(options.request));
  AuditLog log(site.audit_folder(), "");
  if (log.verifier_key() == request.key.text()) {
    throw Error(ErrorCode::usage, "this is the log of this installation, which cannot be its own witness",
                "carry the request to another machine");
  }
  WitnessMemory memory(site.witness_folder(), "");
  std::optional<WitnessMemory::NewLog> accept_new;
  if (options.new_log) {
    if (!memory.find(request.key.name)) confirm_fingerprint(invocation, options, request.key);
    accept_new = {.reason = options.reason};
  }
  const auto answer = memory.cosign(request, accept_new, log, invocation.actor());
  write_output(options.output, answer);
  if (is_standard_output(options.output)) return;
  const Json result = {{"file", options.output},
                       {"log", request.key.name},
                       {"size", request.checkpoint.size},
                       {"fingerprint", fingerprint(request.key).text()},
                       {"witness", memory.key().name}};
  invocation.print(result, [&] {
    return fmt::format("cosigned {} of {} (fingerprint {})\nthe answer is in {}\n",
                       counted(request.checkpoint.size, "entry", "entries"), printable(request.key.name),
                       fingerprint(request.key).spoken(), printable(options.output));
  });
}

}  // namespace

void add_audit_witness_cosign(CLI::App& group, Invocation& invocation) {
  auto* command =
      group.add_subcommand("cosign", "As a witness: check another machine's log, remember it and cosign it");
  auto options = std::make_shared<Options>();
  command->add_option("REQUEST", options->request, "What the other machine wrote; - for standard input")->required();
  command->add_option("--output,-o", options->output, "The answer to carry back; - for standard output")
      ->required()
      ->type_name("FILE");
  command->add_flag("--new-log", options->new_log, "Take on a log that this witness never saw; needs --reason");
  command
      ->add_option("--fingerprint", options->fingerprint,
                   "Of the new log, as its machine shows it; without it you are asked on the terminal")
      ->type_name("DIGEST");
  add_reason(*command, options->reason, "Why there is a new log; written to the audit log");
  command->footer(
      "A log that is shorter than what was seen (log-rolled-back) or that does not continue it (log-forked) is "
      "refused,\n"
      "and both statements are kept in STATE/witness/evidence.\n"
      "Example: liftlock audit witness cosign /media/stick/request --output /media/stick/answer");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
