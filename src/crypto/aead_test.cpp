#include "crypto/aead.hpp"

#include <gtest/gtest.h>

#include "base/code_of.hpp"
#include "base/encoding.hpp"

namespace liftlock {
namespace {

SecretKey key_of(std::string_view hex) {
  return SecretKey(*decode_hex(hex));
}

TEST(Aead, SealsAsTheGcmSpecificationDoes) {
  // McGrew and Viega, "The Galois/Counter Mode of Operation", test cases 13 and 14: zero key, zero nonce.
  Aead aead(key_of(std::string(64, '0')));
  EXPECT_EQ(encode_hex(as_bytes(aead.seal(0, "", ""))), "530f8afbc74536b9a963b4f1c4cb738b");
  EXPECT_EQ(encode_hex(as_bytes(aead.seal(0, "", std::string(16, '\0')))),
            "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919");
}

TEST(Aead, OpensOnlyWhatItSealed) {
  Aead aead(SecretKey::random());
  const auto sealed = aead.seal(7, "data", "a text");
  EXPECT_EQ(aead.open(7, "data", sealed), "a text");
  EXPECT_EQ(aead.open(8, "data", sealed), std::nullopt);
  EXPECT_EQ(aead.open(7, "Data", sealed), std::nullopt);
  EXPECT_EQ(aead.open(7, "data", sealed.substr(1)), std::nullopt);
  EXPECT_EQ(aead.open(7, "data", ""), std::nullopt);
  EXPECT_EQ(Aead(SecretKey::random()).open(7, "data", sealed), std::nullopt);
  for (std::size_t i = 0; i < sealed.size() * 8; ++i) {
    auto other = sealed;
    other[i / 8] = static_cast<char>(other[i / 8] ^ (1 << (i % 8)));
    EXPECT_EQ(aead.open(7, "data", other), std::nullopt) << i;
  }
  EXPECT_EQ(aead.open(7, "data", sealed), "a text") << "a failure must not stick";
}

TEST(Hmac, IsThatOfTheRfc) {
  // RFC 4231 test case 1, whose key of 20 bytes is the same as one padded with zeros to 32.
  const auto key = key_of("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b" + std::string(24, '0'));
  EXPECT_EQ(encode_hex(hmac_sha256(key, "Hi There")),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  Hmac pieces(key);
  pieces.update("Hi ");
  pieces.update("There");
  EXPECT_EQ(pieces.finish(), hmac_sha256(key, "Hi There"));
}

TEST(SecretKey, HasExactly32Bytes) {
  EXPECT_EQ(code_of([] { SecretKey(Bytes(31)); }), ErrorCode::internal);
  const auto key = SecretKey::random();
  EXPECT_NE(encode_hex(key.bytes()), encode_hex(SecretKey::random().bytes()));
  EXPECT_NE(encode_hex(key.derive("a\n").bytes()), encode_hex(key.derive("b\n").bytes()));
}

}  // namespace
}  // namespace liftlock
