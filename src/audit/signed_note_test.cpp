#include "audit/signed_note.hpp"

#include <gtest/gtest.h>

#include "base/encoding.hpp"
#include "base/error.hpp"

namespace liftlock {
namespace {

struct Signer {
  PrivateKey secret = PrivateKey::generate(KeyAlgorithm::ed25519);
  NoteKey key{.name = "liftlock/host/1", .key = raw_ed25519(secret.public_key())};
};

TEST(SignedNote, WhatIsSignedVerifies) {
  const Signer signer;
  const auto note = parse_signed_note(sign_note("a\nb\n", signer.key, signer.secret));
  EXPECT_EQ(note.text, "a\nb\n");
  EXPECT_TRUE(is_signed_by(note, signer.key));
  EXPECT_FALSE(is_signed_by(note, Signer().key));
}

TEST(SignedNote, NoFlippedBitPasses) {
  const Signer signer;
  const auto good = sign_note(Checkpoint{"o", 7, {}}.text(), signer.key, signer.secret);
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    auto bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    bool accepted = false;
    try {
      accepted = is_signed_by(parse_signed_note(bad), signer.key);
    } catch (const Error&) {
    }
    ASSERT_FALSE(accepted) << bit;
  }
}

TEST(SignedNote, AVerifierKeySurvivesItsText) {
  const Signer signer;
  const auto again = NoteKey::parse(signer.key.text());
  EXPECT_EQ(again.name, signer.key.name);
  EXPECT_EQ(again.key, signer.key.key);
  EXPECT_THROW(NoteKey::parse("name+00000000+AAAA"), Error);
  auto other_name = signer.key.text();
  other_name[0] = 'L';
  EXPECT_THROW(NoteKey::parse(other_name), Error);
}

TEST(SignedNote, ACheckpointHasOneForm) {
  const Checkpoint checkpoint{"liftlock/x", 12, {}};
  EXPECT_EQ(Checkpoint::parse(checkpoint.text()).size, 12u);
  const auto root = encode_base64(TreeHash{});
  for (const auto& bad : std::vector<std::string>{"liftlock/x\n012\n" + root + "\n", "liftlock/x\n-1\n" + root + "\n",
                                                  "liftlock/x\n12\nAA==\n", "liftlock/x\n12\n" + root + "\nmore\n",
                                                  "\n12\n" + root + "\n", "liftlock/x\n12\n" + root}) {
    EXPECT_THROW(Checkpoint::parse(bad), Error) << bad;
  }
}

}  // namespace
}  // namespace liftlock
