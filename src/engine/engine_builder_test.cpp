#include "engine/engine_builder.hpp"

#include <gmock/gmock.h>

#include "base/error.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/apt/test_debs.hpp"
#include "engine/package_reader.hpp"
#include "engine/unpack.hpp"

namespace liftlock::engine {
namespace {

using namespace apt::testing_support;
using testing::ElementsAre;

BuildInput input(const std::string& name, const std::vector<TarItem>& data) {
  const auto bytes = make_deb(control_text(name, "1", "amd64"), data);
  return {{.name = name, .version = "1", .architecture = "amd64", .digest = sha256(bytes), .size = bytes.size()},
          as_file(bytes)};
}

TarItem link(std::string path, std::string target) {
  return {std::move(path), "", AE_IFLNK, 0777, std::move(target)};
}

BuildPlan plan() {
  BuildPlan out;
  out.name = "tiny";
  out.version = "1";
  out.variant = "cpu";
  out.architecture = "amd64";
  out.main_package = "tiny-tools";
  return out;
}

std::vector<BuildInput> good_inputs() {
  std::vector<BuildInput> out;
  out.push_back(input("tiny-tools", {{"./usr/bin/tiny", "elf", AE_IFREG, 04755},
                                     {"./usr/bin/tiny2", "", AE_IFREG, 0755, "./usr/bin/tiny", true},
                                     {"./usr/share/man/man1/tiny.1", "x"},
                                     {"./usr/share/doc/tiny-tools/copyright", "licence"},
                                     {"./usr/share/doc/tiny-tools/changelog.gz", "x"},
                                     {"./usr/lib/x86_64-linux-gnu/tiny/libtiny.so.1", "so"},
                                     link("./usr/lib/x86_64-linux-gnu/tiny/libtiny.so", "libtiny.so.1")}));
  out.push_back(input("libc6", {{"./lib64/", "", AE_IFDIR, 0755},
                                {"./lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", "ld", AE_IFREG, 0755},
                                link("./lib64/ld-linux-x86-64.so.2", "/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"),
                                link("./usr/lib/x86_64-linux-gnu/libabs.so", "/lib/x86_64-linux-gnu/libabs.so.1"),
                                {"./var/lib/x", "x"},
                                {"./usr/share/doc/tiny-tools/copyright", "licence"}}));
  return out;
}

std::string build(const std::vector<BuildInput>& inputs, EngineManifest* manifest = nullptr) {
  const TemporaryFolder scratch;
  const auto out = as_file("");
  const auto made = build_engine(plan(), inputs, out.get(), scratch.path().string());
  if (manifest != nullptr) *manifest = made;
  EXPECT_TRUE(fs::is_empty(scratch.path()));
  return read_all(out.get(), 1u << 24, "engine");
}

TEST(EngineBuilder, MakesAPackageThatUnpacks) {
  EngineManifest manifest;
  const auto fd = as_file(build(good_inputs(), &manifest));
  EXPECT_THAT(manifest.executables,
              ElementsAre(testing::Pair("tiny", "usr/bin/tiny"), testing::Pair("tiny2", "usr/bin/tiny2")));
  EXPECT_THAT(manifest.library_path, ElementsAre("usr/lib/x86_64-linux-gnu/tiny"));
  EXPECT_EQ(manifest.loader, "lib64/ld-linux-x86-64.so.2");
  EXPECT_EQ(manifest.inputs[0].name, "libc6");
  const TemporaryFolder place;
  const auto root = place.path() / "e";
  unpack_engine(fd.get(), root);
  EXPECT_EQ(read_file(root / "usr/bin/tiny2", 10), "elf");
  EXPECT_EQ(fs::status(root / "usr/bin/tiny").permissions(), static_cast<fs::perms>(0555));
  EXPECT_EQ(read_file(root / "lib64/ld-linux-x86-64.so.2", 10), "ld");
  EXPECT_EQ(fs::read_symlink(root / "usr/lib/x86_64-linux-gnu/libabs.so"), "libabs.so.1");
  EXPECT_EQ(fs::read_symlink(root / "lib"), "usr/lib");
  EXPECT_TRUE(fs::exists(root / "usr/share/doc/tiny-tools/copyright"));
  EXPECT_FALSE(fs::exists(root / "usr/share/doc/tiny-tools/changelog.gz"));
  EXPECT_FALSE(fs::exists(root / "usr/share/man"));
  EXPECT_FALSE(fs::exists(root / "var"));
}

TEST(EngineBuilder, TheSamePackagesGiveTheSameBytesInAnyOrder) {
  auto turned = good_inputs();
  std::swap(turned[0], turned[1]);
  EXPECT_EQ(build(good_inputs()), build(turned));
}

void expect_refused(const std::vector<TarItem>& data, ErrorCode code) {
  auto inputs = good_inputs();
  inputs.push_back(input("evil", data));
  try {
    (void)build(inputs);
    ADD_FAILURE() << "accepted " << data[0].path;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
  }
}

TEST(EngineBuilder, RefusesPackagesThatMisbehave) {
  expect_refused({{"./usr/bin/tiny", "other", AE_IFREG, 0755}}, ErrorCode::engine_malformed);
  expect_refused({{"./usr/lib/../../x", "x"}}, ErrorCode::path_unsafe);
  expect_refused({link("./usr/x", "../../../etc")}, ErrorCode::path_unsafe);
  expect_refused({{"./usr/zero", "", AE_IFCHR}}, ErrorCode::package_malformed);
  expect_refused({{"./usr/lib", "a file"}}, ErrorCode::engine_malformed);
  expect_refused({{"./usr/h", "", AE_IFREG, 0644, "./usr/absent", true}}, ErrorCode::package_malformed);
}

TEST(EngineBuilder, LinksKeepTheirMeaningWhenFoldersMerge) {
  EXPECT_EQ(engine_link("lib/x86_64-linux-gnu/a.so", "a.so.1"), "a.so.1");
  EXPECT_EQ(engine_link("lib/x/a.so", "/usr/lib/x/b.so"), "b.so");
  EXPECT_EQ(engine_link("lib/x/a.so", "../../usr/lib/y/b.so"), "../y/b.so");
  EXPECT_EQ(engine_link("usr/lib/ssl/openssl.cnf", "/etc/ssl/openssl.cnf"), "../../../etc/ssl/openssl.cnf");
  EXPECT_EQ(engine_link("usr/x", "../../.."), std::nullopt);
  EXPECT_EQ(engine_path("lib"), std::nullopt);
  EXPECT_EQ(engine_path("lib/x"), "usr/lib/x");
}

}  // namespace
}  // namespace liftlock::engine
