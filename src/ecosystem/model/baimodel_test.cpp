#include "ecosystem/model/baimodel.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/code_of.hpp"
#include "base/error.hpp"
#include "crypto/hash.hpp"
#include "os/file.hpp"

namespace liftlock {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const std::string k_hex(64, 'a');

std::string manifest(const std::string& more) {
  return R"({"format_version": 1, "name": "tiny", "checksums": {"model/a.gguf": ")" + k_hex + "\"}" + more + "}";
}
std::optional<ErrorCode> refused(const std::string& text) {
  return code_of([&] { (void)parse_baimodel_manifest(text); });
}

/// A model with a projector, whose bytes lie in files.
class Baimodel : public ::testing::Test {
 protected:
  Baimodel() {
    model = {
        .kind = "model", .name = "tiny", .version = "1.0", .license = "mit", .facts = {{"repository", "org/tiny"}}};
    for (const auto& [name, content] : contents) {
      write_file_atomically(m_folder.path() / sha256(content).hex(), content);
      model.files.push_back({.path = RelPath::parse("models/tiny/" + name),
                             .size = content.size(),
                             .digest = sha256(content),
                             .origin = {},
                             .evidence = {}});
    }
  }
  std::string written(Projector projector, const std::vector<NamedText>& signatures = {}) {
    const auto plan = plan_baimodel(model, inspection, projector, "test 1");
    const auto path = m_folder.path() / "out.baimodel";
    const auto out = open_file(path, O_RDWR | O_CREAT | O_TRUNC);
    UniqueFd blob;
    write_baimodel(plan, signatures, out.get(),
                   [&](const Digest& digest) {
                     blob = open_file(m_folder.path() / digest.hex(), O_RDONLY);
                     return blob.get();
                   },
                   {});
    if (signatures.empty()) {
      EXPECT_EQ(plan.package_size(), fs::file_size(path));
    }
    verify_baimodel(out.get(), {});
    return read_file(path, 1u << 20);
  }

  const std::vector<std::pair<std::string, std::string>> contents = {
      {"mmproj-tiny.gguf", "projector"}, {"sub/tokenizer.json", "{}"}, {"tiny.gguf", "weights"}};
  Json inspection = {{"formats", {"gguf"}}, {"quantisation", "Q4_K_M"}};
  Artifact model;
  TemporaryFolder m_folder;
};

TEST_F(Baimodel, EqualModelsGiveEqualBytes) {
  EXPECT_EQ(written(Projector::with), written(Projector::with));
}

TEST_F(Baimodel, ThePlanSaysWhatGoesInAndHowLargeItBecomes) {
  const auto plan = plan_baimodel(model, inspection, Projector::with, "test 1");
  EXPECT_EQ(plan.files.size(), 3u);
  EXPECT_EQ(plan.files[1].entry.text(), "model/sub/tokenizer.json");
  EXPECT_EQ(plan.content_size(), 18u);
  EXPECT_EQ(plan.manifest.format, "gguf");
  EXPECT_EQ(plan.manifest.quantization, "Q4_K_M");
  EXPECT_EQ(plan.manifest.publisher, "org");
}

TEST_F(Baimodel, WithoutItsProjectorItIsAnotherVersion) {
  const auto plan = plan_baimodel(model, inspection, Projector::without, "test 1");
  EXPECT_THAT(plan.left_out, ElementsAre("models/tiny/mmproj-tiny.gguf"));
  EXPECT_EQ(plan.files.size(), 2u);
  EXPECT_NE(plan.manifest.model_version, "1.0");
}

TEST_F(Baimodel, RottenBytesOfTheStoreEndTheExport) {
  write_file_atomically(m_folder.path() / sha256("weights").hex(), "WEIGHTS");
  EXPECT_EQ(code_of([&] { written(Projector::with); }), ErrorCode::blob_corrupt);
}

TEST_F(Baimodel, SignaturesStandInAFolderOfTheirOwn) {
  EXPECT_THAT(written(Projector::with, {{"builder.ab.sigstore.json", "{}"}}),
              HasSubstr("signatures/builder.ab.sigstore.json"));
}

TEST(BaimodelManifest, WhatWasWrittenReadsTheSame) {
  const auto read = parse_baimodel_manifest(manifest(R"(, "publisher": "org")"));
  EXPECT_EQ(read.publisher, "org");
  const auto again = parse_baimodel_manifest(encode_baimodel_manifest(read));
  EXPECT_EQ(again.checksums, read.checksums);
  EXPECT_EQ(again.publisher, "org");
}

TEST(BaimodelManifest, OtherPackersFormsMeanTheSame) {
  std::string upper = k_hex;
  for (auto& c : upper) c = 'A';
  const auto read = parse_baimodel_manifest(R"({"name": "t", "checksums": {"a.gguf": "sha256:)" + upper + "\"}}");
  EXPECT_EQ(read.checksums.begin()->first.text(), "model/a.gguf");
  EXPECT_THAT(read.warnings, Contains(HasSubstr("format version")));
  EXPECT_THAT(parse_baimodel_manifest(manifest(R"(, "colour": 1)")).warnings, Contains(HasSubstr("colour")));
}

