#include "crypto/openssh_key.hpp"

#include <gtest/gtest.h>

#include "base/code_of.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "crypto/openssh_key_sample_test.hpp"
#include "os/file.hpp"
#include "os/process.hpp"

namespace liftlock {
namespace {

using sample::OpensshParts;

std::optional<ErrorCode> refused(const OpensshParts& parts) {
  return code_of([&] { (void)OpensshKey::parse(parts.text()); });
}

TEST(OpensshKey, SignsAsRfc8032Says) {
  const auto key = OpensshKey::parse(OpensshParts{}.text());
  EXPECT_EQ(
      encode_hex(key.key().sign("")),
      "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24"
      "655141438e7a100b");
  EXPECT_TRUE(key.public_word().starts_with("AAAAC3NzaC1lZDI1NTE5AAAAI")) << key.public_word();
}

TEST(OpensshKey, IsWhatSshKeygenReads) {
  if (!find_program("ssh-keygen")) GTEST_SKIP() << "there is no ssh-keygen";
  const TemporaryFolder folder;
  const auto file = folder.path() / "id_ed25519";
  write_file_atomically(file, OpensshParts{}.text(), 0600);
  const auto said = run_process_checked({.argv = {"ssh-keygen", "-y", "-f", file.string()}}).output;
  EXPECT_EQ(said.find("ssh-ed25519 " + OpensshKey::parse(OpensshParts{}.text()).public_word()), 0u) << said;
  const auto other = folder.path() / "made";
  run_process_checked({.argv = {"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", other.string()}});
  const auto written = read_file(folder.path() / "made.pub", 4096);
  EXPECT_EQ(written.find("ssh-ed25519 " + OpensshKey::parse(read_file(other, 4096)).public_word()), 0u) << written;
}

TEST(OpensshKey, AnythingElseIsRefused) {
  EXPECT_EQ(refused({.cipher = "aes256-ctr"}), ErrorCode::schema_violation);
  EXPECT_EQ(refused({.keys = 2}), ErrorCode::schema_violation);
  EXPECT_EQ(refused({.type = "ssh-rsa"}), ErrorCode::schema_violation);
  EXPECT_EQ(refused({.second_check = 8}), ErrorCode::schema_violation);
  EXPECT_EQ(refused({.public_half = std::string(64, '0')}), ErrorCode::schema_violation) << "of another key";
  for (const std::string text : {"", "-----BEGIN OPENSSH PRIVATE KEY-----\n", "-----BEGIN PRIVATE KEY-----\nAAAA\n"}) {
    EXPECT_EQ(code_of([&] { (void)OpensshKey::parse(text); }), ErrorCode::schema_violation) << text;
  }
  const auto whole = OpensshParts{}.bytes();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto cut = sample::openssh_block(whole.substr(0, size));
    EXPECT_EQ(code_of([&] { (void)OpensshKey::parse(cut); }), ErrorCode::schema_violation) << size;
  }
}

}  // namespace
}  // namespace liftlock
