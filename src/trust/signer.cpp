#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "os/terminal.hpp"
#include "trust/gpg.hpp"
#include "trust/key_file.hpp"
#include "trust/sigstore_bundle.hpp"
#include "trust/trust.hpp"

namespace liftlock {
namespace {

constexpr std::string_view k_gpg_prefix = "gpg:";
constexpr std::uint64_t k_max_passphrase = 1024;
constexpr std::uint64_t k_max_key_file = 64u << 10;

class KeySigner final : public Signer {
 public:
  explicit KeySigner(PrivateKey key) : m_key(std::move(key)), m_id(m_key.public_key().id()) {}
  std::string key_id() const override { return m_id; }
  std::string sign(std::string_view document) const override { return sign_sigstore_bundle(m_key, document); }
  std::string_view suffix() const override { return ".sigstore.json"; }

 private:
  PrivateKey m_key;
  std::string m_id;
};

}  // namespace

std::string read_passphrase(const fs::path& file) {
  auto text = read_file(file, k_max_passphrase);
  text.resize(std::min(text.find_first_of("\r\n"), text.size()));
  if (text.empty()) fail(ErrorCode::passphrase, "the first line of '{}' is empty", file.string());
  return text;
}

PrivateKey load_private_key(const fs::path& file, const std::optional<fs::path>& passphrase_file) {
  std::error_code ignored;
  if (!fs::exists(file, ignored)) fail(ErrorCode::key_missing, "there is no private key at '{}'", file.string());
  const auto text = read_file(file, k_max_key_file);
  if (text.find("-----BEGIN PUBLIC KEY-----") != std::string::npos) {
    const auto shown = printable(file.string());
    const bool beside = file.extension() == ".pub" && fs::exists(fs::path(file).replace_extension(), ignored);
    throw Error(ErrorCode::key_missing, fmt::format("'{}' is a public key, and signing takes the private one", shown),
                beside ? fmt::format("it lies beside it: '{}'", printable(fs::path(file).replace_extension().string()))
                       : "name the file that `liftlock trust keygen --out FILE` wrote, without .pub");
  }
  if (!is_encrypted_pem(text)) return PrivateKey::load(file);
  if (passphrase_file) return PrivateKey::load(file, read_passphrase(*passphrase_file));
  return PrivateKey::load(file, ask_secret("passphrase of " + file.string() + ": "));
}

PublicKey load_public_key(const fs::path& file) {
  std::error_code ignored;
  if (!fs::exists(file, ignored)) fail(ErrorCode::key_missing, "there is no key at '{}'", file.string());
  const auto text = read_file(file, k_max_key_file);
  return with_context("while reading the key " + file.string(), [&] {
    if (!is_private_pem(text)) return PublicKey::from_pem(text);
    if (is_encrypted_pem(text)) {
      throw Error(ErrorCode::passphrase, "the private key is encrypted, and only its public half is needed",
                  "name the public key file beside it (FILE.pub)");
    }
    return PrivateKey::from_pem(text).public_key();
  });
}

TrustedKey describe_key(const std::string& key, Role role, std::string owner) {
  TrustedKey out;
  out.role = role;
  if (key.starts_with(k_gpg_prefix)) {
    auto exported = export_gpg_key(std::string_view(key).substr(k_gpg_prefix.size()));
    out.id = exported.fingerprint;
    out.type = KeyType::gpg;
    out.owner = owner.empty() ? exported.user_id : std::move(owner);
    out.public_key = std::move(exported.armored);
    return out;
  }
  const auto public_key = load_public_key(key);
  out.id = public_key.id();
  out.type = parse_key_type(name(public_key.algorithm())).value();
  out.owner = owner.empty() ? fs::path(key).filename().string() : std::move(owner);
  out.public_key = public_key.pem();
  return out;
}

std::unique_ptr<Signer> open_signer(const std::string& key, const std::optional<fs::path>& passphrase_file) {
  if (key.starts_with(k_gpg_prefix)) {
    return open_gpg_signer(std::string_view(key).substr(k_gpg_prefix.size()), passphrase_file);
  }
  return std::make_unique<KeySigner>(load_private_key(key, passphrase_file));
}

}  // namespace liftlock
