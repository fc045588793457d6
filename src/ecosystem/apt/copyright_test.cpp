#include "ecosystem/apt/copyright.hpp"

#include <gtest/gtest.h>

namespace liftlock::apt {
namespace {

const std::string k_header = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n";

std::string files(const std::string& patterns, const std::string& license) {
  return "\nFiles: " + patterns + "\nCopyright: 2026 A\nLicense: " + license + "\n";
}

TEST(Copyright, LicencesOfFilesAreJoinedAsSpdxWritesThem) {
  EXPECT_EQ(copyright_licenses(k_header + files("*", "Expat\n The text\n .\n of it")), "MIT");
  EXPECT_EQ(
      copyright_licenses(k_header + files("*", "GPL-2+ or Artistic-2.0") + files("a/* b/*", "BSD-3-clause") +
                         files("c", "BSD-3-clause") + files("debian/*", "GPL-3+") + "\nLicense: GPL-2+\n the text\n"),
      "(GPL-2.0-or-later OR Artistic-2.0) AND BSD-3-clause");
  EXPECT_EQ(copyright_licenses(k_header + files("*", "Apache-2.0 or GPL-3")), "Apache-2.0 OR GPL-3.0-only");
  EXPECT_EQ(copyright_licenses(k_header + "License: LGPL-2.1+\n" + files("*", "GPL-2")), "LGPL-2.1-or-later")
      << "the package as a whole";
  EXPECT_EQ(copyright_licenses(k_header + files("*", "GPL-2+ with OpenSSL exception")),
            "GPL-2+ with OpenSSL exception");
}

TEST(Copyright, BracketsOfTheTextStay) {
  const std::string both = "(GPL-2+ or Artistic) and (BSD-3-clause or Expat)";
  EXPECT_EQ(copyright_licenses(k_header + files("*", both)), both);
  EXPECT_EQ(copyright_licenses(k_header + "License: " + both + "\n"), both);
  EXPECT_EQ(copyright_licenses(k_header + files("*", "(GPL-2+ or Artistic)")), "(GPL-2+ or Artistic)");
  EXPECT_EQ(copyright_licenses(k_header + files("*", both) + files("a", "Expat")), "(" + both + ") AND MIT");
  EXPECT_EQ(copyright_licenses(k_header + files("*", "X with Y exception or Z") + files("a", "Expat")),
            "(X with Y exception or Z) AND MIT");
}

TEST(Copyright, WhatIsNotForMachinesSaysNothing) {
  EXPECT_EQ(copyright_licenses(""), "");
  EXPECT_EQ(copyright_licenses("This package was debianized by A.\n\nCopyright: GPL-2\n"), "");
  EXPECT_EQ(copyright_licenses("License: GPL-2\n"), "");
  EXPECT_EQ(copyright_licenses("Format: x\n" + files("*", "GPL-2")), "");
  EXPECT_EQ(copyright_licenses(k_header + "words without a field\n" + files("*", "GPL-2")), "");
  EXPECT_EQ(copyright_licenses(k_header + files("*", "")), "");
  std::string many = k_header;
  for (int i = 0; i < 300; ++i) many += files("f" + std::to_string(i), "License-" + std::to_string(i));
  EXPECT_EQ(copyright_licenses(many), "") << "too long to be of use";
  EXPECT_EQ(copyright_licenses(k_header + files("*", "X  with\tY")), "X with Y");
}

}  // namespace
}  // namespace liftlock::apt
