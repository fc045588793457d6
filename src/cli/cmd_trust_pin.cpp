#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "cli/commands.hpp"
#include "cli/reason_option.hpp"
#include "cli/trust_change.hpp"

namespace liftlock {
namespace {

struct Options {
  std::string path;
  std::string fingerprint;
  std::string reason;
  bool replace = false;
};

/// What the person compared it with. Never silent: given on the command line, or answered on the terminal.
Digest confirmed_fingerprint(Invocation& invocation, const Options& options, const TrustRoot& root) {
  if (!options.fingerprint.empty()) {
    std::string text;
    for (const char c : options.fingerprint) {
      if (c != ' ') text += c;
    }
    const auto digest = Digest::try_parse(text.find(':') == std::string::npos ? "sha256:" + text : text);
    if (!digest) fail(ErrorCode::usage, "--fingerprint must be 64 hex digits, in groups or with sha256: before them");
    return *digest;
  }
  const auto question = fmt::format(
      "{}\nDoes the sender, asked by another way than this medium, read out this fingerprint?\n  {}\nPin it?",
      root_text(root), root.fingerprint.spoken());
  if (invocation.confirm(question)) return root.fingerprint;
  throw Error(ErrorCode::confirmation_required,
              fmt::format("the root statement of '{}' has the fingerprint {} and nobody confirmed it",
                          root.organisation, root.fingerprint.spoken()),
              "compare it with the sender by another way, then give --fingerprint DIGEST");
}

void run(Invocation& invocation, const Options& options) {
  const auto site = invocation.site();
  site.require_zone("trust pin", {Zone::low, Zone::transfer, Zone::ingest, Zone::production});
  if (options.replace && options.reason.empty())
    fail(ErrorCode::reason_required, "--replace drops the trust that is pinned here");
  const auto statement = read_chain(options.path).back();
  const auto root = parse_root(statement);
  const auto fingerprint = confirmed_fingerprint(invocation, options, root);
  Json detail{{"fingerprint", root.fingerprint.text()},
              {"expected", fingerprint.text()},
              {"organisation", root.organisation},
              {"version", root.version},
              {"confirmed", options.fingerprint.empty() ? "terminal" : "given"}};
  if (options.replace) detail["replace"] = true;
  if (!options.reason.empty()) detail["reason"] = options.reason;
  TrustStore store(site.trust_folder());
  record_trust(invocation, "trust.pin", Outcome::intent, root.fingerprint.text(), detail);
  if (options.replace) {
    store.replace(statement, fingerprint);
  } else {
    store.pin(statement, fingerprint);
  }
  record_trust(invocation, "trust.pin", Outcome::success, root.fingerprint.text(), detail);
  invocation.print(detail, [&] { return "pinned: " + root_text(root); });
}

}  // namespace

void add_trust_pin(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("pin", "Trust an organisation's root for the first time, by its fingerprint");
  auto options = std::make_shared<Options>();
  command->add_option("FILE_OR_BUNDLE", options->path, "A root statement, or a bundle that carries its chain")
      ->required();
  command->add_option("--fingerprint", options->fingerprint,
                      "As the sender read it out; without it you are asked on the terminal");
  command->add_flag("--replace", options->replace, "Drop the chain that is pinned here; needs --reason");
  add_reason(*command, options->reason, "Why, for the audit log");
  command->footer("Example: liftlock trust pin /mnt/bundle --fingerprint 'ba78 16bf 8f01 …'");
  command->callback(
      [&invocation, options] { recorded_change(invocation, "trust.pin", "pin", [&] { run(invocation, *options); }); });
}

}  // namespace liftlock
