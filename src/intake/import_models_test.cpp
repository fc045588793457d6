// Models in the shapes in which others keep them: folders, kits, Hugging Face caches, Ollama stores.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "artifact/artifact_text.hpp"
#include "base/code_of.hpp"
#include "crypto/sha256sums.hpp"
#include "intake/foreign_packages.hpp"
#include "intake/import_fixture.hpp"

namespace liftlock {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

TEST_F(Imports, AModelFolderIsCheckedAgainstItsList) {
  write("m/a.gguf", "weights");
  write("m/README.md", "hello");
  write("m/odd \\ name.txt", "x");
  write("m/\xC3\xA4.txt", "x");
  try {
    (void)imported("m");
    ADD_FAILURE() << "names that media do not keep";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::path_unsafe);
    EXPECT_THAT(std::string(error.message()), HasSubstr("'m': 2 files have names that no bundle carries"));
    EXPECT_THAT(std::string(error.hint()), HasSubstr("called otherwise"));
  }
  fs::remove(drop() / "m/odd \\ name.txt");
  fs::remove(drop() / "m/\xC3\xA4.txt");
  write("m/with space.txt", "x");
  python(
      "import subprocess\n"
      "open('m/MODEL_MANIFEST.sha256', 'wb').write(subprocess.run("
      "\"cd m && find . -type f ! -name MODEL_MANIFEST.sha256 -exec sha256sum {} +\", shell=True, "
      "capture_output=True).stdout)");
  const auto result = imported("m");
  EXPECT_EQ(result.shape, "model");
  EXPECT_EQ(artifact("m").files.size(), 3u);
  EXPECT_EQ(artifact("m").files[0].evidence[0].type, "stated");
  write("m/late.txt", "x");
  EXPECT_EQ(refused("m"), ErrorCode::extra_file) << "sha256sum -c would not have told";
  fs::remove(drop() / "m/late.txt");
  write("m/a.gguf", "WEIGHTS");
  EXPECT_EQ(refused("m"), ErrorCode::digest_mismatch);
  fs::remove(drop() / "m/a.gguf");
  EXPECT_EQ(refused("m"), ErrorCode::missing_file);
}

TEST_F(Imports, AListBelievedByItsAnnouncedDigestBindsItsFiles) {
  write("m/a.gguf", "weights");
  const auto list = sha256sums_line(sha256("weights"), "a.gguf");
  write("m/SHA256SUMS", list);
  auto asked = request("m");
  asked.allow_unsigned = false;
  asked.expect = sha256(list);
  EXPECT_EQ(import_from(site(), asked, silent_reporter()).belief, Belief::digest);
}

TEST_F(Imports, ASingleModelFileIsOneModel) {
  write("tiny-Q4.gguf", "weights");
  EXPECT_THAT(imported("tiny-Q4.gguf").artifacts, ElementsAre(HasSubstr("model:tiny-Q4@")));
  auto asked = request("tiny-Q4.gguf");
  asked.expect = sha256("other");
  EXPECT_EQ(code_of([&] { (void)import_from(site(), asked, silent_reporter()); }), ErrorCode::digest_mismatch);
  asked.expect = sha256("weights");
  EXPECT_EQ(import_from(site(), asked, silent_reporter()).belief, Belief::digest) << "and the label is gone";
  EXPECT_EQ(import_label(artifact("tiny-Q4")), "");
}

TEST_F(Imports, FoldersOfSeveralModelsAreSeveral) {
  write("models/embedding/model.safetensors", "e");
  write("models/llm/model.safetensors", "l");
  EXPECT_EQ(imported("models").artifacts.size(), 2u);
}

TEST_F(Imports, SymlinksCountInsideAndEndItOutside) {
  write("m/blobs/real", "weights");
  fs::create_symlink("blobs/real", drop() / "m/a.gguf");
  EXPECT_EQ(imported("m").status, ImportResult::Status::imported);
  write("n/b.gguf", "weights");
  fs::create_symlink("/etc/hostname", drop() / "n/c.gguf");
  EXPECT_EQ(refused("n"), ErrorCode::not_regular);
}

