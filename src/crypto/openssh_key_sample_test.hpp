// Tests only: the first key of RFC 8032 7.1 as ssh-keygen writes one, whole or with a part that lies.
#pragma once

#include <cstdint>
#include <string>

#include "base/encoding.hpp"

namespace liftlock::sample {

inline std::string openssh_block(const std::string& bytes) {
  return "-----BEGIN OPENSSH PRIVATE KEY-----\n" + encode_base64(as_bytes(bytes)) +
         "\n-----END OPENSSH PRIVATE KEY-----\n";
}

struct OpensshParts {
  std::string cipher = "none";
  std::uint32_t keys = 1;
  std::string type = "ssh-ed25519";
  std::uint32_t second_check = 7;
  std::string public_half = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";

  std::string bytes() const {
    const auto seed = unhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
    const auto half = unhex(public_half);
    const auto secret =
        number(7) + number(second_check) + string(type) + string(half) + string(seed + half) + string("test") + "\1";
    return std::string("openssh-key-v1\0", 15) + string(cipher) + string("none") + string("") + number(keys) +
           string(string(type) + string(half)) + string(secret);
  }
  std::string text() const { return openssh_block(bytes()); }

 private:
  static std::string unhex(const std::string& hex) { return std::string(as_text(decode_hex(hex).value())); }
  static std::string number(std::uint64_t value) {
    std::string out;
    for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>((value >> shift) & 0xff);
    return out;
  }
  static std::string string(const std::string& text) { return number(text.size()) + text; }
};

}  // namespace liftlock::sample
