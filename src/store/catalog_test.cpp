#include "store/catalog.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <map>

#include "base/code_of.hpp"
#include "base/error.hpp"
#include "crypto/hash.hpp"
#include "db/database.hpp"
#include "store/catalog_schema.hpp"
#include "store/content.hpp"

namespace liftlock {
namespace {

Artifact wheel(const std::string& name, const std::string& version, const std::string& content = "") {
  const auto text = content.empty() ? name + version : content;
  Artifact artifact{.kind = "wheel", .name = name, .version = version, .license = "MIT", .needs = {}, .files = {}};
  artifact.files.push_back({.path = RelPath::parse("packages/pypi/" + name + "-" + version + ".whl"),
                            .size = text.size(),
                            .digest = sha256(text),
                            .origin = "https://example.test/" + name,
                            .evidence = {{"index-hash", Json{{"sha256", sha256(text).hex()}}}}});
  return artifact;
}

Publication bundle(const std::string& channel, std::uint64_t sequence, std::vector<Artifact> artifacts) {
  const auto json = channel + std::to_string(sequence);
  return {.channel = channel,
          .sequence = sequence,
          .bundle_digest = sha256(json),
          .bundle_json = json,
          .published_at = Timestamp(std::chrono::seconds(1000 + sequence)),
          .artifacts = std::move(artifacts),
          .other_files = {{.path = RelPath::parse("README.txt"),
                           .size = 6,
                           .digest = sha256("readme" + json),
                           .origin = "",
                           .evidence = {}}}};
}

struct CatalogTest : testing::Test {
  TemporaryFolder folder;
  fs::path file = folder.path() / "catalog.db";
  Catalog catalog{file};
};

TEST_F(CatalogTest, PublicationComesBackAsItWas) {
  const auto published = bundle("demo", 7, {wheel("idna", "3.4"), wheel("attrs", "23.1")});
  catalog.publish(published);
  const auto loaded = Catalog(file).publication("demo", 7);
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->artifacts, published.artifacts);
  EXPECT_EQ(loaded->other_files, published.other_files);
  EXPECT_EQ(loaded->bundle_json, published.bundle_json);
  EXPECT_EQ(loaded->bundle_digest, published.bundle_digest);
  EXPECT_EQ(loaded->published_at, published.published_at);
  EXPECT_FALSE(catalog.publication("demo", 8));
  EXPECT_FALSE(catalog.latest("other"));
}

TEST_F(CatalogTest, WhatInspectionLearntStaysWithTheArtifact) {
  auto published = bundle("demo", 1, {wheel("idna", "3.4"), wheel("attrs", "1"), wheel("six", "1")});
  published.facts = {R"({"summary":"IDNA"})", ""};
  catalog.publish(published);
  EXPECT_EQ(catalog.inspection(wheel("idna", "3.4")), (Json{{"summary", "IDNA"}}));
  EXPECT_EQ(catalog.inspection(wheel("attrs", "1")), Json::object());
  EXPECT_EQ(catalog.inspection(wheel("idna", "3.4", "other bytes")), Json::object());

  catalog.replace_set("stack", {wheel("idna", "3.4"), wheel("six", "1")}, {"", R"({"summary":"six"})"});
  EXPECT_EQ(catalog.inspection(wheel("idna", "3.4")), (Json{{"summary", "IDNA"}})) << "nothing new was learnt";
  EXPECT_EQ(catalog.inspection(wheel("six", "1")), (Json{{"summary", "six"}}));

  catalog.retire("demo", 1);
  catalog.remove_set("stack");
  catalog.replace_set("stack", {wheel("idna", "3.4")});
  EXPECT_EQ(catalog.inspection(wheel("idna", "3.4")), Json::object()) << "it went with the artifact";
}

TEST_F(CatalogTest, WhatIsTooLongToKeepIsLeftOut) {
  catalog.replace_set("stack", {wheel("idna", "3.4")}, {'"' + std::string(2u << 20, 'x') + '"'});
  EXPECT_EQ(catalog.inspection(wheel("idna", "3.4")), Json::object());
}

TEST_F(CatalogTest, AnOlderCatalogIsMigratedEvenForAReader) {
  const auto old = folder.path() / "old.db";
  Database(old).migrate(catalog_migrations().first(1), "catalog");
  Database(old).execute("INSERT INTO fact VALUES ('kept', 'yes')");
  const Catalog reader(old, Access::read);
  EXPECT_EQ(reader.fact("kept"), "yes");
  EXPECT_EQ(reader.inspection(wheel("idna", "3.4")), Json::object());
}

TEST_F(CatalogTest, SameBundleAgainIsNoError) {
  catalog.publish(bundle("demo", 7, {wheel("idna", "3.4")}));
  const auto generation = catalog.generation();
  EXPECT_NO_THROW(catalog.publish(bundle("demo", 7, {wheel("idna", "3.4")})));
  EXPECT_EQ(catalog.generation(), generation);
}

TEST_F(CatalogTest, WhatLandsLaterOfABundleJoinsWhatLandedBefore) {
  const auto a = wheel("a", "1"), b = wheel("b", "1"), c = wheel("c", "1"), d = wheel("d", "1");
  catalog.publish(bundle("demo", 7, {a, b}));
  catalog.publish(bundle("demo", 7, {b, c}));  // not more than before, but something else
  EXPECT_EQ(catalog.publication("demo", 7)->artifacts, (std::vector<Artifact>{a, b, c}));
  catalog.publish(bundle("demo", 7, {a, b, c, d}));
  EXPECT_EQ(catalog.publication("demo", 7)->artifacts, (std::vector<Artifact>{a, b, c, d}));
  const auto generation = catalog.generation();
  catalog.publish(bundle("demo", 7, {c}));
  EXPECT_EQ(catalog.generation(), generation);
  for (const auto& artifact : catalog.artifacts())
    EXPECT_EQ(catalog.holders(artifact), std::vector<std::string>{"demo/7"});
}

TEST_F(CatalogTest, SameSequenceOtherBundleIsRefused) {
  catalog.publish(bundle("demo", 7, {wheel("idna", "3.4")}));
  auto other = bundle("demo", 7, {wheel("idna", "3.5")});
  other.bundle_digest = sha256("other");
  EXPECT_EQ(code_of([&] { catalog.publish(other); }), ErrorCode::immutable);
  catalog.retire("demo", 7);
  EXPECT_EQ(code_of([&] { catalog.publish(other); }), ErrorCode::immutable) << "retiring freed the sequence";
  EXPECT_TRUE(catalog.artifacts().empty());
}

TEST_F(CatalogTest, WhatWasWithdrawnIsGoneFromEveryPublicationAndComesBackOnDemand) {
  const auto whole = bundle("demo", 7, {wheel("idna", "3.4"), wheel("six", "1")});
  catalog.publish(whole);
  catalog.publish(bundle("demo", 8, {wheel("idna", "3.4")}));
  catalog.withdraw(wheel("idna", "3.4"));
  EXPECT_EQ(catalog.find("wheel:idna@3.4"), std::nullopt);
  EXPECT_NE(catalog.find("six"), std::nullopt);
  EXPECT_FALSE(catalog.referenced().contains(wheel("idna", "3.4").files[0].digest));
  EXPECT_TRUE(catalog.publication("demo", 7)) << "the rest stays in use";
  EXPECT_TRUE(catalog.is_retired("demo", 7));
  EXPECT_EQ(code_of([&] { catalog.withdraw(wheel("idna", "3.4")); }), ErrorCode::not_found);
  EXPECT_EQ(code_of([&] { catalog.publish(whole); }), ErrorCode::immutable);
  catalog.publish(whole, Catalog::Retired::restore);
  EXPECT_NE(catalog.find("wheel:idna@3.4"), std::nullopt);
  EXPECT_FALSE(catalog.is_retired("demo", 7));
}

TEST_F(CatalogTest, WhatIsWithdrawnGoesWhateverEachPublicationSaysOfIt) {
  auto licensed = wheel("idna", "3.4");
  licensed.license = "BSD-3-Clause";
  const auto other = wheel("idna", "3.4", "other bytes");
  catalog.publish(bundle("demo", 7, {wheel("idna", "3.4")}));
  catalog.publish(bundle("demo", 8, {other}));
  catalog.publish(bundle("demo", 9, {licensed}));
  catalog.withdraw(licensed);
  EXPECT_EQ(catalog.artifacts(), std::vector<Artifact>{other});
  EXPECT_TRUE(catalog.is_retired("demo", 7));
  EXPECT_FALSE(catalog.is_retired("demo", 8));
  EXPECT_TRUE(catalog.is_retired("demo", 9));
}

// As with an import for whose bytes somebody vouches later.
TEST_F(CatalogTest, WhatIsReplacedByTheSameBytesDoesNotTakeThemAlong) {
  auto vouched = wheel("idna", "3.4");
  vouched.files[0].origin = "elsewhere";
  catalog.publish(bundle("import", 1, {wheel("idna", "3.4")}));
  const std::vector<Artifact> old = {wheel("idna", "3.4")};
  catalog.publish(bundle("import", 2, {vouched}), Catalog::Retired::refuse, old);
  EXPECT_EQ(catalog.artifacts(), std::vector<Artifact>{vouched});
}

TEST_F(CatalogTest, WhatItReplacesGoesWithTheNewOneOrNothingChanges) {
  catalog.publish(bundle("import", 1, {wheel("idna", "3.4")}));
  const auto generation = catalog.generation();
  const std::vector<Artifact> wrong = {wheel("idna", "3.4"), wheel("six", "1")};
  EXPECT_EQ(
      code_of([&] { catalog.publish(bundle("import", 2, {wheel("idna", "3.5")}), Catalog::Retired::refuse, wrong); }),
      ErrorCode::not_found);
  EXPECT_FALSE(catalog.publication("import", 2));
  EXPECT_NE(catalog.find("wheel:idna@3.4"), std::nullopt);
  EXPECT_EQ(catalog.generation(), generation);
  const std::vector<Artifact> old = {wheel("idna", "3.4")};
  catalog.publish(bundle("import", 2, {wheel("idna", "3.5")}), Catalog::Retired::refuse, old);
  EXPECT_EQ(catalog.find("wheel:idna@3.4"), std::nullopt);
  EXPECT_NE(catalog.find("wheel:idna@3.5"), std::nullopt);
  EXPECT_EQ(catalog.generation(), generation + 1);
}

TEST_F(CatalogTest, RetiredPublicationComesBackOnDemandWithItsOwnBundle) {
  catalog.publish(bundle("demo", 7, {wheel("idna", "3.4")}));
  catalog.retire("demo", 7);
  EXPECT_FALSE(catalog.publication("demo", 7));
  EXPECT_TRUE(catalog.referenced().empty());
  EXPECT_TRUE(catalog.is_retired("demo", 7));
  EXPECT_EQ(code_of([&] { catalog.publish(bundle("demo", 7, {wheel("idna", "3.4")})); }), ErrorCode::immutable);
  EXPECT_TRUE(catalog.artifacts().empty());
  catalog.publish(bundle("demo", 7, {wheel("idna", "3.4")}), Catalog::Retired::restore);
  EXPECT_EQ(catalog.artifacts().size(), 1u);
  EXPECT_FALSE(catalog.is_retired("demo", 7));
  EXPECT_EQ(code_of([&] { catalog.retire("demo", 8); }), ErrorCode::not_found);
}

TEST_F(CatalogTest, LatestIsTheHighestSequenceWhateverTheOrderOfArrival) {
  catalog.publish(bundle("demo", 9, {wheel("idna", "3.9")}));
  catalog.publish(bundle("demo", 8, {wheel("idna", "3.8")}));
  catalog.publish(bundle("urgent", 1, {wheel("idna", "3.9")}));
  EXPECT_EQ(catalog.latest("demo")->sequence, 9u);
  const auto all = catalog.publications();
  ASSERT_EQ(all.size(), 3u);
  EXPECT_FALSE(all[0].latest);
  EXPECT_TRUE(all[1].latest);
  EXPECT_TRUE(all[2].latest);
  EXPECT_EQ(all[1].artifact_count, 1u);
  EXPECT_EQ(all[1].size, std::string("idna3.9").size() + 6);
  catalog.retire("demo", 9);
  EXPECT_EQ(catalog.latest("demo")->sequence, 8u);
}

TEST_F(CatalogTest, SizesThatAddUpToTooMuchKeepNobodyFromTheList) {
  std::vector<Artifact> large;
  for (const auto* name : {"a", "b", "c", "d"}) {
    large.push_back(wheel(name, "1"));
    large.back().files[0].size = 1ull << 61;
  }
  catalog.publish(bundle("demo", 1, large));
  ASSERT_EQ(catalog.publications().size(), 1u);
  EXPECT_GE(catalog.publications()[0].size, 1ull << 62);
}

TEST_F(CatalogTest, FindPrefersWhatWasPublishedLast) {
  catalog.replace_set("stack", {wheel("idna", "3.4", "of the set")});
  EXPECT_EQ(catalog.find("idna"), wheel("idna", "3.4", "of the set"));
  catalog.publish(bundle("demo", 2, {wheel("idna", "3.4", "newer")}));
  catalog.publish(bundle("demo", 1, {wheel("idna", "3.4", "older")}));
  EXPECT_EQ(catalog.find("wheel:idna@3.4"), wheel("idna", "3.4", "newer"));
  EXPECT_EQ(catalog.find("idna@3.4"), wheel("idna", "3.4", "newer"));
  EXPECT_EQ(catalog.artifacts().size(), 3u);
  EXPECT_EQ(catalog.holders("wheel:idna@3.4"), (std::vector<std::string>{"demo/1", "demo/2", "set stack"}));
  EXPECT_FALSE(catalog.find("nothing"));
}

// An urgent bundle overtook it: what comes late is older, whenever it lands and whatever the clock says.
TEST_F(CatalogTest, WithinAChannelTheSequenceDecidesWhichContentIsMeant) {
  const auto landed = [&](std::uint64_t sequence, const std::string& content, int at) {
    auto one = bundle("demo", sequence, {wheel("idna", "3.4", content)});
    one.published_at = Timestamp(std::chrono::seconds(at));
    catalog.publish(one);
  };
  landed(3, "fixed", 1000);
  EXPECT_TRUE(catalog.stays_first("wheel:idna@3.4", "demo", 2));
  EXPECT_FALSE(catalog.stays_first("wheel:idna@3.4", "demo", 4));
  EXPECT_FALSE(catalog.stays_first("wheel:other@1", "demo", 2));
  landed(2, "with the fault", 2000);
  EXPECT_EQ(catalog.find("idna"), wheel("idna", "3.4", "fixed"));
  EXPECT_EQ(catalog.contents("wheel:idna@3.4").front(), wheel("idna", "3.4", "fixed"));
  landed(4, "newest", 500);  // the clock was put back
  EXPECT_EQ(catalog.find("idna"), wheel("idna", "3.4", "newest"));
  // Another channel is newer when it landed later.
  EXPECT_FALSE(catalog.stays_first("wheel:idna@3.4", "urgent", 1));
  auto other = bundle("urgent", 1, {wheel("idna", "3.4", "of another channel")});
  other.published_at = Timestamp(std::chrono::seconds(3000));
  catalog.publish(other);
  EXPECT_EQ(catalog.find("idna"), wheel("idna", "3.4", "of another channel"));
  EXPECT_TRUE(catalog.stays_first("wheel:idna@3.4", "demo", 2));
}

TEST(LostCatalog, IsNotMadeAnewBesideBlobs) {
  const TemporaryFolder folder;
  { const Catalog made(folder.path() / "catalog.db"); }
  fs::create_directories(folder.path() / "blobs/sha256/ab");
  fs::remove(folder.path() / "catalog.db");
  { const Catalog again(folder.path() / "catalog.db"); }  // empty folders hold nothing
  fs::remove(folder.path() / "catalog.db");
  write_file_atomically(folder.path() / "blobs/sha256/ab/abcd", "bytes");
  for (const auto access : {Access::read, Access::write}) {
    EXPECT_EQ(code_of([&] { const Catalog lost(folder.path() / "catalog.db", access); }), ErrorCode::store_invalid);
  }
  EXPECT_FALSE(fs::exists(folder.path() / "catalog.db"));
}

TEST_F(CatalogTest, AContentIsNamedByItsDigest) {
  const auto older = wheel("idna", "3.4", "older"), newer = wheel("idna", "3.4", "newer");
  catalog.publish(bundle("demo", 1, {older}));
  catalog.publish(bundle("demo", 2, {newer}));
  // The same bytes with another origin are no other content.
  auto again = older;
  again.files[0].origin = "elsewhere";
  catalog.replace_set("stack", {again});
  const auto contents = catalog.contents("wheel:idna@3.4");
  ASSERT_EQ(contents.size(), 2u);
  EXPECT_EQ(contents[0], newer);
  EXPECT_EQ(content_digest(contents[1]), content_digest(older));
  EXPECT_EQ(catalog.find(content_name(older))->files[0].digest, older.files[0].digest);
  EXPECT_EQ(catalog.find(content_name(newer)), newer);
  const auto hex = older.files[0].digest.hex();
  for (const std::string base : {"idna", "idna@3.4", "wheel:idna@3.4"}) {
    EXPECT_EQ(catalog.find(base + "@sha256:" + hex)->files[0].digest.hex(), hex) << base;
    EXPECT_FALSE(catalog.find(base + "@sha256:" + std::string(64, '0'))) << base;
    EXPECT_FALSE(catalog.find(base + "@sha256:" + hex.substr(0, 3))) << base;
  }
  const auto longer = wheel("a-name-that-needs-memory", "1.0");
  catalog.publish(bundle("demo", 3, {longer}));
  EXPECT_EQ(catalog.holders(longer), std::vector<std::string>{"demo/3"});
  EXPECT_EQ(catalog.holders(older), (std::vector<std::string>{"demo/1", "set stack"}));
  EXPECT_EQ(catalog.holders(newer), std::vector<std::string>{"demo/2"});
}

TEST_F(CatalogTest, AContentOfSeveralFilesIsNamedByTheirListOrByAFileThatOnlyItHas) {
  auto one = wheel("idna", "3.4", "one"), both = one;
  both.files.push_back(wheel("idna", "3.4", "two").files[0]);
  both.files[1].path = RelPath::parse("packages/pypi/z");
  catalog.publish(bundle("demo", 1, {one}));
  catalog.publish(bundle("demo", 2, {both}));
  EXPECT_EQ(catalog.find("idna@sha256:" + both.files[1].digest.hex()), both);
  EXPECT_EQ(catalog.find(content_name(both)), both);
  EXPECT_EQ(catalog.find(content_name(one)), one);  // its file is one of both
  auto third = both;
  third.files.push_back(wheel("idna", "3.4", "three").files[0]);
  third.files[2].path = RelPath::parse("packages/pypi/zz");
  catalog.publish(bundle("demo", 3, {third}));
  try {
    catalog.find("idna@sha256:" + both.files[1].digest.hex());
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::ambiguous);
    EXPECT_NE(error.message().find(content_name(both)), std::string::npos) << error.message();
    EXPECT_NE(error.message().find(content_name(third)), std::string::npos) << error.message();
  }
}

