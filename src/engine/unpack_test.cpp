#include "engine/unpack.hpp"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "engine/engine_inspector.hpp"
#include "engine/package_fixture.hpp"

namespace liftlock::engine {
namespace {

using namespace testing_support;
using testing::HasSubstr;

EngineManifest manifest_of(const std::vector<Item>& items) {
  EngineManifest manifest;
  manifest.name = "tiny";
  manifest.version = "1-1";
  manifest.variant = "cpu";
  manifest.architecture = "amd64";
  manifest.executables = {{"run", "usr/bin/run"}};
  manifest.loader = "lib64/ld.so";
  manifest.files = items.size();
  for (const auto& item : items) manifest.unpacked_size += item.member.size;
  return manifest;
}

UniqueFd package(const std::vector<Item>& items) {
  return package(items, manifest_of(items));
}

const std::vector<Item> k_good = {
    link("lib", "usr/lib"),      folder("usr"),     folder("usr/bin"),     file("usr/bin/run", "#!/bin/sh\n", true),
    link("usr/bin/walk", "run"), folder("usr/lib"), file("usr/lib/a", ""), file("usr/lib/A", "x")};

std::vector<Item> good() {
  auto items = k_good;
  std::sort(items.begin(), items.end(), [](const auto& a, const auto& b) { return a.member.path < b.member.path; });
  return items;
}

void expect_refused(int fd, ErrorCode code, std::string_view words) {
  const TemporaryFolder place;
  try {
    unpack_engine(fd, place.path() / "e");
    ADD_FAILURE() << "accepted: " << words;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    EXPECT_THAT(error.what(), HasSubstr(words));
  }
  EXPECT_TRUE(fs::is_empty(place.path()));
}

/// The good package and one more member at its sorted place.
std::vector<Item> with(Item item) {
  auto items = good();
  items.push_back(std::move(item));
  std::stable_sort(items.begin(), items.end(),
                   [](const auto& a, const auto& b) { return a.member.path < b.member.path; });
  return items;
}

TEST(EnginePackage, UnpacksWhole) {
  const TemporaryFolder place;
  const auto fd = package(good());
  const auto manifest = unpack_engine(fd.get(), place.path() / "tiny");
  EXPECT_EQ(manifest.name, "tiny");
  EXPECT_EQ(read_file(place.path() / "tiny/usr/bin/run", 100), "#!/bin/sh\n");
  EXPECT_EQ(fs::status(place.path() / "tiny/usr/bin/run").permissions(), static_cast<fs::perms>(0555));
  EXPECT_EQ(fs::read_symlink(place.path() / "tiny/lib"), "usr/lib");
  EXPECT_EQ(parse_engine_manifest(read_file(place.path() / "tiny/engine.json", 1u << 20)).files, good().size());
  EXPECT_THROW(unpack_engine(fd.get(), place.path() / "tiny"), Error);
}

TEST(EnginePackage, EqualContentGivesEqualBytes) {
  const auto one = package(good()), two = package(good());
  EXPECT_EQ(read_all(one.get(), 1u << 20, "one"), read_all(two.get(), 1u << 20, "two"));
}

TEST(EnginePackage, RefusesPathsThatLeave) {
  for (const auto* path : {"/etc/x", "../x", "usr/../../x", "usr//x", "usr/./x", "usr/a\\b", "usr/\x01"}) {
    expect_refused(package(with(file(path, "x"))).get(), ErrorCode::path_unsafe, "the path");
  }
  expect_refused(package(with(file("nowhere/x", "x"))).get(), ErrorCode::path_unsafe, "does not stand in a folder");
  expect_refused(package(with(file("lib/x", "x"))).get(), ErrorCode::path_unsafe, "does not stand in a folder");
}

TEST(EnginePackage, RefusesLinksThatLeave) {
  for (const auto* target : {"/etc/passwd", "../../../etc", "a/../../../../x", "lib/../x", "..//x", "x/", "../"}) {
    expect_refused(package(with(link("usr/lib/evil", target))).get(), ErrorCode::path_unsafe, "the symlink");
  }
  EXPECT_EQ(why_not_engine_link("usr/lib/x", "../../etc/x"), "");
  EXPECT_EQ(why_not_engine_link("usr/lib/x", ".."), "");
  EXPECT_EQ(why_not_engine_link("x", "."), "");
  EXPECT_NE(why_not_engine_link("x", "./."), "");
}

TEST(EnginePackage, RefusesWhatIsNotInOrderOrNotSaid) {
  auto twice = good();
  twice.push_back(twice.back());
  expect_refused(package(twice).get(), ErrorCode::engine_malformed, "twice or out of order");
  auto manifest = manifest_of(good());
  ++manifest.files;
  expect_refused(package(good(), manifest).get(), ErrorCode::engine_malformed, "fewer members");
  manifest = manifest_of(good());
  --manifest.unpacked_size;
  expect_refused(package(good(), manifest).get(), ErrorCode::engine_malformed, "more bytes than it says");
  manifest = manifest_of(good());
  manifest.executables["ghost"] = "usr/bin/ghost";
  expect_refused(package(good(), manifest).get(), ErrorCode::engine_malformed, "'usr/bin/ghost' is not in");
}

TEST(EnginePackage, RefusesEveryChangedHeaderAndEveryTruncation) {
  const auto bytes = read_all(package(good()).get(), 1u << 20, "package");
  const auto store = [](const std::string& text) {
    UniqueFd fd(::memfd_create("engine", MFD_CLOEXEC));
    write_all(fd.get(), text, "memfd");
    return fd;
  };
  const auto accepted = [&](const std::string& text) {
    try {
      const auto fd = store(text);
      EngineReader reader(fd.get());
      Member member;
      while (reader.next(member)) {
      }
      return true;
    } catch (const Error&) {
      return false;
    }
  };
  ASSERT_TRUE(accepted(bytes));
  for (std::size_t at = 0; at < 512; ++at) {
    auto changed = bytes;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    EXPECT_FALSE(accepted(changed)) << at;
  }
  for (std::size_t length = 0; length < bytes.size(); length += 256)
    EXPECT_FALSE(accepted(bytes.substr(0, length))) << length;
  EXPECT_FALSE(accepted(bytes + std::string(512, '\0')));
}

TEST(EnginePackage, TheInspectorComparesWithTheArtifact) {
  Artifact artifact{.kind = "engine", .name = "tiny", .version = "1-1"};
  artifact.files.push_back({.path = RelPath::parse("engines/tiny.tar"),
                            .size = 0,
                            .digest = Digest::parse_sha256_hex(std::string(64, '0')),
                            .origin = {},
                            .evidence = {}});
  const auto fd = package(good());
  const int files[] = {fd.get()};
  EXPECT_TRUE(EngineInspector().inspect(artifact, files).findings.empty());
  artifact.version = "2";
  ASSERT_EQ(EngineInspector().inspect(artifact, files).findings.size(), 1u);
  artifact.version = "1-1";
  artifact.facts["variant"] = "cuda";
  EXPECT_EQ(EngineInspector().inspect(artifact, files).findings.size(), 1u);
}

}  // namespace
}  // namespace liftlock::engine
