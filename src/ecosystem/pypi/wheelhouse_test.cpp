#include "ecosystem/pypi/wheelhouse.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/code_of.hpp"
#include "base/error.hpp"
#include "os/file.hpp"
#include "os/process.hpp"

namespace liftlock {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

HousedWheel housed(const std::string& filename, std::vector<std::string> needs, std::string python = {}) {
  HousedWheel out{.filename = filename, .name = *WheelFilename::parse(filename), .metadata = {}};
  out.metadata.name = out.name.name;
  out.metadata.version = out.name.version;
  out.metadata.requires_dist = std::move(needs);
  out.metadata.requires_python = std::move(python);
  return out;
}

const WheelTarget k_target = WheelTarget::parse("3.11", "linux/amd64");

bool takes(const char* tags) {
  return k_target.takes(*WheelFilename::parse(fmt::format("a-1-{}.whl", tags)));
}

unsigned glibc(const char* tags) {
  return k_target.glibc_of(*WheelFilename::parse(fmt::format("a-1-{}.whl", tags)));
}

TEST(WheelTarget, TakesWhatPipTakes) {
  for (const auto* tags : {"py3-none-any", "py2.py3-none-any", "py39-none-any", "cp311-none-any",
                           "cp36-abi3-linux_x86_64", "cp311-cp311-manylinux2014_x86_64",
                           "cp311-abi3-manylinux_2_28_x86_64", "py3-none-manylinux1_x86_64.manylinux_2_5_x86_64"}) {
    EXPECT_TRUE(takes(tags)) << tags;
  }
  for (const auto* tags :
       {"py2-none-any", "py312-none-any", "cp310-cp310-manylinux2014_x86_64", "cp312-abi3-linux_x86_64",
        "cp311-cp311-win_amd64", "cp311-cp311-macosx_11_0_arm64", "cp311-cp311-musllinux_1_2_x86_64",
        "cp311-cp311-manylinux2014_aarch64", "cp310-none-any", "cp311-cp311d-linux_x86_64", "py3-abi3-linux_x86_64"}) {
    EXPECT_FALSE(takes(tags)) << tags;
  }
}

TEST(WheelTarget, SaysTheGlibcThatAWheelNeeds) {
  EXPECT_EQ(glibc("py3-none-any"), 0u);
  EXPECT_EQ(glibc("cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64"), 17u);
  EXPECT_EQ(glibc("cp311-cp311-manylinux_2_28_x86_64"), 28u);
}

TEST(WheelTarget, RefusesWhatIsNoTarget) {
  for (const auto* python : {"", "3", "2.7", "3.x", "3.11.1.1", "311"}) {
    EXPECT_THROW(WheelTarget::parse(python, "linux/amd64"), Error) << python;
  }
  EXPECT_THROW(WheelTarget::parse("3.11", "windows/amd64"), Error);
  EXPECT_EQ(WheelTarget::parse("3.11.4", "linux/arm64").environment().at("python_full_version"), "3.11.4");
  EXPECT_EQ(WheelTarget::parse("3.11", "linux/arm64").environment().at("platform_machine"), "aarch64");
}

TEST(Wheelhouse, NamesWhatIsMissingAndWhoWantsIt) {
  const auto report =
      check_wheelhouse({housed("requests-2.31-py3-none-any.whl",
                               {"idna<4,>=2.5", "win32; sys_platform == 'win32'", "socks; extra == 's'"}),
                        housed("httpx-1-py3-none-any.whl", {"idna"}), housed("old-1-py3-none-any.whl", {}, "<3.9")},
                       {}, {"requests[s]"}, k_target);
  EXPECT_FALSE(report.complete());
  ASSERT_EQ(report.missing.size(), 2u);
  EXPECT_EQ(report.missing[0].name, "idna");
  EXPECT_EQ(report.missing[0].reason, "nothing here is called idna");
  EXPECT_THAT(report.missing[0].wanted, ElementsAre(MissingProject::Want{"requests 2.31", "idna<4,>=2.5"},
                                                    MissingProject::Want{"httpx 1", "idna"}));
  EXPECT_EQ(report.missing[1].name, "socks");
  ASSERT_EQ(report.obstacles.size(), 1u);
  EXPECT_EQ(report.obstacles[0].by, "old 1");
}

TEST(Wheelhouse, AWheelForAnotherTargetDoesNotCount) {
  const auto report =
      check_wheelhouse({housed("a-1-py3-none-any.whl", {"b", "c"}), housed("b-1-cp39-cp39-win32.whl", {}),
                        housed("d-1-cp39-cp39-win32.whl", {}), housed("d-1-py3-none-any.whl", {})},
                       {"c-1.tar.gz"}, {}, k_target);
  EXPECT_THAT(report.unfit, ElementsAre("b-1-cp39-cp39-win32.whl", "d-1-cp39-cp39-win32.whl"));
  ASSERT_EQ(report.missing.size(), 2u);
  EXPECT_THAT(report.missing[0].reason, HasSubstr("other targets: b-1-cp39-cp39-win32.whl"));
  EXPECT_THAT(report.missing[1].reason, HasSubstr("c-1.tar.gz"));
}

TEST(Wheelhouse, AnUnfitWheelThatNobodyWantsIsMissingAllTheSame) {
  const auto report = check_wheelhouse({housed("b-1-cp39-cp39-win32.whl", {})}, {}, {}, k_target);
  ASSERT_EQ(report.missing.size(), 1u);
  EXPECT_THAT(report.missing[0].wanted, IsEmpty());
}

class WheelhouseArchive : public testing::Test {
 protected:
  /// Packs the folder with tar.
  UniqueFd packed(const std::string& options, const std::string& names) {
    run_process_checked({.argv = {"sh", "-c", fmt::format("tar -cf out.tar {} {}", options, names)},
                         .working_folder = m_folder.path()});
    return open_file(m_folder.path() / "out.tar", O_RDONLY);
  }
  void put(const std::string& path, const std::string& text) {
    make_folders((m_folder.path() / path).parent_path());
    write_file_atomically(m_folder.path() / path, text);
  }
  std::vector<UnpackedFile> unpack(int archive, WheelhouseArchiveLimits limits = {}) {
    m_out = open_file(m_folder.path() / "out", O_RDWR | O_CREAT | O_TRUNC);
    return unpack_wheelhouse(archive, m_out.get(), limits);
  }

