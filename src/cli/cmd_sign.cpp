#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "cli/commands.hpp"
#include "cli/trust_change.hpp"
#include "crypto/hash.hpp"

namespace liftlock {
namespace {

constexpr std::uint64_t k_max_manifest = 16u << 20;

struct Options {
  std::string bundle;
  std::string role;
  std::string key;
  std::string passphrase_file;
};

/// The root that tells whether the key may sign: the pinned one, else the newest that the bundle carries (believed for
/// this warning to the signer only; the receiver judges by its own).
std::optional<TrustRoot> root_to_ask(const Site& site, const fs::path& bundle) {
  const TrustStore pinned(site.trust_folder()), carried(bundle / "manifest" / "trust");
  if (!pinned.empty()) return pinned.current();
  if (!carried.empty()) return parse_root(carried.statements().back());
  return std::nullopt;
}

void require_listed(const TrustRoot& root, const std::string& key_id, Role role) {
  const auto* key = root.find(key_id);
  if (key == nullptr) {
    throw Error(ErrorCode::key_unknown, fmt::format("root statement {} does not list the key {}", root.version, key_id),
                "list it first with `liftlock trust add-key`");
  }
  if (key->role != role)
    fail(ErrorCode::key_role, "the key {} has the role {}, not {}", key_id, name(key->role), name(role));
  if (key->revoked_since)
    fail(ErrorCode::key_revoked, "the key {} is revoked: {}", key_id, printable(key->revoked_reason));
  if (key->expires && now() >= *key->expires)
    fail(ErrorCode::key_expired, "the key {} expired at {}", key_id, format_time(*key->expires));
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
  const auto digest = sha256(document);

  const auto signer = open_signer(
      options.key, options.passphrase_file.empty() ? std::nullopt : std::optional<fs::path>(options.passphrase_file));
  if (const auto root = root_to_ask(invocation.site(), bundle)) {
    require_listed(*root, signer->key_id(), role);
  } else {
    invocation.reporter().warn("no root statement here or in the bundle: nobody checked that this key may sign");
  }
  const auto file = fmt::format("{}.{}{}", name(role), signer->key_id().substr(0, 16), signer->suffix());
  const auto signature = signer->sign(document);
  const Json result{
      {"file", "signatures/" + file}, {"role", name(role)}, {"key_id", signer->key_id()}, {"digest", digest.text()}};
  recorded_effect(invocation, "bundle.sign", digest.text(), result, [&] {
    make_folders(bundle / "signatures");
    write_file_atomically(bundle / "signatures" / file, signature);
  });
  invocation.print(result, [&] {
    return fmt::format("signed bundle.json as {}: signatures/{}\ndigest {}", name(role), file, digest.spoken());
  });
}

}  // namespace

void add_sign(CLI::App& app, Invocation& invocation) {
  auto* command =
      app.add_subcommand("sign", "Add a signature to a bundle, over the exact bytes of manifest/bundle.json");
  auto options = std::make_shared<Options>();
  command->add_option("BUNDLE", options->bundle, "The bundle's folder")->required();
  command->add_option("--role", options->role, "builder, scanner or approver")->required();
  command->add_option("--key", options->key, "Private key file, or gpg:FINGERPRINT (smart cards through gpg-agent)")
      ->required();
  command->add_option("--passphrase-file", options->passphrase_file, "File whose first line unlocks the key")
      ->type_name("FILE");
  command->footer(
      "Example: liftlock sign /mnt/bundle --role approver --key gpg:0123456789ABCDEF0123456789ABCDEF01234567");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
