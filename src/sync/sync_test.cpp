// Documents and rings, without a network; tests/interop/sync_test.sh has the rest.
#include <gmock/gmock.h>

#include "base/code_of.hpp"
#include "base/error.hpp"
#include "crypto/hash.hpp"
#include "sync/rings.hpp"
#include "sync/sync_documents.hpp"

namespace liftlock {
namespace {

RingDocument::Bundle bundle(std::string channel, std::uint64_t sequence, std::uint64_t artifacts = 1) {
  const auto digest = sha256(fmt::format("{}/{}", channel, sequence));
  return {.channel = std::move(channel), .sequence = sequence, .digest = digest, .artifacts = artifacts};
}

Promotion promotion(const RingDocument::Bundle& of) {
  return {.channel = of.channel, .sequence = of.sequence, .digest = of.digest, .since = now(), .actor = "ada(1000)"};
}

TEST(SyncDocuments, AreWhatWasWritten) {
  const RingDocument ring{
      .ring = "plant", .bundles = {bundle("a", 7), bundle("a", 9), bundle("b", 1)}, .retired = {bundle("a", 8, 0)}};
  const auto back = parse_ring_document(write_ring_document(ring));
  EXPECT_EQ(back.ring, "plant");
  EXPECT_EQ(back.bundles, ring.bundles);
  EXPECT_EQ(back.retired, ring.retired);
}

TEST(SyncDocuments, ABundleNamedTwiceOrOutOfOrderIsRefused) {
  for (const auto& bundles :
       {std::vector{bundle("a", 7), bundle("a", 7)}, std::vector{bundle("a", 8), bundle("a", 7)}}) {
    const auto text = write_ring_document({.ring = "canary", .bundles = bundles, .retired = {}});
    EXPECT_EQ(code_of([&] { parse_ring_document(text); }), ErrorCode::schema_violation);
  }
}

TEST(SyncDocuments, AChannelThatIsAPathIsRefused) {
  for (const auto* channel : {"../demo", "a/b", "", ".hidden"}) {
    const auto text = write_ring_document({.ring = "canary", .bundles = {bundle(channel, 1)}, .retired = {}});
    EXPECT_EQ(code_of([&] { parse_ring_document(text); }), ErrorCode::schema_violation) << channel;
  }
}

TEST(SyncDocuments, AFileThatLeavesItsFolderIsRefused) {
  auto text = write_publication_document({.channel = "demo",
                                          .sequence = 1,
                                          .digest = sha256("x"),
                                          .files = {{RelPath::parse("signatures/a.asc"), 1, sha256("y")}},
                                          .artifacts = {}});
  text.replace(text.find("signatures/a.asc"), 16, "../signaturesasc");
  EXPECT_EQ(code_of([&] { parse_publication_document(text); }), ErrorCode::path_unsafe);
}

class RingsTest : public testing::Test {
 protected:
  TemporaryFolder m_folder;
  Rings m_rings{m_folder.path() / "rings.json"};
  PublishedBundles m_published{.in_use = {bundle("demo", 6), bundle("demo", 7), bundle("demo", 8)},
                               .retired = {bundle("demo", 5, 0)}};
};

TEST_F(RingsTest, TheCanaryRingHasEverythingInUse) {
  const auto ring = ring_document("canary", m_rings, m_published);
  EXPECT_EQ(ring.bundles, m_published.in_use);
  EXPECT_EQ(ring.retired, m_published.retired);
}

TEST_F(RingsTest, AnotherRingHasWhatWasPromotedToItAndIsInUse) {
  m_rings.promote("plant", promotion(bundle("demo", 7)));
  m_rings.promote("plant", promotion(bundle("demo", 5)));
  m_rings.promote("plant", promotion(bundle("demo", 6)));
  m_rings.promote("other", promotion(bundle("demo", 8)));
  EXPECT_THAT(ring_document("plant", m_rings, m_published).bundles,
              testing::ElementsAre(bundle("demo", 6), bundle("demo", 7)));
}

TEST_F(RingsTest, ARestoredCatalogWithAnotherBundleIsNotWhatWasPromoted) {
  auto promoted = promotion(bundle("demo", 7));
  promoted.digest = sha256("what it was then");
  m_rings.promote("plant", promoted);
  EXPECT_THAT(ring_document("plant", m_rings, m_published).bundles, testing::IsEmpty());
}

TEST_F(RingsTest, ARingWithoutAPromotionIsNotThere) {
  EXPECT_EQ(code_of([&] { ring_document("plant", m_rings, m_published); }), ErrorCode::not_found);
}

TEST_F(RingsTest, ABrokenFileIsNamed) {
  write_file_atomically(m_folder.path() / "rings.json", R"({"format": "liftlock.rings/1", "rings": {"plant": [{}]}})");
  try {
    (void)m_rings.all();
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find((m_folder.path() / "rings.json").string()), std::string::npos)
        << error.what();
  }
}

TEST_F(RingsTest, APromotionTwiceIsOne) {
  m_rings.promote("plant", promotion(bundle("demo", 7)));
  m_rings.promote("plant", promotion(bundle("demo", 7)));
  EXPECT_EQ(m_rings.all().at("plant").size(), 1u);
}

}  // namespace
}  // namespace liftlock
