#include "ecosystem/license_text.hpp"

#include <gtest/gtest.h>

namespace liftlock {
namespace {

TEST(LicenseText, IsOneLine) {
  EXPECT_EQ(license_text("MIT"), "MIT");
  EXPECT_EQ(license_text(" \n The Weird\n   License\t\r\n"), "The Weird License");
  EXPECT_EQ(license_text("Licence française"), "Licence française");
  EXPECT_EQ(license_text("a\x1b[2Jb"), "a\\x1b[2Jb");
  EXPECT_EQ(license_text("a\\x1b[2Jb"), "a\\x1b[2Jb") << "what was made safe stays as it is";
  EXPECT_EQ(license_text(" \n"), "");
  EXPECT_EQ(license_text(""), "");
}

TEST(LicenseText, WhatIsNoNameIsLeftOut) {
  EXPECT_EQ(license_text(std::string(1000, 'x')), std::string(1000, 'x'));
  EXPECT_EQ(license_text(std::string(1001, 'x')), "");
  EXPECT_EQ(license_text("a" + std::string(5000, ' ') + "b"), "a b");
  EXPECT_EQ(license_text(std::string(500, '\x01')), "") << "as it would be shown";
}

}  // namespace
}  // namespace liftlock
