#include "crypto/sha256sums.hpp"

#include <gtest/gtest.h>

#include "base/error.hpp"
#include "base/text.hpp"
#include "crypto/hash.hpp"
#include "os/file.hpp"
#include "os/process.hpp"

namespace liftlock {
namespace {

/// A folder `models` with names that trip shell scripts up.
class RealShell : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const std::string name :
         {"a.gguf", "with space.bin", "new\nline", "back\\slash", "cr\rname", "deep/er/z", "-n", "ü"}) {
      const auto path = m_folder.path() / "models" / name;
      make_folders(path.parent_path());
      write_file_atomically(path, "content of " + name);
      m_files.push_back({"models/" + name, sha256("content of " + name)});
    }
    write_file_atomically(m_folder.path() / "models/same", "content of a.gguf");
    m_files.push_back({"models/same", sha256("content of a.gguf")});
    fs::create_symlink("a.gguf", m_folder.path() / "models/link");
  }
  std::string shell(const std::string& command) const {
    return run_process_checked(
               {.argv = {"sh", "-c", command}, .set_environment = {{"LC_ALL", "C"}}, .working_folder = m_folder.path()})
        .output;
  }
  TemporaryFolder m_folder;
  std::vector<ListedDigest> m_files;
};

TEST_F(RealShell, DirectoryHashIsWhatTheSourceDocumentsCommandPrints) {
  const auto printed = shell("find models -type f -exec sha256sum {} \\; | sort | sha256sum | cut -d' ' -f1");
  EXPECT_EQ(std::string(trim(printed)), directory_hash(m_files).hex());
}

TEST_F(RealShell, ReadsWhatSha256sumWrites) {
  for (const std::string options : {"", "-b", "--tag"}) {
    auto listed = parse_sha256sums(shell("find models -type f -exec sha256sum " + options + " {} +"));
    auto expected = m_files;
    const auto by_path = [](const auto& a, const auto& b) { return a.path < b.path; };
    std::sort(listed.begin(), listed.end(), by_path);
    std::sort(expected.begin(), expected.end(), by_path);
    EXPECT_EQ(listed, expected) << options;
  }
}

TEST_F(RealShell, Sha256sumChecksWhatWeWrite) {
  std::string list;
  for (const auto& file : m_files) list += sha256sums_line(file.digest, file.path);
  write_file_atomically(m_folder.path() / "list", list);
  EXPECT_NO_THROW(shell("sha256sum --strict -c list"));
  EXPECT_EQ(parse_sha256sums(list), m_files);
}

TEST(Sha256sums, RefusesWhatSha256sumWouldSkip) {
  const auto hex = sha256("x").hex();
  for (const std::string& bad :
       std::vector<std::string>{"hello", hex, hex + " a", hex + "  ", "SHA256 (a) = 12", "\\" + hex + "  a\\q",
                                hex.substr(1) + "g  a", hex + "  a\n" + sha256("y").hex() + "  a"}) {
    EXPECT_THROW(parse_sha256sums(bad), Error) << bad;
  }
  EXPECT_EQ(parse_sha256sums("# note\r\n\r\n" + hex + "  a\r\n").size(), 1u);
}

}  // namespace
}  // namespace liftlock
