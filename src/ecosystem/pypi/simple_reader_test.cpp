#include "ecosystem/pypi/simple_reader.hpp"

#include <gtest/gtest.h>

#include "base/code_of.hpp"
#include "base/error.hpp"
#include "ecosystem/pypi/simple_page.hpp"
#include "os/gigabyte_fixture.hpp"

namespace liftlock {
namespace {

const std::string k_hex(64, 'a');

TEST(SimpleReader, ReadsBothFormsThatOurOwnMirrorWrites) {
  const std::vector<SimpleFile> files = {{.filename = "a-1+x.tar.gz",
                                          .version = "1+x",
                                          .size = 3,
                                          .digest = Digest::parse_sha256_hex(k_hex),
                                          .requires_python = ">=3.8,<4",
                                          .metadata_digest = {}}};
  for (const auto form : {SimpleForm::json, SimpleForm::html}) {
    const auto links = read_simple_page(simple_project_page("a", files, form), content_type(form));
    ASSERT_EQ(links.size(), 1u);
    EXPECT_EQ(links.at("a-1+x.tar.gz").sha256, Digest::parse_sha256_hex(k_hex));
  }
}

TEST(SimpleReader, ReadsWhatOtherIndexesWrite) {
  const auto links = read_simple_page(
      "<html><!-- <a href=\"no\">no</a> --><a rel='x' HREF = '../../+f/a-1.whl#md5=1' data-x=\"a>b\"> a-1.whl </a>"
      "<abbr href=\"x\">not.whl</abbr><a href=b-1.whl>b-1.whl</a><a>none</a><a href=\"c&amp;d\">c&amp;d</a>",
      "text/html");
  ASSERT_EQ(links.size(), 3u);
  EXPECT_EQ(links.at("a-1.whl").href, "../../+f/a-1.whl#md5=1");
  EXPECT_EQ(links.at("a-1.whl").sha256, std::nullopt);
  EXPECT_EQ(links.at("b-1.whl").href, "b-1.whl");
  EXPECT_EQ(links.at("c&d").href, "c&d");
}

TEST(SimpleReader, AGigabyteIsRefusedUnread) {
  const HugeText page(k_gigabyte);
  const PeakMemory memory;
  for (const auto* type : {"text/html", "application/vnd.pypi.simple.v1+json"})
    EXPECT_EQ(code_of([&] { read_simple_page(page, type); }), ErrorCode::limit_exceeded) << type;
  EXPECT_LT(memory.grown(), 1u << 20);
}

TEST(SimpleReader, WhatIsBrokenNamesNothing) {
  for (const auto* page : {"", "<", "<a", "<a href", "<a href=", "<a href=\"x", "<a href=\"x\">", "<!--",
                           "<a href=x>a/b</a>", "<a href=x>..\\b</a>"}) {
    EXPECT_TRUE(read_simple_page(page, "text/html").empty()) << page;
  }
  EXPECT_EQ(code_of([] { read_simple_page("{", "application/json"); }), ErrorCode::json_invalid);
  EXPECT_EQ(code_of([] { read_simple_page("{\"files\":[1]}", "application/json"); }), ErrorCode::schema_violation);
  EXPECT_EQ(code_of([] { read_simple_page(std::string((64u << 20) + 1, 'x'), "text/html"); }),
            ErrorCode::limit_exceeded);
}

}  // namespace
}  // namespace liftlock
