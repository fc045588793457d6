#include "ecosystem/file/path_template.hpp"

#include <gtest/gtest.h>

#include "base/code_of.hpp"
#include "crypto/hash.hpp"

namespace liftlock {
namespace {

using Values = PathTemplate::Values;

std::string filled(const std::string& text, const std::string& path, Values values = Values::plain,
                   const std::string& version = "1:1.0-1") {
  Artifact artifact{.kind = "deb", .name = "hello", .version = version};
  artifact.files.push_back({RelPath::parse(path), 1, sha256(path), {}, {}});
  return PathTemplate(text, "'path' of [repository.x]").fill(artifact, artifact.files[0], values);
}

TEST(PathTemplateTest, FillsItsPlaces) {
  const std::string deb = "packages/apt/hello_1.0-1_amd64.deb";
  EXPECT_EQ(filled("{path}", deb), deb);
  EXPECT_EQ(filled("pool/{name}/{file}", deb), "pool/hello/hello_1.0-1_amd64.deb");
  EXPECT_EQ(filled(";v={version};deb.architecture={arch}", deb), ";v=1:1.0-1;deb.architecture=amd64");
  EXPECT_EQ(filled("el9/{arch}/{file}", "packages/rpm/hello-1.0-1.el9.x86_64.rpm"),
            "el9/x86_64/hello-1.0-1.el9.x86_64.rpm");
  EXPECT_EQ(filled("{arch}{arch}", "packages/rpm/a.noarch.rpm"), "noarchnoarch");
  EXPECT_EQ(filled("plain", deb), "plain");
}

TEST(PathTemplateTest, AValueCannotEndTheRequestThatItStandsIn) {
  EXPECT_EQ(filled(";v={version};p={path}", "files/a~b", Values::percent, "1 2\r\nHost: x?#"),
            ";v=1%202%0D%0AHost%3A%20x%3F%23;p=files/a~b");
}

TEST(PathTemplateTest, AValueLeadsASuffixNowhereElse) {
  EXPECT_EQ(code_of([] { filled(";of={version}", "files/x", Values::percent, "1/../../../other/installer.sh"); }),
            ErrorCode::schema_violation);
  EXPECT_EQ(filled(";of={path}", "files/x", Values::percent), ";of=files/x");
}

TEST(PathTemplateTest, WhatIsNoTemplateIsRefused) {
  for (const auto* text : {"{nothing}", "{file", "file}", "{}", "{{file}}", "a}b{file}"}) {
    EXPECT_EQ(code_of([&] { PathTemplate(text, "'path' of [repository.x]"); }), ErrorCode::config_invalid) << text;
  }
}

TEST(PathTemplateTest, AFileWithoutAnArchitectureIsNamed) {
  for (const auto* path : {"files/x.bin", "files/x", "files/x.deb", "files/x.rpm"}) {
    EXPECT_EQ(code_of([&] { filled("{arch}", path); }), ErrorCode::config_invalid) << path;
  }
}

}  // namespace
}  // namespace liftlock
