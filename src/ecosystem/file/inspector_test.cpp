#include "ecosystem/file/inspector.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/digest.hpp"
#include "crypto/hash.hpp"
#include "os/file.hpp"

namespace liftlock {
namespace {

TEST(FileInspector, AcceptsAnythingAndSaysWhatItLooksLike) {
  TemporaryFolder folder;
  Artifact artifact{.kind = "file", .name = "x", .version = "1"};
  std::vector<UniqueFd> open;
  std::vector<int> descriptors;
  const std::pair<std::string, std::string> files[] = {{"a.sh", "#!/bin/sh\n"},
                                                       {"b", std::string("\x7f"
                                                                         "ELF\2")},
                                                       {"c.txt", "hello"},
                                                       {"d", ""},
                                                       {"e", std::string("a\0b", 3)}};
  for (const auto& [name, content] : files) {
    write_file_atomically(folder.path() / name, content);
    open.push_back(open_file(folder.path() / name, O_RDONLY));
    descriptors.push_back(open.back().get());
    artifact.files.push_back(
        {.path = RelPath::parse("files/" + name), .size = content.size(), .digest = sha256(content)});
  }
  const auto inspection = FileInspector().inspect(artifact, descriptors);
  EXPECT_TRUE(inspection.findings.empty());
  const auto& looks = inspection.facts["looks_like"];
  EXPECT_EQ(looks["files/a.sh"], "script");
  EXPECT_EQ(looks["files/b"], "program (ELF)");
  EXPECT_EQ(looks["files/c.txt"], "text");
  EXPECT_EQ(looks["files/d"], "empty");
  EXPECT_EQ(looks["files/e"], "binary");
}

// Thousands of files as thousands of descriptors would break on RLIMIT_NOFILE.
TEST(FileInspector, ReadsTheFirstHundredOnly) {
  const Artifact artifact{.kind = "file", .name = "x", .version = "1"};
  EXPECT_TRUE(FileInspector().reads(artifact, 99));
  EXPECT_FALSE(FileInspector().reads(artifact, 100));
}

}  // namespace
}  // namespace liftlock
