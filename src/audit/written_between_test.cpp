#include "audit/written_between.hpp"

#include <gtest/gtest.h>

namespace liftlock {
namespace {

using Entries = std::vector<std::size_t>;

/// @param days of the entries, in the log's order. The period is the days from 10 to before 20.
/// @return the places of those that are of it
Entries within(const std::vector<int>& days) {
  const auto at = [](int day) { return Timestamp(std::chrono::days(day)); };
  std::vector<Timestamp> times;
  for (const auto day : days) times.push_back(at(day));
  const auto are = written_between(times, at(10), at(20));
  Entries out;
  for (std::size_t i = 0; i < are.size(); ++i) {
    if (are[i]) out.push_back(i);
  }
  return out;
}

TEST(WrittenBetween, IsWhatTheDatesSayWhereClocksAreRight) {
  EXPECT_EQ(within({}), Entries());
  EXPECT_EQ(within({1, 5, 9, 20, 21}), Entries());
  EXPECT_EQ(within({1, 10, 10, 15, 19, 20}), Entries({1, 2, 3, 4}));
}

// Days 1 to 7 and 30 to 36: there is enough of a log whose clock was right.
TEST(WrittenBetween, AClockThatFellBehindHidesNothing) {
  EXPECT_EQ(within({5, 6, 7, 18, 0, 0, 22, 30}), Entries({3, 4, 5})) << "between day 18 and day 22";
  EXPECT_EQ(within({5, 6, 7, 8, 0, 0, 12, 30}), Entries({4, 5, 6}));
  EXPECT_EQ(within({5, 6, 7, 8, 0, 0, 25, 30}), Entries({4, 5})) << "nothing of the period has a right date";
  EXPECT_EQ(within({4, 5, 6, 0, 0, 7, 12, 30}), Entries({6})) << "between day 6 and day 7";
  EXPECT_EQ(within({5, 6, 7, 8, 0, 0}), Entries({4, 5})) << "the clock is wrong still";
  EXPECT_EQ(within({5, 6, 7, 22, 0, 0, 30}), Entries());
}

TEST(WrittenBetween, AClockThatWasAheadHidesNothing) {
  EXPECT_EQ(within({5, 6, 7, 18, 99, 99, 22, 30, 31}), Entries({3, 4, 5}));
  EXPECT_EQ(within({5, 6, 7, 8, 99, 99, 12, 30, 31}), Entries({4, 5, 6}));
  EXPECT_EQ(within({5, 6, 7, 8, 99, 99, 25, 30, 31}), Entries({4, 5}));
  EXPECT_EQ(within({5, 6, 7, 22, 99, 99, 30, 31, 32}), Entries());
}

TEST(WrittenBetween, AnHourOfAWrongClockDoesNotDrownAnotherPeriod) {
  EXPECT_EQ(within({30, 31, 12, 32, 33, 13, 34}), Entries({2, 5})) << "what lies between them has a right date";
}

}  // namespace
}  // namespace liftlock
