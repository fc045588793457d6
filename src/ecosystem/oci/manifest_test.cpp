#include "ecosystem/oci/manifest.hpp"

#include <gtest/gtest.h>

#include "base/code_of.hpp"
#include "base/error.hpp"

namespace liftlock::oci {
namespace {

const std::string k_digest = "sha256:" + std::string(64, 'a');

Json descriptor(std::string_view type, Json size = 10) {
  return {{"mediaType", type}, {"digest", k_digest}, {"size", std::move(size)}};
}
Json manifest() {
  return {{"schemaVersion", 2},
          {"mediaType", media::oci_manifest},
          {"config", descriptor(media::oci_config)},
          {"layers", Json::array({descriptor(media::oci_layer)})}};
}
std::optional<ErrorCode> refusal(const std::string& text, std::string_view type = {}) {
  return code_of([&] { parse_manifest(text, type); });
}

TEST(Manifest, ReadsManifestsAndIndexesOfBothFamilies) {
  const auto parsed = std::get<Manifest>(parse_manifest(manifest().dump()));
  EXPECT_EQ(parsed.layers.size(), 1u);
  EXPECT_EQ(parsed.artifact_type, media::oci_config);
  auto child = descriptor(media::docker_manifest);
  child["platform"] = {{"os", "linux"}, {"architecture", "arm64"}, {"variant", "v8"}};
  const Json list = {{"schemaVersion", 2}, {"mediaType", media::docker_list}, {"manifests", Json::array({child})}};
  const auto index = std::get<Index>(parse_manifest(list.dump(), media::docker_list));
  EXPECT_EQ(index.manifests.at(0).platform->text(), "linux/arm64/v8");
  const auto round = descriptor_json(index.manifests.at(0));
  EXPECT_EQ(round, child);
}

TEST(Manifest, TakesTheTypeFromTheFormWhenNobodySaysIt) {
  auto json = manifest();
  json.erase("mediaType");
  EXPECT_EQ(media_type_of(parse_manifest(json.dump())), media::oci_manifest);
  EXPECT_EQ(media_type_of(parse_manifest(json.dump(), media::docker_manifest)), media::docker_manifest);
}

TEST(Manifest, RefusesWhatDecodersDisagreeAbout) {
  auto both = manifest();
  both["manifests"] = Json::array();
  EXPECT_EQ(refusal(both.dump()), ErrorCode::image_malformed);
  auto folded = manifest();
  folded["Layers"] = Json::array();
  EXPECT_EQ(refusal(folded.dump()), ErrorCode::image_malformed);
  auto unicode = manifest();
  unicode["layer\xC5\xBF"] = Json::array();
  EXPECT_EQ(refusal(unicode.dump()), ErrorCode::image_malformed);
  EXPECT_EQ(refusal(manifest().dump(), media::oci_index), ErrorCode::image_malformed);
  EXPECT_EQ(refusal(R"({"schemaVersion":2,"schemaVersion":2})"), ErrorCode::json_duplicate_key);
  EXPECT_EQ(refusal(R"({"schemaVersion":1,"fsLayers":[]})"), ErrorCode::image_malformed);
}

TEST(Manifest, RefusesWhatPassesItsBounds) {
  EXPECT_EQ(refusal(std::string(100, '[') + std::string(100, ']')), ErrorCode::limit_exceeded);
  for (const auto& size : {Json(-1), Json(1.5), Json("10"), Json(9223372036854775808u)}) {
    auto json = manifest();
    json["layers"] = Json::array({descriptor(media::oci_layer, size)});
    EXPECT_NE(refusal(json.dump()), ErrorCode::internal) << size;
  }
  auto text = manifest().dump();
  text.replace(text.find("10"), 2, "99999999999999999999999");
  EXPECT_EQ(refusal(text), ErrorCode::schema_violation);
  auto many = manifest();
  many["layers"] = Json(std::vector<Json>(k_max_layers + 1, descriptor(media::oci_layer)));
  EXPECT_EQ(refusal(many.dump()), ErrorCode::limit_exceeded);
  EXPECT_EQ(refusal(std::string(k_max_manifest_bytes + 1, ' ')), ErrorCode::limit_exceeded);
}

TEST(ImageConfig, ReadsPlatformDiffIdsAndLabels) {
  const auto config = parse_image_config(
      R"({"os":"linux","architecture":"amd64","config":{"Labels":{"a":"b"}},"rootfs":{"type":"layers","diff_ids":[")" +
      k_digest + R"("]}})");
  EXPECT_EQ(config.platform.text(), "linux/amd64");
  EXPECT_EQ(config.diff_ids.at(0).text(), k_digest);
  EXPECT_EQ(config.labels.at("a"), "b");
  EXPECT_TRUE(parse_image_config(R"({"rootfs":{"type":"layers","diff_ids":null}})").diff_ids.empty());
  EXPECT_THROW(parse_image_config(R"({"rootfs":{"type":"layers","diff_ids":["md5:x"]}})"), Error);
  EXPECT_THROW(parse_image_config(R"({"rootfs":{"type":"layers","Diff_IDs":[]}})"), Error);
}

}  // namespace
}  // namespace liftlock::oci
