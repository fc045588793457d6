#include <gmock/gmock.h>
#include <sys/wait.h>

#include "bundle/channel.hpp"
#include "bundle/ingest_fixture.hpp"
#include "bundle/media_register.hpp"
#include "trust/trust_fork.hpp"

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

TEST_F(IngestTest, TheLogHasWhereItCameFromAndWhatWasAnnounced) {
  const auto result = packed("good");
  ingested("good");
  const auto detail = parse_json(AuditLog(site().audit_folder(), "").find_last(k_ingest_event, "test/1")->event.detail);
  EXPECT_EQ(detail.at("source"), "drop/good");
  EXPECT_EQ(detail.at("read_only"), false);
  EXPECT_EQ(detail.at("expect"), result.digest.text());
  EXPECT_FALSE(detail.contains("peer"));
}

TEST_F(IngestTest, TheMediumIsInTheLogAndComparedWithTheRegister) {
  packed("good");
  auto request = order("good");
  const auto store = site().store_folder();
  std::string own = "DISK-1";
  request.medium = [&](const fs::path& folder) { return Medium{"sdb1", "Stick", folder == store ? own : "4C53"}; };
  request.dry_run = true;
  const auto notes = [&] {
    return fmt::format("{}", fmt::join(ingest(site(), request, silent_reporter()).notes, "\n"));
  };
  const auto moved = [&](std::string_view type, const std::string& serial, const std::string& device_serial) {
    AuditLog(site().audit_folder(), "")
        .append({.type = std::string(type),
                 .actor = "ada",
                 .outcome = Outcome::success,
                 .subject = serial,
                 .detail = dump_json_line({{"device_serial", device_serial}})});
  };
  EXPECT_EQ(notes().find("register"), std::string::npos) << "none is kept here";
  moved(k_media_in_event, "OTHER", "");
  EXPECT_THAT(notes(), testing::HasSubstr("the medium 4C53 is not in the register of media"));
  moved(k_media_in_event, "LABEL-7", "4C53");  // as its label names it
  EXPECT_EQ(notes().find("register"), std::string::npos);
  moved(k_media_out_event, "LABEL-7", "");
  EXPECT_THAT(notes(), testing::ContainsRegex("the medium 4C53 left .*Z, says the register of media"));
  own = "4C53";
  EXPECT_EQ(notes().find("register"), std::string::npos) << "a copy on the machine's own disk";
  request.dry_run = false;
  EXPECT_EQ(ingest(site(), request, silent_reporter()).status, IngestResult::Status::published);
  const auto detail = parse_json(AuditLog(site().audit_folder(), "").find_last(k_ingest_event, "test/1")->event.detail);
  EXPECT_EQ(detail.at("medium"), (Json{{"serial", "4C53"}, {"model", "Stick"}}));
}

