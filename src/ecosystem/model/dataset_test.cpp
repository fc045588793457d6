#include "ecosystem/model/dataset.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "archive/archive_fixture.hpp"
#include "crypto/hash.hpp"
#include "os/file.hpp"

namespace liftlock {
namespace {

using namespace std::string_literals;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class DatasetTest : public testing::Test {
 protected:
  Inspection inspect(const std::vector<std::pair<std::string, std::string>>& files) {
    Artifact artifact{.kind = "dataset", .name = "d", .version = "1"};
    std::vector<UniqueFd> owners;
    std::vector<int> fds;
    for (const auto& [name, content] : files) {
      const auto at = m_folder.path() / std::to_string(m_count++);
      write_file_atomically(at, content);
      owners.push_back(open_file(at, O_RDONLY));
      fds.push_back(owners.back().get());
      artifact.files.push_back({RelPath::parse("datasets/d/" + name), content.size(), sha256(content), {}, {}});
    }
    return DatasetInspector().inspect(artifact, fds);
  }
  std::string finding(const std::string& name, const std::string& content) {
    const auto out = inspect({{name, content}});
    return out.findings.empty() ? "" : out.findings[0].message;
  }

  TemporaryFolder m_folder;
  int m_count = 0;
};

TEST_F(DatasetTest, DataPassesAndItsCardIsRead) {
  const auto out = inspect({{"README.md", "---\nlicense: cc-by-4.0\nlanguage: en\n---\n# D\n"},
                            {"data/README.md", "---\nlicense: mit\n---\n"},
                            {"data/a.csv", "a,b\n1,2\n"},
                            {"data/b.jsonl", "{\"a\": 1}\n{\"a\": 2}\n"},
                            {"data/c.parquet", "PAR1" + std::string(20, '\0') + "PAR1"},
                            {"data/d.arrow", "ARROW1\0\0"s + std::string(20, '\1')},
                            {"data/e.json", "{\"a\": 1}\n{\"a\": 2}\n"}});
  EXPECT_THAT(out.findings, IsEmpty()) << out.findings.at(0).message;
  EXPECT_EQ(out.facts["card"], (Json{{"license", "cc-by-4.0"}, {"language", {"en"}}}));
  EXPECT_EQ(out.facts["formats"], (Json{"arrow", "csv", "json", "jsonl", "md", "parquet"}));
  EXPECT_EQ(out.facts["files"], 7);
  EXPECT_FALSE(out.facts.contains("notes"));
}

TEST_F(DatasetTest, WhatRunsCodeIsRefused) {
  EXPECT_THAT(finding("x.pkl.gz", "\x1f\x8b"), HasSubstr("pickle"));
  EXPECT_THAT(finding("d.py", "import os\n"), HasSubstr("loading script"));
  EXPECT_THAT(finding("D.PY", "import os\n"), HasSubstr("loading script"));
  EXPECT_THAT(finding("x.pkl", "anything"), HasSubstr("pickle"));
  EXPECT_THAT(finding("x.csv", "\x80\x04\x95\x10\0\0\0\0\0\0\0."s), HasSubstr("pickle")) << "by its bytes";
  EXPECT_THAT(finding("x.csv", "\x7f"s + "ELF" + std::string(60, '\0')), HasSubstr("ELF"));
  EXPECT_THAT(finding("x.zip", test_archive("zip", "none", {{"archive/data.pkl", "x"}})), HasSubstr("pickle"));
  EXPECT_THAT(finding("x.npz", test_archive("zip", "none", {{"a.npy", "x"}})), HasSubstr("NumPy"));
}

TEST_F(DatasetTest, ContainersPassWithANote) {
  const auto out = inspect({{"a.tar.gz", test_archive("ustar", "gzip", {{"a.txt", "x"}})},
                            {"b.tar", test_archive("ustar", "none", {{"a.txt", "x"}})},
                            {"c.zip", test_archive("zip", "none", {{"a.txt", "x"}})},
                            {"d.csv.zst", test_archive("raw", "zstd", {{"d", "a,b\n"}})}});
  EXPECT_THAT(out.findings, IsEmpty()) << out.findings.at(0).message;
  EXPECT_THAT(out.facts["notes"], ElementsAre("datasets/d/a.tar.gz is a gzip file, which is not looked into",
                                              "datasets/d/b.tar is a tar archive, which is not looked into",
                                              "datasets/d/c.zip is a zip archive, which is not looked into",
                                              "datasets/d/d.csv.zst is a zstd file, which is not looked into"));
  std::vector<std::pair<std::string, std::string>> many;
  for (int i = 0; i < 30; ++i) many.push_back({"s" + std::to_string(i) + ".gz", "\x1f\x8b"});
  EXPECT_EQ(inspect(many).facts["notes"].size(), 21u);
}

TEST_F(DatasetTest, ParquetWithoutItsMarksIsCutOff) {
  for (const auto& content :
       {"PAR1"s, "PAR1PAR1"s, "PAR1" + std::string(100, 'x'), "xxxx" + std::string(100, 'x') + "PAR1", ""s})
    EXPECT_THAT(finding("a.parquet", content), HasSubstr("PAR1")) << content;
  EXPECT_THAT(finding("a.bin.renamed", "PAR1" + std::string(100, 'x')), HasSubstr("PAR1"));
}

TEST_F(DatasetTest, ABrokenCardIsANote) {
  const auto out = inspect({{"README.md", "---\na: [\n---\n"}});
  EXPECT_THAT(out.findings, IsEmpty());
  EXPECT_THAT(out.facts["notes"], Contains(HasSubstr("is not read")));
}

}  // namespace
}  // namespace liftlock
