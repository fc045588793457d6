// C2SP signed-note and tlog-checkpoint: text, an empty line, and lines of signatures. Ed25519 (type 0x01) only.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "audit/merkle.hpp"
#include "crypto/key.hpp"

namespace liftlock {

/// The 32 bytes of RFC 8032.
using Ed25519PublicKey = std::array<std::uint8_t, 32>;
/// @throws Error{schema_violation} for a key of another algorithm
Ed25519PublicKey raw_ed25519(const PublicKey& key);

/// @throws Error{schema_violation} where no key has these 32 bytes
PublicKey public_key_of(const Ed25519PublicKey& raw);

/// The form that verifier keys of each signature type have: "name+keyid+base64(type || public key)".
std::string verifier_key_text(std::string_view name, std::uint8_t type, const Ed25519PublicKey& key);
struct NamedKey {
  std::string name;
  Ed25519PublicKey key{};
};
/// @throws Error{schema_violation}
NamedKey parse_verifier_key(std::string_view text, std::uint8_t type);
/// SHA-256(name || "\n" || type || key)[:4]
std::array<std::uint8_t, 4> note_key_id(std::string_view name, std::uint8_t type, const Ed25519PublicKey& key);

/// A verifier key: "name+keyid+base64(0x01 || public key)", key id = SHA-256(name || "\n" || 0x01 || key)[:4].
struct NoteKey {
  std::string name;
  Ed25519PublicKey key{};

  std::array<std::uint8_t, 4> id() const;
  std::string text() const;
  /// @throws Error{schema_violation}
  static NoteKey parse(std::string_view text);
};

/// Why a text cannot name a key (empty, blanks, '+', control bytes, no UTF-8); empty when it can.
std::string why_not_note_name(std::string_view name);

struct NoteSignature {
  std::string name;
  std::vector<std::uint8_t> bytes;  ///< key id and signature
};

struct SignedNote {
  std::string text;  ///< ends with a newline
  std::vector<NoteSignature> signatures;
};

/// At most 64 KiB and 100 signatures. @throws Error{schema_violation, limit_exceeded}
SignedNote parse_signed_note(std::string_view note);
/// One line of signatures, ended. `bytes` are key id and signature.
std::string signature_line(std::string_view name, std::span<const std::uint8_t> bytes);
/// The note with one signature. Precondition: text ends with a newline and has no empty line.
std::string sign_note(std::string_view text, const NoteKey& name, const PrivateKey& key);
/// Does exactly one signature of this name and key id stand there, and does it fit?
bool is_signed_by(const SignedNote& note, const NoteKey& key);

struct Checkpoint {
  std::string origin;
  std::uint64_t size = 0;
  TreeHash root{};

  std::string text() const;
  /// Origin, size and root; further lines are refused, since Liftlock writes none. @throws Error{schema_violation}
  static Checkpoint parse(std::string_view note_text);
};

}  // namespace liftlock