TEST_F(IngestTest, AnotherChatTemplateOfAModelIsTold) {
  // The notes of a bundle whose models have this template; empty: none.
  const auto landed = [&](std::uint64_t sequence, const std::string& digest) {
    std::erase_if(m_artifacts, [](const auto& one) { return one.kind == "model"; });
    const auto version = std::to_string(sequence);
    add("model", "tiny", version, {{"models/tiny/a.gguf", version}});
    packed(version, ContentForm::tree, sequence);
    auto request = order(version);
    request.inspect.artifact = [digest](const Artifact& artifact, const OpenChecked&, const FileInspections&) {
      Inspection out;
      if (artifact.kind == "model" && !digest.empty()) out.facts["chat_template"] = {{"sha256", digest}, {"length", 1}};
      return out;
    };
    return fmt::format("{}", fmt::join(ingest(site(), request, silent_reporter()).notes, "\n"));
  };
  constexpr const char* k_told = "does not have the chat template of 'tiny' as it is in use";
  EXPECT_EQ(landed(1, "").find(k_told), std::string::npos);
  EXPECT_EQ(landed(2, "aa").find(k_told), std::string::npos) << "none in use had one";
  EXPECT_EQ(landed(3, "aa").find(k_told), std::string::npos);
  EXPECT_THAT(landed(4, "bb"), testing::HasSubstr(fmt::format("model:tiny@4 {}", k_told)));
  EXPECT_EQ(landed(5, "aa").find(k_told), std::string::npos) << "that of version 2, which is in use";
  EXPECT_THAT(landed(6, ""), testing::HasSubstr(fmt::format("model:tiny@6 {}", k_told)));
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

TEST_F(IngestTest, WhatIsSwappedAfterItWasCheckedIsNotWhatLands) {
  packed("swapped");
  auto request = order("swapped");
  request.inspect.artifact = [&](const Artifact&, const OpenChecked&, const FileInspections&) {
    overwrite("swapped/files/hello/hello.txt", "HELLO");
    overwrite("swapped/models/tiny/a.gguf", std::string(1 << 20, 'b'));
    overwrite("swapped/manifest/files.jsonl", "{}");
    for (const auto& entry : fs::directory_iterator(m_folder.path() / "swapped/signatures"))
      write_file_atomically(entry.path(), "no signature");
    return Inspection{};
  };
  ingest(site(), request, silent_reporter());
  const BlobStore store(site().store_folder());
  const auto landed = Catalog(site().catalog_file()).publication("test", 1);
  ASSERT_TRUE(landed);
  std::vector<ArtifactFile> files = landed->other_files;
  for (const auto& artifact : landed->artifacts)
    files.insert(files.end(), artifact.files.begin(), artifact.files.end());
  EXPECT_GE(files.size(), 6u);
  for (const auto& file : files)
    EXPECT_EQ(sha256_of_file(store.open(file.digest).get(), file.path.text()), file.digest) << file.path.text();
  EXPECT_EQ(refused("swapped"), ErrorCode::signature_invalid);
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
  const auto forks = [&] { return channel_history(AuditLog(site().audit_folder(), ""), "test").forks; };
  ASSERT_EQ(forks().size(), 1u);
  const auto digest = sha256(content("other/manifest/bundle.json")).text();
  EXPECT_EQ(forks().at(0).bundle, digest);
  EXPECT_EQ(forks().at(0).sequence, 1u);
  ingested("one");
  packed("two", ContentForm::tree, 2);
  ingested("two");
  EXPECT_EQ(refused("other"), ErrorCode::forked);
  EXPECT_EQ(forks().size(), 1u) << "what lands settles nothing, and one bundle is one fork";
  const auto settle = [&](const std::string& subject) {
    AuditLog(site().audit_folder(), "")
        .append({.type = std::string(k_settle_event),
                 .actor = "ian(1000)",
                 .outcome = Outcome::success,
                 .subject = subject,
                 .detail = "{}"});
  };
  settle(sha256("another").text());
  EXPECT_EQ(forks().size(), 1u);
  settle(digest);
  EXPECT_EQ(forks().size(), 0u);

  auto twin = request("twin", ContentForm::tree, 2);
  twin.creator = "someone else";
  pack(m_store, twin, silent_reporter());
  sign_as("bob", "twin");
  EXPECT_EQ(refused("twin"), ErrorCode::forked);
  EXPECT_EQ(refused("other"), ErrorCode::forked);
  EXPECT_EQ(forks().size(), 2u) << "neither hides the other, and what comes once more is an alarm again";
  Catalog(site().catalog_file()).retire("test", 2);
  auto back = order("two");
  back.restore_retired = true;
  back.reason = "wanted after all";
  ingest(site(), back, silent_reporter());
  EXPECT_EQ(forks().size(), 2u) << "nor does what was accepted before";
}

TEST_F(IngestTest, AnExpeditedBundleIsNotTheOneThatWasDue) {
  packed("regular");
  ingested("regular");
  const auto history = [&] { return channel_history(AuditLog(site().audit_folder(), ""), "test"); };
  const auto due = history().newest_regular;
  EXPECT_TRUE(due);
  const auto dated = [&](PackRequest made, std::chrono::hours ahead) {
    const auto where = made.output.filename().string();
    pack(m_store, made, silent_reporter());
    auto info = parse_bundle_info(content(where + "/manifest/bundle.json"));
    info.creation_date += ahead;
    overwrite(where + "/manifest/bundle.json", write_bundle_info(info));
    sign_as("bob", where);
    return info.creation_date;
  };
  const auto late = dated(request("late", ContentForm::tree, 2), std::chrono::hours(1));
  auto made = request("urgent", ContentForm::tree, 3);
  made.expedited = "CVE-2026-0001";
  made.pending = {2};
  dated(made, std::chrono::hours(2));
  EXPECT_THAT(ingested("urgent").notes, testing::Contains("expedited: CVE-2026-0001"));
  EXPECT_EQ(history().newest(), 3u);
  EXPECT_EQ(history().newest_regular, due);
  const AuditLog log(site().audit_folder(), "");
  EXPECT_THAT(log.read(log.size() - 1).event.detail, testing::HasSubstr("\"expedited\":\"CVE-2026-0001\""));
  ingested("late");
  EXPECT_EQ(history().newest_regular, late) << "the one that was overtaken is the one that was due";
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
  EXPECT_EQ(entries(), (std::vector<std::string>{"bundle.ingest failure", "trust.fork failure"}));
  EXPECT_FALSE(fs::exists(site().store_folder() / "staging"));
}

TEST_F(IngestTest, VerifyRefusesTheForkThatIngestRefuses) {
  const auto second = signed_statement(next(sample_root()), {"root1"});
  auto other = sample_root();
  other.thresholds[Role::scanner] = 1;
  packed_with_trust("forked", {signed_statement(other, {"root1"}), second});
  const auto report = verify_bundle(
      m_folder.path() / "forked", {.expect = {}, .pinned = {{m_statement, second}}, .when = now()}, silent_reporter());
  ASSERT_EQ(report.problems.size(), 1u);
  EXPECT_EQ(report.problems[0].code, ErrorCode::trust_broken);
  EXPECT_FALSE(report.signatures_judged);
  ASSERT_FALSE(report.signatures.empty()) << "they are there, whoever made them";
  EXPECT_EQ(report.signatures[0].message, "not judged");
}

TEST_F(IngestTest, ARootThatABundleBringsIsAnnouncedBeforeItIsFollowed) {
  packed_with_trust("rotated", {m_statement, signed_statement(next(sample_root()), {"root1"})});
  ingested("rotated");
  EXPECT_EQ(TrustStore(site().trust_folder()).current().version, 2u);
  EXPECT_EQ(entries(), (std::vector<std::string>{"trust.update intent", "trust.update success", "bundle.ingest intent",
                                                 "bundle.ingest success"}));
}

TEST_F(IngestTest, ARevocationDoesNotWaitForAGoodBundle) {
  auto second = next(sample_root());
  find_owner(second, "bob").revoked_since = k_now;
  find_owner(second, "bob").revoked_reason = "laptop stolen";
  packed("before");
  packed_with_trust("after", {m_statement, signed_statement(second, {"root1"})});
  auto looked = order("after");
  looked.dry_run = true;
  EXPECT_EQ(code_of([&] { ingest(site(), looked, silent_reporter()); }), ErrorCode::key_revoked);
  EXPECT_EQ(TrustStore(site().trust_folder()).current().version, 1u) << "a dry run changes nothing";
  EXPECT_EQ(refused("after"), ErrorCode::key_revoked);
  EXPECT_EQ(TrustStore(site().trust_folder()).current().version, 2u);
  EXPECT_EQ(refused("before"), ErrorCode::key_revoked);
  EXPECT_EQ(entries(),
            (std::vector<std::string>{"bundle.ingest failure", "bundle.ingest failure", "trust.update intent",
                                      "trust.update success", "bundle.ingest failure"}));
}

TEST_F(IngestTest, ABundleFromTheFutureIsRefused) {
  packed("early");
  for (const auto& [ahead, wanted] : {std::pair(std::chrono::hours(23), std::optional<ErrorCode>()),
                                      std::pair(std::chrono::hours(25), std::optional(ErrorCode::clock_behind))}) {
    auto info = parse_bundle_info(content("early/manifest/bundle.json"));
    info.creation_date = now() + ahead;
    overwrite("early/manifest/bundle.json", write_bundle_info(info));
    sign_as("bob", "early");
    EXPECT_EQ(code_of([&] { require_no_future(info, now()); }), wanted);
    EXPECT_EQ(codes("early").contains(ErrorCode::clock_behind), wanted.has_value());
    auto request = order("early");
    request.dry_run = true;
    EXPECT_EQ(code_of([&] { ingest(site(), request, silent_reporter()); }), wanted);
  }
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

TEST_F(IngestTest, TrustThatIsLostOrOldIsNotBelieved) {
  packed_with_trust("rotated", {m_statement, signed_statement(next(sample_root()), {"root1"})});
  ingested("rotated");
  packed("next", ContentForm::tree, 2);
  fs::remove(site().trust_folder() / "2.root.json");
  EXPECT_EQ(refused("next"), ErrorCode::trust_broken) << "an older chain would believe what was revoked since";
  fs::remove_all(site().trust_folder());
  EXPECT_EQ(refused("next"), ErrorCode::trust_missing);
  TrustStore(site().trust_folder()).pin(m_statement, root_fingerprint(m_statement));
  EXPECT_EQ(refused("next"), ErrorCode::trust_broken) << "pinned again, the first one is an old one";
}

// The old chain lists a root key that was revoked since: what it signs in the place of a lost statement heals nothing.
TEST_F(IngestTest, ALostStatementHealsByItselfAndByNoOther) {
  const auto second = signed_statement(next(sample_root()), {"root1"});
  packed_with_trust("rotated", {m_statement, second});
  ingested("rotated");
  auto other = next(sample_root());
  find_owner(other, "sam").owner = "somebody else";
  packed_with_trust("forked", {m_statement, signed_statement(other, {"root2"})});
  const auto newest = site().trust_folder() / "2.root.json";
  fs::remove(newest);
  EXPECT_EQ(refused("forked"), ErrorCode::trust_broken);
  EXPECT_FALSE(fs::exists(newest)) << "it was followed by the refused ingest";
  EXPECT_EQ(unsettled_forks(AuditLog(site().audit_folder(), "")).size(), 1u);
  EXPECT_EQ(refused("rotated"), ErrorCode::trust_broken);
  EXPECT_EQ(read_file(newest, 1u << 20), second) << "the very statement that the log tells of heals the folder";
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

/// A peer whose bundle lies in a folder here.
class NearPeer : public RemoteBundle {
 public:
  explicit NearPeer(fs::path folder) : m_folder(std::move(folder)) {}
  const fs::path& front() const override { return m_folder; }
  const std::string& channel() const override { return m_channel; }
  std::uint64_t sequence() const override { return 1; }
  void bring_lists(const BundleInfo&) override {}
  bool has(const std::string&) const override { return true; }
  void stage(const std::vector<FileEntry>& files, StagedBlobs& staged,
             const std::function<void(std::uint64_t)>&) override {
    for (const auto& file : files) {
      const auto bytes = read_file(m_folder / file.path.text(), 2u << 20);
      write_all(staged.create(file.digest).get(), bytes, file.path.text());
      staged.seal(file.digest, sha256(bytes));
    }
  }

 private:
  fs::path m_folder;
  std::string m_channel = "test";
};

TEST_F(IngestTest, WhatTheStoreHasIsComparedWithTheSizeOfAPeersList) {
  packed("one");
  Catalog(site().catalog_file());  // a store without one has lost it
  BlobStore(site().store_folder()).put("hello");
  NearPeer peer(m_folder.path() / "one");
  // What a builder who lies could sign: nothing of that file travels that would show it.
  auto json = parse_json(content("one/manifest/bundle.json"));
  for (const std::string list : {"manifest/files.jsonl", "manifest/artifacts.jsonl"}) {
    auto text = content("one/" + list);
    text.replace(text.find("\"size\":5"), 8, "\"size\":6");
    overwrite("one/" + list, text);
    json["lists"][list]["digests"]["sha256"] = sha256(text).hex();
  }
  json["content"]["bytes"] = json["content"]["bytes"].get<std::uint64_t>() + 1;
  overwrite("one/manifest/bundle.json", dump_json(json));
  sign_as("bob", "one");
  auto request = order("one");
  request.remote = &peer;
  EXPECT_EQ(code_of([&] { ingest(site(), request, silent_reporter()); }), ErrorCode::size_mismatch);
  EXPECT_EQ(publications(), 0u);
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
