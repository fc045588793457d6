#include "bundle/ingest_fixture.hpp"

#include <gmock/gmock.h>
#include <sys/wait.h>

namespace liftlock {
namespace {

TEST_F(IngestTest, AGoodBundleIsPublishedOnceAndAgainIsNoError) {
  const auto result = packed("good");
  EXPECT_EQ(ingested("good").status, IngestResult::Status::published);
  EXPECT_EQ(ingested("good").status, IngestResult::Status::already_present);
  const auto publication = Catalog(site().catalog_file()).latest("test");
  ASSERT_TRUE(publication);
  EXPECT_EQ(publication->bundle_digest, result.digest);
  EXPECT_EQ(publication->artifacts, m_artifacts);
  const BlobStore store(site().store_folder());
  for (const auto& file : publication->other_files) EXPECT_TRUE(store.contains(file.digest)) << file.path.text();
  EXPECT_THAT(transfers(), testing::MatchesRegex("[^ ]+Z BUNDLE_INGEST ian.1000. bundle_test-1 sha256=[0-9a-f]+\n"));
}

TEST_F(IngestTest, TheTarFormLandsLikeTheTree) {
  packed("tar", ContentForm::tar);
  ingested("tar");
  const BlobStore store(site().store_folder());
  for (const auto& artifact : m_artifacts) {
    for (const auto& file : artifact.files)
      EXPECT_EQ(sha256_of_file(store.open(file.digest).get(), "blob"), file.digest);
  }
}

TEST_F(IngestTest, AFailureLeavesNothingVisibleAndIsRecorded) {
  packed("bad");
  flip("bad/models/tiny/a.gguf", 5);
  EXPECT_EQ(refused("bad"), ErrorCode::digest_mismatch);
  EXPECT_EQ(publications(), 0u);
  std::size_t blobs = 0;
  BlobStore(site().store_folder()).for_each([&](const Digest&, std::uint64_t) { ++blobs; });
  EXPECT_EQ(blobs, 0u);
  EXPECT_THAT(transfers(), testing::HasSubstr("BUNDLE_REFUSED ian(1000) bundle_test-1"));
  EXPECT_THAT(transfers(), testing::HasSubstr("error=digest-mismatch"));
  const AuditLog log(site().audit_folder(), "");
  const auto last = log.read(log.size() - 1);
  EXPECT_EQ(last.event.outcome, Outcome::failure);
}

TEST_F(IngestTest, ExtraMissingAndForeignAreFatal) {
  packed("extra");
  write_file_atomically(m_folder.path() / "extra/files/x", "x");
  EXPECT_EQ(refused("extra"), ErrorCode::extra_file);
  fs::remove(m_folder.path() / "extra/files/x");
  fs::remove_all(m_folder.path() / "extra/signatures");
  EXPECT_EQ(refused("extra"), ErrorCode::unsigned_document);
  sign_as("mallory", "extra");
  EXPECT_EQ(refused("extra"), ErrorCode::key_unknown);
  EXPECT_EQ(publications(), 0u);
}

TEST_F(IngestTest, TheAnnouncedDigestIsDemandedAndCompared) {
  packed("announced");
  auto request = order("announced");
  request.expect.reset();
  EXPECT_EQ(code_of([&] { ingest(site(), request, silent_reporter()); }), ErrorCode::expect_required);
  request.expect = sha256("another");
  EXPECT_EQ(code_of([&] { ingest(site(), request, silent_reporter()); }), ErrorCode::expect_mismatch);
}

TEST_F(IngestTest, SourcesAreNamedAndReadOnlyWhereTheyMustBe) {
  packed("sourced");
  auto request = order("sourced");
  request.source = "/etc";
  EXPECT_EQ(code_of([&] { ingest(site(), request, silent_reporter()); }), ErrorCode::source_unknown);
  request.source = "drop/../..";
  EXPECT_EQ(code_of([&] { ingest(site(), request, silent_reporter()); }), ErrorCode::source_unknown);
  for (const auto* absent : {"drop/nothing", "drop/sourced/manifest/bundle.json"}) {
    request.source = absent;
    EXPECT_EQ(code_of([&] { ingest(site(), request, silent_reporter()); }), ErrorCode::not_found) << absent;
  }
  request.source = "drop/sourced/";  // as shells complete it
  EXPECT_NO_THROW(ingest(site(), request, silent_reporter()));
  request.source = "mount/sourced";
  EXPECT_EQ(code_of([&] { ingest(site(), request, silent_reporter()); }), ErrorCode::source_writable);
}

TEST_F(IngestTest, AnInspectorThatObjectsStopsIt) {
  packed("objected");
  auto request = order("objected");
  request.inspect.artifact = [](const Artifact& artifact, const OpenChecked&, const FileInspections&) {
    Inspection out;
    if (artifact.kind == "model") out.findings.push_back({ErrorCode::model_malformed, "models/tiny/a.gguf", "no"});
    return out;
  };
  EXPECT_EQ(code_of([&] { ingest(site(), request, silent_reporter()); }), ErrorCode::model_malformed);
  EXPECT_EQ(publications(), 0u);
}

TEST_F(IngestTest, ADryRunPublishesNothingAndLeavesNothing) {
  packed("dry");
  auto request = order("dry");
  request.dry_run = true;
  EXPECT_EQ(ingest(site(), request, silent_reporter()).status, IngestResult::Status::dry_run);
  EXPECT_EQ(publications(), 0u);
  EXPECT_EQ(ingested("dry").status, IngestResult::Status::published);
}

TEST_F(IngestTest, LowerSequencesAreReplaysUnlessTheyWereNamedAsPending) {
  packed("one", ContentForm::tree, 1);
  packed("two", ContentForm::tree, 2);
  auto three = request("three", ContentForm::tree, 3);
  three.pending = {2};
  pack(m_store, three, silent_reporter());
  sign_as("bob", "three");
  ingested("three");
  EXPECT_EQ(refused("one"), ErrorCode::replayed);
  EXPECT_EQ(ingested("two").status, IngestResult::Status::published);
  EXPECT_EQ(Catalog(site().catalog_file()).latest("test")->sequence, 3u);

  auto with_reason = order("one");
  with_reason.allow_rollback = true;
  EXPECT_EQ(code_of([&] { ingest(site(), with_reason, silent_reporter()); }), ErrorCode::reason_required);
  with_reason.reason = "drill";
  EXPECT_EQ(ingest(site(), with_reason, silent_reporter()).status, IngestResult::Status::published);
}

TEST_F(IngestTest, TwoBundlesWithOneSequenceAreAFork) {
  packed("one");
  auto other = request("other");
  other.creator = "someone else";
  pack(m_store, other, silent_reporter());
  sign_as("bob", "other");
  ingested("one");
  EXPECT_EQ(refused("other"), ErrorCode::forked);
}

TEST_F(IngestTest, ARestoredCatalogCannotRollTheChannelBack) {
  packed("one", ContentForm::tree, 1);
  packed("two", ContentForm::tree, 2);
  ingested("two");
  fs::remove_all(site().store_folder());
  EXPECT_EQ(refused("one"), ErrorCode::replayed);
  EXPECT_EQ(ingested("two").status, IngestResult::Status::published);
}

TEST_F(IngestTest, AForkOfTheFollowedChainIsRefusedBeforeAnythingIsStagedOrAnnounced) {
  const auto second = signed_statement(next(sample_root()), {"root1"});
  TrustStore(site().trust_folder()).follow({second}, k_now);
  auto other = sample_root();
  other.thresholds[Role::scanner] = 1;
  packed_with_trust("forked", {signed_statement(other, {"root1"}), second});
  EXPECT_EQ(refused("forked"), ErrorCode::trust_broken);
  EXPECT_EQ(entries(), std::vector<std::string>{"bundle.ingest failure"});
  EXPECT_FALSE(fs::exists(site().store_folder() / "staging"));
}

TEST_F(IngestTest, VerifyRefusesTheForkThatIngestRefuses) {
  const auto second = signed_statement(next(sample_root()), {"root1"});
  auto other = sample_root();
  other.thresholds[Role::scanner] = 1;
  packed_with_trust("forked", {signed_statement(other, {"root1"}), second});
  const auto report = verify_bundle(
      m_folder.path() / "forked", {.expect = {}, .pinned = {{m_statement, second}}, .when = k_now}, silent_reporter());
  ASSERT_EQ(report.problems.size(), 1u);
  EXPECT_EQ(report.problems[0].code, ErrorCode::trust_broken);
}

TEST_F(IngestTest, ARootThatABundleBringsIsAnnouncedBeforeItIsFollowed) {
  packed_with_trust("rotated", {m_statement, signed_statement(next(sample_root()), {"root1"})});
  ingested("rotated");
  EXPECT_EQ(TrustStore(site().trust_folder()).current().version, 2u);
  EXPECT_EQ(entries(), (std::vector<std::string>{"trust.update intent", "trust.update success", "bundle.ingest intent",
                                                 "bundle.ingest success"}));
}

TEST_F(IngestTest, ARootThatChangesMeanwhileStopsTheIngest) {
  packed("overtaken");
  auto request = order("overtaken");
  request.inspect.artifact = [&](const Artifact&, const OpenChecked&, const FileInspections&) {
    TrustStore(site().trust_folder()).follow({signed_statement(next(sample_root()), {"root1"})}, k_now);
    return Inspection{};
  };
  EXPECT_EQ(code_of([&] { ingest(site(), request, silent_reporter()); }), ErrorCode::busy);
  EXPECT_EQ(publications(), 0u);
  EXPECT_EQ(ingested("overtaken").status, IngestResult::Status::published);
}

TEST_F(IngestTest, AnExpiredBundleNeedsAReason) {
  auto old = request("old");
  old.expires = k_now - std::chrono::days(1);
  pack(m_store, old, silent_reporter());
  sign_as("bob", "old");
  EXPECT_EQ(refused("old"), ErrorCode::bundle_expired);
  auto request = order("old");
  request.accept_expired = true;
  request.reason = "the courier was late";
  EXPECT_EQ(ingest(site(), request, silent_reporter()).status, IngestResult::Status::published);
}

TEST_F(IngestTest, ARetiredBundleComesBackOnlyWithAReason) {
  packed("old");
  ingested("old");
  Catalog(site().catalog_file()).retire("test", 1);
  EXPECT_EQ(refused("old"), ErrorCode::replayed);
  EXPECT_EQ(publications(), 0u);
  auto request = order("old");
  request.restore_retired = true;
  EXPECT_EQ(code_of([&] { ingest(site(), request, silent_reporter()); }), ErrorCode::reason_required);
  request.reason = "the new one broke the plant";
  EXPECT_EQ(ingest(site(), request, silent_reporter()).status, IngestResult::Status::published);
  EXPECT_EQ(publications(), 1u);
  const AuditLog log(site().audit_folder(), "");
  EXPECT_THAT(log.read(log.size() - 1).event.detail,
              testing::HasSubstr("restore-retired: the new one broke the plant"));
}

TEST_F(IngestTest, KilledWhileInspectingItLeavesNothingVisibleAndResumes) {
  packed("killed");
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    auto request = order("killed");
    request.inspect.artifact = [](const Artifact&, const OpenChecked&, const FileInspections&) -> Inspection {
      ::raise(SIGKILL);
      return {};
    };
    ingest(site(), request, silent_reporter());
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(publications(), 0u);
  EXPECT_EQ(ingested("killed").status, IngestResult::Status::published);
}

}  // namespace
}  // namespace liftlock
