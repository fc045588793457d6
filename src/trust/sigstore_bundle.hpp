// The sigstore bundle v0.3 with a plain key and one message signature: what `cosign verify-blob --key --bundle` reads.
// Source: sigstore/protobuf-specs, sigstore_bundle.proto; what is accepted of it: docs/formats/trust.md.
#pragma once

#include <string>
#include <string_view>

#include "base/digest.hpp"
#include "base/encoding.hpp"
#include "crypto/key.hpp"

namespace liftlock {

struct SigstoreBundle {
  std::string hint;  ///< names the key and proves nothing; may be empty
  Digest digest;     ///< claimed SHA-256 of the message
  Bytes signature;
};

/// @throws Error{json_invalid, json_duplicate_key, schema_violation, limit_exceeded}
SigstoreBundle parse_sigstore_bundle(std::string_view text);
std::string write_sigstore_bundle(const SigstoreBundle& bundle);
/// Signs the message and writes the bundle.
std::string sign_sigstore_bundle(const PrivateKey& key, std::string_view message);

/// base64 of the SHA-256 of the DER SubjectPublicKeyInfo, as cosign writes it.
std::string sigstore_hint(const PublicKey& key);
/// Does the hint mean this key: sigstore_hint(), our key id, or the SHA-256 of the PEM text (OpenSSF Model Signing)?
bool hint_names(std::string_view hint, const PublicKey& key);

}  // namespace liftlock
