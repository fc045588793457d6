#include "ecosystem/maven/metadata.hpp"

#include <gtest/gtest.h>

#include "base/code_of.hpp"
#include "base/error.hpp"
#include "ecosystem/maven/repository_path.hpp"
#include "os/gigabyte_fixture.hpp"

namespace liftlock::maven {
namespace {

constexpr std::string_view k_deployed = R"(<?xml version="1.0" encoding="UTF-8"?>
<metadata>
  <groupId>org.example</groupId>
  <artifactId>lib</artifactId>
  <versioning>
    <release>1.1</release>
    <versions>
      <version>1.0</version>
      <version>1.1</version>
    </versions>
    <lastUpdated>20240101000000</lastUpdated>
  </versioning>
</metadata>
)";

TEST(MavenMetadata, AGigabyteIsRefusedUnread) {
  const HugeText metadata(k_gigabyte);
  const PeakMemory memory;
  EXPECT_EQ(code_of([&] { versions_of(metadata); }), ErrorCode::limit_exceeded);
  EXPECT_LT(memory.grown(), 1u << 20);
}

TEST(MavenMetadata, AVersionIsAddedAndAllElseStays) {
  const auto text = with_version(k_deployed, "1.2", "20260102030405");
  ASSERT_TRUE(text);
  EXPECT_EQ(versions_of(*text), (std::vector<std::string>{"1.0", "1.1", "1.2"}));
  EXPECT_NE(text->find("<lastUpdated>20260102030405</lastUpdated>"), std::string::npos);
  EXPECT_NE(text->find("<release>1.1</release>"), std::string::npos);
  EXPECT_EQ(with_version(*text, "1.2", "20270102030405"), std::nullopt);
}

TEST(MavenMetadata, TheFirstOneIsReadBack) {
  const auto text = module_metadata("org.example", "lib", {"1.0"}, "20260102030405");
  EXPECT_EQ(versions_of(text), (std::vector<std::string>{"1.0"}));
  EXPECT_NE(text.find("<lastUpdated>20260102030405</lastUpdated>"), std::string::npos);
  EXPECT_EQ(versions_of(with_version(text, "2.0", "20260102030406").value()), (std::vector<std::string>{"1.0", "2.0"}));
}

TEST(MavenMetadata, WhatIsOtherwiseIsRefused) {
  const auto inside = [](std::string_view versions) {
    return "<metadata><versioning>" + std::string(versions) + "</versioning></metadata>";
  };
  for (const auto& text :
       {std::string(), std::string("<html>404</html>"), inside(""), inside("<versions><version>1"),
        inside("<versions><version>1</versions>"), inside("<versions><version></version></versions>"),
        inside("<versions><version>&a;</version></versions>"), inside("<versions><x>1</x></versions>"),
        inside("<versions></versions><versions></versions>"), inside("<!-- <versions> --><versions></versions>"),
        inside("<versions></versions>") + "trailing"}) {
    EXPECT_EQ(code_of([&] { with_version(text, "1", "2"); }), ErrorCode::schema_violation) << text;
  }
  EXPECT_EQ(versions_of(inside("<versions></versions>")), std::vector<std::string>{});
  EXPECT_EQ(code_of([&] { versions_of(std::string(k_max_metadata + 1, ' ')); }), ErrorCode::limit_exceeded);
}

}  // namespace
}  // namespace liftlock::maven
