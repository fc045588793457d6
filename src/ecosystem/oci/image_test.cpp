#include "ecosystem/oci/image.hpp"

#include <gtest/gtest.h>

#include "base/error.hpp"
#include "ecosystem/oci/sample_image_test.hpp"
#include "os/process.hpp"

namespace liftlock::oci {
namespace {

/// Writes a bundle's images/ folder as the packer does.
void write_bundle(const fs::path& folder, const sample::Blobs& blobs, const std::vector<Artifact>& artifacts) {
  make_folders(folder / "images/blobs/sha256");
  for (const auto& [digest, bytes] : blobs.all) write_file_atomically(folder / blob_path(digest).text(), bytes);
  for (const auto& [path, text] : assemble_oci_layout(artifacts)) write_file_atomically(folder / path.text(), text);
}

TEST(ImageFacts, RoundTrip) {
  sample::Blobs blobs;
  const auto root = blobs.image({sample::tar({{"a", "1"}})});
  const auto digest = sha256("x");
  const ImageFacts facts{
      "h.example/a:1", root, {"linux/amd64"}, {digest}, {{root, digest, "sha256-" + digest.hex() + ".sig"}}};
  const auto json = image_facts_json(facts);
  EXPECT_EQ(image_facts_json(parse_image_facts(json)), json);
  auto broken = json;
  broken["referrers"][0]["tag"] = "../x";
  EXPECT_THROW(parse_image_facts(broken), Error);
}

TEST(OciLayout, IsTheSameForAnyOrderOfArtifacts) {
  sample::Blobs blobs;
  const auto one = sample::artifact(blobs, blobs.image({sample::tar({{"a", "1"}})}), "one");
  const auto two = sample::artifact(blobs, blobs.image({sample::tar({{"b", "2"}})}), "two");
  EXPECT_EQ(assemble_oci_layout(std::vector{one, two}), assemble_oci_layout(std::vector{two, one}));
  EXPECT_TRUE(assemble_oci_layout({}).empty());
}

TEST(OciLayout, TwoLayoutsMergeAndTheNewerNameCounts) {
  sample::Blobs blobs;
  const auto index_of = [](const Artifact& image) { return assemble_oci_layout(std::vector{image})[0].second; };
  const auto one = sample::artifact(blobs, blobs.image({sample::tar({{"a", "1"}})}), "one");
  const auto two = sample::artifact(blobs, blobs.image({sample::tar({{"b", "2"}})}), "two");
  const auto other_one = sample::artifact(blobs, blobs.image({sample::tar({{"c", "3"}})}), "one");
  const auto both = assemble_oci_layout(std::vector{one, two})[0].second;
  EXPECT_EQ(merge_oci_index(index_of(two), index_of(one)), both);
  EXPECT_EQ(merge_oci_index(both, index_of(one)), both);
  EXPECT_EQ(merge_oci_index(index_of(one), index_of(other_one)), index_of(other_one));
  EXPECT_THROW(merge_oci_index("{}", index_of(one)), Error);
  for (const auto* strange : {"7", R"({"digest": "x", "annotations": 7})",
                              R"({"digest": "x", "annotations": {"org.opencontainers.image.ref.name": 7}})"}) {
    EXPECT_THROW(merge_oci_index(fmt::format(R"({{"manifests": [{}]}})", strange), index_of(one)), Error) << strange;
  }
  EXPECT_NO_THROW(merge_oci_index(R"({"manifests": [{"digest": "x", "annotations": null}]})", index_of(one)));
}

TEST(OciLayout, SkopeoCopiesImagesOutOfABundle) {
  ASSERT_TRUE(find_program("skopeo")) << "apt-get install skopeo";
  TemporaryFolder folder;
  sample::Blobs blobs;
  const auto arm = blobs.image({sample::tar({{"b", "arm"}})}, "arm64");
  const auto amd = blobs.image({sample::tar({{"a", "amd"}})});
  const auto root = blobs.index({amd, arm});
  blobs.all.erase(arm.digest);
  const auto tagged = sample::artifact(blobs, root, "team/app", "v1.0--rc_1");
  const auto pinned = sample::artifact(blobs, root, "team/app", root.digest.text());
  write_bundle(folder.path(), blobs, {tagged, pinned});
  for (const auto& image : {tagged, pinned}) {
    const auto from = "oci:" + (folder.path() / "images").string() + ":" + layout_ref(image);
    const auto to = "oci:" + (folder.path() / "out").string() + ":x";
    run_process_checked({.argv = {"skopeo", "--insecure-policy", "--override-os", "linux", "--override-arch", "amd64",
                                  "copy", from, to}});
    EXPECT_TRUE(fs::exists(folder.path() / "out/blobs/sha256" / amd.digest.hex())) << from;
    remove_tree(folder.path() / "out");
  }
}

}  // namespace
}  // namespace liftlock::oci
