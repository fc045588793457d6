#include "trust/gpg.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "os/process.hpp"
#include "trust/openpgp.hpp"

namespace liftlock {
namespace {

constexpr std::size_t k_max_public_key = 64u << 10;
constexpr std::size_t k_max_signature = 16u << 10;
constexpr std::uint64_t k_max_output = 1u << 20;
constexpr std::chrono::seconds k_timeout{60};
/// A person may have to find the smart card and type a PIN.
constexpr std::chrono::seconds k_signing_timeout{600};

ProcessResult run_gpg(std::vector<std::string> arguments, std::string_view input = {},
                      std::chrono::seconds timeout = k_timeout) {
  ProcessSpec spec;
  arguments.insert(arguments.begin(), {"gpg", "--batch", "--no-auto-check-trustdb"});
  spec.argv = std::move(arguments);
  spec.input = input;
  spec.set_environment = {{"LC_ALL", "C"}};
  spec.max_output = k_max_output;
  spec.timeout = timeout;
  return run_process(spec);
}

struct Listing {
  std::size_t keys = 0;
  std::string fingerprint;
  std::string user_id;
};

/// doc/DETAILS of GnuPG: records by line, fields by colon; "fpr" follows "pub" or "sec" with the fingerprint in
/// field 10.
Listing parse_colons(std::string_view text) {
  Listing listing;
  bool in_primary = false;
  for (const auto line : split(text, '\n')) {
    const auto fields = split(line, ':');
    if (fields.size() < 10) continue;
    if (fields[0] == "pub" || fields[0] == "sec") {
      ++listing.keys;
      in_primary = true;
    } else if (fields[0] == "sub" || fields[0] == "ssb") {
      in_primary = false;
    } else if (fields[0] == "fpr" && in_primary && listing.fingerprint.empty()) {
      listing.fingerprint = fields[9];
    } else if (fields[0] == "uid" && listing.user_id.empty()) {
      listing.user_id = printable(fields[9].substr(0, 200));
    }
  }
  return listing;
}

std::string_view last_words(const ProcessResult& result) {
  return trim(result.error_output);
}

class GpgSigner final : public Signer {
 public:
  GpgSigner(std::string fingerprint, std::optional<fs::path> passphrase_file)
      : m_fingerprint(std::move(fingerprint)), m_passphrase_file(std::move(passphrase_file)) {}

  std::string key_id() const override { return m_fingerprint; }
  std::string_view suffix() const override { return ".asc"; }
  std::string sign(std::string_view document) const override {
    std::vector<std::string> arguments{"--armor",       "--no-comments", "--no-emit-version",
                                       "--digest-algo", "SHA256",        "--local-user",
                                       m_fingerprint,   "--output",      "-"};
    if (m_passphrase_file) {
      arguments.insert(arguments.end(),
                       {"--pinentry-mode", "loopback", "--passphrase-file", m_passphrase_file->string()});
    }
    arguments.emplace_back("--detach-sign");
    const auto result = run_gpg(std::move(arguments), document, k_signing_timeout);
    if (result.status != 0) {
      throw Error(
          ErrorCode::tool_failed,
          fmt::format("gpg did not sign with {}: {}", m_fingerprint, printable(last_words(result))),
          "check that the key is not expired, that the card is in, and that gpg-agent can ask for the passphrase "
          "(export GPG_TTY=$(tty)), or give --passphrase-file");
    }
    return result.output;
  }

