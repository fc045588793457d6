#include "bundle/standing.hpp"

#include <gmock/gmock.h>

#include "bundle/ingest_fixture.hpp"

namespace liftlock {
namespace {

using testing::HasSubstr;

class StandingTest : public IngestTest {
 protected:
  StandingTest() {
    packed("landed");
    ingested("landed");
  }

  fs::path catalog_file() { return site().catalog_file(); }
  Artifact model() { return Catalog(catalog_file()).find("model:tiny@2").value(); }
  TrustStore trust() { return TrustStore(site().trust_folder()); }
  void follow(const TrustRoot& root) { trust().follow({signed_statement(root, {"root1"})}, k_now); }

  /// By the site's own log, or by another one, which knows nothing of what landed.
  Believed believed(const Artifact& artifact, const std::string& other_log = {}) {
    const AuditLog log(other_log.empty() ? site().audit_folder() : m_folder.path() / other_log,
                       other_log.empty() ? "" : "test");
    return require_believed(artifact, Catalog(catalog_file()), BlobStore(site().store_folder()), log, trust());
  }
  Believed believed_from_cache(const Artifact& artifact) {
    return m_beliefs.require(artifact, catalog_file(), BlobStore(site().store_folder()),
                             AuditLog(site().audit_folder(), ""), trust());
  }
  std::optional<ErrorCode> disbelieved(const Artifact& artifact, const std::string& other_log = {}) {
    return code_of([&] { (void)believed(artifact, other_log); });
  }
  /// Somebody who can write catalog.db gives the model other bytes.
  Artifact edited() {
    Catalog catalog(catalog_file());
    auto publication = catalog.publication("test", 1).value();
    auto& model = *std::find_if(publication.artifacts.begin(), publication.artifacts.end(),
                                [](const auto& one) { return one.kind == "model"; });
    catalog.withdraw(model);
    model.files[0].digest = BlobStore(site().store_folder()).put("the weights of an enemy");
    catalog.publish(publication, Catalog::Retired::restore);
    return model;
  }

  Beliefs m_beliefs;
};

TEST_F(StandingTest, WhatABundleBroughtIsBelievedForItsSignedLists) {
  const auto found = believed(model());
  EXPECT_EQ(found.publication, "test/1");
  EXPECT_EQ(found.document, sha256(content("landed/manifest/bundle.json")));
  EXPECT_EQ(found.belief, Belief::signature);
}

TEST_F(StandingTest, TheCatalogVouchesForNothing) {
  EXPECT_EQ(disbelieved(edited()), ErrorCode::store_invalid);
  // As good as the lists of another bundle, which nobody signed.
  auto forged = Catalog(catalog_file()).publication("test", 1).value();
  auto info = parse_bundle_info(forged.bundle_json);
  info.channel = forged.channel = "evil";
  forged.bundle_json = write_bundle_info(info);
  forged.bundle_digest = sha256(forged.bundle_json);
  Artifact foreign{.kind = "model", .name = "foreign", .version = "1"};
  foreign.files.push_back({RelPath::parse("models/foreign/a.gguf"), 4, sha256("GGUF"), "", {}});
  forged.artifacts = {foreign};
  Catalog(catalog_file()).publish(forged);
  EXPECT_EQ(disbelieved(foreign), ErrorCode::signature_invalid);
  std::erase_if(forged.other_files, [](const auto& file) { return file.path.text().starts_with("signatures/"); });
  Catalog(catalog_file()).retire("evil", 1);
  Catalog(catalog_file()).publish(forged, Catalog::Retired::restore);
  EXPECT_EQ(disbelieved(foreign), ErrorCode::unsigned_document);
  // Nor as a set of the low side, nor as an import that the log never saw.
  Catalog(catalog_file()).retire("evil", 1);
  Catalog(catalog_file()).replace_set("stack", {foreign});
  EXPECT_EQ(disbelieved(foreign), ErrorCode::store_invalid);
  const ImportRecord record{.shape = "model",
                            .source = "usb",
                            .belief = Belief::digest,
                            .document = "usb",
                            .keys = {},
                            .reason = {},
                            .actor = "mallory",
                            .imported_at = k_now,
                            .artifacts = {foreign.id()},
                            .content = import_content({foreign}),
                            .replaced = {},
                            .digests = {}};
  const auto text = encode_import_record(record);
  Catalog(catalog_file())
      .publish({.channel = "import",
                .sequence = 1,
                .bundle_digest = sha256(text),
                .bundle_json = text,
                .published_at = k_now,
                .artifacts = {foreign},
                .other_files = {}});
  EXPECT_EQ(disbelieved(foreign), ErrorCode::store_invalid);
}

TEST_F(StandingTest, ARevokedKeyVouchesForNothingAndARetiredOneForWhatLanded) {
  auto second = next(sample_root());
  find_owner(second, "bob") = listed(key_of("robert"), Role::builder, "robert");
  follow(second);
  EXPECT_EQ(disbelieved(model()), std::nullopt);
  // Nothing tells what a key that retired signed before that from what it signs now but the log.
  EXPECT_EQ(disbelieved(model(), "another-log"), ErrorCode::key_retired);
  auto third = next(second);
  third.keys.push_back(listed(key_of("bob"), Role::builder, "bob"));
  third.keys.back().revoked_since = k_now + std::chrono::days(365);  // since when is for people
  third.keys.back().revoked_reason = "laptop stolen";
  follow(third);
  try {
    (void)believed(model());
    ADD_FAILURE() << "believed for a revoked key";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::key_revoked);
    EXPECT_THAT(error.what(), HasSubstr("laptop stolen"));
    EXPECT_THAT(error.what(), HasSubstr("for 'model:tiny@2' of test/1"));
  }
}

TEST_F(StandingTest, AThresholdCountsForWhatComesAfterIt) {
  auto second = next(sample_root());
  second.thresholds[Role::approver] = 1;
  follow(second);
  EXPECT_EQ(disbelieved(model()), std::nullopt);
  EXPECT_EQ(disbelieved(model(), "another-log"), ErrorCode::unsigned_document);
}

TEST_F(StandingTest, EachIsJudgedOnceUntilTheTrustChanges) {
  const auto artifact = model();
  EXPECT_EQ(believed_from_cache(artifact).publication, "test/1");
  const BlobStore store(site().store_folder());
  const auto list =
      parse_bundle_info(content("landed/manifest/bundle.json")).lists.at(RelPath::parse(k_files_list_path));
  fs::permissions(store.path(list.digest), static_cast<fs::perms>(0644));
  write_file_atomically(store.path(list.digest), "rotten");
  EXPECT_EQ(disbelieved(artifact), ErrorCode::blob_corrupt);
  EXPECT_EQ(believed_from_cache(artifact).publication, "test/1");
  auto other = artifact;
  other.files[0].digest = sha256("other weights");
  EXPECT_EQ(code_of([&] { (void)believed_from_cache(other); }), ErrorCode::store_invalid);
  follow(next(sample_root()));
  EXPECT_EQ(code_of([&] { (void)believed_from_cache(artifact); }), ErrorCode::blob_corrupt);
}

}  // namespace
}  // namespace liftlock