TEST_F(CatalogTest, AWrongDigestBehindTheNameOfSeveralIsNoneOfThem) {
  const auto older = wheel("idna", "3.4"), newer = wheel("idna", "3.5");
  catalog.replace_set("stack", {older, newer});
  EXPECT_EQ(catalog.find("idna@sha256:" + sha256("nobody's").hex()), std::nullopt);
  EXPECT_EQ(catalog.contents_named("idna"), (std::vector<Artifact>{older, newer}));
  EXPECT_EQ(catalog.contents_named("idna@3.5"), std::vector<Artifact>{newer});
  EXPECT_TRUE(catalog.contents_named("nobody").empty());
}

TEST_F(CatalogTest, NameOfSeveralIsAmbiguousAndListsThem) {
  catalog.replace_set("stack", {wheel("idna", "3.4"), wheel("idna", "3.5")});
  try {
    catalog.find("idna");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::ambiguous);
    EXPECT_NE(error.message().find("wheel:idna@3.4, wheel:idna@3.5"), std::string::npos) << error.message();
  }
  EXPECT_EQ(catalog.find("idna@3.5")->version, "3.5");
}

TEST_F(CatalogTest, SetIsReplacedWhole) {
  catalog.replace_set("stack", {wheel("idna", "3.4"), wheel("attrs", "1")});
  catalog.replace_set("stack", {wheel("idna", "3.5")});
  EXPECT_EQ(catalog.artifacts(), (std::vector<Artifact>{wheel("idna", "3.5")}));
  EXPECT_EQ(catalog.sets(), std::vector<std::string>{"stack"});
  catalog.remove_set("stack");
  EXPECT_TRUE(catalog.sets().empty());
  EXPECT_TRUE(catalog.referenced().empty());
}

