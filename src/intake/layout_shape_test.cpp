// The bundle layouts of the second and fifth source documents, and other folders with a list.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "bundle/standing.hpp"
#include "crypto/sha256sums.hpp"
#include "intake/foreign_packages.hpp"
#include "intake/import_fixture.hpp"

namespace liftlock {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

class FifthLayout : public Imports {
 protected:
  FifthLayout() {
    write("b/binaries/ollama-linux-amd64", "program");
    write("b/models/manifests/hub.example/library/tiny/8b", ollama_manifest(hex("weights"), 7));
    write("b/models/blobs/sha256-" + hex("weights"), "weights");
    write("b/models/blobs/sha256-" + hex("{}"), "{}");
    write("b/packages/nested/README", "x");
    run({"sh", "-c",
         "cd b && mkdir -p signatures && sha256sum binaries/ollama-linux-amd64 > signatures/ollama.sha256"
         " && sha256sum -b $(find models -type f) > signatures/models.sha256"});
    seal();
  }
  /// As the document's own shell lines make it.
  void seal() const {
    run({"sh", "-c",
         "cd b && mkdir -p manifest && cat > manifest/bundle.json <<EOF\n"
         "{\"bundle_version\": \"20261129\", \"creator\": \"ada\", \"creation_date\": \"2026-11-29T00:00:00Z\",\n"
         " \"low_side_host\": \"low\", \"artifacts\": {\n"
         "  \"ollama_binary\": \"$(sha256sum binaries/ollama-linux-amd64 | cut -d' ' -f1)\",\n"
         "  \"models_directory_hash\": \"$(find models -type f -exec sha256sum {} \\; | LC_ALL=C sort | sha256sum | "
         "cut "
         "-d' ' -f1)\"}}\nEOF"});
  }
};

TEST_F(FifthLayout, ItsDirectoryHashIsComputedAsTheShellDoesIt) {
  const auto result = imported("b");
  EXPECT_EQ(result.shape, "bundle-layout");
  EXPECT_EQ(result.preview["bundle_version"], "20261129");
  EXPECT_THAT(result.artifacts, UnorderedElementsAre(HasSubstr("file:ollama-linux-amd64@"), HasSubstr("model:tiny@")));
  EXPECT_THAT(result.notes, Contains(HasSubstr("packages/ and all else is bound by nothing")));
}

TEST_F(FifthLayout, AFileMoreOrLessInModelsIsFound) {
  write("b/models/extra", "x");
  EXPECT_EQ(refused("b"), ErrorCode::digest_mismatch) << "sha256sum -c signatures/models.sha256 would have passed";
  fs::remove(drop() / "b/models/extra");
  fs::remove(drop() / "b/models/blobs" / ("sha256-" + hex("weights")));
  EXPECT_EQ(refused("b"), ErrorCode::missing_file);
}

TEST_F(FifthLayout, ATamperedBinaryIsFoundByBundleJsonItself) {
  write("b/binaries/ollama-linux-amd64", "PROGRAM");
  run({"sh", "-c", "cd b && sha256sum binaries/ollama-linux-amd64 > signatures/ollama.sha256"});
  EXPECT_EQ(refused("b"), ErrorCode::digest_mismatch) << "the list was made anew, and nobody had signed it";
}

TEST_F(FifthLayout, WhatBundleJsonDoesNotBindIsUnsignedWhateverVouchesForIt) {
  write("b/packages/tool/DEBIAN/control",
        "Package: tool\nVersion: 1\nArchitecture: all\nMaintainer: x <x@e>\n"
        "Description: a tool\n");
  run({"sh", "-c", "cd b/packages && dpkg-deb --root-owner-group -b tool tool_1_all.deb && rm -r tool nested"});
  auto asked = request("b");
  asked.expect = sha256(read_file(drop() / "b/manifest/bundle.json", 1u << 20));
  const auto result = import_from(site(), asked, silent_reporter());
  EXPECT_EQ(result.belief, Belief::digest);
  EXPECT_THAT(result.unbound, ElementsAre("deb:tool@1"));
  EXPECT_EQ(imported_by(artifact("tool")), Belief::nobody);
  EXPECT_EQ(imported_by(artifact("tiny")), Belief::digest);
}

TEST_F(FifthLayout, ABundleOfLiftlockIsSentToIngest) {
  write("b/manifest/bundle.json", R"({"channel": "demo", "sequence": 1})");
  EXPECT_EQ(refused("b"), ErrorCode::import_unknown);
}

TEST_F(Imports, TheSecondLayoutIsBoundByItsList) {
  write("s/models/tiny.gguf", "weights");
  write("s/charts/infra/Chart.yaml", "name: infra\n");
  write("s/patterns/initial.json", "[]");
  run({"sh", "-c",
       "cd s && find models charts patterns -type f -exec sha256sum {} + > checksums.txt && cd .. && tar czf "
       "sensei.tar.gz s"});
  const auto result = imported("sensei.tar.gz");
  EXPECT_EQ(result.shape, "bundle-layout");
  EXPECT_EQ(result.artifacts.size(), 3u);
  write("s/charts/infra/evil.yaml", "x");
  EXPECT_EQ(refused("s"), ErrorCode::extra_file);
}

TEST_F(Imports, ListedFilesOfAnyKindAreKeptAsTheyAre) {
  write("f/tool.bin", "x");
  write("f/SHA256SUMS", sha256sums_line(sha256("x"), "tool.bin"));
  EXPECT_EQ(imported("f").shape, "listed-files");
  EXPECT_EQ(artifact("f").files[0].path.text(), "files/f/tool.bin");
}

}  // namespace
}  // namespace liftlock
