// The little of OpenPGP (RFC 4880) that is read here before gpgv sees it: the ASCII armor, and whether the bytes are
// exactly one signature packet. Everything cryptographic is gpgv's.
#pragma once

#include <string_view>

#include "base/encoding.hpp"

namespace liftlock {

/// The binary content of one armored block, "-----BEGIN PGP <kind>-----". The CRC-24 is checked when it is there.
/// @param kind "SIGNATURE" or "PUBLIC KEY BLOCK"
/// @throws Error{schema_violation, limit_exceeded}
Bytes dearmor(std::string_view text, std::string_view kind, std::size_t max_bytes);

/// Are these bytes one packet with tag 2 (signature) of definite length, and nothing else? A detached signature that
/// holds more could be a signed message of its own.
bool is_one_signature_packet(const Bytes& packets);

}  // namespace liftlock