TEST_F(CatalogTest, FilesOfSetsSayWhoHoldsThemAndPublicationsDoNot) {
  catalog.replace_set("one", {wheel("idna", "3.4"), wheel("attrs", "1", "same"), wheel("six", "1", "same")});
  catalog.replace_set("two", {wheel("idna", "3.4")});
  catalog.publish(bundle("demo", 1, {wheel("yarl", "1")}));
  std::map<Digest, std::vector<std::string>> holders;
  for (const auto& held : catalog.set_files()) {
    holders[held.digest].push_back(held.set);
    EXPECT_EQ(held.size, held.digest == sha256("same") ? 4u : 7u);
  }
  EXPECT_EQ(holders, (std::map<Digest, std::vector<std::string>>{{sha256("idna3.4"), {"one", "two"}},
                                                                 {sha256("same"), {"one"}}}));
}

TEST_F(CatalogTest, ReferencedHoldsFilesAndPins) {
  catalog.publish(bundle("demo", 1, {wheel("idna", "3.4")}));
  catalog.pin("batch", {sha256("p"), sha256("q")});
  catalog.pin("batch", {sha256("q")});
  const auto referenced = catalog.referenced();
  EXPECT_EQ(referenced, (std::set<Digest>{sha256("idna3.4"), sha256("readmedemo1"), sha256("p"), sha256("q")}));
  EXPECT_EQ(catalog.required().size(), 2u);
  EXPECT_EQ(catalog.required().at(sha256("readmedemo1")), 6u);
  EXPECT_EQ(catalog.users_of(sha256("idna3.4")), std::vector<std::string>{"wheel:idna@3.4"});
  EXPECT_EQ(catalog.users_of(sha256("readmedemo1")), std::vector<std::string>{"demo/1 README.txt"});
  ASSERT_EQ(catalog.pins().size(), 1u);
  EXPECT_EQ(catalog.pins()[0].count, 2u);
  std::vector<Digest> removed;
  const std::vector<Digest> candidates{sha256("p"), sha256("idna3.4"), sha256("loose"), sha256("readmedemo1")};
  catalog.remove_unreferenced(candidates, [&](const Digest& digest) { removed.push_back(digest); });
  EXPECT_EQ(removed, std::vector<Digest>{sha256("loose")});
  catalog.unpin("batch");
  EXPECT_EQ(catalog.referenced().size(), 2u);
}

TEST_F(CatalogTest, GenerationMovesForOtherConnectionsToo) {
  Catalog other(file);
  const auto before = catalog.generation();
  other.publish(bundle("demo", 1, {wheel("idna", "3.4")}));
  EXPECT_NE(catalog.generation(), before);
  const auto after = catalog.generation();
  other.pin("x", {sha256("p")});
  other.set_fact("scrub", "yesterday");
  EXPECT_EQ(catalog.generation(), after);
  EXPECT_EQ(catalog.fact("scrub"), "yesterday");
  EXPECT_EQ(catalog.fact("none"), std::nullopt);
}

// A tenth of what the store must carry in one transaction, so that the test stays quick with sanitizers; the whole is
// measured by bench/store_bench.cpp.
TEST_F(CatalogTest, ThousandsOfArtifactsFitOneTransaction) {
  std::vector<Artifact> many;
  for (int i = 0; i < 2000; ++i) many.push_back(wheel("name" + std::to_string(i), "1"));
  catalog.publish(bundle("demo", 1, many));
  EXPECT_EQ(catalog.latest("demo")->artifacts, many);
  EXPECT_EQ(catalog.artifacts().size(), 2000u);
}

}  // namespace
}  // namespace liftlock
