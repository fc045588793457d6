#include "cli/moment.hpp"

#include <gtest/gtest.h>

#include "base/code_of.hpp"
#include "cli/trust_change.hpp"

namespace liftlock {
namespace {

TEST(Moment, ADayIsMeantFromItsBeginOrToItsEnd) {
  EXPECT_EQ(parse_day_or_time("2026-12-31", Day::begins), parse_time("2026-12-31T00:00:00Z"));
  EXPECT_EQ(parse_day_or_time("2026-12-31", Day::ends), parse_time("2027-01-01T00:00:00Z"));
  EXPECT_EQ(parse_day_or_time("2026-12-31", Day::last_second), parse_time("2026-12-31T23:59:59Z"));
  EXPECT_EQ(parse_day_or_time("2026-12-31T06:00:00Z", Day::last_second), parse_time("2026-12-31T06:00:00Z"));
  EXPECT_EQ(parse_day_or_time("2028-02-29", Day::ends), parse_time("2028-03-01T00:00:00Z"));
  EXPECT_EQ(parse_day_or_time("2026-12-31T06:00:00Z", Day::ends), parse_time("2026-12-31T06:00:00Z"));
}

TEST(Moment, WhatIsNoDayIsRefused) {
  for (const auto* text : {"", "2026-12-32", "2027-02-29", "2026-1-1", "31.12.2026", "2026/12/31", "2026-12-31T06:00",
                           "2026-12-31T06:00:00+01:00", "yesterday!"}) {
    EXPECT_EQ(parse_day_or_time(text, Day::ends), std::nullopt) << text;
    EXPECT_EQ(code_of([&] { parse_moment(text, "--from", Day::begins); }), ErrorCode::usage) << text;
    EXPECT_EQ(code_of([&] { (void)parse_expiry(text); }), ErrorCode::usage) << text;
  }
}

TEST(Moment, AnExpiryOnADayIsItsEnd) {
  EXPECT_EQ(parse_expiry("2099-12-31"), parse_time("2100-01-01T00:00:00Z"));
  EXPECT_EQ(parse_until("2099-12-31"), parse_time("2100-01-01T00:00:00Z"));
  EXPECT_EQ(parse_expiry("9999-12-31"), parse_time("9999-12-31T23:59:59Z"));
  EXPECT_EQ(parse_expiry("never"), std::nullopt);
  for (const auto* past : {"2020-12-31", "2020-01-01T00:00:00Z", "0d"})
    EXPECT_EQ(code_of([&] { (void)parse_expiry(past); }), ErrorCode::usage) << past;
  EXPECT_EQ(code_of([] { (void)parse_until("2020-12-31"); }), ErrorCode::usage);
}

}  // namespace
}  // namespace liftlock