 private:
  std::string m_fingerprint;
  std::optional<fs::path> m_passphrase_file;
};

struct Status {
  std::string_view keyword;
  std::vector<std::string_view> fields;
};

std::vector<Status> parse_status(std::string_view text) {
  constexpr std::string_view k_prefix = "[GNUPG:] ";
  std::vector<Status> out;
  for (auto line : split(text, '\n')) {
    if (!line.starts_with(k_prefix)) continue;
    auto fields = split(line.substr(k_prefix.size()), ' ');
    const auto keyword = fields.front();
    fields.erase(fields.begin());
    out.push_back({keyword, std::move(fields)});
  }
  return out;
}

/// VALIDSIG fpr date timestamp expires version reserved pubkey-algo hash-algo class primary-fpr
GpgVerdict judge_validsig(const std::vector<std::string_view>& f) {
  if (f.size() < 10) return {SignatureStatus::invalid, "", "", "gpgv wrote a VALIDSIG that is not understood"};
  const auto signing = parse_gpg_fingerprint(f[0]), primary = parse_gpg_fingerprint(f[9]);
  if (!signing || !primary)
    return {SignatureStatus::invalid, "", "", "gpgv named a fingerprint that is not understood"};
  const GpgVerdict named{SignatureStatus::invalid, *primary, *signing, ""};
  const auto refuse = [&](std::string message) {
    auto verdict = named;
    verdict.message = std::move(message);
    return verdict;
  };
  constexpr std::array<std::string_view, 3> k_hashes{"8", "9", "10"};  // SHA-256, SHA-384, SHA-512 (RFC 4880 §9.4)
  if (std::find(k_hashes.begin(), k_hashes.end(), f[7]) == k_hashes.end())
    return refuse("the signature uses a weak hash");
  if (f[8] != "00") return refuse("the signature is not over the exact bytes (it has another class than 0x00)");
  auto verdict = named;
  verdict.status = SignatureStatus::valid;
  return verdict;
}

}  // namespace

std::optional<std::string> parse_gpg_fingerprint(std::string_view text) {
  if (text.size() != 40) return std::nullopt;
  std::string out;
  for (char c : text) {
    if (c >= 'a' && c <= 'f') c = static_cast<char>(c - 'a' + 'A');
    if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'F'))) return std::nullopt;
    out += c;
  }
  return out;
}

GpgPublicKey export_gpg_key(std::string_view fingerprint) {
  const auto wanted = parse_gpg_fingerprint(fingerprint);
  if (!wanted)
    fail(ErrorCode::usage, "'{}' is not a fingerprint of 40 hex digits", printable(fingerprint.substr(0, 80)));
  const auto exported = run_gpg(
      {"--armor", "--no-comments", "--no-emit-version", "--export-options", "export-minimal", "--export", *wanted});
  if (exported.status != 0 || exported.output.empty()) {
    fail(ErrorCode::key_missing, "gpg has no public key {}: {}", *wanted, printable(last_words(exported)));
  }
  return inspect_gpg_key(exported.output);
}

GpgPublicKey inspect_gpg_key(std::string_view armored) {
  dearmor(armored, "PUBLIC KEY BLOCK", k_max_public_key);
  const TemporaryFolder home("liftlock-gpg");
  const auto result = run_gpg({"--homedir", home.path().string(), "--no-autostart", "--with-colons",
                               "--with-fingerprint", "--import-options", "show-only", "--import"},
                              armored);
  const auto listing = parse_colons(result.output);
  const auto fingerprint = parse_gpg_fingerprint(listing.fingerprint);
  if (result.status != 0 || listing.keys != 1 || !fingerprint) {
    fail(ErrorCode::schema_violation, "not exactly one OpenPGP public key: {}", printable(last_words(result)));
  }
  return {*fingerprint, listing.user_id, std::string(armored)};
}