  TemporaryFolder m_folder;
  UniqueFd m_out;
};

TEST_F(WheelhouseArchive, ItsWheelsLieOneAfterTheOther) {
  put("wheelhouse/a.whl", "first");
  put("wheelhouse/deep/b.whl", "2nd");
  put("wheelhouse/README", "no wheel");
  const auto files = unpack(packed("-z", "wheelhouse/a.whl wheelhouse/README wheelhouse/deep").get());
  ASSERT_EQ(files.size(), 2u);
  EXPECT_EQ(files[1].name, "b.whl");
  EXPECT_EQ(files[1].offset, 5u);
  EXPECT_EQ(files[1].size, 3u);
  EXPECT_EQ(read_all(m_out.get(), 100, "out"), "first2nd");
}

TEST_F(WheelhouseArchive, RefusesTwinsLinksBombsAndWhatIsNoTar) {
  put("x/a.whl", "1");
  put("y/a.whl", "2");
  EXPECT_EQ(code_of([&] { unpack(packed("", "x y").get()); }), ErrorCode::path_collision);
  fs::create_symlink("/etc/passwd", m_folder.path() / "l.whl");
  EXPECT_EQ(code_of([&] { unpack(packed("", "l.whl").get()); }), ErrorCode::not_regular);
  put("bomb.whl", std::string(1u << 20, '\0'));
  EXPECT_EQ(code_of([&] { unpack(packed("-z", "bomb.whl").get(), {.ratio = 10, .free_size = 1000}); }),
            ErrorCode::limit_exceeded);
  EXPECT_EQ(code_of([&] { unpack(packed("", "x y").get(), {.entries = 1}); }), ErrorCode::limit_exceeded);
  put("text", std::string(2000, 'x'));
  const auto text = open_file(m_folder.path() / "text", O_RDONLY);
  EXPECT_EQ(code_of([&] { unpack(text.get()); }), ErrorCode::package_malformed);
  put("a.zip", std::string("PK\x03\x04", 4) + std::string(100, 'x'));
  const auto zip = open_file(m_folder.path() / "a.zip", O_RDONLY);
  try {
    unpack(zip.get());
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.message(), testing::HasSubstr("it is a zip archive: unpack it"));
  }
}

}  // namespace
}  // namespace liftlock
