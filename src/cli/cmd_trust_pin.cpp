#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "cli/commands.hpp"
#include "cli/reason_option.hpp"
#include "cli/trust_change.hpp"
#include "trust/logged_trust.hpp"

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

/// A chain that the log tells of comes back whole, or not at all: keys that its newer statements revoked would count
/// again. Empty when it knows nothing of this one, so that it takes the place of all that is pinned.
std::vector<std::string> known_chain(const Site& site, const std::vector<std::string>& brought, const TrustRoot& root) {
  const TrustStore store(site.trust_folder());
  if (store.empty() && !fs::exists(site.audit_folder() / "journal")) return {};
  const auto log = AuditLog::open_to_read(site.audit_folder());
  LoggedTrust logged;
  const auto whole = logged.whole_chain(store, log, brought, now(), LoggedTrust::Chains::replaced_too);
  // Of another chain whose versions are others nothing may be left in it: then it is that of what is pinned.
  const bool is_its = std::any_of(whole.begin(), whole.end(),
                                  [&](const auto& one) { return root_fingerprint(one) == root.fingerprint; });
  if (is_its) return whole;
  if (!logged.knows(store, log, root.fingerprint)) return {};
  throw Error(ErrorCode::trust_broken,
              fmt::format("root statement {} was followed here already, and newer ones, which this would drop with all "
                          "that they revoked",
                          root.version),
              "use a bundle that carries the newest statements; `liftlock trust update BUNDLE` brings them back where "
              "they are lost");
}

void run(Invocation& invocation, const Options& options) {
  const auto site = invocation.site();
  site.require_zone("trust pin", {Zone::low, Zone::transfer, Zone::ingest, Zone::production});
  if (options.replace && options.reason.empty())
    fail(ErrorCode::reason_required, "--replace drops the trust that is pinned here");
  const auto brought = read_chain(options.path);
  const auto& statement = brought.back();
  const auto root = parse_root(statement);
  require_no_future(root, now());
  const auto fingerprint = confirmed_fingerprint(invocation, options, root);
  Json detail{{"fingerprint", root.fingerprint.text()},
              {"expected", fingerprint.text()},
              {"organisation", root.organisation},
              {"version", root.version},
              {"confirmed", options.fingerprint.empty() ? "terminal" : "given"}};
  if (options.replace) {
    detail["remark"] = "replace the trust that was pinned: " + options.reason;
  } else if (!options.reason.empty()) {
    detail["reason"] = options.reason;
  }
  TrustStore store(site.trust_folder());
  std::vector<std::string> known;
  if (options.replace) {
    if (fingerprint == root.fingerprint) known = known_chain(site, brought, root);
    if (!known.empty()) detail["restores"] = root_fingerprint(known.front()).text();
  } else {
    (void)trust_of(site);  // pinning what is lost, or older, is no first time
  }
  // What is still pinned may be newer than what was brought.
  const auto pinned = known.empty() ? root : parse_root(known.back());
  detail["fingerprint"] = pinned.fingerprint.text();
  detail["version"] = pinned.version;
  record_trust(invocation, "trust.pin", Outcome::intent, pinned.fingerprint.text(), detail);
  if (!known.empty()) {
    replace_chain(store, known, now());
  } else if (options.replace) {
    store.replace(statement, fingerprint);
  } else {
    store.pin(statement, fingerprint);
  }
  record_trust(invocation, "trust.pin", Outcome::success, pinned.fingerprint.text(), detail);
  mark_followed(invocation, options.replace ? TrustMark::replace : TrustMark::raise, brought);
  invocation.print(detail, [&] { return "pinned: " + root_text(pinned); });
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
