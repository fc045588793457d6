#include "ecosystem/apt/index_inspector.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>

#include "base/error.hpp"
#include "crypto/hash.hpp"
#include "os/file.hpp"

namespace liftlock::apt {
namespace {

const std::string k_index = "Package: jq\n";

std::string in_release(const std::string& body) {
  return "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n" + body +
         "-----BEGIN PGP SIGNATURE-----\n\nAAAA\n-----END PGP SIGNATURE-----\n";
}

std::string stating(const Digest& digest, std::size_t size) {
  return in_release(fmt::format(
      "Suite: stable\nCodename: zebra\nValid-Until: never\nSHA256:\n {} 1 main/other\n {} {} main/Packages\n",
      sha256("other").hex(), digest.hex(), size));
}

Inspection inspected(const std::string& document) {
  const TemporaryFolder folder;
  write_file_atomically(folder.path() / "InRelease", document);
  const auto fd = open_file(folder.path() / "InRelease", O_RDONLY);
  Artifact artifact{.kind = "apt-index", .name = "stable/main/Packages", .version = "1"};
  artifact.facts = {{"index", "main/Packages"}};
  artifact.files = {{RelPath::parse("evidence/apt/1/InRelease"), document.size(), sha256(document), "", {}},
                    {RelPath::parse("evidence/apt/1/main/Packages"), k_index.size(), sha256(k_index), "", {}}};
  const IndexInspector inspector;
  EXPECT_TRUE(inspector.reads(artifact, 0));
  EXPECT_FALSE(inspector.reads(artifact, 1));
  return inspector.inspect(artifact, std::vector<int>{fd.get(), -1});
}

TEST(IndexInspector, AcceptsTheIndexThatItsReleaseStates) {
  const auto inspection = inspected(stating(sha256(k_index), k_index.size()));
  EXPECT_TRUE(inspection.findings.empty());
  EXPECT_EQ(inspection.facts["codename"], "zebra");
  EXPECT_EQ(inspection.facts["valid_until"], "never");
}

TEST(IndexInspector, RefusesAnIndexThatItsReleaseDoesNotState) {
  EXPECT_EQ(inspected(stating(sha256("another"), k_index.size())).findings.size(), 1u);
  EXPECT_EQ(inspected(stating(sha256(k_index), k_index.size() + 1)).findings.size(), 1u);
  EXPECT_EQ(inspected(in_release("Suite: stable\n")).findings.size(), 1u);
}

TEST(IndexInspector, RefusesWhatIsNotClearSigned) {
  for (const auto* document :
       {"", "Suite: stable\n", "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\nSuite: x\n"}) {
    EXPECT_THROW(inspected(document), Error) << document;
  }
}

}  // namespace
}  // namespace liftlock::apt
