#include "cli/model_speed.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace liftlock {
namespace {

class ModelSpeedTest : public testing::Test {
 protected:
  /// An answer that took so long, behind a wait.
  static AuditEvent answer(const Json& tokens, double total_ms, double wait_ms, const std::string& model = "sha256:aa",
                           const std::string& how = "success") {
    const Json outcome = {
        {"outcome", how}, {"completion_tokens", tokens}, {"total_ms", total_ms}, {"wait_ms", wait_ms}};
    return {.type = "prompt.record",
            .actor = "ada",
            .outcome = Outcome::success,
            .subject = "id",
            .detail = dump_json_line({{"model_digest", model}, {"outcome", outcome}})};
  }

  TemporaryFolder folder;
  AuditLog log{folder.path() / "audit", "test"};
};

TEST_F(ModelSpeedTest, ItIsTheMedianOfWhatAnswersTookWithoutTheirWait) {
  log.append(std::vector<AuditEvent>{answer(100, 3000, 1000), answer(100, 11'000, 1000), answer(90, 1000, 0),
                                     answer(20, 1000, 0, "sha256:bb")});
  const auto speeds = measured_speeds(log);
  ASSERT_EQ(speeds.size(), 2u);
  EXPECT_DOUBLE_EQ(speeds.at("sha256:aa").tokens_per_second, 50) << "of 50, 10 and 90";
  EXPECT_EQ(speeds.at("sha256:aa").answers, 3u);
  EXPECT_DOUBLE_EQ(speeds.at("sha256:bb").tokens_per_second, 20);
}

TEST_F(ModelSpeedTest, WhatSaysNothingOfSpeedDoesNotCount) {
  log.append(std::vector<AuditEvent>{
      answer(15, 1000, 0),
      answer(100, 1000, 1000),
      answer(100, 1000, 0, ""),
      answer(100, 1000, 0, "sha256:aa", "failed"),
      answer("100", 1000, 0),
      {.type = "prompt.record", .actor = "a", .outcome = Outcome::intent, .subject = "id", .detail = "{}"},
      {.type = "prompt.record",
       .actor = "a",
       .outcome = Outcome::failure,
       .subject = "id",
       .detail = R"({"model_digest":"sha256:aa","outcome":7})"}});
  EXPECT_TRUE(measured_speeds(log).empty());
}

TEST_F(ModelSpeedTest, TheNewestAnswersCount) {
  std::vector<AuditEvent> events(100, answer(100, 10'000, 0));
  for (int i = 0; i < 100; ++i) events.push_back(answer(100, 1000, 0));
  log.append(events);
  EXPECT_DOUBLE_EQ(measured_speeds(log).at("sha256:aa").tokens_per_second, 100);
  EXPECT_EQ(measured_speeds(log).at("sha256:aa").answers, 100u);
}

}  // namespace
}  // namespace liftlock
