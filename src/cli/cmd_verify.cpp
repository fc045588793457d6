#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <nlohmann/json.hpp>
#include <span>

#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "bundle/bundle_reader.hpp"
#include "bundle/signatures.hpp"
#include "bundle/verify.hpp"
#include "cli/bundle_view.hpp"
#include "cli/commands.hpp"
#include "cli/inspection.hpp"
#include "cli/interrupt.hpp"
#include "cli/long_list.hpp"
#include "trust/logged_trust.hpp"
#include "trust/trust.hpp"

namespace liftlock {
namespace {

struct Options {
  std::string bundle;
  std::string expect;
  std::vector<std::string> signatures;
  std::string root;
  std::string fingerprint;
  bool integrity_only = false;
  bool all = false;
};

/// Whose signatures count: a root statement given by hand with its fingerprint, else the pinned chain.
std::optional<std::vector<std::string>> chosen_chain(const Invocation& invocation, const Options& options) {
  if (options.integrity_only) return std::nullopt;
  if (options.root.empty()) {
    const auto site = invocation.site();
    const auto trust = trust_of(site);
    (void)trust.current();  // a chain of ours that is broken is no problem of the bundle
    return trust.pinned_chain();
  }
  const auto statement = read_file(options.root, bundle_limits::k_trust_statement);
  if (options.fingerprint.empty()) {
    fail(ErrorCode::confirmation_required,
         "the root statement has the fingerprint {}; give it with --fingerprint once you compared it",
         root_fingerprint(statement).spoken());
  }
  if (root_fingerprint(statement) != parse_digest(options.fingerprint)) {
    fail(ErrorCode::confirmation_required, "the root statement has the fingerprint {}, not the one given",
         root_fingerprint(statement).spoken());
  }
  (void)parse_root(statement);
  return std::vector{statement};
}

Json withheld_json(const std::vector<Withheld::File>& files) {
  auto out = Json::array();
  for (const auto& file : files) out.push_back({{"path", file.path.text()}, {"reason", file.reason}});
  return out;
}

Json to_json(const VerifyReport& report) {
  auto problems = Json::array();
  for (const auto& problem : report.problems) {
    problems.push_back(
        {{"code", info(problem.code).slug}, {"path", problem.path}, {"message", printable(problem.message)}});
  }
  return {{"good", report.problems.empty()},
          {"channel", report.info.channel},
          {"sequence", report.info.sequence},
          {"digest", report.digest.text()},
          {"signatures_judged", report.signatures_judged},
          {"signatures", signatures_json(report.signatures)},
          {"files", report.files},
          {"bytes", report.bytes},
          {"withheld", withheld_json(report.withheld)},
          {"problems", std::move(problems)}};
}

/// What ingest will want besides; who approves verifies before that.
std::string approvals_text(const VerifyReport& report, std::uint64_t wanted) {
  const auto people = approvers_of(report.signatures);
  if (people.size() >= wanted) return "";
  return fmt::format("note: to land here it needs the approval of {}; it has that of {}\n",
                     counted(wanted, "person", "people"), people.size());
}

std::string to_text(const VerifyReport& report, const LongList& list) {
  constexpr std::size_t k_most = 40;
  std::string out = bundle_heading(report.info, report.digest);
  out += signatures_text(report.signatures);
  out += left_out_text(report.info);
  for (const auto& file : std::span(report.withheld).first(list.shown(report.withheld.size(), k_most))) {
    out += fmt::format("withheld: {} ({})\n", file.path.text(), printable(file.reason));
  }
  out += list.rest(report.withheld.size(), k_most, "withheld file");
  if (!report.signatures_judged) {
    const bool refused = std::any_of(report.problems.begin(), report.problems.end(),
                                     [](const auto& problem) { return problem.path == "signatures"; });
    out += refused ? "signatures were NOT judged, for the problem that is told below\n"
                   : "signatures were NOT judged: only the integrity of the files was checked\n";
  }
  for (const auto& problem : std::span(report.problems).first(list.shown(report.problems.size(), k_most))) {
    out += fmt::format("PROBLEM [{}] {}: {}\n", info(problem.code).slug, problem.path.empty() ? "bundle" : problem.path,
                       printable(problem.message));
  }
  out += list.rest(report.problems.size(), k_most, "problem");
  out += report.problems.empty()
             ? fmt::format("good: {}, {}\n", counted(report.files, "file"), format_size(report.bytes))
             : fmt::format("BAD: {} in {}, {}\n", counted(report.problems.size(), "problem"),
                           counted(report.files, "file"), format_size(report.bytes));
  return out;
}

/// The gravest class decides: integrity before policy before the rest.
int status_of(const std::vector<Problem>& problems) {
  int status = 0;
  for (const auto& problem : problems) status = std::max(status, static_cast<int>(info(problem.code).error_class));
  return status;
}

void run(Invocation& invocation, const Options& options) {
  begin_anew_after_interrupt();
  const BundleReader bundle(options.bundle);  // that it is none is told before whose signatures count
  VerifyOptions verify{.expect = std::nullopt,
                       .pinned = chosen_chain(invocation, options),
                       .when = now(),
                       .signatures = {options.signatures.begin(), options.signatures.end()}};
  if (!options.expect.empty()) verify.expect = parse_digest(options.expect);
  // With a root of one's own no installation is asked.
  const bool here = verify.pinned && options.root.empty();
  if (here) {
    require_known_kinds(invocation.site().config());
    verify.accept_kinds = invocation.site().config().accept_kinds;
  }
  const auto report = verify_bundle(options.bundle, verify, invocation.reporter());
  const auto wanted = here ? invocation.site().config().approvals : 0;
  invocation.print(to_json(report),
                   [&] { return approvals_text(report, wanted) + to_text(report, LongList(options.all)); });
  invocation.set_status(status_of(report.problems));
}

}  // namespace

void add_verify(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("verify", "Check a bundle: who signed it, and every byte of it");
  auto options = std::make_shared<Options>();
  command->add_option("BUNDLE", options->bundle, "Folder of the bundle; may be on a read-only medium")->required();
  command->add_option("--expect", options->expect, "SHA-256 of manifest/bundle.json, as announced by another way")
      ->type_name("DIGEST");
  command
      ->add_option("--signatures", options->signatures,
                   "A folder that `sign --out` wrote: more signatures of this bundle; may be given again")
      ->type_name("FOLDER")
      ->check(CLI::ExistingDirectory);
  command->add_option("--root", options->root, "Judge by this root statement instead of the pinned one")
      ->type_name("FILE");
  command->add_option("--fingerprint", options->fingerprint, "The fingerprint that the root statement must have")
      ->type_name("DIGEST");
  command->add_flag("--integrity-only", options->integrity_only, "Check the files against the lists, and no signature");
  add_all_flag(*command, options->all);
  command->footer(
      "Reads every byte once, unpacks nothing, reports every problem. The exit status is that of the gravest problem.\n"
      "Example: liftlock verify /mnt/transfer/demo-7 --expect 'sha256:3b1f…'");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
