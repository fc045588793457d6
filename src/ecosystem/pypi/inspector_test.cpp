#include "ecosystem/pypi/inspector.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "crypto/hash.hpp"
#include "ecosystem/pypi/closure.hpp"
#include "ecosystem/pypi/wheel.hpp"
#include "os/file.hpp"
#include "os/process.hpp"

namespace liftlock {
namespace {

using testing::HasSubstr;

const fs::path& samples() {
  static const TemporaryFolder folder;
  static const bool made = [] {
    run_process_checked(
        {.argv = {"python3", LIFTLOCK_SOURCE_DIR "/src/ecosystem/pypi/testdata/make_wheels.py", folder.path()},
         .input = {},
         .set_environment = {},
         .unset_environment = {},
         .working_folder = {}});
    return true;
  }();
  static_cast<void>(made);
  return folder.path();
}

Inspection inspect(const std::string& sample, std::string kind = "wheel",
                   std::string file = "demo_pkg-1.0-py3-none-any.whl") {
  const auto fd = open_file(samples() / sample, O_RDONLY);
  Artifact artifact{.kind = std::move(kind), .name = "demo-pkg", .version = "1.0"};
  artifact.files.push_back({RelPath::parse("packages/pypi/" + file), 0, sha256("any"), {}, {}});
  const int fds[] = {fd.get()};
  return make_pypi_inspector()->inspect(artifact, fds);
}

ErrorCode only_finding(const Inspection& inspection) {
  EXPECT_EQ(inspection.findings.size(), 1u);
  return inspection.findings.empty() ? ErrorCode::internal : inspection.findings[0].code;
}

TEST(WheelInspector, AcceptsASoundWheelAndTellsItsFacts) {
  const auto inspection = inspect("good.whl");
  EXPECT_TRUE(inspection.findings.empty()) << inspection.findings[0].message;
  EXPECT_EQ(inspection.facts["license"], "MIT");
  EXPECT_EQ(inspection.facts["requires_python"], ">=3.7,<4");
  EXPECT_EQ(inspection.facts["tags"], Json({"py3-none-any"}));
  EXPECT_TRUE(inspect("zip64_good.whl").findings.empty());
}

TEST(WheelInspector, RefusesEachEvilWheel) {
  const std::map<std::string, ErrorCode> expected{
      {"empty", ErrorCode::package_malformed},
      {"truncated", ErrorCode::package_malformed},
      {"no_end", ErrorCode::package_malformed},
      {"prefix", ErrorCode::package_malformed},
      {"trailing", ErrorCode::package_malformed},
      {"traversal", ErrorCode::path_unsafe},
      {"absolute", ErrorCode::path_unsafe},
      {"backslash", ErrorCode::path_unsafe},
      {"other_project", ErrorCode::package_malformed},
      {"other_version", ErrorCode::package_malformed},
      {"other_tags", ErrorCode::package_malformed},
      {"wheel_version", ErrorCode::package_malformed},
      {"no_name", ErrorCode::package_malformed},
      {"record_lies", ErrorCode::digest_mismatch},
      {"record_short", ErrorCode::package_malformed},
      {"record_long", ErrorCode::package_malformed},
      {"record_md5", ErrorCode::package_malformed},
      {"record_twice", ErrorCode::package_malformed},
      {"bomb", ErrorCode::limit_exceeded},
      {"symlink", ErrorCode::not_regular},
      {"duplicate", ErrorCode::path_collision},
      {"two_names", ErrorCode::package_malformed},
      {"encrypted", ErrorCode::package_malformed},
      {"overflow", ErrorCode::limit_exceeded},
      {"zip64_missing", ErrorCode::package_malformed},
      {"overlap", ErrorCode::package_malformed},
      {"zip64_huge_count", ErrorCode::limit_exceeded},
      {"zip64_huge_offset", ErrorCode::package_malformed},
      {"zip64_wrap", ErrorCode::package_malformed},
      {"crc", ErrorCode::package_malformed},
  };
  std::size_t evil = 0;
  for (const auto& entry : fs::directory_iterator(samples())) {
    const auto name = entry.path().stem().string();
    if (entry.path().extension() != ".whl" || name == "good" || name == "zip64_good") continue;
    ++evil;
    SCOPED_TRACE(name);
    ASSERT_TRUE(expected.contains(name));
    const auto inspection = inspect(name + ".whl");
    EXPECT_EQ(info(only_finding(inspection)).slug, info(expected.at(name)).slug) << inspection.findings.at(0).message;
  }
  EXPECT_EQ(evil, expected.size());
}

TEST(WheelInspector, TheFileNameMustBeOfTheArtifact) {
  EXPECT_EQ(only_finding(inspect("good.whl", "wheel", "other-1.0-py3-none-any.whl")), ErrorCode::package_malformed);
  EXPECT_EQ(only_finding(inspect("good.whl", "wheel", "demo_pkg-1.1-py3-none-any.whl")), ErrorCode::package_malformed);
  EXPECT_EQ(only_finding(inspect("good.whl", "wheel", "demo_pkg.whl")), ErrorCode::package_malformed);
}

TEST(WheelInspector, RefusesTwoFilesThatAreOneToAnInstaller) {
  const auto fd = open_file(samples() / "good.whl", O_RDONLY);
  const auto inspect_both = [&](std::string_view second, std::string_view content) {
    Artifact artifact{.kind = "wheel", .name = "demo-pkg", .version = "1.0"};
    artifact.files.push_back({RelPath::parse("packages/pypi/demo_pkg-1.0-py3-none-any.whl"), 0, sha256("a"), {}, {}});
    artifact.files.push_back({RelPath::parse(fmt::format("packages/pypi/{}", second)), 0, sha256(content), {}, {}});
    const int fds[] = {fd.get(), fd.get()};
    return make_pypi_inspector()->inspect(artifact, fds);
  };
  for (const auto* twin : {"Demo.Pkg-1.0-py3-none-any.whl", "demo_pkg-1.0.0-py3-none-any.whl"}) {
    const auto inspection = inspect_both(twin, "b");
    ASSERT_FALSE(inspection.findings.empty()) << twin;
    EXPECT_EQ(inspection.findings[0].code, ErrorCode::path_collision);
    EXPECT_THAT(inspection.findings[0].message,
                testing::AllOf(HasSubstr("'demo_pkg-1.0-py3-none-any.whl'"), HasSubstr(twin)));
  }
  EXPECT_TRUE(inspect_both("Demo.Pkg-1.0-py3-none-any.whl", "a").findings.empty()) << "the same bytes are no harm";
}

TEST(SdistInspector, AcceptsASoundSdistAndRefusesTheRest) {
  EXPECT_TRUE(inspect("good.tar.gz", "sdist", "demo_pkg-1.0.tar.gz").findings.empty());
  const std::map<std::string, ErrorCode> expected{
      {"link", ErrorCode::not_regular},      {"device", ErrorCode::not_regular},
      {"traversal", ErrorCode::path_unsafe}, {"outside", ErrorCode::path_unsafe},
      {"bomb", ErrorCode::limit_exceeded},   {"broken", ErrorCode::package_malformed}};
  for (const auto& [name, code] : expected) {
    EXPECT_EQ(only_finding(inspect(name + ".tar.gz", "sdist", "demo_pkg-1.0.tar.gz")), code) << name;
  }
}

TEST(CoreMetadata, ReadsTheSampleAndFindsALicense) {
  const auto fd = open_file(samples() / "good.whl", O_RDONLY);
  const Wheel wheel(fd.get(), *WheelFilename::parse("demo_pkg-1.0-py3-none-any.whl"));
  EXPECT_EQ(wheel.metadata().requires_dist.size(), 3u);
  EXPECT_EQ(parse_core_metadata("Name: a\nVersion: 1\nLicense: GPL\n  long text\n"
                                "Classifier: License :: OSI Approved :: MIT License\n\n")
                .license_text(),
            "MIT License");
  EXPECT_THROW(parse_core_metadata("Name: a\nName: b\nVersion: 1\n"), Error);
  EXPECT_THROW(parse_core_metadata(" x\n"), Error);
}

ClosureMember member_of(std::string name, std::string version, std::vector<std::string> needs,
                        std::string python = {}) {
  CoreMetadata metadata;
  metadata.name = std::move(name);
  metadata.version = std::move(version);
  metadata.requires_dist = std::move(needs);
  metadata.requires_python = std::move(python);
  return {.metadata = std::move(metadata), .extras = {}};
}

TEST(Closure, FollowsExtrasAndNamesEveryGap) {
  const MarkerEnvironment environment{
      {"python_version", "3.11"}, {"python_full_version", "3.11.7"}, {"sys_platform", "linux"}};
  const auto closed = check_closure({member_of("A", "1", {"b[x]>=2", "w; sys_platform == 'win32'"}),
                                     member_of("b", "2.1", {"c; extra == 'x'"}), member_of("c", "1", {})},
                                    environment);
  EXPECT_TRUE(closed.gaps.empty());
  EXPECT_EQ(closed.edges, (std::vector<ClosureEdge>{{0, 1}, {1, 2}}));
  const auto open =
      check_closure({member_of("a", "1", {"b>=2", "gone", "!!"}, ">=3.12"), member_of("b", "1", {})}, environment);
  ASSERT_EQ(open.gaps.size(), 4u);
  EXPECT_EQ(open.gaps[0].reason, "b 1 does not satisfy >=2");
  EXPECT_EQ(open.gaps[1].reason, "nothing here is called gone");
  EXPECT_EQ(open.gaps[3].reason, "the interpreter is 3.11.7");
}

}  // namespace
}  // namespace liftlock
