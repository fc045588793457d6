#include "engine/engine_builder.hpp"

#include <gmock/gmock.h>

#include "base/error.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/apt/test_debs.hpp"
#include "engine/package_reader.hpp"
#include "engine/release_archive.hpp"
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
  auto inputs = good_inputs();
  const auto one = build(inputs);
  std::swap(inputs[0], inputs[1]);
  EXPECT_EQ(one, build(inputs));
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

std::string make_zip(const std::vector<TarItem>& items) {
  const UniqueFd fd(::memfd_create("zip", MFD_CLOEXEC));
  archive* out = archive_write_new();
  archive_write_set_format_zip(out);
  archive_write_open_fd(out, fd.get());
  for (const auto& item : items) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, item.path.c_str());
    archive_entry_set_filetype(entry, item.type);
    archive_entry_set_perm(entry, item.mode);
    archive_entry_set_size(entry, static_cast<la_int64_t>(item.content.size()));
    archive_write_header(out, entry);
    archive_write_data(out, item.content.data(), item.content.size());
    archive_entry_free(entry);
  }
  archive_write_close(out);
  archive_write_free(out);
  return read_all(fd.get(), 1u << 20, "zip");
}

BuildInput release(const std::string& bytes) {
  return {{.name = "llama-b1-bin-ubuntu-x64.tar.gz",
           .version = "b1",
           .architecture = "amd64",
           .digest = sha256(bytes),
           .size = bytes.size()},
          as_file(bytes),
          InputForm::archive};
}

EngineManifest build_release(const std::string& archive, const fs::path& root) {
  std::vector<BuildInput> inputs;
  inputs.push_back(release(archive));
  inputs.push_back(
      input("libc6", {{"./usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", "ld", AE_IFREG, 0755},
                      {"./usr/bin/ldd", "x", AE_IFREG, 0755},
                      link("./usr/lib64/ld-linux-x86-64.so.2", "../lib/x86_64-linux-gnu/ld-linux-x86-64.so.2")}));
  auto wanted = plan();
  wanted.main_package.clear();
  const TemporaryFolder scratch;
  const auto out = as_file("");
  const auto manifest = build_engine(wanted, inputs, out.get(), scratch.path().string());
  unpack_engine(out.get(), root);
  return manifest;
}

TEST(EngineBuilder, TakesAnArchiveAsLlamaCppPublishesIt) {
  const TemporaryFolder place;
  const auto tar = make_tar({{"./llama-b1/", "", AE_IFDIR, 0755},
                             {"./llama-b1/LICENSE", "MIT"},
                             link("./llama-b1/libllama.so", "libllama.so.0"),
                             {"./llama-b1/libllama.so.0", "so"},
                             {"./llama-b1/llama-cli", "elf", AE_IFREG, 0755},
                             {"./llama-b1/llama-server", "elf", AE_IFREG, 0755}},
                            archive_write_add_filter_gzip);
  const auto manifest = build_release(tar, place.path() / "e");
  EXPECT_THAT(manifest.executables, ElementsAre(testing::Pair("llama-server", "usr/libexec/tiny/llama-server")));
  EXPECT_THAT(manifest.library_path, ElementsAre("usr/libexec/tiny"));
  EXPECT_EQ(manifest.inputs[1].name, "llama-b1-bin-ubuntu-x64.tar.gz");
  EXPECT_EQ(read_file(place.path() / "e/usr/libexec/tiny/LICENSE", 10), "MIT");
  EXPECT_EQ(read_file(place.path() / "e/usr/libexec/tiny/libllama.so", 10), "so");
}

TEST(EngineBuilder, OfAZipTheFolderOfTheProgramsCountsAndAServerIsAProgram) {
  const TemporaryFolder place;
  const auto zip = make_zip(
      {{"README", "x"}, {"build/bin/llama-server", "elf", AE_IFREG, 0644}, {"build/bin/libs/libggml.so", "so"}});
  const auto manifest = build_release(zip, place.path() / "e");
  EXPECT_THAT(manifest.executables, ElementsAre(testing::Pair("llama-server", "usr/libexec/tiny/llama-server")));
  EXPECT_THAT(manifest.library_path, ElementsAre("usr/libexec/tiny/libs"));
  EXPECT_FALSE(fs::exists(place.path() / "e/usr/libexec/tiny/README"));
}

TEST(EngineBuilder, RefusesArchivesThatMisbehave) {
  const TarItem server{"llama-b1/llama-server", "elf", AE_IFREG, 0755};
  const auto why = [](const std::string& bytes) {
    const TemporaryFolder place;
    try {
      (void)build_release(bytes, place.path() / "e");
    } catch (const Error& error) {
      return error.code();
    }
    return ErrorCode::internal;
  };
  EXPECT_EQ(why(make_tar({server, {"llama-b1/../../x", "x"}})), ErrorCode::path_unsafe);
  EXPECT_EQ(why(make_tar({server, {"/etc/passwd", "x"}})), ErrorCode::path_unsafe);
  EXPECT_EQ(why(make_tar({server, link("llama-b1/libc.so.6", "../libc.so.6")})), ErrorCode::path_unsafe);
  EXPECT_EQ(why(make_tar({server, link("llama-b1/libc.so.6", "/lib/libc.so.6")})), ErrorCode::path_unsafe);
  EXPECT_EQ(why(make_tar({server, {"llama-b1/null", "", AE_IFCHR}})), ErrorCode::package_malformed);
  EXPECT_EQ(why(make_tar({{"llama-b1/llama-cli", "elf", AE_IFREG, 0755}})), ErrorCode::engine_malformed);
  EXPECT_EQ(why("no archive"), ErrorCode::engine_malformed);
}

TEST(ReleaseArchive, EndsAtItsBounds) {
  const auto read = [](const std::string& bytes, ReleaseLimits limits) {
    const auto fd = as_file(bytes);
    try {
      ReleaseArchive archive(fd.get(), "x", limits);
      apt::DebEntry entry;
      std::vector<std::uint8_t> buffer(4096);
      while (archive.next(entry)) {
        while (archive.read(buffer) != 0) {
        }
      }
    } catch (const Error& error) {
      return error.code();
    }
    return ErrorCode::internal;
  };
  const auto bomb = make_tar({{"a", std::string(1u << 20, '\0')}, {"b", "x"}}, archive_write_add_filter_gzip);
  EXPECT_EQ(read(bomb, {}), ErrorCode::internal);
  EXPECT_EQ(read(bomb, {.max_entries = 1}), ErrorCode::limit_exceeded);
  EXPECT_EQ(read(bomb, {.max_unpacked = 1u << 19}), ErrorCode::limit_exceeded);
  EXPECT_EQ(read(bomb, {.free_unpacked = 1u << 19, .max_ratio = 10}), ErrorCode::limit_exceeded);
  EXPECT_EQ(read(bomb.substr(0, bomb.size() / 2), {}), ErrorCode::engine_malformed);
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
