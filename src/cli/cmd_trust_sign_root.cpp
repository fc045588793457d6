#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "audit/audit_log.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/config_record.hpp"
#include "cli/trust_change.hpp"
#include "trust/key_file.hpp"

namespace liftlock {
namespace {

struct Options {
  std::string file;
  std::vector<std::string> keys;
  std::string passphrase_file;
};

/// Whose key is it: of this statement, or of the one before it?
void require_root_key(Invocation& invocation, const RootStatement& statement, const std::string& id) {
  const auto is_root_of = [&](const TrustRoot& root) {
    const auto* key = root.find(id);
    return key != nullptr && key->role == Role::root;
  };
  const TrustStore store(invocation.site().trust_folder());
  if (is_root_of(statement.root) || (!store.empty() && is_root_of(store.current()))) return;
  fail(ErrorCode::key_role, "{} is no root key of this statement, nor of the one before it", id);
}

/// Who has pinned no root yet, and did not draft this one, has compared no fingerprint: `trust pin` asks for that.
bool may_pin(const Site& site, const TrustRoot& root) {
  if (!site.exists() || !TrustStore(site.trust_folder()).empty()) return true;
  require_audit_log(site);
  // A signature that was added to it here is a draft in the log, too.
  const auto by_init = [](const AuditEntry& entry) {
    return parse_json(entry.event.detail).value("change", "") == "init";
  };
  return AuditLog(site.audit_folder(), "").find_last("trust.draft", root.fingerprint.text(), by_init).has_value();
}

void run(Invocation& invocation, const Options& options) {
  // What is signed on an old chain forks it, and an emptied folder is none that never pinned anything.
  (void)trust_of(invocation.site());
  auto statement = decode_root(read_chain(options.file).back());
  invocation.reporter().note("signing:");
  const auto text = root_text(statement.root);
  for (const auto line : split(trim(text), '\n')) invocation.reporter().note(std::string(line));
  for (const auto& file : options.keys) {
    const auto key = load_private_key(
        file, options.passphrase_file.empty() ? std::nullopt : std::optional<fs::path>(options.passphrase_file));
    require_root_key(invocation, statement, key.public_key().id());
    sign_root(statement, key);
  }
  // Whoever carries the file on has the signature in it, whether or not the statement is in force here now.
  if (fs::is_regular_file(options.file)) write_file_atomically(options.file, encode_root(statement));
  const Json what{{"change", "sign-root"}};
  finish_statement(invocation, statement, options.file, what,
                   may_pin(invocation.site(), statement.root) ? Pin::yes : Pin::no);
}

}  // namespace

void add_trust_sign_root(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand(
      "sign-root",
      "Add a root signature to a statement, in its file; in force where it was made once there are enough");
  auto options = std::make_shared<Options>();
  command->add_option("FILE", options->file, "N.root.json that still lacks signatures")->required();
  command->add_option("--root-key", options->keys, "Private root key")->required()->type_name("FILE");
  command->add_option("--passphrase-file", options->passphrase_file, "File whose first line unlocks it")
      ->type_name("FILE");
  command->footer("Example: liftlock trust sign-root 2.root.json --root-key second-root.pem");
  command->callback([&invocation, options] {
    recorded_change(invocation, "trust.update", "sign-root", [&] { run(invocation, *options); });
  });
}

}  // namespace liftlock
