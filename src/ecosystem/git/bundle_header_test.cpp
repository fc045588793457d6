#include "ecosystem/git/bundle_header.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include "base/error.hpp"
#include "ecosystem/git/names.hpp"
#include "os/fd.hpp"
#include "os/file.hpp"

namespace liftlock::git {
namespace {

using testing::HasSubstr;

const std::string k_a(40, 'a'), k_b(40, 'b');

std::string refusal(const std::string& bytes) {
  try {
    parse_bundle_header(bytes);
  } catch (const Error& error) {
    return std::string(info(error.code()).slug) + ": " + error.what();
  }
  return "accepted";
}

TEST(BundleHeader, KnowsVersion2And3) {
  const auto text = "# v2 git bundle\n" + k_a + " refs/heads/main\n" + k_b + " refs/tags/v1\n" + k_a + " HEAD\n\n";
  const auto header = parse_bundle_header(text + "PACK…");
  EXPECT_EQ(header.version, 2);
  EXPECT_EQ(header.pack_offset, text.size());
  ASSERT_EQ(header.refs.size(), 2u);
  EXPECT_EQ(to_hex(header.refs.at("refs/tags/v1")), k_b);
  EXPECT_EQ(to_hex(*header.head), k_a);
  EXPECT_EQ(parse_bundle_header("# v3 git bundle\n@object-format=sha1\n" + k_a + " refs/heads/main\n\n").version, 3);
}

TEST(BundleHeader, RefusesWhatDoesNotCrossWhole) {
  const auto ref = k_a + " refs/heads/main\n\n";
  EXPECT_THAT(refusal("# v2 git bundle\n-" + k_b + " older\n" + ref), HasSubstr("builds on " + k_b));
  EXPECT_THAT(refusal("# v3 git bundle\n@filter=blob:none\n" + ref), HasSubstr("filter"));
  EXPECT_THAT(refusal("# v3 git bundle\n@object-format=sha256\n" + ref), HasSubstr("object-format=sha256"));
  EXPECT_THAT(refusal("# v2 git bundle\n@filter=blob:none\n" + ref), HasSubstr("version 2"));
}

TEST(BundleHeader, RefusesLiesAndRubbish) {
  const auto ref = k_a + " refs/heads/main\n";
  for (const auto& bytes : std::vector<std::string>{
           "", "# v2 git bundle", "# v2 git bundle\n", "# v2 git bundle\n" + ref, "# v4 git bundle\n" + ref + "\n",
           "# v2 git bundle\r\n" + ref + "\n", "# v2 git bundle\n\nPACK", "# v2 git bundle\n" + ref + ref + "\n",
           "# v2 git bundle\n" + ref + k_a + " HEAD\n" + k_a + " HEAD\n\n", "# v2 git bundle\n" + k_a + "\n\n",
           "# v2 git bundle\n" + k_a + " \n\n", "# v2 git bundle\n" + std::string(40, 'A') + " refs/heads/main\n\n",
           "# v2 git bundle\n" + k_a + " refs/heads/../../x\n\n", "# v2 git bundle\n" + k_a + " main\n\n",
           "# v3 git bundle\n" + ref + "@object-format=sha1\n\n"})
    EXPECT_THAT(refusal(bytes), testing::StartsWith("package-malformed")) << bytes;
  EXPECT_THAT(refusal("# v2 git bundle\n" + std::string(17u << 20, 'x')), testing::StartsWith("limit-exceeded"));
}

TEST(BundleHeader, IsReadFromFilesWhateverItsLength) {
  auto text = std::string("# v2 git bundle\n");
  for (int i = 0; i < 3000; ++i) text += k_a + " refs/tags/v" + std::to_string(i) + "\n";
  text += "\n";
  const UniqueFd fd(::memfd_create("bundle", MFD_CLOEXEC));
  write_all(fd.get(), text + std::string(200'000, '\n'), "memfd");
  const auto header = read_bundle_header(fd.get());
  EXPECT_EQ(header.refs.size(), 3000u);
  EXPECT_EQ(header.pack_offset, text.size());
}

TEST(Names, OfRepositoriesAndRefs) {
  for (const auto* good : {"tool", "Tool-1.2_x", "9p", "a"}) EXPECT_TRUE(is_repository_name(good)) << good;
  for (const auto* bad : {"", ".git", "-x", "a/b", "tool.git", "tool.bundle", "a b", "con", "a."})
    EXPECT_FALSE(is_repository_name(bad)) << bad;
  for (const auto* good : {"refs/heads/main", "refs/tags/v1.0", "refs/heads/a/b@c", "refs/commits/abc"})
    EXPECT_TRUE(is_ref_name(good)) << good;
  for (const auto* bad : {"HEAD", "refs/", "refs/heads/", "refs/heads/.a", "refs/heads/a..b", "refs/heads/a.lock",
                          "refs/heads/a@{1}", "refs/heads/a b", "refs/heads/a~1", "refs/heads/a\\b", "refs//a",
                          "refs/heads/a.", "refs/heads/\x7f", "refs/heads/a\nb"})
    EXPECT_FALSE(is_ref_name(bad)) << bad;
}

}  // namespace
}  // namespace liftlock::git
