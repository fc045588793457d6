#include "ecosystem/apt/apt_sources.hpp"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "os/file.hpp"

namespace liftlock::apt {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(AptSources, ReadsTheOneLineStyle) {
  const auto sources = parse_sources_list(
      "# a comment\n"
      "deb [arch=amd64,i386 signed-by=/k/a.gpg] https://m.example/debian stable main contrib # why\n"
      "deb-src https://m.example/debian stable main\n"
      "deb cdrom:[x]/ stable main\n"
      "deb file:/srv/flat ./\n",
      "list");
  ASSERT_EQ(sources.size(), 2u);
  EXPECT_THAT(sources[0].uris, ElementsAre("https://m.example/debian/"));
  EXPECT_THAT(sources[0].suites, ElementsAre("stable"));
  EXPECT_THAT(sources[0].components, ElementsAre("main", "contrib"));
  EXPECT_THAT(sources[0].architectures, ElementsAre("amd64", "i386"));
  EXPECT_THAT(sources[0].keyring.files, ElementsAre("/k/a.gpg"));
  EXPECT_THAT(sources[1].uris, ElementsAre("file:///srv/flat/"));
}

TEST(AptSources, ReadsDeb822WithAnEmbeddedKey) {
  const auto sources = parse_sources_deb822(
      "Types: deb deb-src\nURIs: https://m.example/a\nSuites: one two\nComponents: main\n"
      "Signed-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n AAAA\n -----END PGP PUBLIC KEY BLOCK-----\n\n"
      "Enabled: no\nTypes: deb\nURIs: https://m.example/b\nSuites: x\n\n"
      "Types: deb\nURIs: https://m.example/c\nSuites: y/\nSigned-By: 0123456789abcdef0123456789abcdef01234567!\n",
      "sources");
  ASSERT_EQ(sources.size(), 2u);
  EXPECT_THAT(sources[0].suites, ElementsAre("one", "two"));
  EXPECT_THAT(sources[0].keyring.embedded,
              ElementsAre("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nAAAA\n-----END PGP PUBLIC KEY BLOCK-----\n"));
  EXPECT_THAT(sources[1].keyring.fingerprints, ElementsAre("0123456789ABCDEF0123456789ABCDEF01234567"));
}

TEST(AptSources, RefusesCredentialsInTheAddress) {
  EXPECT_THROW(parse_sources_list("deb https://me:secret@m.example/debian stable main\n", "list"), Error);
}

StackEntry entry(Json values) {
  return {"apt", "tools", std::move(values), Digest::parse_sha256_hex(std::string(64, '0'))};
}

TEST(AptSources, AStackMayNameAnotherSuiteOfTheSystemsMirror) {
  const TemporaryFolder folder;
  write_file_atomically(
      folder.path() / "s.sources",
      "Types: deb\nURIs: https://m.example/debian\nSuites: stable\nComponents: main\nSigned-By: /k/d.gpg\n\n"
      "Types: deb\nURIs: https://m.example/security\nSuites: stable-security\nComponents: main\nSigned-By: /k/s.gpg\n");
  std::vector<std::string> notes;
  auto suites = choose_suites(entry({{"sources_file", "s.sources"}, {"suites", {"testing", "testing-security"}}}),
                              folder.path(), notes);
  ASSERT_EQ(suites.size(), 2u);
  EXPECT_EQ(suites[0].release_url(), "https://m.example/debian/dists/testing/");
  EXPECT_THAT(suites[0].keyring.files, ElementsAre("/k/d.gpg"));
  EXPECT_EQ(suites[1].uri, "https://m.example/security/");
  EXPECT_EQ(notes.size(), 2u);
  suites = choose_suites(entry({{"sources_file", "s.sources"}}), folder.path(), notes);
  EXPECT_EQ(suites.size(), 2u);
  suites = choose_suites(entry({{"mirror", "https://v.example/x"}, {"suites", {"./"}}, {"keyring", "v.asc"}}),
                         folder.path(), notes);
  ASSERT_EQ(suites.size(), 1u);
  EXPECT_TRUE(suites[0].is_flat());
  EXPECT_EQ(suites[0].release_url(), "https://v.example/x/");
  EXPECT_THAT(suites[0].keyring.files, ElementsAre(folder.path() / "v.asc"));
  EXPECT_THROW(choose_suites(entry({{"mirror", "https://v.example/x"}}), folder.path(), notes), Error);
}

}  // namespace
}  // namespace liftlock::apt
