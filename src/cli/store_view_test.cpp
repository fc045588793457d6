#include "cli/store_view.hpp"

#include <gtest/gtest.h>

namespace liftlock {
namespace {

TEST(DescribeHolders, OfManyTheRestComesBehindThoseThatAreNamed) {
  EXPECT_EQ(describe_holders({}), "");
  EXPECT_EQ(describe_holders({"demo/7", "demo/8", "set base"}), "demo/7, demo/8, set base");
  EXPECT_EQ(describe_holders({"demo/5", "demo/6", "demo/7", "demo/8", "demo/9"}), "demo/7, demo/8, demo/9 and 2 more");
}

}  // namespace
}  // namespace liftlock
