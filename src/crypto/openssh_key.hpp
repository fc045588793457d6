// A private key as ssh-keygen writes it (openssh-key-v1): openssh-portable, PROTOCOL.key. Ed25519 without a passphrase
// alone, which is what Ollama has.
#pragma once

#include <string>
#include <string_view>

#include "crypto/key.hpp"

namespace liftlock {

/// Immutable; safe to use from several threads.
class OpensshKey {
 public:
  /// @throws Error{schema_violation} for anything else, also for a key with a passphrase; Error{algorithm_unavailable}
  static OpensshKey parse(std::string_view text);

  const PrivateKey& key() const { return m_key; }
  /// The second word of its .pub file: base64 of the public key as SSH has it (RFC 4253 6.6, RFC 8709 4).
  const std::string& public_word() const { return m_public_word; }

 private:
  OpensshKey(PrivateKey key, std::string public_word) : m_key(std::move(key)), m_public_word(std::move(public_word)) {}
  PrivateKey m_key;
  std::string m_public_word;
};

}  // namespace liftlock
