#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "bundle/manifest.hpp"
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

void run(Invocation& invocation, const Options& options) {
  const auto role = require_role(options.role);
  if (!bundle_roles().contains(role)) fail(ErrorCode::usage, "the role {} does not speak for bundles", name(role));
  const fs::path bundle(options.bundle);
  if (options.out.empty()) {
    require_bundle_to_write(bundle);
  } else {
    require_bundle(bundle);
  }
  const auto document = read_file(bundle / k_bundle_json_path, bundle_limits::k_bundle_json);
  const auto result = sign_beside(invocation, options.out.empty() ? bundle : fs::path(options.out), document, role,
                                  options.key, root_to_ask(invocation.site(), bundle), "bundle.sign",
                                  options.out.empty() ? OutOfPlace::no : OutOfPlace::yes);
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
