#include "intake/container.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/code_of.hpp"
#include "base/error.hpp"
#include "os/file.hpp"
#include "os/process.hpp"

namespace liftlock {
namespace {

using testing::ElementsAre;
using testing::UnorderedElementsAre;

class Containers : public ::testing::Test {
 protected:
  fs::path at(const std::string& name) const { return m_folder.path() / name; }
  void python(const std::string& script) const {
    run_process_checked({.argv = {"python3", "-c", "import sys, os, tarfile, io\nos.chdir(sys.argv[1])\n" + script,
                                  m_folder.path().string()}});
  }
  /// Name and content of each member.
  std::vector<std::pair<std::string, std::string>> listed(const std::string& name, const ContainerLimits& limits = {}) {
    const auto file = open_file(at(name), O_RDONLY);
    const auto out = open_file(at("out"), O_RDWR | O_CREAT | O_TRUNC);
    const auto answer = to_json(list_container(file.get(), out.get(), limits));
    const auto found = container_from_json(answer, fs::file_size(at(name)), fs::file_size(at("out")));
    form = found.form;
    std::vector<std::pair<std::string, std::string>> members;
    for (const auto& one : found.members) {
      std::string content(one.size, '\0');
      EXPECT_TRUE(pread_exact(found.unpacked ? out.get() : file.get(),
                              {reinterpret_cast<std::uint8_t*>(content.data()), content.size()}, one.offset, "member"));
      members.emplace_back(one.name, content);
    }
    return members;
  }
  std::optional<ErrorCode> refused(const std::string& name, const ContainerLimits& limits = {}) {
    return code_of([&] { (void)listed(name, limits); });
  }

