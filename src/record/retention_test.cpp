#include "record/retention.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <future>

#include "base/code_of.hpp"
#include "record/record_book.hpp"

namespace liftlock {
namespace {

using namespace std::chrono_literals;
using testing::UnorderedElementsAre;

TEST(Retention, EveryEndpointHasAClass) {
  const std::vector<std::pair<std::string_view, std::string_view>> known = {
      {"/v1/chat/completions", "prompts"},
      {"/v1/completions", "prompts"},
      {"/v1/responses", "prompts"},
      {"/v1/messages", "prompts"},
      {"/api/chat", "prompts"},
      {"/api/generate", "prompts"},
      {"/v1/embeddings", "embeddings"},
      {"/api/embed", "embeddings"},
      {"/api/embeddings", "embeddings"},
      {"/v1/rerank", "rankings"},
      {"/v1/images/generations", "images"},
      {"/v1/audio/transcriptions", "transcriptions"},
      {"/v1/audio/translations", "transcriptions"},
      {"/v9/new", "prompts"}};
  for (const auto& [endpoint, expected] : known) {
    EXPECT_EQ(name(class_of(endpoint)), expected) << endpoint;
    EXPECT_EQ(parse_record_class(expected), class_of(endpoint));
  }
  EXPECT_EQ(parse_record_class("prompt"), std::nullopt);
}

/// Records of a moment, one of each of these endpoints; later moments are asked for.
struct RetentionTest : testing::Test {
  TemporaryFolder temporary;
  fs::path state = temporary.path();
  AuditLog log{state / "audit", "test"};
  RecordReader reader{state / "records", state / "keys" / "record.kek"};
  RecordKeeper keeper{state / "records"};

  std::string write(const std::string& endpoint, RecordMode mode = RecordMode::full) {
    RecordBook book({.folder = state / "records", .kek_file = state / "keys" / "record.kek"}, log);
    RecordHead head;
    head.id = new_record_id();
    head.user = "ada";
    head.endpoint = endpoint;
    std::promise<std::optional<Error>> promise;
    book.write(
        head, "prompt", "answer", {{"outcome", "success"}}, [&](auto error) { promise.set_value(std::move(error)); },
        mode);
    if (auto error = promise.get_future().get()) throw *error;
    return head.id;
  }
  /// How many are over, days from now.
  std::uint64_t expire(const Retention& retention, int days, RecordKeeper::Do what = RecordKeeper::Do::count) {
    const Expiry expiry(retention, reader, now() + std::chrono::days(days));
    return keeper.expire([&](const std::string& id, Timestamp begun) { return expiry.is_over(id, begun); }, what)
        .records;
  }
  std::vector<std::string> endpoints() {
    std::vector<std::string> out;
    reader.find({}, [&](const RecordHead& head) {
      out.push_back(head.endpoint);
      return true;
    });
    return out;
  }
};

TEST_F(RetentionTest, EachClassIsKeptAsLongAsItSays) {
  for (const auto* endpoint : {"/v1/chat/completions", "/v1/embeddings", "/v1/audio/transcriptions", "/v1/rerank"})
    write(endpoint);
  const Retention retention{.all = std::chrono::days(100),
                            .classes = {{RecordClass::embeddings, std::chrono::days(10)},
                                        {RecordClass::transcriptions, std::chrono::days(20)}}};
  EXPECT_EQ(expire(retention, 9), 0u);
  EXPECT_EQ(expire(retention, 11, RecordKeeper::Do::erase), 1u);
  EXPECT_THAT(endpoints(), UnorderedElementsAre("/v1/chat/completions", "/v1/audio/transcriptions", "/v1/rerank"));
  EXPECT_EQ(expire(retention, 21), 1u);
  EXPECT_EQ(expire(retention, 101), 3u);
}

TEST_F(RetentionTest, AClassMayBeKeptLongerThanTheRest) {
  write("/v1/chat/completions");
  write("/v1/embeddings");
  const Retention retention{.all = std::chrono::days(10), .classes = {{RecordClass::prompts, std::chrono::days(20)}}};
  EXPECT_EQ(expire(retention, 11, RecordKeeper::Do::erase), 1u);
  EXPECT_THAT(endpoints(), UnorderedElementsAre("/v1/chat/completions"));
}

TEST_F(RetentionTest, WhatHasNoRetentionStaysForEver) {
  write("/v1/chat/completions");
  write("/v1/embeddings");
  const Retention retention{.all = {}, .classes = {{RecordClass::embeddings, std::chrono::days(10)}}};
  EXPECT_EQ(expire(retention, 100'000, RecordKeeper::Do::erase), 1u);
  EXPECT_THAT(endpoints(), UnorderedElementsAre("/v1/chat/completions"));
  EXPECT_EQ(expire({}, 100'000), 0u);
}

TEST_F(RetentionTest, WhatCannotBeReadIsKeptAsLongAsAnything) {
  write("/v1/embeddings", RecordMode::hash_only);
  const Retention retention{.all = std::chrono::days(100),
                            .classes = {{RecordClass::embeddings, std::chrono::days(10)}}};
  EXPECT_EQ(expire(retention, 50), 0u);
  EXPECT_EQ(Expiry(retention, reader, now() + std::chrono::days(50)).findings().without_content, 1u);
  EXPECT_EQ(expire(retention, 101), 1u);
}

TEST_F(RetentionTest, WhatIsDamagedIsToldAndStays) {
  const auto id = write("/v1/embeddings");
  for (const auto& file : fs::directory_iterator(state / "records")) {
    if (file.path().extension() != ".rec") continue;
    const auto segment = open_file(file.path(), O_RDWR);
    char byte = 0;  // of ciphertext: it may be anything
    ASSERT_EQ(::pread(segment.get(), &byte, 1, 60), 1);
    byte = static_cast<char>(byte ^ 1);
    ASSERT_EQ(::pwrite(segment.get(), &byte, 1, 60), 1);
  }
  const Retention retention{.all = {}, .classes = {{RecordClass::embeddings, std::chrono::days(10)}}};
  const Expiry expiry(retention, reader, now() + std::chrono::days(11));
  EXPECT_THAT(expiry.findings().damaged, testing::ElementsAre(id));
  EXPECT_EQ(expire(retention, 11), 0u);
}

TEST_F(RetentionTest, WhatIsHeldStays) {
  const auto id = write("/v1/embeddings");
  keeper.hold(id, {.reason = "case", .actor = "ada", .time = now()});
  const Retention retention{.all = {}, .classes = {{RecordClass::embeddings, std::chrono::days(10)}}};
  EXPECT_EQ(expire(retention, 11, RecordKeeper::Do::erase), 0u);
  EXPECT_THAT(endpoints(), UnorderedElementsAre("/v1/embeddings"));
}

TEST_F(RetentionTest, OnlyWhereClassesDifferAKeyIsNeeded) {
  write("/v1/embeddings");
  fs::remove(state / "keys" / "record.kek");
  EXPECT_EQ(expire({.all = std::chrono::days(10)}, 11), 1u);
  EXPECT_EQ(code_of([&] {
              expire({.all = std::chrono::days(10), .classes = {{RecordClass::prompts, std::chrono::days(20)}}}, 11);
            }),
            ErrorCode::key_missing);
}

}  // namespace
}  // namespace liftlock
