#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "bundle/manifest.hpp"
#include "bundle/signatures.hpp"
#include "cli/commands.hpp"
#include "cli/signing.hpp"
#include "cli/trust_change.hpp"
#include "crypto/hash.hpp"

namespace liftlock {
namespace {

struct Options {
  std::string bundle;
  std::string role;
  std::string out;
  SigningKey key;
};

/// A new signature does not outweigh an old one by a key that was revoked.
void warn_of_revoked(Invocation& invocation, const fs::path& bundle, std::string_view document, const TrustRoot& root) {
  std::vector<JudgedSignature> judged;
  try {
    judged = judge(document, read_signatures(bundle), root, now());
  } catch (const Error&) {  // `verify` tells it; what is to be signed is good all the same
  }
  for (const auto& signature : judged) {
    if (signature.status != SignatureStatus::revoked_key) continue;
    invocation.reporter().warn(fmt::format(
        "signatures/{} is by a key that is revoked: `verify` and `ingest` refuse the bundle until that file is removed",
        printable(signature.file)));
  }
}

void run(Invocation& invocation, const Options& options) {
  const auto role = require_role(options.role);
  if (!bundle_roles().contains(role)) fail(ErrorCode::usage, "the role {} does not speak for bundles", name(role));
  const fs::path bundle(options.bundle);
  if (options.out.empty()) {
    require_bundle_to_write(
        bundle, "name a folder for the signature with --out; `verify` and `ingest` take it with --signatures");
  } else {
    require_bundle(bundle);
  }
  const auto document = read_file(bundle / k_bundle_json_path, bundle_limits::k_bundle_json);
  const auto root = root_to_ask(invocation.site(), bundle);
  if (root) warn_of_revoked(invocation, bundle, document, *root);
  const auto result =
      sign_beside(invocation, options.out.empty() ? bundle : fs::path(options.out), document, role, options.key, root,
                  std::string(k_sign_event), options.out.empty() ? OutOfPlace::no : OutOfPlace::yes);
  warn_unless_carried(invocation, bundle, result.at("key_id").get<std::string>());
  invocation.print(result, [&] {
    return fmt::format("signed bundle.json as {}: {}\ndigest {}", name(role), result["file"].get<std::string>(),
                       sha256(document).spoken());
  });
}

}  // namespace

void add_sign(CLI::App& app, Invocation& invocation) {
  auto* command =
      app.add_subcommand("sign", "Add a signature to a bundle, over the exact bytes of manifest/bundle.json");
  auto options = std::make_shared<Options>();
  command->add_option("BUNDLE", options->bundle, "The bundle's folder")->required();
  command->add_option("--role", options->role, "As whom the key signs")
      ->required()
      ->type_name("{builder,scanner,approver}");
  command
      ->add_option("--out", options->out,
                   "Put the signature into FOLDER/signatures/ instead, for a bundle on a read-only medium")
      ->type_name("FOLDER");
  add_signing_options(*command, options->key, true);
  command->footer(
      "Example: liftlock sign /mnt/bundle --role approver --key gpg:0123456789ABCDEF0123456789ABCDEF01234567");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
