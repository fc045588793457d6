#include <algorithm>
#include <array>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "crypto/hash.hpp"
#include "trust/gpg.hpp"
#include "trust/sigstore_bundle.hpp"
#include "trust/trust.hpp"

namespace liftlock {
namespace {

constexpr std::size_t k_max_files = 256;
constexpr std::string_view k_sigstore_suffix = ".sigstore.json";
constexpr std::string_view k_gpg_suffix = ".asc";

/// "builder.1f0c….sigstore.json" claims builder; names that begin otherwise claim nothing.
std::optional<Role> claimed_role(std::string_view file) {
  if (const auto slash = file.rfind('/'); slash != std::string_view::npos) file.remove_prefix(slash + 1);
  return parse_role(file.substr(0, file.find('.')));
}

/// "builder.1f0c….sigstore.json" claims the key whose id begins so: what people read in the folder must be true.
std::string_view claimed_key(std::string_view file) {
  if (const auto slash = file.rfind('/'); slash != std::string_view::npos) file.remove_prefix(slash + 1);
  const auto role = file.substr(0, file.find('.'));
  if (!parse_role(role)) return {};
  file.remove_prefix(std::min(file.size(), role.size() + 1));
  const auto id = file.substr(0, file.find('.'));
  const bool is_id = id.size() == 16 && decode_hex(to_lower(id)).has_value();
  return is_id ? id : std::string_view();
}

class Judge {
 public:
  Judge(std::string_view document, const TrustRoot& root, Timestamp when, const std::set<Role>& roles)
      : m_document(document), m_root(root), m_when(when), m_roles(roles), m_digest(sha256(document)) {
    for (const auto& key : root.keys) {
      if (key.type != KeyType::gpg) m_public_keys.push_back({&key, PublicKey::from_pem(key.public_key)});
    }
  }

  JudgedSignature judge(const SignatureFile& file) {
    JudgedSignature out;
    out.file = file.name;
    try {
      if (file.name.ends_with(k_sigstore_suffix)) {
        judge_sigstore(file, out);
      } else if (file.name.ends_with(k_gpg_suffix)) {
        judge_gpg(file, out);
      } else {
        out.status = SignatureStatus::malformed;
        out.message = "the name ends neither in .sigstore.json nor in .asc";
      }
    } catch (const Error& error) {
      if (error.code() == ErrorCode::tool_missing || error.code() == ErrorCode::algorithm_unavailable) throw;
      out.status = SignatureStatus::malformed;
      out.message = error.message();
    }
    return out;
  }

 private:
  struct Listed {
    const TrustedKey* key;
    PublicKey public_key;
  };

  void judge_sigstore(const SignatureFile& file, JudgedSignature& out) {
    const auto bundle = parse_sigstore_bundle(file.bytes);
    for (const auto& listed : m_public_keys) {
      const bool named = hint_names(bundle.hint, listed.public_key);
      if (!bundle.hint.empty() && !named) continue;
      const bool fits = bundle.digest == m_digest && listed.public_key.verify(m_document, bundle.signature);
      if (!named && !fits) continue;  // without a hint, another key may fit
      return conclude(*listed.key, fits, out);
    }
    for (const auto& key : m_root.retired) {
      if (key.type == KeyType::gpg || bundle.digest != m_digest) continue;
      if (PublicKey::from_pem(key.public_key).verify(m_document, bundle.signature)) return conclude_retired(key, out);
    }
    out.status = SignatureStatus::unknown_key;
    out.key_id = printable(bundle.hint);
    out.message = "the trust root lists no such key";
  }

