#include "server/log_check.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <functional>

#include "os/file.hpp"

namespace liftlock {
namespace {

class LogCheckTest : public testing::Test {
 protected:
  static bool becomes_true(const std::function<bool()>& is_so) {
    for (int i = 0; i < 6000; ++i) {
      if (is_so()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  }
  void append(std::size_t entries) {
    m_log.append(std::vector<AuditEvent>(
        entries, {.type = "test", .actor = "tester(0)", .outcome = Outcome::success, .subject = "s", .detail = "{}"}));
  }
  std::uint64_t told() const { return m_log.size(); }

  TemporaryFolder m_folder;
  AuditLog m_log{m_folder.path(), "test"};
};

TEST_F(LogCheckTest, SaysItOnceUntilItIsOtherwise) {
  const Error damage(ErrorCode::audit_broken, "entry 7 is not what it was");
  const auto before = told();
  log_damage(m_log, "tester(0)", std::nullopt);
  EXPECT_EQ(told(), before) << "a log that never was damaged says nothing";
  for (int i = 0; i < 2; ++i) log_damage(m_log, "tester(0)", damage);
  EXPECT_EQ(told(), before + 1);
  EXPECT_TRUE(log_says_damaged(m_log));
  for (int i = 0; i < 2; ++i) log_damage(m_log, "tester(0)", std::nullopt);
  EXPECT_EQ(told(), before + 2);
  EXPECT_FALSE(log_says_damaged(m_log));
}

TEST_F(LogCheckTest, AMachineThatLacksDescriptorsSaysNothingOfTheLog) {
  append(300);
  rlimit old{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &old), 0);
  const rlimit none{.rlim_cur = 3, .rlim_max = old.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  std::optional<ErrorCode> code;
  try {
    EXPECT_FALSE(find_damage(m_log, {}));
  } catch (const Error& error) {
    code = error.code();
  }
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &old), 0);
  ASSERT_TRUE(code) << "it was not looked at";
  EXPECT_EQ(info(*code).slug, info(ErrorCode::io_error).slug);
  EXPECT_FALSE(find_damage(m_log, {}));
}

TEST_F(LogCheckTest, WhatTheLogSaysOfItselfHoldsBeforeTheFirstCheck) {
  log_damage(m_log, "tester(0)", Error(ErrorCode::audit_broken, "entry 7 is not what it was"));
  const LogCheck check(m_log, silent_reporter(), "tester(0)", {.before_first = std::chrono::hours(1)});
  EXPECT_TRUE(becomes_true([&] { return check.found().damaged; }));
  EXPECT_EQ(check.found().checked, Timestamp{});
}

TEST_F(LogCheckTest, EndsInTheMiddleOfACheck) {
  append(256 * 40);
  for (int i = 0; i < 20; ++i) {
    const LogCheck check(m_log, silent_reporter(), "tester(0)", {.while_good = std::chrono::milliseconds(0)});
    std::this_thread::sleep_for(std::chrono::milliseconds(i));
  }
  EXPECT_FALSE(find_damage(m_log, {}));
}

}  // namespace
}  // namespace liftlock
