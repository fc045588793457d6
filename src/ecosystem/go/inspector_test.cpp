#include "ecosystem/go/inspector.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <nlohmann/json.hpp>

#include "crypto/hash.hpp"
#include "ecosystem/go/module_zip.hpp"
#include "ecosystem/go/sample_modules_test.hpp"
#include "os/file.hpp"

namespace liftlock::go {
namespace {

using testing::HasSubstr;

const std::string k_path = "Example.test/Demo", k_version = "v1.0.0";
const std::string k_mod = sample::go_mod(k_path);

struct Given {
  std::string mod = k_mod;
  std::string zip = sample::zip(k_path, k_version, k_mod);
  std::string info = info_of(k_version);
  std::string file = "packages/go/!example.test/!demo/@v/v1.0.0";
  Json facts = Json::object();
};

Inspection inspect(const Given& given) {
  Artifact artifact{.kind = "go-module", .name = k_path, .version = k_version};
  artifact.facts = given.facts;
  std::vector<UniqueFd> open;
  std::vector<int> files;
  for (const auto& [end, bytes] :
       {std::pair(".info", given.info), std::pair(".mod", given.mod), std::pair(".zip", given.zip)}) {
    if (bytes.empty()) continue;
    open.emplace_back(::memfd_create("module", MFD_CLOEXEC));
    write_all(open.back().get(), bytes, "memfd");
    files.push_back(open.back().get());
    artifact.files.push_back({RelPath::parse(given.file + end), bytes.size(), sha256(bytes), {}, {}});
  }
  return ModuleInspector().inspect(artifact, files);
}

void expect_refused(const Given& given, ErrorCode code, std::string_view word) {
  const auto inspection = inspect(given);
  ASSERT_EQ(inspection.findings.size(), 1u) << word;
  EXPECT_EQ(inspection.findings[0].code, code) << inspection.findings[0].message;
  EXPECT_THAT(inspection.findings[0].message, HasSubstr(std::string(word)));
}

Given with(std::vector<TestMember> more) {
  return {.zip = sample::zip(k_path, k_version, k_mod, std::move(more))};
}

TEST(ModuleInspector, AcceptsASoundModule) {
  const auto inspection = inspect({});
  ASSERT_TRUE(inspection.findings.empty()) << inspection.findings[0].message;
  EXPECT_EQ(inspection.facts["module"], k_path);
  EXPECT_EQ(inspection.facts["files"], 2);
  EXPECT_TRUE(inspect({.zip = "", .info = ""}).findings.empty()) << "a go.mod alone is enough for some";
  EXPECT_TRUE(inspect({.zip = sample::zip(k_path, k_version, "")}).findings.empty()) << "modules from before go.mod";
}

TEST(ModuleInspector, ComparesWithTheHashesOfGoSum) {
  const UniqueFd fd(::memfd_create("module", MFD_CLOEXEC));
  write_all(fd.get(), Given().zip, "memfd");
  const auto zip = check_module_zip(fd.get(), k_path, k_version);
  EXPECT_TRUE(inspect({.facts = {{"h1", zip.h1}, {"h1_mod", h1_of_go_mod(k_mod)}}}).findings.empty());
  const auto wrong = h1_of_go_mod("another");
  expect_refused({.facts = {{"h1", wrong}}}, ErrorCode::package_malformed, "the h1 of the artifact");
  expect_refused({.facts = {{"h1_mod", wrong}}}, ErrorCode::package_malformed, "the h1_mod of the artifact");
}

TEST(ModuleInspector, RefusesAnotherModuleUnderTheName) {
  expect_refused({.zip = sample::zip("Example.test/Other", k_version, k_mod)}, ErrorCode::path_unsafe,
                 "does not begin with");
  expect_refused({.zip = sample::zip(k_path, "v1.0.1", k_mod)}, ErrorCode::path_unsafe, "does not begin with");
  expect_refused({.mod = "module x.test/y\n"}, ErrorCode::package_malformed, "not the go.mod in the zip");
  expect_refused({.mod = ""}, ErrorCode::package_malformed, "no .mod");
  expect_refused({.info = R"({"Version":"v1.0.0","Origin":{}})"}, ErrorCode::package_malformed, "something else");
  expect_refused({.file = "packages/go/example.test/demo/@v/v1.0.0"}, ErrorCode::package_malformed,
                 "no file of the module");
}

TEST(ModuleInspector, RefusesWhatGoWouldNotUnpack) {
  expect_refused(with({{"../x", "x"}}), ErrorCode::path_unsafe, "leaves its folder");
  expect_refused(with({{"!other/x", "x"}}), ErrorCode::path_unsafe, "does not begin with");
  expect_refused(with({{"ONE.go", "x"}}), ErrorCode::path_collision, "differs from another only in case");
  expect_refused(with({{"one.go", "x"}}), ErrorCode::path_collision, "twice");
  expect_refused(with({{"sub/go.mod", "module x\n"}}), ErrorCode::package_malformed, "not the one at the top");
  expect_refused({.zip = sample::zip(k_path, k_version, "", {{"GO.MOD", "x"}})}, ErrorCode::package_malformed,
                 "is a go.mod");
  expect_refused(with({{"link", "/etc/passwd", S_IFLNK}}), ErrorCode::not_regular, "link");
}

TEST(ModuleInspector, RefusesBytesThatAreNoModule) {
  expect_refused({.zip = "no zip"}, ErrorCode::package_malformed, "zip");
  expect_refused({.mod = "go 1.19\n"}, ErrorCode::package_malformed, "names no module");
  const auto zip = Given().zip;
  for (std::size_t length = 1; length < zip.size(); length += 13) {
    EXPECT_FALSE(inspect({.zip = zip.substr(0, length)}).findings.empty()) << length;
  }
  auto rotten =
      test_archive("zip", "none", {{k_path + "@" + k_version + "/one.go", "package one"}}, "zip:compression=store");
  ASSERT_TRUE(inspect({.zip = rotten}).findings.empty());
  rotten.at(rotten.find("package one")) ^= 1;
  EXPECT_FALSE(inspect({.zip = rotten}).findings.empty());
}

}  // namespace
}  // namespace liftlock::go
