// Deltas, and the receipts that make them small.
#include "bundle/delta.hpp"

#include <gmock/gmock.h>

#include <map>
#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "bundle/bundle_reader.hpp"
#include "bundle/ingest_fixture.hpp"
#include "bundle/receipt.hpp"
#include "bundle/spoken.hpp"

namespace liftlock {
namespace {

class DeltaTest : public IngestTest {
 protected:
  /// The second bundle of the channel: what the first brought, and one file more; built on the first.
  PackRequest second(const std::string& where, ContentForm form = ContentForm::tree) {
    const auto before = m_artifacts;
    add("file", "more", "1", {{"files/more.txt", "more"}});
    auto out = request(where, form, 2);
    out.base = base_of_artifacts("bundle", sha256("bundle.json"), before);
    return out;
  }
  PackResult packed_signed(const std::string& where, const PackRequest& made) {
    auto result = pack(m_store, made, silent_reporter());
    sign_as("bob", where);
    return result;
  }
  std::size_t files_in(const std::string& where) {
    std::size_t files = 0;
    for (const auto& entry : fs::recursive_directory_iterator(m_folder.path() / where / "files")) {
      files += entry.is_regular_file() ? 1 : 0;
    }
    return files;
  }
  /// Rewrites bundle.json and signs again: what a builder who lies could do.
  void forge(const std::string& where, const std::function<void(Json&)>& edit) {
    const auto path = where + "/manifest/bundle.json";
    auto json = parse_json(content(path));
    edit(json);
    overwrite(path, dump_json(json));
    sign_as("bob", where);
  }
  void rebind(Json& json, const std::string& where, const std::string& list) {
    const auto text = content(where + "/" + list);
    json["lists"][list] = {{"size", text.size()}, {"digests", {{"sha256", sha256(text).hex()}}}};
  }
};

TEST_F(DeltaTest, CarriesWhatIsNew) {
  packed_signed("delta", second("delta"));
  const auto report = verified("delta");
  EXPECT_TRUE(report.problems.empty());
  ASSERT_TRUE(report.info.builds_on);
  EXPECT_EQ(report.info.builds_on->base, "bundle");
  EXPECT_EQ(report.info.content_files, 2u) << "the new file and images/index.json";
  EXPECT_EQ(files_in("delta"), 1u);
}

TEST_F(DeltaTest, BothFormsLandWhole) {
  packed("first");
  ingested("first");
  auto made = second("tree");
  packed_signed("tree", made);
  made.form = ContentForm::tar;
  made.output = m_folder.path() / "tar";
  made.sequence = 3;
  packed_signed("tar", made);
  EXPECT_LT(fs::file_size(m_folder.path() / "tar/content.tar"), 10'000u);
  for (const auto* where : {"tree", "tar"}) {
    EXPECT_EQ(ingested(where).status, IngestResult::Status::published) << where;
    EXPECT_EQ(ingested(where).status, IngestResult::Status::already_present) << where;
    EXPECT_EQ(Catalog(site().catalog_file()).latest("test")->artifacts, m_artifacts);
  }
}

TEST_F(DeltaTest, DoesNotLandWithoutItsBaseAndSaysWhatIsMissing) {
  packed_signed("delta", second("delta"));
  EXPECT_EQ(refused("delta"), ErrorCode::base_missing);
  EXPECT_EQ(publications(), 0u);
  BundleReader bundle(m_folder.path() / "delta");
  bundle.load_lists();
  const BlobStore store(site().store_folder());
  const auto missing = missing_files(bundle, store);
  EXPECT_EQ(missing.size(), bundle.left_out().size());
  // Half a store is no store.
  const auto text = std::string("hello");
  BlobStore(site().store_folder()).put(text);
  EXPECT_EQ(missing_files(bundle, BlobStore(site().store_folder())).size(), missing.size() - 1);
  EXPECT_EQ(refused("delta"), ErrorCode::base_missing);
  // What was asked for comes with another bundle, and then the delta lands too.
  const auto wanted_digests = wanted_files(bundle, store);
  EXPECT_EQ(wanted_digests.size(), missing.size()) << "less one that is there, and one more that the delta carries";
  Receipt wanted;
  wanted.kind = Receipt::Kind::request;
  wanted.channels = {{"test", 2, bundle.digest()}};
  wanted.files = wanted_digests;
  auto answer = request("answer", ContentForm::tree, 3);
  answer.pending = {2};
  answer.base = base_of_receipt({.receipt = wanted, .text = write_receipt(wanted), .signatures = {}});
  const auto result = packed_signed("answer", answer);
  EXPECT_EQ(result.info.builds_on->base, "request");
  EXPECT_EQ(result.info.builds_on->files, 1u);
  EXPECT_EQ(ingested("answer").status, IngestResult::Status::published);
  EXPECT_EQ(ingested("delta").status, IngestResult::Status::published);
}

TEST_F(DeltaTest, WhatScrubTookAwayIsMissingToo) {
  packed("first");
  ingested("first");
  packed_signed("delta", second("delta"));
  BlobStore store(site().store_folder());
  store.quarantine(m_artifacts.back().files.front().digest);
  EXPECT_EQ(refused("delta"), ErrorCode::base_missing);
}

TEST_F(DeltaTest, ListsThatLieAreRefused) {
  packed("first");
  ingested("first");
  const auto made = second("delta");
  packed_signed("delta", made);
  const auto list = std::string(k_left_out_list_path);

  fs::copy(m_folder.path() / "delta", m_folder.path() / "unbound", fs::copy_options::recursive);
  forge("unbound", [&](Json& json) { json["builds_on"] = nullptr; });
  EXPECT_EQ(refused("unbound"), ErrorCode::schema_violation);

  fs::copy(m_folder.path() / "delta", m_folder.path() / "counted", fs::copy_options::recursive);
  forge("counted", [&](Json& json) { json["builds_on"]["files"] = 1; });
  EXPECT_EQ(refused("counted"), ErrorCode::schema_violation);

  fs::copy(m_folder.path() / "delta", m_folder.path() / "both", fs::copy_options::recursive);
  std::map<std::string, std::string> lines;  // by path: right in everything, but that a file is in both lists
  std::uint64_t bytes = 0;
  for (const auto& text : {content("both/" + list), content("both/manifest/files.jsonl")}) {
    for (const auto line : split(text, '\n')) {
      if (line.empty()) continue;
      const auto file = parse_json(line);
      lines[file["path"].get<std::string>()] = line;
      bytes += file["size"].get<std::uint64_t>();
    }
  }
  std::string joined;
  for (const auto& [path, line] : lines) joined += line + "\n";
  overwrite("both/" + list, joined);
  forge("both", [&](Json& json) {
    rebind(json, "both", list);
    json["builds_on"]["files"] = lines.size();
    json["builds_on"]["bytes"] = bytes;
  });
  EXPECT_EQ(refused("both"), ErrorCode::path_collision);

  fs::copy(m_folder.path() / "delta", m_folder.path() / "truncated", fs::copy_options::recursive);
  const auto whole = content("truncated/" + list);
  overwrite("truncated/" + list, whole.substr(0, whole.size() / 2));
  EXPECT_EQ(refused("truncated"), ErrorCode::size_mismatch);
  EXPECT_EQ(publications(), 1u);
}

TEST_F(DeltaTest, OnlyADeltaAsksForANewerReader) {
  packed_signed("delta", second("delta"));
  packed("whole");
  EXPECT_EQ(parse_json(content("delta/manifest/bundle.json"))["min_reader"], 2);
  EXPECT_EQ(parse_json(content("whole/manifest/bundle.json"))["min_reader"], 1);
}

TEST_F(DeltaTest, ChecksumsAreThoseOfWhatIsThere) {
  packed_signed("delta", second("delta"));
  EXPECT_THAT(content("delta/checksums.txt"), testing::HasSubstr("files/more.txt"));
  EXPECT_THAT(content("delta/checksums.txt"), testing::Not(testing::HasSubstr("hello.txt")));
  EXPECT_THAT(content("delta/checksums.txt"), testing::HasSubstr("manifest/left-out.jsonl"));
}

Receipt sample() {
  Receipt receipt;
  receipt.organisation = "Acme";
  receipt.host = "ingest1";
  receipt.creator = "ian(1000)";
  receipt.created = parse_time("2026-11-27T12:00:00Z");
  receipt.channels = {{"apps", 3, sha256("apps")}, {"models", 7, sha256("models")}};
  receipt.files = {sha256("a"), sha256("b"), sha256("c")};
  std::sort(receipt.files.begin(), receipt.files.end());
  return receipt;
}

TEST(Receipts, AreReadAsTheyWereWritten) {
  const auto text = write_receipt(sample());
  const auto read = parse_receipt(text);
  EXPECT_EQ(write_receipt(read), text);
  EXPECT_EQ(read.channels[1].sequence, 7u);
  EXPECT_EQ(read.files.size(), 3u);
}

TEST(Receipts, OfAnotherShapeAreRefused) {
  const auto refused = [](const std::function<void(Json&)>& edit) {
    auto json = parse_json(write_receipt(sample()));
    edit(json);
    return code_of([&] { parse_receipt(dump_json(json)); });
  };
  EXPECT_EQ(refused([](Json& json) { json["format"] = "liftlock.receipt/2"; }), ErrorCode::too_new);
  EXPECT_EQ(refused([](Json& json) { json["min_reader"] = 2; }), ErrorCode::too_new);
  EXPECT_EQ(refused([](Json& json) { std::swap(json["files"][0], json["files"][1]); }), ErrorCode::schema_violation);
  EXPECT_EQ(refused([](Json& json) { json["files"].push_back(json["files"][2]); }), ErrorCode::schema_violation);
  EXPECT_EQ(refused([](Json& json) { json["files"][0] = 7; }), ErrorCode::schema_violation);
  EXPECT_EQ(refused([](Json& json) { json["channels"][0]["channel"] = "../x"; }), ErrorCode::schema_violation);
  EXPECT_EQ(refused([](Json& json) { json["format"] = "liftlock.request/1"; }), ErrorCode::schema_violation)
      << "a request is about one bundle";
  EXPECT_EQ(refused([](Json& json) { json["host"] = std::string(300, 'x'); }), ErrorCode::limit_exceeded);
  EXPECT_TRUE(refused([](Json& json) { json["files"][0] = "xyz"; }));
  EXPECT_EQ(code_of([] { parse_receipt("{\"format\":1,\"format\":2}"); }), ErrorCode::json_duplicate_key);
}

TEST(Receipts, SayWhatIsThereAndRequestsWhatIsNot) {
  auto receipt = sample();
  const auto of = [](const Receipt& one) {
    return base_of_receipt({.receipt = one, .text = write_receipt(one), .signatures = {}});
  };
  EXPECT_TRUE(of(receipt).has(sha256("a")));
  EXPECT_FALSE(of(receipt).has(sha256("z")));
  receipt.kind = Receipt::Kind::request;
  receipt.channels.pop_back();
  EXPECT_FALSE(of(receipt).has(sha256("a")));
  EXPECT_TRUE(of(receipt).has(sha256("z")));
  EXPECT_EQ(of(receipt).kind, "request");
}

TEST(SpokenWords, AreEightAndDifferWithTheDigest) {
  const auto words = spoken_words(sha256("a"));
  EXPECT_EQ(std::count(words.begin(), words.end(), ' '), 7);
  EXPECT_NE(words, spoken_words(sha256("b")));
  EXPECT_EQ(words, spoken_words(sha256("a")));
}

}  // namespace
}  // namespace liftlock
