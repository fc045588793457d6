#include "ecosystem/xml.hpp"

#include <gmock/gmock.h>

#include <vector>

namespace liftlock {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class Written : public XmlListener {
 public:
  void begin(std::string_view path, const XmlAttributes& attributes) override {
    lines.push_back("<" + std::string(path) + " " + std::string(attributes["a"]));
  }
  void end(std::string_view path, std::string_view text) override {
    lines.push_back(std::string(path) + "=" + std::string(text));
  }
  std::vector<std::string> lines;
};

std::vector<std::string> read(std::string_view text, XmlForm form = {}) {
  Written out;
  read_xml(text, out, "x.xml", form);
  return out.lines;
}

std::string why_not(std::string_view text, XmlForm form = {}) {
  try {
    (void)read(text, form);
    return {};
  } catch (const Error& error) {
    return error.what();
  }
}

TEST(Xml, ElementsAreToldByTheirPath) {
  EXPECT_THAT(read("<n:r xmlns:n='u'><b a='1'> two </b>three</n:r>"),
              ElementsAre("<r ", "<r/b 1", "r/b=two", "r=three"));
  Written out;
  XmlReader reader(out, "x.xml");
  for (const char c : std::string_view("<r><b>t&amp;wo</b></r>")) reader.feed({&c, 1});
  reader.finish();
  EXPECT_THAT(out.lines, ElementsAre("<r ", "<r/b ", "r/b=t&wo", "r="));
}

TEST(Xml, TextsThatAreTooLongAreEmpty) {
  EXPECT_THAT(read("<r>" + std::string(4096, 'a') + "</r>").back().size(), 4098u);
  EXPECT_THAT(read("<r>" + std::string(4097, 'a') + "</r>").back(), "r=");
}

TEST(Xml, WhatUnfoldsOrNamesFilesIsRefused) {
  const std::string laughs =
      "<!DOCTYPE r [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;\">"
      "<!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;\">]><r>&c;</r>";
  EXPECT_THAT(why_not(laughs), HasSubstr("document type declaration"));
  for (const auto unknown : {XmlForm::Unknown::refuse, XmlForm::Unknown::pass_over}) {
    const XmlForm form{.entities = unknown, .encodings = unknown};
    EXPECT_THAT(why_not(laughs, form), HasSubstr("document type declaration"));
    EXPECT_THAT(why_not("<!DOCTYPE r [<!ENTITY f SYSTEM \"file:///etc/passwd\">]><r>&f;</r>", form),
                HasSubstr("document type declaration"));
    EXPECT_THAT(why_not("<!DOCTYPE r SYSTEM \"http://example.test/r.dtd\"><r/>", form),
                HasSubstr("document type declaration"));
    EXPECT_THAT(why_not("<!DOCTYPE r [<!ENTITY % p SYSTEM \"file:///etc/passwd\">%p;]><r/>", form),
                HasSubstr("document type declaration"));
  }
}

TEST(Xml, NothingUnknownIsPassedOverUnlessItIsWanted) {
  EXPECT_THAT(why_not("<r>Laugst&oslash;l</r>"), HasSubstr("undefined entity"));
  EXPECT_THAT(why_not("<?xml version='1.0' encoding='x-own'?><r>\xf8</r>"), HasSubstr("encoding"));
  const XmlForm form{.entities = XmlForm::Unknown::pass_over, .encodings = XmlForm::Unknown::pass_over};
  EXPECT_EQ(read("<r>Laugst&oslash;l</r>", form).back(), "r=Laugstl");
  EXPECT_EQ(read("<?xml version='1.0' encoding='x-own'?><r>l\xf8l</r>", form).back(), "r=l\xef\xbf\xbdl");
}

TEST(Xml, WhatIsNoXmlIsRefusedWithTheWantedCode) {
  for (const auto* text : {"", "<r>", "<r></s>", "<r/><r/>", "<r>\x01</r>", "no", "<r a='1' a='2'/>"}) {
    EXPECT_THAT(why_not(text), HasSubstr("x.xml is no sound XML")) << text;
    try {
      (void)read(text, {.malformed = ErrorCode::package_malformed});
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::package_malformed);
    }
  }
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "<a>";
  EXPECT_THAT(why_not(deep), HasSubstr("nested too deeply"));
  EXPECT_THAT(why_not("<r" + std::string(20u << 20, ' ')), HasSubstr("a tag or a comment"));
  EXPECT_THAT(why_not("<r><!--" + std::string(20u << 20, ' ')), HasSubstr("a tag or a comment"));
  EXPECT_THAT(why_not("<" + std::string(2000, 'r') + "/>"), HasSubstr("a name of more than"));
  EXPECT_EQ(why_not("<r>" + std::string(20u << 20, ' ') + "</r>"), "") << "text is no token";
}

}  // namespace
}  // namespace liftlock