  std::string form;
  TemporaryFolder m_folder;
};

const std::string k_make =
    "def make(name, mode, members, form=tarfile.PAX_FORMAT):\n"
    "  with tarfile.open(name, mode, format=form) as t:\n"
    "    for path, content, kind in members:\n"
    "      i = tarfile.TarInfo(path); i.type = kind\n"
    "      if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE): i.linkname = content; t.addfile(i)\n"
    "      elif kind == tarfile.REGTYPE: i.size = len(content); t.addfile(i, io.BytesIO(content.encode()))\n"
    "      else: t.addfile(i)\n"
    "F, D, S, H = tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE\n";

TEST_F(Containers, EveryFormGivesTheSameMembers) {
  for (const auto* mode : {"w", "w:gz", "w:xz", "w:bz2"}) {
    python(k_make + "make('a.tar', '" + mode +
           "', [('./d/', '', D), ('./d/one', 'first', F), ('two', 'x' * 1000, F)])");
    EXPECT_THAT(listed("a.tar"), ElementsAre(std::pair("d/one", "first"), std::pair("two", std::string(1000, 'x'))))
        << mode;
  }
  EXPECT_EQ(form, "tar.bz2");
}

TEST_F(Containers, ZstandardIsUnpackedBesides) {
  python(k_make + "make('a.tar', 'w', [('one', 'first', F)])");
  if (run_process({.argv = {"zstd", "-q", at("a.tar").string()}}).status != 0) GTEST_SKIP() << "no zstd here";
  EXPECT_THAT(listed("a.tar.zst"), ElementsAre(std::pair("one", "first")));
  EXPECT_EQ(form, "tar.zst");
}

TEST_F(Containers, LongNamesOfPaxAndOfGnuAreRead) {
  const std::string name(180, 'n');
  for (const auto* format : {"tarfile.PAX_FORMAT", "tarfile.GNU_FORMAT"}) {
    python(k_make + "make('a.tar', 'w', [('" + name + "/" + name + "', 'x', F)], " + format + ")");
    EXPECT_THAT(listed("a.tar"), ElementsAre(std::pair(name + "/" + name, "x"))) << format;
  }
}

TEST_F(Containers, LinksAreWhatTheyMean) {
  python(k_make +
         "make('a.tar', 'w', [('blobs/a', 'layer', F), ('x/layer.tar', '../blobs/a', S), ('h', 'blobs/a', H), "
         "('dangling', 'nowhere', S)])");
  EXPECT_THAT(listed("a.tar"), UnorderedElementsAre(std::pair("blobs/a", "layer"), std::pair("x/layer.tar", "layer"),
                                                    std::pair("h", "layer")));
}

TEST_F(Containers, WhatLeavesTheArchiveIsRefused) {
  const std::pair<const char*, ErrorCode> evil[] = {
      {"('../x', 'x', F)", ErrorCode::path_unsafe},
      {"('/etc/x', 'x', F)", ErrorCode::path_unsafe},
      {"('a/../../x', 'x', F)", ErrorCode::path_unsafe},
      {"('x', '/etc/passwd', S)", ErrorCode::path_unsafe},
      {"('a/x', '../../y', S)", ErrorCode::path_unsafe},
      {"('x', '', tarfile.FIFOTYPE)", ErrorCode::not_regular},
      {"('x', '', tarfile.CHRTYPE)", ErrorCode::not_regular},
      {"('x', '1', F), ('x', '2', F)", ErrorCode::path_collision},
  };
  for (const auto& [members, code] : evil) {
    python(k_make + "make('a.tar', 'w', [" + members + "])");
    EXPECT_EQ(refused("a.tar"), code) << members;
  }
}

TEST_F(Containers, TruncatedAndLyingArchivesAreRefused) {
  python(k_make + "make('a.tar', 'w', [('one', 'x' * 2000, F)])");
  const auto bytes = read_file(at("a.tar"), 1u << 20);
  const auto with = [&](const std::string& changed) {
    write_file_atomically(at("b.tar"), changed);
    return refused("b.tar");
  };
  for (const std::size_t size : {512u, 600u, 1024u, 2560u})
    EXPECT_EQ(with(bytes.substr(0, size)), ErrorCode::package_malformed) << size;
  auto sum = bytes;
  sum[0] = 'X';
  EXPECT_EQ(with(sum), ErrorCode::package_malformed) << "a header that was changed";
  auto behind = bytes;
  behind.back() = 'x';
  EXPECT_EQ(with(behind), ErrorCode::package_malformed) << "something behind the end";
  EXPECT_EQ(with("nothing like it"), ErrorCode::package_malformed);
}

TEST_F(Containers, BombsAndCrowdsAreRefused) {
  python(k_make +
         "make('a.tar', 'w:gz', [('zeros', '0' * 20_000_000, F)])\n"
         "make('b.tar', 'w', [(str(i), '', F) for i in range(50)])");
  EXPECT_EQ(refused("a.tar", {.ratio = 10, .free_size = 1u << 20}), ErrorCode::limit_exceeded);
  EXPECT_EQ(refused("b.tar", {.members = 49}), ErrorCode::limit_exceeded);
}

TEST_F(Containers, SparseFilesAreRefused) {
  python("open('sparse', 'wb').truncate(10_000_000)");
  run_process_checked({.argv = {"tar", "-C", m_folder.path().string(), "-Scf", at("s.tar").string(), "sparse"}});
  const auto code = refused("s.tar");
  EXPECT_TRUE(code == ErrorCode::package_malformed || code == ErrorCode::not_regular);
}

TEST_F(Containers, ZipIsReadInPlaceAndOnlyWithoutCompression) {
  python(
      "import zipfile\n"
      "z = zipfile.ZipFile('a.zip', 'w'); z.writestr('model/a', 'weights'); z.close()\n"
      "z = zipfile.ZipFile('b.zip', 'w', zipfile.ZIP_DEFLATED); z.writestr('a', 'w' * 100); z.close()\n"
      "class Pipe(io.RawIOBase):\n"
      "  def __init__(s, f): s.f = f\n"
      "  def writable(s): return True\n"
      "  def write(s, b): return s.f.write(b)\n"
      "z = zipfile.ZipFile(Pipe(open('c.zip', 'wb')), 'w'); z.writestr('a', 'w'); z.close()");
  EXPECT_THAT(listed("a.zip"), ElementsAre(std::pair("model/a", "weights")));
  EXPECT_EQ(form, "zip");
  EXPECT_EQ(refused("b.zip"), ErrorCode::package_malformed) << "compressed";
  EXPECT_EQ(refused("c.zip"), ErrorCode::package_malformed) << "with data descriptors";
}

TEST(ContainerAnswers, ARangeOutsideOfItsFileIsNoAnswer) {
  Json json = {{"form", "tar"}, {"unpacked", false}, {"members", {{{"name", "61"}, {"offset", 5u}, {"size", 6u}}}}};
  EXPECT_EQ(code_of([&] { (void)container_from_json(json, 10, 0); }), ErrorCode::schema_violation);
  json["members"][0]["size"] = 5u;
  EXPECT_EQ(container_from_json(json, 10, 0).members[0].name, "a");
}

}  // namespace
}  // namespace liftlock
