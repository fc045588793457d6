#include "ecosystem/oci/inspector.hpp"

#include <gtest/gtest.h>

#include "ecosystem/oci/sample_image_test.hpp"

namespace liftlock::oci {
namespace {

using sample::Blobs;
using sample::tar;

Inspection inspect(const Blobs& blobs, const Descriptor& root, const LayerLimits& limits = {}) {
  const auto artifact = sample::artifact(blobs, root);
  const sample::Opened files(artifact, blobs);
  return ImageInspector(limits).inspect(artifact, files.fds());
}

/// The messages of all findings, for EXPECT_THAT-free reading.
std::string words(const Inspection& inspection) {
  std::string out;
  for (const auto& finding : inspection.findings) {
    out += fmt::format("[{}] {}: {}\n", info(finding.code).slug, finding.path, finding.message);
  }
  return out;
}
bool found(const Inspection& inspection, ErrorCode code, std::string_view text) {
  return std::any_of(inspection.findings.begin(), inspection.findings.end(), [&](const auto& finding) {
    return finding.code == code && finding.message.find(text) != std::string::npos;
  });
}

TEST(ImageInspector, AcceptsAnImageOfSeveralPlatforms) {
  Blobs blobs;
  const auto shared = tar({{"etc/motd", "hello"}, {"./usr/", "", '5'}, {"usr/x", "", '1', "etc/motd"}});
  const auto root = blobs.index({blobs.image({shared, tar({{"a", "1"}})}), blobs.image({shared}, "arm64")});
  const auto result = inspect(blobs, root);
  EXPECT_EQ(words(result), "");
  EXPECT_EQ(result.facts["manifests"], 3);
  EXPECT_EQ(result.facts["layers"], 2);
  EXPECT_EQ(result.facts["platforms"], Json::array({"linux/amd64", "linux/arm64"}));
}

TEST(ImageInspector, CountsDevicesAndSetIdFilesWithoutRefusingThem) {
  Blobs blobs;
  const auto result = inspect(blobs, blobs.image({tar({{"dev/console", "", '3'}, {"bin/su", "x", '0', "", 04755}})}));
  EXPECT_EQ(words(result), "");
  EXPECT_EQ(result.facts["devices"], 1);
  EXPECT_EQ(result.facts["set_id"], 1);
}

TEST(ImageInspector, AcceptsPlainEmptyAndZstdLayers) {
  Blobs blobs;
  const auto empty = std::string(1024, '\0');
  const auto plain = blobs.add(empty, media::oci_layer);
  EXPECT_EQ(words(inspect(blobs, blobs.manifest(blobs.config({empty}), {plain}))), "");
}

TEST(ImageInspector, RefusesNamesThatLeaveTheLayer) {
  const std::vector<sample::Entry> evil = {{"../x", "1"},
                                           {"/etc/passwd", "1"},
                                           {"a/../../x", "1"},
                                           {"h", "", '1', "/etc/shadow"},
                                           {"h", "", '1', "../../etc/shadow"}};
  for (const auto& entry : evil) {
    Blobs blobs;
    EXPECT_TRUE(found(inspect(blobs, blobs.image({tar({entry})})), ErrorCode::path_unsafe, "is refused"))
        << entry.name << entry.link;
  }
}

TEST(ImageInspector, RefusesALayerThatIsNotItsDiffId) {
  Blobs blobs;
  const auto layer = blobs.add(sample::gzip(tar({{"a", "evil"}})), std::string(media::oci_layer) + "+gzip");
  const auto root = blobs.manifest(blobs.config({tar({{"a", "good"}})}), {layer});
  EXPECT_TRUE(found(inspect(blobs, root), ErrorCode::digest_mismatch, "the config says"));
}

TEST(ImageInspector, RefusesAnotherNumberOfDiffIdsThanLayers) {
  Blobs blobs;
  const auto one = tar({{"a", "1"}});
  const auto layer = blobs.add(one, media::oci_layer);
  EXPECT_TRUE(found(inspect(blobs, blobs.manifest(blobs.config({one, one}), {layer})), ErrorCode::image_malformed,
                    "2 diff_ids"));
}

TEST(ImageInspector, StopsAtAGzipBomb) {
  Blobs blobs;
  const auto root = blobs.image({tar({{"zeros", std::string(8u << 20, '\0')}})});
  EXPECT_TRUE(found(inspect(blobs, root, {.ratio_floor = 1u << 20}), ErrorCode::limit_exceeded, "times as much"));
  EXPECT_TRUE(found(inspect(blobs, root, {.max_bytes = 1u << 20}), ErrorCode::limit_exceeded, "more than"));
  EXPECT_TRUE(found(inspect(blobs, blobs.image({tar({{"a", ""}, {"b", ""}, {"c", ""}})}), {.max_entries = 2}),
                    ErrorCode::limit_exceeded, "entries"));
}

TEST(ImageInspector, RefusesALayerThatIsCompressedTwiceOrBroken) {
  const auto good = tar({{"a", std::string(5000, 'x')}});
  const auto twice = sample::gzip(sample::gzip(good));
  const auto cut = sample::gzip(good).substr(0, 40);
  const auto short_tar = good.substr(0, 1000);
  for (const auto& bytes : {twice, cut, short_tar, std::string("no tar at all, but long enough to be read as one")}) {
    Blobs blobs;
    const auto layer = blobs.add(bytes, media::oci_layer);
    const auto result = inspect(blobs, blobs.manifest(blobs.config({good}), {layer}));
    EXPECT_FALSE(result.findings.empty());
  }
}

TEST(ImageInspector, TellsPackagesThatDownloadSomethingLater) {
  Blobs blobs;
  const auto base = tar({{"v/site-packages/tiktoken-0.1.dist-info/METADATA", "x"},
                         {"v/site-packages/nltk-3.dist-info/RECORD", "x"},
                         {"root/nltk_data/tokenizers/punkt_tab/x", "x"}});
  const auto upper = tar({{"v/site-packages/.wh.tiktoken-0.1.dist-info", ""}, {"app/open_webui/main.py", "x"}});
  const auto result = inspect(blobs, blobs.index({blobs.image({base, upper}), blobs.image({base}, "arm64")}));
  EXPECT_EQ(words(result), "");
  ASSERT_TRUE(result.facts.contains("hidden_downloads")) << result.facts;
  EXPECT_EQ(result.facts["hidden_downloads"]["packages"], Json({"nltk", "open-webui", "tiktoken"}))
      << "of one platform it was removed, of the other not";
  EXPECT_EQ(result.facts["hidden_downloads"]["content"], Json({"nltk_data", "punkt_tab"}));
  Blobs alone;
  EXPECT_EQ(inspect(alone, alone.image({base, upper})).facts["hidden_downloads"]["packages"],
            Json({"nltk", "open-webui"}));
  Blobs plain;
  EXPECT_FALSE(inspect(plain, plain.image({tar({{"etc/motd", "x"}})})).facts.contains("hidden_downloads"));
}

TEST(ImageInspector, BelievesWhatALayerSaidByItself) {
  Blobs blobs;
  const auto layer = blobs.add(tar({{"a", "1"}}), media::oci_layer);
  const auto artifact = sample::artifact(blobs, blobs.manifest(blobs.config({tar({{"a", "1"}})}), {layer}));
  const sample::Opened files(artifact, blobs);
  const ImageInspector inspector;
  const auto at = std::find_if(artifact.files.begin(), artifact.files.end(),
                               [&](const auto& file) { return file.digest == layer.digest; }) -
                  artifact.files.begin();
  const auto alone = inspector.inspect_file(files.fds()[static_cast<std::size_t>(at)]);
  EXPECT_EQ(alone.facts["entries"], 1);
  EXPECT_EQ(words(inspector.inspect_rest(artifact, files.fds(), {{layer.digest, alone}})), "");
  auto other = alone;
  other.facts["diff_id"] = sha256("something else").text();
  EXPECT_TRUE(found(inspector.inspect_rest(artifact, files.fds(), {{layer.digest, other}}), ErrorCode::digest_mismatch,
                    "the config says"));
  other.findings.push_back({ErrorCode::path_unsafe, "", "the entry '../x' is refused"});
  EXPECT_TRUE(found(inspector.inspect_rest(artifact, files.fds(), {{layer.digest, other}}), ErrorCode::path_unsafe,
                    "layer 1 of 1: the entry '../x' is refused"));
}

TEST(ImageInspector, WhatIsNoLayerIsNotJudgedAsOne) {
  const ImageInspector inspector;
  Blobs blobs;
  const auto weights = blobs.add(std::string(2u << 20, 'w'), "application/vnd.example.weights");
  const auto artifact = sample::artifact(blobs, blobs.manifest(blobs.config({}), {weights}));
  const sample::Opened files(artifact, blobs);
  for (std::size_t i = 0; i < artifact.files.size(); ++i) {
    EXPECT_EQ(inspector.stands_alone(artifact, i), artifact.files[i].digest == weights.digest);
    if (artifact.files[i].digest != weights.digest) continue;
    const auto alone = inspector.inspect_file(files.fds()[i]);
    EXPECT_FALSE(alone.findings.empty());
    EXPECT_EQ(words(inspector.inspect_rest(artifact, files.fds(), {{weights.digest, alone}})), "");
  }
}

TEST(ImageInspector, RefusesMissingSurplusAndMisstatedFiles) {
  Blobs blobs;
  const auto root = blobs.image({tar({{"a", "1"}})});
  auto missing = blobs;
  missing.all.erase(std::get<Manifest>(parse_manifest(blobs.all.at(root.digest))).layers[0].digest);
  EXPECT_TRUE(found(inspect(missing, root), ErrorCode::image_malformed, "is missing"));
  auto surplus = blobs;
  surplus.add("stowaway", "text/plain");
  EXPECT_TRUE(found(inspect(surplus, root), ErrorCode::image_malformed, "nothing of the image"));
  auto misstated = root;
  misstated.size += 1;
  EXPECT_TRUE(found(inspect(blobs, misstated), ErrorCode::size_mismatch, "its descriptor says"));
}

TEST(ImageInspector, TellsWhatWasLeftOutFromWhatIsMissing) {
  Blobs blobs;
  const auto amd = blobs.image({tar({{"a", "1"}})});
  Blobs other;
  const auto arm = other.image({tar({{"a", "2"}})}, "arm64");
  const auto root = blobs.index({amd, arm});
  EXPECT_TRUE(found(inspect(blobs, root), ErrorCode::image_malformed, "is missing"));
  auto artifact = sample::artifact(blobs, root);
  artifact.facts["left_out"] = Json::array({arm.digest.text()});
  const sample::Opened files(artifact, blobs);
  EXPECT_EQ(words(ImageInspector().inspect(artifact, files.fds())), "");
}

TEST(ImageInspector, RefusesHostileDocuments) {
  const auto nested = std::string(500, '[') + std::string(500, ']');
  Blobs deep;
  EXPECT_TRUE(found(inspect(deep, deep.add(nested, media::oci_manifest)), ErrorCode::limit_exceeded, "deeper"));
  Blobs loop;
  const auto layer = loop.add(tar({}), media::oci_layer);
  const auto many = loop.manifest(loop.config({}), std::vector<Descriptor>(5000, layer));
  EXPECT_TRUE(found(inspect(loop, many), ErrorCode::limit_exceeded, "5000 layers"));
  Blobs tower;
  auto top = tower.image({tar({{"a", "1"}})});
  for (int i = 0; i < 10; ++i) top = tower.index({top});
  EXPECT_TRUE(found(inspect(tower, top), ErrorCode::limit_exceeded, "nested deeper"));
  auto artifact = sample::artifact(tower, top);
  artifact.facts.erase("manifest");
  const sample::Opened files(artifact, tower);
  EXPECT_FALSE(ImageInspector().inspect(artifact, files.fds()).findings.empty());
}

TEST(ImageInspector, LetsSignaturesBorrowTheConfigTypeOfAnImage) {
  Blobs blobs;
  const auto payload = blobs.add("{\"critical\":{}}", "application/vnd.dev.cosign.simplesigning.v1+json");
  EXPECT_EQ(words(inspect(blobs, blobs.manifest(blobs.config({}), {payload}))), "");
}

}  // namespace
}  // namespace liftlock::oci
