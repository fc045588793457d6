#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "cli/commands.hpp"
#include "cli/signing.hpp"
#include "cli/trust_change.hpp"
#include "crypto/hash.hpp"

namespace liftlock {
namespace {

constexpr std::uint64_t k_max_manifest = 16u << 20;

struct Options {
  std::string bundle;
  std::string role;
  SigningKey key;
};

/// The root that tells whether the key may sign: the pinned one, else the newest that the bundle carries (believed for
/// this warning to the signer only; the receiver judges by its own).
std::optional<TrustRoot> root_to_ask(const Site& site, const fs::path& bundle) {
  const TrustStore pinned(site.trust_folder()), carried(bundle / "manifest" / "trust");
  if (!pinned.empty()) return pinned.current();
  if (!carried.empty()) return parse_root(carried.statements().back());
  return std::nullopt;
}

void run(Invocation& invocation, const Options& options) {
  const auto role = require_role(options.role);
  if (!bundle_roles().contains(role)) fail(ErrorCode::usage, "the role {} does not speak for bundles", name(role));
  const fs::path bundle(options.bundle);
  const auto manifest = bundle / "manifest" / "bundle.json";
  if (!fs::is_regular_file(manifest))
    fail(ErrorCode::not_a_bundle, "there is no manifest/bundle.json in '{}'", bundle.string());
  if (is_on_read_only_mount(bundle)) {
    throw Error(ErrorCode::io_error,
                fmt::format("'{}' is on a medium that is mounted read-only", printable(bundle.string())),
                "sign before it goes there; or sign a copy of its manifest/ elsewhere, and carry the file of "
                "signatures/ beside it");
  }
  const auto document = read_file(manifest, k_max_manifest);
  const auto result = sign_beside(invocation, bundle, document, role, options.key,
                                  root_to_ask(invocation.site(), bundle), "bundle.sign");
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
  command->add_option("--role", options->role, "builder, scanner or approver")->required();
  add_signing_options(*command, options->key, true);
  command->footer(
      "Example: liftlock sign /mnt/bundle --role approver --key gpg:0123456789ABCDEF0123456789ABCDEF01234567");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
