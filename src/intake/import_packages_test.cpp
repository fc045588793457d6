// Wheels, RPMs and .debs, alone and as folders.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/code_of.hpp"
#include "intake/import_fixture.hpp"

namespace liftlock {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

TEST_F(Imports, TwoFilesThatAreOneWheelAreRefusedByBothNames) {
  run({"python3", LIFTLOCK_SOURCE_DIR "/tests/tools/make_wheel.py", "w", "foo_bar", "1.0"});
  const auto wheel = read_file(drop() / "w/foo_bar-1.0-py3-none-any.whl", 1u << 20);
  write("w/sub/Foo.Bar-1.0-py3-none-any.whl", wheel);
  const auto merged = imported("w");
  EXPECT_THAT(merged.artifacts, ElementsAre("wheel:foo-bar@1.0"));
  EXPECT_EQ(artifact("wheel:foo-bar@1.0").files.size(), 1u);
  EXPECT_THAT(merged.notes, Contains(AllOf(HasSubstr("Foo.Bar-1.0-py3-none-any.whl"),
                                           HasSubstr("foo_bar-1.0-py3-none-any.whl"), HasSubstr("left out"))));
  const auto expect_refused = [&](const std::string& name) {
    try {
      (void)imported("w");
      ADD_FAILURE() << name << " came in";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::path_collision);
      EXPECT_THAT(std::string(error.what()), AllOf(HasSubstr(name), HasSubstr("foo_bar-1.0-py3-none-any.whl")));
    }
    fs::remove(drop() / "w" / name);
  };
  auto other = wheel;
  other.back() = 'X';  // as long as the first
  write("w/sub/Foo.Bar-1.0-py3-none-any.whl", other);
  expect_refused("sub/Foo.Bar-1.0-py3-none-any.whl");
  write("w/FOO_BAR-1.0.0-py3-none-any.whl", wheel + "longer");
  EXPECT_EQ(code_of([&] { (void)planned("w"); }), ErrorCode::path_collision) << "a plan says it, too";
  expect_refused("FOO_BAR-1.0.0-py3-none-any.whl");
  write("s/foo-bar-1.0.tar.gz", "one");
  write("s/Foo_Bar-1.0.tar.gz", "other");
  EXPECT_EQ(refused("s"), ErrorCode::path_collision);
}

TEST_F(Imports, WheelhousesComeInBothShapes) {
  run({"python3", LIFTLOCK_SOURCE_DIR "/tests/tools/make_wheel.py", "wheelhouse", "alpha", "1.0"});
  run({"python3", LIFTLOCK_SOURCE_DIR "/tests/tools/make_wheel.py", "wheelhouse", "beta", "2.0", "alpha>=1"});
  run({"tar", "-czf", "flat.tar.gz", "-C", "wheelhouse", "."});
  run({"tar", "-czf", "nested.tar.gz", "wheelhouse"});
  for (const auto* name : {"wheelhouse", "flat.tar.gz", "nested.tar.gz"}) {
    const auto plan = planned(name);
    EXPECT_EQ(plan.shape, "wheelhouse") << name;
    EXPECT_EQ(plan.files, 2u) << name;
  }
  EXPECT_THAT(imported("nested.tar.gz").artifacts, ElementsAre("wheel:alpha@1.0", "wheel:beta@2.0"));
  EXPECT_EQ(artifact("beta").files[0].path.text(), "packages/pypi/beta-2.0-py3-none-any.whl");
  EXPECT_EQ(imported("wheelhouse").status, ImportResult::Status::already_present);
}

TEST_F(Imports, RpmsSayThemselvesWhatTheyAre) {
  make_folders(drop() / "rpms");
  fs::copy_file(LIFTLOCK_SOURCE_DIR "/fuzz/rpm_fuzz/good", drop() / "rpms/lift.rpm");
  const auto result = imported("rpms");
  EXPECT_THAT(result.artifacts, ElementsAre("rpm:lift@2.0-1"));
  EXPECT_THAT(result.notes, Contains(HasSubstr("signatures in these packages are not checked here")));
  EXPECT_EQ(artifact("lift").license, "MIT");
  EXPECT_EQ(artifact("lift").facts.at("source_rpm"), "lift-2.0-1.src.rpm");
  EXPECT_EQ(artifact("lift").files[0].path.text(), "packages/rpm/lift.rpm");
  write("rpms/broken.rpm", "no package");
  EXPECT_EQ(refused("rpms"), ErrorCode::package_malformed);
}

TEST_F(Imports, DebsSayThemselvesWhatTheyAre) {
  write("d/p/DEBIAN/control",
        "Package: tool\nVersion: 1.2-1\nArchitecture: all\nMaintainer: x <x@example.org>\n"
        "Depends: libc6 (>= 2.34) | libc6.1, other:any\nDescription: a tool\n");
  run({"dpkg-deb", "--root-owner-group", "-b", "d/p", "tool_1.2-1_all.deb"});
  make_folders(drop() / "debs");
  fs::rename(drop() / "tool_1.2-1_all.deb", drop() / "debs/tool_1.2-1_all.deb");
  const auto result = imported("debs");
  EXPECT_THAT(result.artifacts, ElementsAre("deb:tool@1.2-1"));
  EXPECT_THAT(result.notes, Contains(HasSubstr("2 others that are not among them, and must be on the machine already: "
                                               "libc6 | libc6.1, other")));
  EXPECT_THAT(artifact("tool").facts["stanza"].get<std::string>(), HasSubstr("Package: tool\n"));
  write("debs/broken_1_all.deb", "no package");
  EXPECT_EQ(refused("debs"), ErrorCode::package_malformed);
}

}  // namespace
}  // namespace liftlock
