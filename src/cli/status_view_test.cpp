#include "cli/status_view.hpp"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

namespace liftlock {
namespace {

using testing::HasSubstr;
using namespace std::chrono_literals;

Json status(std::uint64_t requests, double first_seconds) {
  // As it comes over the socket: a number without a sign is one that cannot have one.
  return parse_json(dump_json_line({{"format", "liftlock.status/1"},
                                    {"pid", 7},
                                    {"started", "2026-11-24T03:00:00Z"},
                                    {"models",
                                     {{{"model", "demo"},
                                       {"digest", "sha256:0123456789abcdef0123"},
                                       {"engine", "llama/8941-cpu"},
                                       {"assurance", "store-user"},
                                       {"state", "ready"},
                                       {"memory", 1000},
                                       {"resident", 5u << 20},
                                       {"slots", 2},
                                       {"active", 0},
                                       {"queued", 0},
                                       {"restarts", 1},
                                       {"since", "2026-11-24T03:00:00Z"},
                                       {"expires", "2026-11-24T03:30:00Z"}}}},
                                    {"counts",
                                     {{"demo",
                                       {{"requests", requests},
                                        {"failures", 0},
                                        {"completion_tokens", requests * 20},
                                        {"first_tokens", requests},
                                        {"first_seconds", first_seconds}}},
                                      {"gpu/scout", {{"requests", 3}, {"failures", 0}, {"completion_tokens", 9}}}}}}));
}

TEST(StatusViewTest, ShowsWhatRunsAndHowLongItStays) {
  const auto table = running_table(status(1, 1), parse_time("2026-11-24T03:20:00Z"));
  EXPECT_THAT(table, HasSubstr("IDLE LEFT"));
  EXPECT_THAT(table, testing::ContainsRegex(
                         "demo +ready +llama/8941-cpu +sha256:0123456789ab +store-user +5.0 MiB +0/2 +0 +10 min +1"));
  auto none = status(1, 1);
  none["models"] = Json::array();
  EXPECT_EQ(running_table(none, {}), "no model is loaded\n");
}

TEST(StatusViewTest, ComparesTwoLooks) {
  const auto seen = paces(status(10, 2.0), status(14, 2.8), 2s);
  ASSERT_EQ(seen.size(), 1u) << "nobody asked the pool meanwhile";
  EXPECT_EQ(seen[0].model, "demo");
  EXPECT_DOUBLE_EQ(seen[0].requests, 2);
  EXPECT_DOUBLE_EQ(seen[0].tokens, 40);
  EXPECT_NEAR(*seen[0].first_ms, 200, 1e-6);
  EXPECT_THAT(pace_table(seen), HasSubstr("200 ms"));
}

TEST(StatusViewTest, CountsNothingTwiceWhenTheServerBeganAnew) {
  auto other = status(14, 2.8);
  other["pid"] = 8;
  const auto seen = paces(status(10, 2.0), other, 2s);
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].requests, 0);
  EXPECT_FALSE(seen[0].first_ms);
}

}  // namespace
}  // namespace liftlock
