#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "cli/commands.hpp"
#include "cli/output_file.hpp"
#include "cli/recorded_effect.hpp"
#include "cli/trust_change.hpp"
#include "os/terminal.hpp"
#include "trust/key_file.hpp"

namespace liftlock {
namespace {

struct Options {
  std::string role;
  std::string out;
  std::string type = "p256";
  std::string passphrase_file;
  bool ask = false;
};

std::optional<std::string> choose_passphrase(const Options& options) {
  if (!options.passphrase_file.empty()) return read_passphrase(options.passphrase_file);
  if (!options.ask) return std::nullopt;
  auto passphrase = ask_secret("passphrase for the new key: ");
  if (ask_secret("once more: ") != passphrase) fail(ErrorCode::passphrase, "the two passphrases differ");
  return passphrase;
}

void run(Invocation& invocation, const Options& options) {
  const auto role = require_role(options.role);
  const auto algorithm = parse_key_algorithm(options.type);
  if (!algorithm) fail(ErrorCode::usage, "--type must be p256, p384 or ed25519, not '{}'", options.type);
  require_file_name(options.out, "--out");
  const fs::path public_file = options.out + ".pub";
  if (fs::exists(public_file))
    fail(ErrorCode::immutable, "'{}' exists; keys are never overwritten", public_file.string());
  const auto key = PrivateKey::generate(*algorithm);
  const auto id = key.public_key().id();
  const Json result{{"key_id", id},
                    {"role", name(role)},
                    {"type", name(*algorithm)},
                    {"private_key", options.out},
                    {"public_key", public_file.string()}};
  const auto passphrase = choose_passphrase(options);
  recorded_effect(invocation, "trust.keygen", id, result, [&] {
    key.save(options.out, passphrase);
    write_file_atomically(public_file, key.public_key().pem());
  });
  invocation.print(result, [&] {
    return fmt::format("{} key {}\nprivate {}, public {}", name(role), id, options.out, public_file.string());
  });
}

}  // namespace

void add_trust_keygen(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("keygen", "Make a private key (PEM PKCS#8, mode 0600) and its FILE.pub");
  auto options = std::make_shared<Options>();
  command->add_option("--role", options->role, "What the key is for")
      ->required()
      ->type_name("{root,builder,scanner,approver,ingest}");
  command->add_option("--out", options->out, "Where the private key goes; never overwritten")
      ->required()
      ->type_name("FILE");
  command->add_option("--type", options->type, "The kind of key")
      ->type_name("{p256,p384,ed25519}")
      ->capture_default_str();
  auto* file = command->add_option("--passphrase-file", options->passphrase_file,
                                   "Encrypt it: the file's first line (/dev/fd/3 works)");
  command->add_flag("--passphrase", options->ask, "Encrypt it: ask on the terminal")->excludes(file);
  command->footer("Example: liftlock trust keygen --role builder --out builder.pem --passphrase");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