TEST_F(Imports, AModelKitWithSeveralTagsIsOne) {
  modelkits("kits", "[('v1', kit('1.0', 'weights')), ('latest', kit('1.0', 'weights'))]");
  const auto result = imported("kits");
  EXPECT_EQ(result.shape, "modelkit");
  EXPECT_THAT(result.artifacts, ElementsAre("model:tiny@1.0"));
  const auto model = artifact("model:tiny@1.0");
  EXPECT_EQ(model.facts["reference"], "latest");
  EXPECT_EQ(model.facts["references"], (Json{"latest", "v1"}));
}

TEST_F(Imports, VersionsOfAModelKitComeInOneAfterTheOther) {
  modelkits("kits", "[('v1', kit('1.0', 'weights')), ('v2', kit('2.0', 'others'))]");
  try {
    (void)imported("kits");
    FAIL() << "two models were written to one place";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::path_collision);
    EXPECT_EQ(std::string(error.what()), "the layout holds two ModelKits with the model 'tiny': v1 and v2");
    EXPECT_THAT(std::string(error.hint()), HasSubstr("skopeo copy oci:"));
  }
}

TEST_F(Imports, AModelPackIsTheModelThatItsLayersName) {
  modelpack("pack",
            "[('weight.v1.raw', b'weights', 'sub/tiny.gguf'), ('weight.config.v1.raw', b'{}', 'sub/config.json'),\n"
            " ('weight.config.v1.raw', b'{}', 'sub/generation_config.json'), ('doc.v1.raw', b'# Tiny', 'README.md'),\n"
            " ('code.v1.raw', b'print(1)', 'load.py')]");
  const auto result = imported("pack");
  EXPECT_EQ(result.shape, "modelkit");
  EXPECT_THAT(result.artifacts, ElementsAre("model:tiny@1.0"));
  EXPECT_THAT(result.notes, Contains(HasSubstr("1 layer of code is left out")));
  const auto model = artifact("model:tiny@1.0");
  EXPECT_EQ(model.license, "MIT");
  EXPECT_EQ(model.facts["source"], "modelpack");
  std::vector<std::string> paths;
  for (const auto& file : model.files) paths.push_back(file.path.text());
  EXPECT_THAT(paths, ElementsAre("models/tiny/README.md", "models/tiny/sub/config.json",
                                 "models/tiny/sub/generation_config.json", "models/tiny/sub/tiny.gguf"));
  EXPECT_EQ(model.files[3].digest, sha256("weights"));
  write("pack/blobs/sha256/" + hex("weights"), "WEIGHTS");
  EXPECT_EQ(refused("pack"), ErrorCode::digest_mismatch);
}

TEST_F(Imports, AFileOfAModelPackHasANameThatStaysInTheModel) {
  modelpack("nameless", "[('weight.v1.raw', b'weights', '')]");
  EXPECT_EQ(refused("nameless"), ErrorCode::import_unknown);
  modelpack("above", "[('weight.v1.raw', b'weights', '../tiny.gguf')]");
  EXPECT_EQ(refused("above"), ErrorCode::path_unsafe);
  modelpack("twice", "[('weight.v1.raw', b'weights', 'a.gguf'), ('weight.v1.raw', b'others', 'A.gguf')]");
  EXPECT_EQ(refused("twice"), ErrorCode::path_collision);
}

TEST_F(Imports, AHuggingFaceCacheIsReadByItsReferences) {
  const std::string commit(40, 'c');
  write("models--org--tiny/blobs/" + hex("weights"), "weights");
  write("models--org--tiny/blobs/" + std::string(40, 'a'), "{}");
  write("models--org--tiny/refs/main", commit);
  make_folders(drop() / "models--org--tiny/snapshots" / commit);
  const auto link = [&](const std::string& name, const std::string& blob) {
    fs::create_symlink("../../blobs/" + blob, drop() / "models--org--tiny/snapshots" / commit / name);
  };
  link("model.safetensors", hex("weights"));
  link("config.json", std::string(40, 'a'));
  EXPECT_EQ(imported("models--org--tiny").shape, "hf-cache");
  const auto model = artifact("tiny");
  EXPECT_EQ(model.id(), "model:tiny@cccccccccccc");
  EXPECT_EQ(model.facts["repository"], "org/tiny");
  EXPECT_EQ(model.files.size(), 2u);
  fs::remove(drop() / "models--org--tiny/blobs" / hex("weights"));
  write("models--org--tiny/blobs/" + hex("weights"), "tampered");
  EXPECT_EQ(refused("models--org--tiny"), ErrorCode::digest_mismatch);
}