  void judge_gpg(const SignatureFile& file, JudgedSignature& out) {
    if (!m_keyring) m_keyring = keyring_of(m_root.keys);
    if (!m_keyring) {
      out.status = SignatureStatus::unknown_key;
      out.message = "the trust root lists no GnuPG key";
      return judge_retired_gpg(file, out);
    }
    const auto verdict = m_keyring->verify(m_document, file.bytes);
    out.key_id = verdict.fingerprint;
    const TrustedKey* key = find_gpg(verdict.fingerprint);
    if (key == nullptr) key = find_gpg(verdict.signing_key);
    if (key == nullptr) {
      out.status = verdict.status == SignatureStatus::valid ? SignatureStatus::unknown_key : verdict.status;
      out.message = verdict.message.empty() ? "the trust root lists no such key" : verdict.message;
      if (out.status == SignatureStatus::unknown_key) judge_retired_gpg(file, out);
      return;
    }
    conclude(*key, verdict.status == SignatureStatus::valid, out);
    if (verdict.status != SignatureStatus::valid) {
      out.status = verdict.status;
      out.message = verdict.message;
    }
  }

  void judge_retired_gpg(const SignatureFile& file, JudgedSignature& out) const {
    const auto keyring = keyring_of(m_root.retired);
    if (!keyring) return;
    const auto verdict = keyring->verify(m_document, file.bytes);
    if (verdict.status != SignatureStatus::valid) return;
    for (const auto& key : m_root.retired) {
      if (key.id == verdict.fingerprint || key.id == verdict.signing_key) return conclude_retired(key, out);
    }
  }

  /// nullptr when none of them is a GnuPG key.
  static std::unique_ptr<GpgKeyring> keyring_of(const std::vector<TrustedKey>& keys) {
    std::vector<const TrustedKey*> found;
    for (const auto& key : keys) {
      if (key.type == KeyType::gpg) found.push_back(&key);
    }
    return found.empty() ? nullptr : std::make_unique<GpgKeyring>(found);
  }

  const TrustedKey* find_gpg(std::string_view fingerprint) const {
    const auto* key = m_root.find(fingerprint);
    return key != nullptr && key->type == KeyType::gpg ? key : nullptr;
  }

  void conclude_retired(const TrustedKey& key, JudgedSignature& out) const {
    out.key_id = key.id;
    out.owner = key.owner;
    if (key.revoked_since) {  // what is listed no longer does not become better by that
      out.status = SignatureStatus::revoked_key;
      out.message = fmt::format("the key is revoked since {}: {}", format_time(*key.revoked_since), key.revoked_reason);
      return;
    }
    out.status = SignatureStatus::retired_key;
    out.message = fmt::format("root statement {} lists the key {} no longer", m_root.version, key.id.substr(0, 16));
  }

  void conclude(const TrustedKey& key, bool fits, JudgedSignature& out) const {
    out.key_id = key.id;
    out.owner = key.owner;
    out.role = key.role;
    const auto claimed = claimed_role(out.file);
    if (!fits) {
      out.status = SignatureStatus::invalid;
      out.message = "the signature does not fit these bytes";
    } else if (key.revoked_since) {
      out.status = SignatureStatus::revoked_key;
      out.message = fmt::format("the key is revoked since {}: {}", format_time(*key.revoked_since), key.revoked_reason);
    } else if (!m_roles.contains(key.role) || (claimed && *claimed != key.role)) {
      out.status = SignatureStatus::wrong_role;
      out.message = claimed && *claimed != key.role
                        ? fmt::format("the key has the role {}, and the file claims {}", name(key.role), name(*claimed))
                        : fmt::format("the role {} does not speak for this document", name(key.role));
    } else if (const auto id = claimed_key(out.file); !to_lower(key.id).starts_with(to_lower(id))) {
      out.status = SignatureStatus::malformed;
      out.message = fmt::format("the file names the key {}, and {} signed", id, key.id);
    } else if (key.expires && m_when >= *key.expires) {
      out.status = SignatureStatus::expired_key;
      out.message = fmt::format("the key expired at {}", format_end(*key.expires));
    } else if (m_root.expires && m_when >= *m_root.expires) {
      out.status = SignatureStatus::expired_key;
      out.message = fmt::format("root statement {} expired at {}", m_root.version, format_end(*m_root.expires));
    } else {
      out.status = SignatureStatus::valid;
    }
  }

