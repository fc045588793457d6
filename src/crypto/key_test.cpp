#include "crypto/key.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/code_of.hpp"
#include "base/error.hpp"
#include "crypto/hash.hpp"
#include "os/file.hpp"
#include "os/process.hpp"

namespace liftlock {
namespace {

constexpr KeyAlgorithm k_all[] = {KeyAlgorithm::ecdsa_p256, KeyAlgorithm::ecdsa_p384, KeyAlgorithm::ed25519};

std::string openssl(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "openssl");
  ProcessSpec spec;
  spec.argv = std::move(arguments);
  return run_process_checked(spec).output;
}

TEST(Key, SignsAndVerifiesWithEveryAlgorithm) {
  for (const auto algorithm : k_all) {
    const auto key = PrivateKey::generate(algorithm);
    const auto signature = key.sign("the bytes");
    EXPECT_TRUE(key.public_key().verify("the bytes", signature)) << name(algorithm);
    EXPECT_FALSE(key.public_key().verify("other bytes", signature)) << name(algorithm);
    EXPECT_FALSE(PrivateKey::generate(algorithm).public_key().verify("the bytes", signature)) << name(algorithm);
  }
}

TEST(Key, RefusesDamagedAndEmptySignatures) {
  for (const auto algorithm : k_all) {
    const auto key = PrivateKey::generate(algorithm);
    auto signature = key.sign("m");
    EXPECT_FALSE(key.public_key().verify("m", {}));
    auto longer = signature;
    longer.push_back(0);
    EXPECT_FALSE(key.public_key().verify("m", longer));
    for (std::size_t i = 0; i < signature.size(); ++i) {
      auto flipped = signature;
      flipped[i] ^= 1;
      EXPECT_FALSE(key.public_key().verify("m", flipped)) << name(algorithm) << " byte " << i;
    }
  }
}

TEST(Key, SurvivesPemWithAndWithoutPassphrase) {
  for (const auto algorithm : k_all) {
    const auto key = PrivateKey::generate(algorithm);
    EXPECT_EQ(PrivateKey::from_pem(key.to_pem()).public_key().id(), key.public_key().id());
    EXPECT_EQ(PublicKey::from_pem(key.public_key().pem()).id(), key.public_key().id());
  }
  const auto key = PrivateKey::generate(KeyAlgorithm::ecdsa_p256);
  const auto locked = key.to_pem("correct horse");
  EXPECT_TRUE(is_encrypted_pem(locked));
  EXPECT_FALSE(is_encrypted_pem(key.to_pem()));
  EXPECT_EQ(PrivateKey::from_pem(locked, "correct horse").public_key().id(), key.public_key().id());
  EXPECT_EQ(code_of([&] { PrivateKey::from_pem(locked, "wrong"); }), ErrorCode::passphrase);
  EXPECT_EQ(code_of([&] { PrivateKey::from_pem(locked); }), ErrorCode::passphrase);
}

TEST(Key, IsSavedForItsOwnerOnlyAndNeverOverwritten) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "k.pem";
  const auto key = PrivateKey::generate(KeyAlgorithm::ed25519);
  key.save(file);
  struct stat status {};
  ASSERT_EQ(::stat(file.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600u);
  EXPECT_EQ(code_of([&] { key.save(file); }), ErrorCode::immutable);
  EXPECT_EQ(PrivateKey::load(file).public_key().id(), key.public_key().id());
  EXPECT_EQ(code_of([&] { PrivateKey::load(folder.path() / "none"); }), ErrorCode::key_missing);
}

TEST(Key, AgreesWithTheOpensslCommandLine) {
  const TemporaryFolder folder;
  const auto at = [&](const char* name) { return (folder.path() / name).string(); };
  write_file_atomically(at("document"), "signed by Liftlock\n");
  for (const auto algorithm : {KeyAlgorithm::ecdsa_p256, KeyAlgorithm::ecdsa_p384}) {
    const auto key = PrivateKey::generate(algorithm);
    write_file_atomically(at("k.pub"), key.public_key().pem());
    write_file_atomically(at("sig"), as_text(key.sign("signed by Liftlock\n")));
    EXPECT_EQ(openssl({"dgst", "-sha256", "-verify", at("k.pub"), "-signature", at("sig"), at("document")}),
              "Verified OK\n");

    write_file_atomically(at("k.pem"), key.to_pem("pass"));
    openssl({"dgst", "-sha256", "-sign", at("k.pem"), "-passin", "pass:pass", "-out", at("sig2"), at("document")});
    EXPECT_TRUE(key.public_key().verify("signed by Liftlock\n", as_bytes(read_file(at("sig2"), 1000))));
    const auto der = openssl({"pkey", "-in", at("k.pem"), "-passin", "pass:pass", "-pubout", "-outform", "DER"});
    EXPECT_EQ(key.public_key().id(), sha256(der).hex());
  }
  openssl({"genpkey", "-algorithm", "ed25519", "-out", at("ed.pem")});
  const auto ed = PrivateKey::load(at("ed.pem"));
  openssl({"pkeyutl", "-sign", "-rawin", "-inkey", at("ed.pem"), "-in", at("document"), "-out", at("ed.sig")});
  EXPECT_EQ(as_text(ed.sign("signed by Liftlock\n")), read_file(at("ed.sig"), 1000));
}

TEST(Key, HasOneEncodingAndOneId) {
  const TemporaryFolder folder;
  const auto at = [&](const char* name) { return (folder.path() / name).string(); };
  PrivateKey::generate(KeyAlgorithm::ecdsa_p256).save(at("k.pem"));
  const auto compressed = openssl({"ec", "-in", at("k.pem"), "-pubout", "-conv_form", "compressed"});
  EXPECT_EQ(code_of([&] { PublicKey::from_pem(compressed); }), ErrorCode::schema_violation);
  const auto explicit_curve = openssl({"ec", "-in", at("k.pem"), "-pubout", "-param_enc", "explicit"});
  EXPECT_EQ(code_of([&] { PublicKey::from_pem(explicit_curve); }), ErrorCode::schema_violation);
  EXPECT_EQ(code_of([&] {
              PublicKey::from_pem(openssl({"ec", "-in", at("k.pem"), "-pubout"}) + "x");
            }),
            ErrorCode::schema_violation);
}

TEST(Key, RefusesOtherAlgorithms) {
  const TemporaryFolder folder;
  const auto at = [&](const char* name) { return (folder.path() / name).string(); };
  openssl({"genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", at("rsa.pem")});
  EXPECT_EQ(code_of([&] { PrivateKey::load(at("rsa.pem")); }), ErrorCode::schema_violation);
  EXPECT_EQ(code_of([&] {
              PublicKey::from_pem(openssl({"pkey", "-in", at("rsa.pem"), "-pubout"}));
            }),
            ErrorCode::schema_violation);
  openssl({"genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp521r1", "-out", at("p521.pem")});
  EXPECT_EQ(code_of([&] { PrivateKey::load(at("p521.pem")); }), ErrorCode::schema_violation);
}

TEST(Key, ObeysADemandedProperty) {
  const CryptoContext own({"default"}, "provider=default");
  const auto key = PrivateKey::generate(KeyAlgorithm::ecdsa_p256, own);
  EXPECT_TRUE(key.public_key().verify("m", key.sign("m")));
  // Without the FIPS provider nothing satisfies the demand, and nothing falls back.
  const CryptoContext fips({"default"}, "fips=yes");
  EXPECT_EQ(code_of([&] { PrivateKey::generate(KeyAlgorithm::ecdsa_p256, fips); }), ErrorCode::algorithm_unavailable);
  EXPECT_EQ(code_of([&] { CryptoContext({"no-such-provider"}, ""); }), ErrorCode::algorithm_unavailable);
}

}  // namespace
}  // namespace liftlock
