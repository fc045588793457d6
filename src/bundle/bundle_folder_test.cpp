// What people are told who name another place than the folder of a bundle.
#include "bundle/bundle_folder.hpp"

#include <gmock/gmock.h>

#include "bundle/bundle_reader.hpp"

namespace liftlock {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class BundleFolderTest : public testing::Test {
 protected:
  fs::path at(const std::string& path) const { return m_folder.path() / path; }
  void put(const std::string& path) const {
    make_folders(at(path).parent_path());
    write_file_atomically(at(path), "{}");
  }
  std::vector<std::string> below(const std::string& path) const {
    std::vector<std::string> out;
    for (const auto& bundle : bundles_below(at(path)))
      out.push_back(bundle.lexically_relative(m_folder.path()).string());
    return out;
  }
  /// Message and hint.
  std::string told_of(const std::string& path) const {
    try {
      BundleReader bundle(at(path));
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::not_a_bundle) << error.what();
      return error.message() + "\n" + std::string(error.hint());
    }
    return "it was read";
  }

 private:
  TemporaryFolder m_folder;
};

TEST_F(BundleFolderTest, BundlesOneAndTwoFoldersDeeperAreNamed) {
  put("usb/box/demo-7/manifest/bundle.json");
  EXPECT_THAT(told_of("usb/box"), AllOf(HasSubstr("usb/box' holds no manifest/bundle.json"),
                                        HasSubstr("a bundle lies in '" + at("usb/box/demo-7").string() + "'")));
  EXPECT_THAT(told_of("usb"), HasSubstr("usb/box/demo-7'"));
  put("usb/demo-8/manifest/bundle.json");
  put("usb/a/b/demo-9/manifest/bundle.json");
  EXPECT_THAT(below("usb"), ElementsAre("usb/box/demo-7", "usb/demo-8"));
  EXPECT_THAT(told_of("usb"), AllOf(HasSubstr("bundles lie in"), HasSubstr("usb/demo-8'"), HasSubstr("one of these")));
}

TEST_F(BundleFolderTest, ManyOtherFoldersHideNoBundle) {
  for (int i = 0; i < 600; ++i) make_folders(at("usb/" + std::to_string(i)));
  put("usb/demo-7/manifest/bundle.json");
  put("usb/599/demo-8/manifest/bundle.json");
  EXPECT_THAT(below("usb"), ElementsAre("usb/599/demo-8", "usb/demo-7"));
}

TEST_F(BundleFolderTest, ALinkToABundleIsNoneOfTheMedium) {
  put("elsewhere/demo-7/manifest/bundle.json");
  make_folders(at("usb"));
  fs::create_directory_symlink(at("elsewhere/demo-7"), at("usb/demo-7"));
  EXPECT_FALSE(is_bundle(at("usb/demo-7")));
  EXPECT_THAT(below("usb"), ElementsAre());
}

TEST_F(BundleFolderTest, ThePlaceLiesWithinABundle) {
  put("demo-7/manifest/bundle.json");
  put("demo-7/packages/pypi/a.whl");
  const auto whole = "lies in the bundle '" + fs::canonical(at("demo-7")).string() + "'";
  EXPECT_THAT(told_of("demo-7/packages/pypi"), HasSubstr(whole));
  EXPECT_THAT(told_of("demo-7/manifest/bundle.json"), AllOf(HasSubstr("is no folder"), HasSubstr(whole)));
}

TEST_F(BundleFolderTest, WhatIsLeftOfABundleIsNamed) {
  put("demo-7/content.tar");
  put("demo-7/README.txt");
  put("demo-7/manifest/files.jsonl");
  EXPECT_THAT(told_of("demo-7"), AllOf(HasSubstr("but of a bundle 'content.tar', 'manifest'"), Not(HasSubstr("README")),
                                       HasSubstr("copy it again")));
}

TEST_F(BundleFolderTest, ArchivesAndTheirPartsAreToBeUnpacked) {
  for (const auto* name : {"demo-7.tar", "demo-7.TAR.GZ", "demo-7.tar.001", "demo-7.tar.partab", "demo-7.zip"}) {
    SCOPED_TRACE(name);
    const auto medium = std::string("with-") + name + "-on-it/";
    put(medium + "notes.txt");
    put(medium + name);
    EXPECT_THAT(told_of(medium),
                AllOf(HasSubstr(fmt::format("but '{}'\n", name)), HasSubstr("unpack"), HasSubstr("liftlock import")));
    EXPECT_THAT(told_of(medium + name), AllOf(HasSubstr("is no folder"), HasSubstr("unpack")));
  }
}

TEST_F(BundleFolderTest, OtherThingsAreNamedAndNothingIsSaidToBeNothing) {
  for (const auto* name : {"a", "b\n", "c", "d", "e", "f"}) put(std::string("usb/") + name);
  EXPECT_THAT(told_of("usb"), AllOf(HasSubstr("but 'a', 'b\\x0a', 'c', 'd' and 2 more\n"),
                                    HasSubstr("name the folder that holds manifest/bundle.json")));
  make_folders(at("bare"));
  EXPECT_THAT(told_of("bare"), AllOf(HasSubstr("it is empty"), HasSubstr("mount the medium")));
  EXPECT_THAT(told_of("none"), HasSubstr("there is no folder"));
}

}  // namespace
}  // namespace liftlock
