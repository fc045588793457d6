// C2SP tlog-cosignature, Ed25519 (type 0x04): what a witness signs over a checkpoint, and when it did.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "audit/signed_note.hpp"
#include "base/clock.hpp"

namespace liftlock {

/// A witness's verifier key: "name+keyid+base64(0x04 || public key)".
struct CosignerKey {
  std::string name;
  Ed25519PublicKey key{};

  std::array<std::uint8_t, 4> id() const;
  std::string text() const;
  /// @throws Error{schema_violation}
  static CosignerKey parse(std::string_view text);
};

/// The signature line over a checkpoint's text. Precondition: the time is after 1970.
std::string cosign(std::string_view checkpoint_text, const CosignerKey& name, const PrivateKey& key, Timestamp time);

/// When this witness cosigned the note; nullopt where it has no signature of that name and key id.
/// @throws Error{signature_invalid} where there is one that does not fit, or more than one
std::optional<Timestamp> cosigned_at(const SignedNote& note, const CosignerKey& key);

/// What a witness answered, as a note: a whole note, or signature lines alone, which then are taken to be over
/// `checkpoint_text`, with an em dash or a hyphen in front. @throws Error{schema_violation, limit_exceeded}
SignedNote parse_answer(std::string_view answer, std::string_view checkpoint_text);

}  // namespace liftlock
