#include "ecosystem/pypi/version.hpp"

#include <gtest/gtest.h>

#include "base/text.hpp"
#include "ecosystem/pypi/project_name.hpp"
#include "ecosystem/pypi/requirement.hpp"
#include "ecosystem/pypi/wheel_filename.hpp"
#include "os/process.hpp"

namespace liftlock {
namespace {

const MarkerEnvironment k_environment{{"python_version", "3.11"},
                                      {"python_full_version", "3.11.7"},
                                      {"os_name", "posix"},
                                      {"sys_platform", "linux"},
                                      {"platform_machine", "x86_64"},
                                      {"platform_system", "Linux"},
                                      {"implementation_name", "cpython"},
                                      {"implementation_version", "3.11.7"},
                                      {"platform_python_implementation", "CPython"}};

int sign(std::strong_ordering order) {
  return order < 0 ? -1 : (order > 0 ? 1 : 0);
}

/// One line of packaging_oracle.py against our own answer.
void compare(const std::vector<std::string_view>& fields) {
  const std::string a(fields.at(1)), b(fields.at(2));
  if (fields[0] == "version") {
    const auto version = PyVersion::parse(a);
    EXPECT_EQ(version ? version->text() : "invalid", b) << a;
  } else if (fields[0] == "order") {
    EXPECT_EQ(std::to_string(sign(*PyVersion::parse(a) <=> *PyVersion::parse(b))), fields.at(3)) << a << " <=> " << b;
  } else if (fields[0] == "allows") {
    const auto specifier = PySpecifier::parse(a);
    ASSERT_TRUE(specifier) << a;
    EXPECT_EQ(specifier->allows(*PyVersion::parse(b)) ? 1u : 0u, parse_uint(fields.at(3))) << a << " allows " << b;
  } else if (fields[0] == "marker") {
    const auto requirement = Requirement::parse("x; " + a);
    ASSERT_TRUE(requirement) << a;
    std::set<std::string> extras;
    if (!b.empty()) extras.insert(b);
    EXPECT_EQ(requirement->applies(k_environment, extras) ? 1u : 0u, parse_uint(fields.at(3)))
        << a << " with extra '" << b << "'";
  } else {
    const auto requirement = Requirement::parse(a);
    EXPECT_EQ(requirement ? requirement->name : "invalid", b == "invalid" ? b : normalize_project_name(b)) << a;
  }
}

TEST(PyVersion, AgreesWithThePackagingLibraryOfPip) {
  const auto oracle =
      run_process_checked({.argv = {"python3", LIFTLOCK_SOURCE_DIR "/src/ecosystem/pypi/testdata/packaging_oracle.py"},
                           .input = {},
                           .set_environment = {},
                           .unset_environment = {},
                           .working_folder = {}});
  std::size_t lines = 0;
  for (const auto line : split(oracle.output, '\n')) {
    if (line.empty()) continue;
    ++lines;
    compare(split(line, '\t'));
  }
  EXPECT_GT(lines, 5000u);
}

TEST(Requirement, ExtrasAreComparedInNormalForm) {
  EXPECT_TRUE(Requirement::parse("x; extra == 'A_b'")->applies({}, {"a-b"}));
  EXPECT_FALSE(Requirement::parse("x; extra == 'A_b'")->applies({}, {}));
  EXPECT_FALSE(Requirement::parse("x >= "));
  EXPECT_FALSE(Requirement::parse("x; " + std::string(100, '(') + "extra == 'a'" + std::string(100, ')')));
}

TEST(PyVersion, RefusesNumbersThatDoNotFit) {
  EXPECT_FALSE(PyVersion::parse("99999999999999999999"));
  EXPECT_FALSE(PyVersion::parse("1." + std::string(200, '9')));
  EXPECT_FALSE(PyVersion::parse("9223372036854775808"));
}

TEST(ProjectName, IsNormalizedAsPep503Says) {
  EXPECT_EQ(normalize_project_name("Foo._-Bar.baz"), "foo-bar-baz");
  EXPECT_TRUE(is_project_name("a"));
  for (const auto* bad : {"", "-a", "a-", "a b", "a/b", "ä"}) EXPECT_FALSE(is_project_name(bad)) << bad;
}

TEST(WheelFilename, IsTakenApart) {
  const auto name = WheelFilename::parse("Foo_Bar-1.0+cu118-2abc-py2.py3-none-manylinux1_x86_64.any.whl");
  ASSERT_TRUE(name);
  EXPECT_EQ(name->name, "Foo_Bar");
  EXPECT_EQ(name->version, "1.0+cu118");
  EXPECT_EQ(name->build, "2abc");
  EXPECT_EQ(name->tags(), (std::set<std::string>{"py2-none-any", "py2-none-manylinux1_x86_64", "py3-none-any",
                                                 "py3-none-manylinux1_x86_64"}));
}

TEST(WheelFilename, RefusesWhatIsNone) {
  for (const auto* bad :
       {"", ".whl", "a-1-py3-none-any.zip", "a-1-py3-none.whl", "a-x-py3-none-any.whl", "a-1-b-py3-none-any.whl",
        "../a-1-py3-none-any.whl", "a-1-py3..py2-none-any.whl", "a-1-py3-none-any-x-y.whl", "a-1-py3-no/ne-any.whl"}) {
    EXPECT_FALSE(WheelFilename::parse(bad)) << bad;
  }
  EXPECT_TRUE(SdistFilename::parse("zope.interface-5.0.tar.gz"));
  EXPECT_FALSE(SdistFilename::parse("zope.interface.tar.gz"));
}

}  // namespace
}  // namespace liftlock
