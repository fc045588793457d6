#include "record/record_policy.hpp"

#include <gtest/gtest.h>

namespace liftlock {
namespace {

TEST(RecordPolicy, WhatKeepsMoreCounts) {
  const RecordPolicy policy{.mode = RecordMode::hash_only,
                            .models = {{"ward", RecordMode::full}, {"toy", RecordMode::off}}};
  EXPECT_EQ(policy.mode_for("other", std::nullopt), RecordMode::hash_only);
  EXPECT_EQ(policy.mode_for("other", RecordMode::off), RecordMode::off) << "a key comes before the site";
  EXPECT_EQ(policy.mode_for("other", RecordMode::full), RecordMode::full);
  EXPECT_EQ(policy.mode_for("toy", std::nullopt), RecordMode::off);
  EXPECT_EQ(policy.mode_for("toy", RecordMode::full), RecordMode::full);
  EXPECT_EQ(policy.mode_for("ward", RecordMode::off), RecordMode::full) << "a key takes nothing from a model";
}

TEST(RecordPolicy, OnlyWhatIsShortAndToBeKeptIsKeptOfWhatWasHeard) {
  RecordPolicy policy;
  EXPECT_TRUE(policy.keeps_recording(RecordMode::full, k_max_kept_recording));
  EXPECT_FALSE(policy.keeps_recording(RecordMode::full, k_max_kept_recording + 1));
  EXPECT_FALSE(policy.keeps_recording(RecordMode::hash_only, 1));
  policy.recordings = false;
  EXPECT_FALSE(policy.keeps_recording(RecordMode::full, 1));
}

TEST(RecordPolicy, ModesHaveNames) {
  for (const auto mode : {RecordMode::full, RecordMode::hash_only, RecordMode::off}) {
    EXPECT_EQ(parse_record_mode(name(mode)), mode);
  }
  EXPECT_FALSE(parse_record_mode("Full"));
}

}  // namespace
}  // namespace liftlock
