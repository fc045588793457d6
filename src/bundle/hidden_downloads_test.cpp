#include "bundle/hidden_downloads.hpp"

#include <gmock/gmock.h>

#include <fstream>
#include <sstream>

#include "crypto/hash.hpp"

namespace liftlock {
namespace {

Artifact artifact(std::string kind, std::string name, std::string path = "files/x", std::string origin = {}) {
  return {.kind = std::move(kind),
          .name = std::move(name),
          .version = "1",
          .files = {{RelPath::parse(path), 1, sha256("x"), std::move(origin), {}}}};
}

std::vector<std::string> needed_by(const std::vector<Artifact>& artifacts) {
  std::vector<std::string> out;
  for (const auto& need : hidden_needs(artifacts)) out.push_back(need.needed_by);
  return out;
}

TEST(HiddenDownloads, AreSortedAndSayWhereTheyWereRead) {
  const auto all = hidden_downloads();
  ASSERT_GT(all.size(), 15u);
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_FALSE(all[i].what.empty() || all[i].there.empty() || all[i].source.empty()) << all[i].name;
    if (i > 0) {
      EXPECT_LT(all[i - 1].name, all[i].name);
    }
  }
}

TEST(HiddenDownloads, APackageThatDownloadsIsNamedUntilTheStackBringsWhatItWants) {
  EXPECT_THAT(needed_by({artifact("wheel", "tiktoken")}), testing::ElementsAre("wheel:tiktoken@1"));
  EXPECT_THAT(needed_by({artifact("wheel", "tiktoken"), artifact("file", "tiktoken-cache")}), testing::IsEmpty());
  EXPECT_THAT(needed_by({artifact("wheel", "tiktoken"),
                         artifact("file", "words", "files/words/9b5ad71b2ce5302211f9c61530b329a4922fc6a4")}),
              testing::IsEmpty());
  EXPECT_THAT(
      needed_by({artifact("wheel", "open-webui"), artifact("model", "embedder", "models/embedder/model.safetensors",
                                                           "https://hub.example/sentence-transformers/"
                                                           "all-MiniLM-L6-v2/resolve/x/model.safetensors")}),
      testing::IsEmpty());
  EXPECT_THAT(needed_by({artifact("wheel", "idna"), artifact("image", "nginx")}), testing::IsEmpty());
}

TEST(HiddenDownloads, AWheelIsBroughtByAWheelAndNeverByItself) {
  EXPECT_THAT(needed_by({artifact("wheel", "flashinfer-python")}), testing::ElementsAre("wheel:flashinfer-python@1"));
  EXPECT_THAT(needed_by({artifact("wheel", "flashinfer-python"), artifact("wheel", "flashinfer-cubin")}),
              testing::IsEmpty());
  EXPECT_THAT(needed_by({artifact("wheel", "docling"), artifact("wheel", "docling-core")}),
              testing::ElementsAre("wheel:docling@1"));
  EXPECT_THAT(needed_by({artifact("wheel", "litellm"), artifact("model", "m")}),
              testing::ElementsAre("wheel:litellm@1"))
      << "nothing can bring it; a switch is all";
}

TEST(HiddenDownloads, ThePageIsTheTable) {
  std::ifstream file(LIFTLOCK_SOURCE_DIR "/docs/hidden-downloads.md");
  std::stringstream page;
  page << file.rdbuf();
  EXPECT_NE(page.str().find(hidden_downloads_markdown()), std::string::npos)
      << "put this table into docs/hidden-downloads.md:\n"
      << hidden_downloads_markdown();
}

}  // namespace
}  // namespace liftlock
