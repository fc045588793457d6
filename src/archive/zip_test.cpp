#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "archive/zip_reader.hpp"
#include "archive/zip_writer.hpp"
#include "base/code_of.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "crypto/hash.hpp"
#include "os/file.hpp"
#include "os/process.hpp"

namespace liftlock {
namespace {

using testing::ElementsAre;

class Zip : public ::testing::Test {
 protected:
  fs::path at(const std::string& name) const { return m_folder.path() / name; }

  void write(const std::string& name) const {
    const auto out = open_file(at(name), O_RDWR | O_CREAT | O_TRUNC);
    write_file_atomically(at("big"), std::string(3'000'000, 'w'));
    const auto big = open_file(at("big"), O_RDONLY);
    ZipWriter zip(out.get());
    zip.add("manifest.json", "{}\n");
    EXPECT_EQ(zip.add("model/big", big.get(), 3'000'000, {}), sha256(std::string(3'000'000, 'w')));
    zip.add("model/empty", "");
    zip.finish();
  }
  std::string python(const std::string& script) const {
    return run_process_checked({.argv = {"python3", "-c", script, m_folder.path().string()}}).output;
  }
  std::vector<std::string> names(const std::string& name) const {
    const auto file = open_file(at(name), O_RDONLY);
    std::vector<std::string> out;
    const ZipReader zip(file.get());
    for (const auto& entry : zip.entries()) out.push_back(entry.name);
    return out;
  }
  std::optional<ErrorCode> refused(const std::string& bytes) const {
    write_file_atomically(at("evil.zip"), bytes);
    const auto file = open_file(at("evil.zip"), O_RDONLY);
    return code_of([&] {
      const ZipReader zip(file.get());
      for (const auto& entry : zip.entries()) (void)zip.content_offset(entry);
    });
  }
  std::string good() const {
    write("good.zip");
    return read_file(at("good.zip"), 64u << 20);
  }

  TemporaryFolder m_folder;
};

TEST_F(Zip, PythonReadsWhatIsWrittenAndFindsEveryChecksumRight) {
  write("a.zip");
  EXPECT_EQ(python("import sys, zipfile\n"
                   "z = zipfile.ZipFile(sys.argv[1] + '/a.zip')\n"
                   "assert z.testzip() is None\n"
                   "assert all(i.compress_type == zipfile.ZIP_STORED for i in z.infolist())\n"
                   "print(z.read('model/big') == b'w' * 3000000, z.namelist())"),
            "True ['manifest.json', 'model/big', 'model/empty']\n");
}

TEST_F(Zip, TwoWritesGiveEqualBytes) {
  write("a.zip");
  write("b.zip");
  EXPECT_EQ(read_file(at("a.zip"), 64u << 20), read_file(at("b.zip"), 64u << 20));
}

TEST_F(Zip, TheSizeIsKnownBefore) {
  write("a.zip");
  EXPECT_EQ(ZipWriter::archive_size({{"manifest.json", 3}, {"model/big", 3'000'000}, {"model/empty", 0}}),
            fs::file_size(at("a.zip")));
}

TEST_F(Zip, StoredContentIsReadInPlace) {
  write("a.zip");
  const auto file = open_file(at("a.zip"), O_RDONLY);
  const ZipReader zip(file.get());
  EXPECT_EQ(sha256_of_range(file.get(), zip.content_offset(*zip.find("model/big")), 3'000'000, "big", {}),
            sha256(std::string(3'000'000, 'w')));
}

TEST_F(Zip, Zip64IsReadAsPythonWritesIt) {
  python(
      "import sys, zipfile\n"
      "z = zipfile.ZipFile(sys.argv[1] + '/p.zip', 'w', zipfile.ZIP_STORED)\n"
      "with z.open('model/a', 'w', force_zip64=True) as f: f.write(b'abc')\n"
      "z.close()");
  EXPECT_THAT(names("p.zip"), ElementsAre("model/a"));
}

TEST_F(Zip, OffsetsPastFourGiBStandInTheZip64Fields) {
  // The directory alone, of entries that would be that large: sizes that add up prove the records.
  const auto size = ZipWriter::archive_size({{"model/a", 5ull << 30}, {"model/b", 1}});
  const std::uint64_t locals = 30 + 7 + 20 + (5ull << 30) + 30 + 7 + 1;
  const std::uint64_t directory = 46 + 7 + 4 + 16 + 46 + 7 + 4 + 8;
  EXPECT_EQ(size, locals + directory + 56 + 20 + 22);
}

TEST_F(Zip, LyingArchivesAreRefused) {
  const auto bytes = good();
  EXPECT_EQ(refused(bytes), std::nullopt);
  EXPECT_EQ(refused("x" + bytes), ErrorCode::package_malformed) << "bytes in front";
  EXPECT_EQ(refused(bytes + "x"), ErrorCode::package_malformed) << "bytes behind";
  for (const std::size_t cut : {1u, 21u, 22u, 100u, 3'000'000u})
    EXPECT_EQ(refused(bytes.substr(0, bytes.size() - cut)), ErrorCode::package_malformed) << "cut by " << cut;
  const auto changed = [&](std::size_t at, char to) {
    auto out = bytes;
    out[at] = to;
    return refused(out);
  };
  EXPECT_EQ(changed(8, 8), ErrorCode::package_malformed) << "a local header that says deflate";
  EXPECT_EQ(changed(14, 1), ErrorCode::package_malformed) << "a local header with another checksum";
  EXPECT_EQ(changed(22, 9), ErrorCode::package_malformed) << "a local header with another size";
  EXPECT_EQ(changed(30, 'n'), ErrorCode::package_malformed) << "a local header with another name";
  const auto directory = bytes.find("PK\x01\x02");
  EXPECT_EQ(changed(directory + 8, 1), ErrorCode::package_malformed) << "an encrypted entry";
  EXPECT_EQ(changed(directory + 42, 1), ErrorCode::package_malformed) << "an offset that is none";
  EXPECT_EQ(changed(directory + 41, static_cast<char>(0xA1)), ErrorCode::not_regular) << "a symlink";
}

TEST_F(Zip, NamesThatLeaveOrStandTwiceAreRefused) {
  for (const auto* name : {"../x", "/x", "a/../../x", "a\\\\b", "C:/x"}) {
    python(
        fmt::format("import sys, zipfile\n"
                    "z = zipfile.ZipFile(sys.argv[1] + '/p.zip', 'w')\n"
                    "i = zipfile.ZipInfo('x'); i.filename = '{}'; z.writestr(i, b'x'); z.close()",
                    name));
    EXPECT_EQ(code_of([&] { names("p.zip"); }), ErrorCode::path_unsafe) << name;
  }
  python(
      "import sys, zipfile, warnings\nwarnings.simplefilter('ignore')\n"
      "z = zipfile.ZipFile(sys.argv[1] + '/p.zip', 'w')\n"
      "z.writestr('a', b'1'); z.writestr('a', b'2'); z.close()");
  EXPECT_EQ(code_of([&] { names("p.zip"); }), ErrorCode::path_collision);
}

TEST_F(Zip, AnEntryIsWrittenOnce) {
  const auto out = open_file(at("twice.zip"), O_RDWR | O_CREAT);
  ZipWriter zip(out.get());
  zip.add("a", "1");
  EXPECT_EQ(code_of([&] { zip.add("a", "2"); }), ErrorCode::path_collision);
}

}  // namespace
}  // namespace liftlock
