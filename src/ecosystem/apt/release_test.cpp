#include "ecosystem/apt/release.hpp"

#include <gmock/gmock.h>

#include "base/code_of.hpp"
#include "base/error.hpp"
#include "os/process.hpp"

namespace liftlock::apt {
namespace {

using testing::ElementsAre;
using testing::SizeIs;

const std::string k_release =
    "Origin: Test\nSuite: stable\nCodename: zebra\nDate: Sat, 11 Jul 2026 10:16:37 UTC\n"
    "Valid-Until: Sat, 18 Jul 2026 10:16:37 UTC\nAcquire-By-Hash: yes\nArchitectures: all amd64\nComponents: main\n"
    "No-Support-for-Architecture-all: Packages\n"
    "SHA256:\n " +
    std::string(64, 'a') + " 12 main/binary-amd64/Packages.xz\n";

TEST(Release, ReadsWhatCounts) {
  const auto release = parse_release(k_release, "test");
  EXPECT_EQ(release.codename, "zebra");
  EXPECT_TRUE(release.by_hash);
  EXPECT_TRUE(release.all_in_each_architecture);
  EXPECT_EQ(release.files.at("main/binary-amd64/Packages.xz").size, 12u);
  EXPECT_EQ(format_time(*release.valid_until), "2026-07-18T10:16:37Z");
  EXPECT_EQ(format_release_date(*release.date), "Sat, 11 Jul 2026 10:16:37 UTC");
  EXPECT_THROW(parse_release("Suite: x\n", "test"), Error);
  EXPECT_THROW(parse_release("SHA256:\n zz 1 x\n", "test"), Error);
}

TEST(Release, AnIndexOfAGigabyteIsRefusedBeforeItIsFetched) {
  const auto path = std::string("main/binary-amd64/Packages");
  const auto with_size = [&](const std::string& size) {
    return parse_release(k_release + " " + std::string(64, 'b') + " " + size + " " + path + "\n", "test");
  };
  EXPECT_EQ(index_limit(with_size("60000000"), path, "InRelease"), 60'000'000u);
  EXPECT_EQ(index_limit(parse_release(k_release, "test"), path, "InRelease"), k_max_index);
  EXPECT_EQ(code_of([&] { index_limit(with_size("1073741824"), path, "InRelease"); }), ErrorCode::limit_exceeded);
}

TEST(Release, DatesAreStrict) {
  for (const auto* bad : {"", "yesterday", "Sat, 11 Jul 2026 10:16:37 CEST", "Sat, 31 Feb 2026 10:16:37 UTC",
                          "Sat, 11 Jul 2026 24:00:00 UTC"}) {
    EXPECT_EQ(parse_release_date(bad), std::nullopt) << bad;
  }
}

TEST(Release, AnExpiredSuiteNeedsAnException) {
  using namespace std::chrono_literals;
  const auto release = parse_release(k_release, "test");
  const auto end = *release.valid_until;
  EXPECT_EQ(check_freshness(release, 0s, end, "test"), Freshness::current);
  EXPECT_THROW(check_freshness(release, 0s, end + 1s, "test"), Error);
  EXPECT_EQ(check_freshness(release, 10s, end + 10s, "test"), Freshness::expired_but_accepted);
  EXPECT_THROW(check_freshness(release, 10s, end + 11s, "test"), Error);
  EXPECT_THROW(check_freshness(release, 10s, *release.date - 25h, "test"), Error);
}

/// Real keys in a GnuPG home of the test's own.
class InRelease : public testing::Test {
 protected:
  void SetUp() override {
    if (!find_program("gpg") || !find_program("gpgv")) GTEST_SKIP() << "GnuPG is not installed";
    for (const auto* who : {"good@example.org", "other@example.org"}) {
      gpg({"--quick-gen-key", who, "ed25519", "sign", "never"});
      write_file_atomically(m_home.path() / who, gpg({"--export", who}));
    }
    m_armored = gpg({"--armor", "--export", "good@example.org"});
  }
  void TearDown() override {
    (void)run_process({.argv = {"gpgconf", "--homedir", m_home.path().string(), "--kill", "all"}});
  }

  std::string gpg(std::vector<std::string> arguments, std::string input = {}) {
    ProcessSpec spec{
        .argv = {"gpg", "--homedir", m_home.path().string(), "--batch", "--quiet", "--yes", "--passphrase", ""}};
    spec.argv.insert(spec.argv.end(), arguments.begin(), arguments.end());
    spec.input = std::move(input);
    return run_process_checked(spec).output;
  }
  std::string signed_by(std::vector<std::string> who, const std::string& text = k_release) {
    std::vector<std::string> arguments;
    for (auto& one : who) arguments.insert(arguments.end(), {"-u", one});
    arguments.push_back("--clearsign");
    return gpg(arguments, text);
  }
  Keyring keyring(const std::string& who) {
    Keyring out;
    out.files.push_back(m_home.path() / who);
    return out;
  }
  VerifiedRelease verify(const std::string& document, const Keyring& keys) {
    return verify_inrelease(document, keys, m_home.path(), "test");
  }
  void expect_unsigned(const std::string& document, const Keyring& keys) {
    try {
      (void)verify(document, keys);
      ADD_FAILURE() << "accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::release_unsigned) << error.what();
    }
  }

  TemporaryFolder m_home;
  std::string m_armored;
};

TEST_F(InRelease, IsBelievedOnlyWithTheNamedKeyring) {
  const auto good = keyring("good@example.org"), other = keyring("other@example.org");
  const auto document = signed_by({"good@example.org"});
  const auto verified = verify(document, good);
  EXPECT_EQ(verified.text, k_release);
  EXPECT_THAT(verified.fingerprints, SizeIs(1));
  expect_unsigned(document, other);
  expect_unsigned(k_release, good);
  auto changed = document;
  changed.replace(changed.find("zebra"), 5, "zebro");
  expect_unsigned(changed, good);
  EXPECT_THAT(verify(signed_by({"good@example.org", "other@example.org"}), good).fingerprints, SizeIs(1));

  Keyring embedded;
  embedded.embedded.push_back(m_armored);
  EXPECT_EQ(verify(document, embedded).text, k_release);
  auto pinned = good;
  pinned.fingerprints = verified.fingerprints;
  EXPECT_EQ(verify(document, pinned).text, k_release);
  pinned.fingerprints = {std::string(40, 'A')};
  expect_unsigned(document, pinned);
}

TEST_F(InRelease, NothingMayStandBesideWhatWasSigned) {
  const auto good = keyring("good@example.org");
  const auto document = signed_by({"good@example.org"});
  expect_unsigned("Origin: Evil\n" + document, good);
  expect_unsigned(document + "Origin: Evil\n", good);
  expect_unsigned(document + signed_by({"other@example.org"}, "Origin: Evil\n"), good);
  expect_unsigned(signed_by({"other@example.org"}, "Origin: Evil\n") + document, good);
}

}  // namespace
}  // namespace liftlock::apt
