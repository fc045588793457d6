#include "cli/signing.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "bundle/bundle_folder.hpp"
#include "bundle/manifest.hpp"
#include "cli/recorded_effect.hpp"
#include "crypto/hash.hpp"
#include "os/leftovers.hpp"
#include "trust/logged_trust.hpp"

namespace liftlock {
void require_listed(const TrustRoot& root, const std::string& key_id, Role role) {
  const auto* key = root.find(key_id);
  if (key == nullptr) {
    for (const auto& old : root.retired) {
      if (old.id == key_id && !old.revoked_since)
        fail(ErrorCode::key_retired, "root statement {} lists the key {} no longer", root.version, key_id);
    }
    throw Error(ErrorCode::key_unknown, fmt::format("root statement {} does not list the key {}", root.version, key_id),
                "list it first with `liftlock trust add-key`");
  }
  if (key->role != role)
    fail(ErrorCode::key_role, "the key {} has the role {}, not {}", key_id, name(key->role), name(role));
  if (key->revoked_since)
    fail(ErrorCode::key_revoked, "the key {} is revoked: {}", key_id, printable(key->revoked_reason));
  if (root.expires && now() >= *root.expires) {
    throw Error(
        ErrorCode::key_expired, fmt::format("root statement {} expired at {}", root.version, format_end(*root.expires)),
        "compare this machine's clock with a watch; when it is right have the root keys make a new statement, as "
        "with `liftlock trust threshold builder 1 --expires 365d`");
  }
  if (key->expires && now() >= *key->expires)
    fail(ErrorCode::key_expired, "the key {} expired at {}", key_id, format_end(*key->expires));
}

void add_signing_options(CLI::App& command, SigningKey& key, bool required) {
  command.add_option("--key", key.key, "Private key file, or gpg:FINGERPRINT (smart cards through gpg-agent)")
      ->required(required);
  command.add_option("--passphrase-file", key.passphrase_file, "File whose first line unlocks the key")
      ->type_name("FILE");
}

std::optional<TrustRoot> root_to_ask(const Site& site, const fs::path& bundle) {
  const auto pinned = trust_of(site);
  const TrustStore carried(bundle / "manifest" / "trust");
  if (!pinned.empty()) return pinned.current();
  if (!carried.empty()) return parse_root(carried.statements().back());
  return std::nullopt;
}

void warn_unless_carried(Invocation& invocation, const fs::path& bundle, const std::string& key_id) {
  const TrustStore carried(bundle / "manifest" / "trust");
  if (!carried.empty() && carried.current().find(key_id) != nullptr) return;
  invocation.reporter().warn(
      "the trust statements that the bundle carries do not list this key: a receiver that has no newer one needs "
      "`liftlock trust update FILE` first");
}

void require_bundle(const fs::path& bundle) {
  if (!fs::is_regular_file(bundle / k_bundle_json_path)) throw no_bundle(bundle);
}

void require_bundle_to_write(const fs::path& bundle, const char* otherwise) {
  require_bundle(bundle);
  if (is_on_read_only_mount(bundle)) {
    throw Error(ErrorCode::io_error,
                fmt::format("'{}' is on a medium that is mounted read-only", printable(bundle.string())), otherwise);
  }
}

Json sign_beside(Invocation& invocation, const fs::path& folder, std::string_view document, Role role,
                 const SigningKey& key, const std::optional<TrustRoot>& root, const std::string& event,
                 OutOfPlace out_of_place) {
  const auto signer =
      open_signer(key.key, key.passphrase_file.empty() ? std::nullopt : std::optional<fs::path>(key.passphrase_file));
  if (root) {
    require_listed(*root, signer->key_id(), role);
  } else {
    invocation.reporter().warn("no root statement here or in the bundle: nobody checked that this key may sign");
  }
  const auto digest = sha256(document);
  const auto file = fmt::format("{}.{}{}", name(role), signer->key_id().substr(0, 16), signer->suffix());
  // A folder of its own may hold what the same key signed of another document, under the same name.
  if (out_of_place == OutOfPlace::yes && fs::exists(folder / "signatures" / file)) {
    throw Error(ErrorCode::immutable, fmt::format("'{}' exists", printable((folder / "signatures" / file).string())),
                "give each bundle a folder of its own, or remove the old signature");
  }
  const auto signature = signer->sign(document);
  Json result{
      {"file", "signatures/" + file}, {"role", name(role)}, {"key_id", signer->key_id()}, {"digest", digest.text()}};
  recorded_effect(invocation, event, digest.text(), result, [&] {
    make_folders(folder / "signatures");
    remove_leftovers(folder / "signatures" / file);
    write_file_atomically(folder / "signatures" / file, signature);
  });
  return result;
}

}  // namespace liftlock