TEST_F(Imports, AMixedHuggingFaceCacheGivesModelsAndDataSets) {
  const std::string commit(40, 'c'), older(40, 'd');
  const auto repository = [&](const std::string& at, const std::vector<std::pair<std::string, std::string>>& files) {
    write(at + "/refs/main", commit);
    for (const auto& [path, content] : files) {
      write(at + "/blobs/" + hex(content), content);
      const auto link = drop() / at / "snapshots" / commit / path;
      make_folders(link.parent_path());
      fs::create_symlink(fs::path(path.find('/') == std::string::npos ? "../.." : "../../..") / "blobs" / hex(content),
                         link);
    }
  };
  repository("cache/hub/models--org--tiny", {{"tiny.gguf", "weights"}});
  repository("cache/hub/datasets--org--words",
             {{"README.md", "# Words"}, {"data/train.csv", "word\n"}, {"words.py", "print(1)"}});
  write("cache/hub/datasets--org--words/snapshots/" + older + "/README.md", "# Old");
  repository("cache/hub/datasets--org--code", {{"load.py", "print(2)"}});
  write("cache/hub/datasets--org--empty/refs/main", commit);
  write("cache/hub/spaces--org--app/app.py", "print(3)");
  write("cache/token", "secret");
  const auto result = imported("cache");
  EXPECT_EQ(result.words, "a Hugging Face cache of 1 model and 2 data sets");
  EXPECT_THAT(result.artifacts, ElementsAre("dataset:words@cccccccccccc", "model:tiny@cccccccccccc"));
  const auto words = artifact("dataset:words@cccccccccccc");
  ASSERT_EQ(words.files.size(), 2u);
  EXPECT_EQ(words.files[0].path.text(), "datasets/words/README.md");
  EXPECT_EQ(words.files[1].path.text(), "datasets/words/data/train.csv");
  EXPECT_EQ(words.facts["repository"], "org/words");
  EXPECT_EQ(words.facts["commit"], commit);
  for (const auto* left :
       {"words.py is left out", "load.py is left out", "nothing of org/code", "datasets--org--empty",
        "1 other snapshot of datasets--org--words", "spaces--org--app is left out: a Space", "token is left out"}) {
    EXPECT_THAT(result.notes, Contains(HasSubstr(left)));
  }
  EXPECT_EQ(imported("cache/hub/datasets--org--words").status, ImportResult::Status::already_present);
  fs::remove(drop() / "cache/hub/datasets--org--words/blobs" / hex("word\n"));
  write("cache/hub/datasets--org--words/blobs/" + hex("word\n"), "tampered");
  EXPECT_EQ(refused("cache"), ErrorCode::digest_mismatch);
}

TEST_F(Imports, AnOllamaStoreIsRehashedBlobByBlob) {
  const std::string at = "models/manifests/hub.example/library/tiny/";
  write(at + "8b", ollama_manifest(hex("weights"), 7));
  write(at + "8b.sig", "a signature that reads as a tag");
  write("models/blobs/sha256-" + hex("weights"), "weights");
  write("models/blobs/sha256-" + hex("{}"), "{}");
  const auto result = imported("models");
  EXPECT_EQ(result.shape, "ollama");
  const auto id = sha256(ollama_manifest(hex("weights"), 7)).hex().substr(0, 12);
  EXPECT_THAT(result.artifacts, ElementsAre("model:tiny@" + id)) << "the ID that `ollama list` shows";
  EXPECT_THAT(result.notes, Contains(HasSubstr("8b.sig")));
  EXPECT_EQ(artifact("tiny").files[0].path.text(), "models/tiny/model.gguf");
  EXPECT_EQ(artifact("tiny").facts.at("ollama"), "hub.example/library/tiny:8b");
  write("models/blobs/sha256-" + hex("weights"), "WEIGHTS");
  EXPECT_EQ(refused("models"), ErrorCode::digest_mismatch);
  write(at + "8b", ollama_manifest(hex("absent"), 7));
  EXPECT_EQ(refused("models"), ErrorCode::model_incomplete);
}

}  // namespace
}  // namespace liftlock