TEST(BaimodelManifest, WhatBreaksTheFormIsRefused) {
  EXPECT_EQ(refused("[]"), ErrorCode::schema_violation);
  EXPECT_EQ(refused("{"), ErrorCode::json_invalid);
  EXPECT_EQ(refused(R"({"name": "a", "name": "b"})"), ErrorCode::json_duplicate_key);
  EXPECT_EQ(refused(R"({"name": "t"})"), ErrorCode::schema_violation) << "no checksums";
  EXPECT_EQ(refused(R"({"name": "t", "checksums": {}})"), ErrorCode::schema_violation);
  EXPECT_EQ(refused(R"({"name": " ", "checksums": {"a": ")" + k_hex + "\"}}"), ErrorCode::schema_violation);
  EXPECT_EQ(refused(R"({"name": "t", "checksums": {"a": "md5:abc"}})"), ErrorCode::schema_violation);
  EXPECT_EQ(refused(R"({"name": "t", "checksums": {"../a": ")" + k_hex + "\"}}"), ErrorCode::path_unsafe);
  EXPECT_EQ(refused(R"({"name": "t", "checksums": {"a": ")" + k_hex + R"(", "model/a": ")" + k_hex + "\"}}"),
            ErrorCode::path_collision);
  EXPECT_EQ(refused(R"({"format_version": 2, "name": "t", "checksums": {"a": ")" + k_hex + "\"}}"), ErrorCode::too_new);
  EXPECT_EQ(refused(manifest(R"(, "publisher": ")" + std::string(2000, 'x') + "\"")), ErrorCode::limit_exceeded);
  EXPECT_EQ(refused(std::string(5u << 20, ' ')), ErrorCode::limit_exceeded);
}

TEST(BaimodelEntries, StrangersAndTwinsAreRefused) {
  const auto judged = [](const std::vector<std::string>& names) {
    return code_of([&] { (void)judge_baimodel_entries(names); });
  };
  EXPECT_EQ(judged({"manifest.json", "model/a.gguf", "model/", "metadata.json", "signatures/x.asc"}), std::nullopt);
  EXPECT_EQ(judged({"model/a.gguf"}), ErrorCode::package_malformed);
  EXPECT_EQ(judged({"manifest.json"}), ErrorCode::package_malformed);
  EXPECT_EQ(judged({"manifest.json", "model/a", "setup.sh"}), ErrorCode::extra_file);
  EXPECT_EQ(judged({"manifest.json", "model/a", "bin/"}), ErrorCode::extra_file);
  EXPECT_EQ(judged({"manifest.json", "model/a", "signatures/b/c"}), ErrorCode::extra_file);
  EXPECT_EQ(judged({"manifest.json", "model/a", "model/A"}), ErrorCode::path_collision);
  EXPECT_EQ(judged({"manifest.json", "model/../a"}), ErrorCode::path_unsafe);
  EXPECT_EQ(judged(std::vector<std::string>(20'000, "model/a")), ErrorCode::limit_exceeded);
}

TEST(BaimodelEntries, AllNamesThatNoBundleCarriesAreListed) {
  try {
    (void)judge_baimodel_entries({"manifest.json", "model/\xC3\xA4.gguf", "model/b.gguf", "model/c:d", "\xC3\xA4/"});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::path_unsafe);
    EXPECT_THAT(std::string(error.message()), HasSubstr("the package: 2 files have names that no bundle carries"));
    EXPECT_THAT(std::string(error.message()), HasSubstr("'model/c:d' (it has one of"));
    EXPECT_THAT(std::string(error.hint()), HasSubstr("packed again"));
  }
}

TEST(BaimodelEntries, ListAndContentNameTheSameFiles) {
  const auto read = parse_baimodel_manifest(manifest(""));
  EXPECT_THAT(compare_baimodel(judge_baimodel_entries({"manifest.json", "model/a.gguf"}), read), IsEmpty());
  EXPECT_THAT(compare_baimodel(judge_baimodel_entries({"manifest.json", "metadata.json", "model/a.gguf"}), read),
              Contains(HasSubstr("metadata.json has no checksum")));
  const auto compared = [&](const std::vector<std::string>& names) {
    return code_of([&] { (void)compare_baimodel(judge_baimodel_entries(names), read); });
  };
  EXPECT_EQ(compared({"manifest.json", "model/a.gguf", "model/b.gguf"}), ErrorCode::extra_file);
  EXPECT_EQ(compared({"manifest.json", "model/b.gguf"}), ErrorCode::extra_file);
}

}  // namespace
}  // namespace liftlock
