// Root statements as bytes: the DSSE envelope N.root.json and its payload. Reading, writing and signing; whether a
// statement is believed is decided in trust.hpp. Format: docs/formats/trust.md.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/key.hpp"
#include "trust/trust.hpp"

namespace liftlock {

struct RootSignature {
  std::string key_id;
  Bytes signature;
};

struct RootStatement {
  TrustRoot root;
  std::string payload;  ///< the exact bytes that are signed (inside the DSSE pre-authentication encoding)
  std::vector<RootSignature> signatures;  ///< each key id once
};

/// Checks the form of the envelope and of its payload, and no signature.
/// @throws Error{schema_violation, json_invalid, json_duplicate_key, limit_exceeded, too_new}
RootStatement decode_root(std::string_view statement);
std::string encode_root(const RootStatement& statement);

/// The payload of a root, canonical JSON. @throws Error{schema_violation} when it could not be read back
std::string encode_root_payload(const TrustRoot& root);

/// An unsigned statement of this root.
RootStatement draft_root(const TrustRoot& root);
/// Adds the signature of a root key, or replaces the one it made before.
void sign_root(RootStatement& statement, const PrivateKey& key);

/// Which of `by`'s root keys, revoked ones aside, signed the statement.
/// @throws Error{trust_broken} when a signature under one of their ids does not verify
std::set<std::string> root_signers(const RootStatement& statement, const TrustRoot& by);
/// Does it carry a signature of this key, which is not of GnuPG, that fits?
bool is_signed_by(const RootStatement& statement, const TrustedKey& key);
/// @throws Error{clock_behind} when it was created more than a day after `when`: by such a clock nothing can be judged
void require_no_future(const TrustRoot& root, Timestamp when);
/// How many signatures of `by`'s root keys the statement still lacks.
std::size_t missing_root_signatures(const RootStatement& statement, const TrustRoot& by);

}  // namespace liftlock
