#include "ecosystem/hidden_downloads.hpp"

#include <gmock/gmock.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/error.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/hidden_marks.hpp"

namespace liftlock {
namespace {

Artifact artifact(std::string kind, std::string name, std::string path = "files/x", std::string origin = {}) {
  return {.kind = std::move(kind),
          .name = std::move(name),
          .version = "1",
          .files = {{RelPath::parse(path), 1, sha256("x"), std::move(origin), {}}}};
}

/// @param marks of every image
std::vector<std::string> needed_by(const std::vector<Artifact>& artifacts, const HiddenMarks& marks = {}) {
  const auto inspection = [&](const Artifact& one) {
    return one.kind == "image" ? Json{{k_hidden_marks, marks.json()}} : Json::object();
  };
  std::vector<std::string> out;
  for (const auto& need : hidden_needs(artifacts, inspection)) {
    out.push_back(need.in_image ? fmt::format("{} in {}", need.download->name, need.needed_by) : need.needed_by);
  }
  return out;
}

HiddenMarks marks_of(std::initializer_list<std::string_view> paths) {
  HiddenMarks out;
  for (const auto path : paths) out.look_at(path);
  return out;
}

TEST(HiddenDownloads, AreSortedAndSayWhereTheyWereRead) {
  const auto all = hidden_downloads();
  ASSERT_GT(all.size(), 15u);
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_FALSE(all[i].what.empty() || all[i].there.empty() || all[i].source.empty()) << all[i].name;
    if (i > 0) {
      EXPECT_LT(std::pair(all[i - 1].kind, all[i - 1].name), std::pair(all[i].kind, all[i].name));
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

TEST(HiddenDownloads, PackagesOfNpmDownloadTooAndNeverBringIt) {
  EXPECT_THAT(needed_by({artifact("npm", "puppeteer"), artifact("npm", "chromium-bidi")}),
              testing::ElementsAre("npm:puppeteer@1"));
  EXPECT_THAT(needed_by({artifact("npm", "puppeteer"), artifact("deb", "chromium")}), testing::IsEmpty());
  EXPECT_THAT(needed_by({artifact("npm", "@prisma/engines")}), testing::ElementsAre("npm:@prisma/engines@1"));
  EXPECT_THAT(needed_by({artifact("npm", "tiktoken")}), testing::IsEmpty()) << "another package, of its name only";
  const auto marks = marks_of({"usr/lib/python3.12/site-packages/electron-1.0.dist-info/METADATA"});
  EXPECT_THAT(needed_by({artifact("image", "app")}, marks), testing::IsEmpty());
}

TEST(HiddenDownloads, AWheelIsBroughtByAWheelAndNeverByItself) {
  EXPECT_THAT(needed_by({artifact("wheel", "flashinfer-python")}), testing::ElementsAre("wheel:flashinfer-python@1"));
  EXPECT_THAT(needed_by({artifact("wheel", "flashinfer-python"), artifact("wheel", "flashinfer-cubin")}),
              testing::IsEmpty());
  EXPECT_THAT(needed_by({artifact("wheel", "docling"), artifact("wheel", "docling-core")}),
              testing::ElementsAre("wheel:docling@1"));
  EXPECT_THAT(needed_by({artifact("wheel", "docling"), artifact("image", "docling-serve")}), testing::SizeIs(1));
  EXPECT_THAT(needed_by({artifact("wheel", "litellm"), artifact("model", "m")}),
              testing::ElementsAre("wheel:litellm@1"))
      << "nothing can bring it; a switch is all";
}

TEST(HiddenDownloads, AModelIsNoProofOfAnotherOne) {
  const auto chat = artifact("model", "chat", "models/chat/chat.gguf", "https://hub.example/org/chat/chat.pte");
  for (const auto* package : {"sentence-transformers", "fastembed", "faster-whisper", "ultralytics", "torchvision"})
    EXPECT_THAT(needed_by({artifact("wheel", package), chat}), testing::SizeIs(1)) << package;
  EXPECT_THAT(needed_by({artifact("wheel", "torchvision"), artifact("file", "x.pth.txt", "files/x.pth.txt")}),
              testing::SizeIs(1));
  EXPECT_THAT(needed_by({artifact("wheel", "torchvision"), artifact("file", "w", "files/resnet.pth")}),
              testing::IsEmpty());
  EXPECT_THAT(needed_by({artifact("wheel", "ultralytics"), artifact("file", "w", "files/own.pt")}), testing::IsEmpty());
  EXPECT_THAT(needed_by({artifact("wheel", "sentence-transformers"), artifact("model", "e", "models/e/modules.json")}),
              testing::IsEmpty());
  EXPECT_THAT(needed_by({artifact("wheel", "fastembed"), artifact("model", "e", "models/e/model_optimized.onnx")}),
              testing::IsEmpty());
  EXPECT_THAT(needed_by({artifact("wheel", "faster-whisper"), artifact("model", "whisper-base")}), testing::IsEmpty());
}

TEST(HiddenDownloads, WhereAnyModelMayBeMeantItIsAsked) {
  const auto none = [](const Artifact&) { return Json::object(); };
  for (const auto* package : {"transformers", "timm", "vllm"}) {
    const auto wheel = artifact("wheel", package);
    auto needs = hidden_needs({wheel}, none);
    ASSERT_EQ(needs.size(), 1u) << package;
    EXPECT_THAT(needs[0].perhaps, testing::IsEmpty());
    needs = hidden_needs({wheel, artifact("model", "a"), artifact("model", "b")}, none);
    ASSERT_EQ(needs.size(), 1u) << package;
    EXPECT_THAT(needs[0].perhaps, testing::ElementsAre("model:a@1", "model:b@1"));
  }
}

TEST(HiddenDownloads, AnImageDownloadsWhatThePackagesInItDo) {
  const auto image = artifact("image", "app");
  const auto marks = marks_of({"usr/lib/python3.12/site-packages/tiktoken-0.14.0.dist-info/METADATA",
                               "./opt/venv/lib/python3.12/site-packages/flashinfer_python-0.7.4.dist-info/",
                               "usr/lib/python3.12/site-packages/idna-3.4.dist-info/METADATA"});
  EXPECT_THAT(needed_by({image}, marks),
              testing::ElementsAre("flashinfer-python in image:app@1", "tiktoken in image:app@1"));
  EXPECT_THAT(
      needed_by({artifact("image", "a"), artifact("wheel", "tiktoken"), image}, marks_of({"x/tiktoken-1.dist-info/"})),
      testing::ElementsAre("wheel:tiktoken@1", "tiktoken in image:a@1", "tiktoken in image:app@1"));
  EXPECT_THAT(needed_by({image, artifact("file", "tiktoken-cache"), artifact("wheel", "flashinfer-cubin")}, marks),
              testing::IsEmpty());
  EXPECT_THAT(hidden_needs({image}, [](const Artifact&) { return Json::object(); }), testing::IsEmpty());
}

TEST(HiddenDownloads, WhatTheImageHasWithItIsNotAskedFor) {
  const auto image = artifact("image", "app");
  EXPECT_THAT(needed_by({image}, marks_of({"app/backend/open_webui/main.py"})),
              testing::ElementsAre("open-webui in image:app@1"));
  EXPECT_THAT(needed_by({image}, marks_of({"app/backend/open_webui/main.py",
                                           "app/backend/data/cache/embedding/models/"
                                           "models--sentence-transformers--all-MiniLM-L6-v2/refs/main"})),
              testing::IsEmpty());
  EXPECT_THAT(needed_by({image}, marks_of({"v/site-packages/tiktoken-1.dist-info/RECORD",
                                           "cache/9b5ad71b2ce5302211f9c61530b329a4922fc6a4"})),
              testing::IsEmpty());
  EXPECT_THAT(needed_by({image}, marks_of({"v/site-packages/vllm-0.11.dist-info/RECORD"})), testing::SizeIs(1));
  EXPECT_THAT(
      needed_by({image}, marks_of({"v/site-packages/vllm-0.11.dist-info/RECORD", "hub/models--a--b/refs/main"})),
      testing::IsEmpty());
  EXPECT_THAT(needed_by({image}, marks_of({"v/site-packages/flashinfer_python-1.dist-info/RECORD",
                                           "v/site-packages/flashinfer_cubin-1.dist-info/RECORD"})),
              testing::IsEmpty());
  const std::string_view package = "v/site-packages/sentence_transformers-6.dist-info/RECORD";
  EXPECT_THAT(needed_by({image}, marks_of({package, "hub/models--a--b/refs/main", "app/modules.json.old"})),
              testing::SizeIs(1));
  EXPECT_THAT(needed_by({image}, marks_of({package, "hub/models--a--b/snapshots/x/modules.json"})), testing::IsEmpty());
  // The package's own files are no proof.
  EXPECT_THAT(
      needed_by({image}, marks_of({"v/site-packages/docling-2.dist-info/RECORD", "v/site-packages/docling/x.py"})),
      testing::SizeIs(1));
}

TEST(HiddenMarks, AProgramOfThatNameIsNoModel) {
  const auto marks = marks_of({"usr/local/bin/docling", "bin/whisper", "app/whisper.py"});
  EXPECT_THAT(marks.content, testing::IsEmpty());
  EXPECT_THAT(marks_of({"root/.cache/docling/models/x"}).content, testing::Not(testing::IsEmpty()));
}

TEST(HiddenMarks, AnEmptyFolderAndWhatALayerRemovesAreNoContent) {
  EXPECT_THAT(marks_of({"root/nltk_data/", "root/.wh.nltk_data", "tmp/.wh.punkt_tab.zip", "root/nltk_data/.wh..wh..opq",
                        ".wh.models--a--b", "hub/models--a--b/"})
                  .content,
              testing::IsEmpty());
  EXPECT_THAT(marks_of({"root/nltk_data/", "root/nltk_data/tokenizers/punkt_tab/english/x"}).content,
              testing::ElementsAre("nltk_data", "punkt_tab"));
  EXPECT_THAT(
      needed_by({artifact("image", "app")}, marks_of({"v/site-packages/nltk-3.dist-info/RECORD", "nltk_data/"})),
      testing::ElementsAre("nltk in image:app@1"));
}

TEST(HiddenMarks, AreOfTheTableWhateverTheNamesAre) {
  EXPECT_TRUE(marks_of({"", "/", ".dist-info", "-.dist-info", "x.dist-info", "..dist-info/", "a/.wh..dist-info",
                        "tiktoken-1.dist-infos/x", "site-packages/", "\xff\xfe.dist-info/x", "open_webui/main.py"})
                  .empty());
  EXPECT_THAT(marks_of({"usr/lib/python3/dist-packages/NLTK-3.8-py3.11.egg-info"}).packages,
              testing::ElementsAre("nltk"));
  EXPECT_THAT(marks_of({"a/openai_harmony-0.0.8.dist-info", "a/Open.WEBUI-1.dist-info/x"}).packages,
              testing::ElementsAre("open-webui", "openai-harmony"));
  EXPECT_THAT(marks_of({"a/flashinfer_cubin\xff\xfe-1.dist-info/x", "a/en_core_web_sm-3.dist-info/x",
                        "a/en_core_web_md-3.dist-info/x"})
                  .packages,
              testing::ElementsAre("en-core-web", "flashinfer-cubin"))
      << "of the table, not of the image";
  auto image = marks_of({"v/tiktoken-1.dist-info/RECORD", "v/nltk-3.dist-info/RECORD"});
  image.stack(marks_of({"v/.wh.tiktoken-1.dist-info", "v/.wh.nltk-3.dist-info", "v/nltk-4.dist-info/RECORD"}));
  EXPECT_THAT(image.packages, testing::ElementsAre("nltk"));
  const auto layer = marks_of({"v/.wh.tiktoken-1.dist-info", "v/nltk-4.dist-info/x", "root/nltk_data/punkt_tab"});
  const auto again = HiddenMarks::parse(layer.json());
  EXPECT_EQ(again.packages, layer.packages);
  EXPECT_EQ(again.content, layer.content);
  EXPECT_EQ(again.removed, layer.removed);
  EXPECT_THROW(HiddenMarks::parse("x"), Error);
  EXPECT_THROW(HiddenMarks::parse({{"packages", 1}}), Error);
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
