#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "cli/commands.hpp"
#include "cli/config_record.hpp"
#include "cli/output_file.hpp"
#include "cli/recorded_effect.hpp"
#include "cli/store_view.hpp"
#include "cli/trust_change.hpp"
#include "engine/countersignature.hpp"
#include "engine/load_gate.hpp"
#include "trust/logged_trust.hpp"

namespace liftlock {
namespace {

struct Options {
  std::string name, role = "approver", key, passphrase_file, signature, statement;
};

/// The key of a signature that somebody made elsewhere, as the pinned root knows it.
JudgedSignature judged(const std::string& document, const SignatureFile& file, const TrustRoot& root, Role role) {
  auto signature = judge(document, {file}, root, now(), {role}).at(0);
  if (signature.status != SignatureStatus::valid) {
    throw Error(code_of(signature.status),
                fmt::format("the signature of '{}' is {}: {}", printable(file.name), name(signature.status),
                            printable(signature.message)),
                "the statement to sign: liftlock model countersign NAME --statement FILE");
  }
  return signature;
}

void run(Invocation& invocation, const Options& options) {
  const auto site = invocation.site();
  site.require_zone("model countersign", {Zone::ingest, Zone::production});
  if ((options.key.empty() ? 0 : 1) + (options.signature.empty() ? 0 : 1) + (options.statement.empty() ? 0 : 1) != 1)
    fail(ErrorCode::usage, "give one of --key, --signature and --statement");
  const auto role = require_role(options.role);
  if (role != Role::approver && role != Role::scanner)
    fail(ErrorCode::usage, "the role {} does not countersign models", name(role));
  const auto model = engine::require_model(Catalog(site.catalog_file(), Access::read),
                                           engine::Choices(site.aliases_file()), options.name);
  const auto document = engine::model_statement(model);
  if (!options.statement.empty()) {
    write_output(options.statement, document);
    if (is_standard_output(options.statement)) return;
    return invocation.print({{"statement", options.statement}, {"model", model.id()}}, [&] {
      return fmt::format("wrote what is to be signed for {} to {}", printable(model.id()),
                         printable(options.statement));
    });
  }
  site.require_own();
  const auto root = trust_of(site).current();
  SignatureFile file;
  if (!options.key.empty()) {
    const auto signer = open_signer(
        options.key, options.passphrase_file.empty() ? std::nullopt : std::optional<fs::path>(options.passphrase_file));
    file = {fmt::format("{}.{}{}", name(role), signer->key_id().substr(0, 16), signer->suffix()),
            signer->sign(document)};
  } else {
    file.bytes = read_file(options.signature, 1u << 20);
    file.name = fs::path(options.signature).extension() == ".asc" ? ".asc" : ".sigstore.json";
    file.name =
        fmt::format("{}.{}{}", name(role),
                    judged(document, {"x" + file.name, file.bytes}, root, role).key_id.substr(0, 16), file.name);
  }
  const auto signature = judged(document, file, root, role);
  const Json result = {{"model", model.id()},
                       {"digest", engine::main_digest(model).text()},
                       {"role", name(role)},
                       {"key_id", signature.key_id},
                       {"file", file.name}};
  record_config(invocation, site);
  recorded_effect(invocation, "model.countersign", model.id(), result,
                  [&] { engine::CountersignatureStore(site.countersignatures_folder()).add(model, file); });
  invocation.print(result, [&] {
    return fmt::format("{} is countersigned by {} ({})", printable(model.id()), printable(signature.owner), name(role));
  });
}

}  // namespace

void add_model_countersign(CLI::App& group, Invocation& invocation) {
  auto* command = group.add_subcommand("countersign", "Sign a model for this organisation, as policy may want it");
  auto options = std::make_shared<Options>();
  add_model_argument(*command, "NAME", options->name, "Alias")->required();
  command->add_option("--role", options->role, "As whom: approver (the default) or scanner")
      ->type_name("{approver,scanner}");
  command->add_option("--key", options->key, "Private key file, or gpg:FINGERPRINT (smart cards through gpg-agent)");
  command->add_option("--passphrase-file", options->passphrase_file, "File whose first line unlocks the key")
      ->type_name("FILE");
  command->add_option("--signature", options->signature,
                      "A signature over the statement that was made elsewhere: a sigstore bundle, or GnuPG's .asc");
  command->add_option("--statement", options->statement,
                      "Only write what is to be signed to this file; - for standard output");
  command->footer(
      "The key must stand in the pinned trust root. `require_countersignature` of config.toml makes the load gate ask\n"
      "for it.\n"
      "Example: liftlock model countersign demo --key approver.pem");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