  std::string_view m_document;
  const TrustRoot& m_root;
  Timestamp m_when;
  const std::set<Role>& m_roles;
  Digest m_digest;
  std::vector<Listed> m_public_keys;
  std::unique_ptr<GpgKeyring> m_keyring;
};

[[noreturn]] void refuse(const JudgedSignature& signature) {
  const auto who = signature.owner.empty() ? std::string() : fmt::format(" by {}", printable(signature.owner));
  auto message = fmt::format("{}{}: {}", printable(signature.file), who, signature.message);
  if (signature.status != SignatureStatus::revoked_key) throw Error(code_of(signature.status), std::move(message));
  throw Error(
      ErrorCode::key_revoked, std::move(message),
      fmt::format("have it signed by a valid key, and take signatures/{} away: one by a revoked key is never let "
                  "pass, whoever else signed",
                  printable(signature.file)));
}

bool is_damning(SignatureStatus status) {
  return status == SignatureStatus::invalid || status == SignatureStatus::malformed ||
         status == SignatureStatus::revoked_key;
}

}  // namespace

ErrorCode code_of(SignatureStatus status) {
  switch (status) {
    case SignatureStatus::unknown_key:
      return ErrorCode::key_unknown;
    case SignatureStatus::retired_key:
      return ErrorCode::key_retired;
    case SignatureStatus::wrong_role:
      return ErrorCode::key_role;
    case SignatureStatus::revoked_key:
      return ErrorCode::key_revoked;
    case SignatureStatus::expired_key:
      return ErrorCode::key_expired;
    default:
      return ErrorCode::signature_invalid;
  }
}

std::vector<JudgedSignature> judge(std::string_view document, const std::vector<SignatureFile>& signatures,
                                   const TrustRoot& root, Timestamp when, const std::set<Role>& roles) {
  std::vector<JudgedSignature> out;
  Judge judging(document, root, when, roles);
  for (const auto& file : signatures) {
    if (out.size() < k_max_files) {
      out.push_back(judging.judge(file));
    } else {
      out.push_back({file.name, "", "", std::nullopt, SignatureStatus::malformed, "more than 256 signatures"});
    }
  }
  return out;
}

void require_thresholds(const std::vector<JudgedSignature>& judged, const TrustRoot& root,
                        const std::set<Role>& roles) {
  const auto damning = std::find_if(judged.begin(), judged.end(), [](const auto& s) { return is_damning(s.status); });
  if (damning != judged.end()) refuse(*damning);
  std::map<Role, std::set<std::string>> signers;
  for (const auto& signature : judged) {
    if (signature.status == SignatureStatus::valid && signature.role) signers[*signature.role].insert(signature.key_id);
  }
  bool asked = false;
  for (const auto role : roles) {
    const auto threshold = root.thresholds.find(role);
    if (threshold == root.thresholds.end()) continue;
    asked = true;
    const auto have = signers[role].size();
    if (have >= threshold->second) continue;
    const auto bad =
        std::find_if(judged.begin(), judged.end(), [](const auto& s) { return s.status != SignatureStatus::valid; });
    if (bad != judged.end()) refuse(*bad);
    throw Error(ErrorCode::unsigned_document,
                fmt::format("{} of {} valid signatures of the role {}", have, threshold->second, name(role)),
                bundle_roles().contains(role)
                    ? fmt::format("have {} more sign with `liftlock sign BUNDLE --role {} --key KEY`",
                                  threshold->second - have, name(role))
                    : fmt::format("have it signed with {} more key{} of the role {}", threshold->second - have,
                                  threshold->second - have == 1 ? "" : "s", name(role)));
  }
  // A root without any threshold for these roles must not mean that anything goes.
  if (!asked) fail(ErrorCode::unsigned_document, "the trust root asks for no role that speaks for this document");
}

}  // namespace liftlock