GpgVerdict judge_gpg_status(std::string_view status_lines) {
  const Status* good = nullptr;
  const Status* valid = nullptr;
  const auto lines = parse_status(status_lines);
  std::size_t signatures = 0;
  for (const auto& line : lines) {
    if (line.keyword == "NEWSIG") ++signatures;
    if (line.keyword == "GOODSIG") good = &line;
    if (line.keyword == "VALIDSIG") valid = &line;
  }
  if (signatures > 1) return {SignatureStatus::malformed, "", "", "more than one signature in the file"};
  GpgVerdict verdict{SignatureStatus::invalid, "", "", "gpgv found no good signature"};
  if (valid != nullptr) verdict = judge_validsig(valid->fields);
  for (const auto& line : lines) {
    if (line.keyword == "BADSIG") return {SignatureStatus::invalid, "", "", "the signature does not fit these bytes"};
    const auto marked = [&](SignatureStatus status, std::string message) {
      return GpgVerdict{status, verdict.fingerprint, verdict.signing_key, std::move(message)};
    };
    if (line.keyword == "REVKEYSIG") return marked(SignatureStatus::revoked_key, "the OpenPGP key revokes itself");
    if (line.keyword == "EXPKEYSIG")
      return marked(SignatureStatus::expired_key, "the OpenPGP key is past its own expiry");
    if (line.keyword == "EXPSIG") return marked(SignatureStatus::invalid, "the signature is past its own expiry");
    if (line.keyword == "NO_PUBKEY") return {SignatureStatus::unknown_key, "", "", "no listed key made it"};
    if (line.keyword == "NODATA") return {SignatureStatus::malformed, "", "", "gpgv found no signature in it"};
  }
  if (good == nullptr && verdict.status == SignatureStatus::valid) {
    return {SignatureStatus::invalid, verdict.fingerprint, verdict.signing_key,
            "gpgv does not call the signature good"};
  }
  return verdict;
}

GpgKeyring::GpgKeyring(const std::vector<const TrustedKey*>& keys) : m_folder("liftlock-gpgv") {
  std::string keyring;
  for (const auto* key : keys) keyring += as_text(dearmor(key->public_key, "PUBLIC KEY BLOCK", k_max_public_key));
  write_file_atomically(m_folder.path() / "keys.gpg", keyring, 0600);
}

GpgVerdict GpgKeyring::verify(std::string_view document, std::string_view armored_signature) const {
  Bytes signature;
  try {
    signature = dearmor(armored_signature, "SIGNATURE", k_max_signature);
  } catch (const Error& error) {
    return {SignatureStatus::malformed, "", "", error.message()};
  }
  if (!is_one_signature_packet(signature)) {
    return {SignatureStatus::malformed, "", "", "not exactly one OpenPGP signature packet"};
  }
  const auto at = [&](const char* file) { return (m_folder.path() / file).string(); };
  write_file_atomically(at("signature"), as_text(signature), 0600);
  write_file_atomically(at("document"), document, 0600);
  ProcessSpec spec;
  spec.argv = {"gpgv",        "--homedir", m_folder.path().string(), "--keyring",   at("keys.gpg"),
               "--status-fd", "1",         at("signature"),          at("document")};
  spec.set_environment = {{"LC_ALL", "C"}};
  spec.unset_environment = {"GNUPGHOME"};
  spec.max_output = k_max_output;
  spec.timeout = k_timeout;
  const auto result = run_process(spec);
  auto verdict = judge_gpg_status(result.output);
  if (verdict.status == SignatureStatus::valid && result.status != 0) {
    verdict.status = SignatureStatus::invalid;
    verdict.message = fmt::format("gpgv ended with status {}", result.status);
  }
  return verdict;
}

std::unique_ptr<Signer> open_gpg_signer(std::string_view fingerprint, const std::optional<fs::path>& passphrase_file) {
  const auto wanted = parse_gpg_fingerprint(fingerprint);
  if (!wanted)
    fail(ErrorCode::usage, "'gpg:{}' does not name a fingerprint of 40 hex digits",
         printable(fingerprint.substr(0, 80)));
  const auto result = run_gpg({"--with-colons", "--list-secret-keys", *wanted});
  const auto listing = parse_colons(result.output);
  if (result.status != 0 || listing.fingerprint.empty()) {
    fail(ErrorCode::key_missing, "gpg has no secret key {}: {}", *wanted, printable(last_words(result)));
  }
  return std::make_unique<GpgSigner>(listing.fingerprint, passphrase_file);
}

}  // namespace liftlock
