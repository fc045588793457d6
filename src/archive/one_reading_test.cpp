#include "archive/one_reading.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "archive/archive_fixture.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "os/file.hpp"
#include "os/process.hpp"

namespace liftlock {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;

constexpr std::size_t k_kept = 8u << 20;
constexpr const char* k_hidden = "package/hidden.js";

std::string padded(std::string text) {
  text.resize((text.size() + 511) / 512 * 512);
  return text;
}

/// One header, sound unless `change` spoils it; the checksum is made last.
std::string header(const std::string& name, char type, std::size_t size,
                   const std::function<void(std::string&)>& change = {}) {
  std::string out(512, '\0');
  const auto put = [&](std::size_t at, const std::string& text) { out.replace(at, text.size(), text); };
  put(0, name);
  put(100, "0000644");
  put(108, "0000000");
  put(116, "0000000");
  put(124, fmt::format("{:011o}", size));
  put(136, "00000000000");
  put(148, "        ");
  out[156] = type;
  put(257, std::string("ustar\00000", 8));
  if (change) change(out);
  unsigned sum = 0;
  for (const char c : out) sum += static_cast<unsigned char>(c);
  put(148, fmt::format("{:06o}", sum));
  out[154] = '\0';
  return out;
}

std::string file(const std::string& name, const std::string& content,
                 const std::function<void(std::string&)>& change = {}) {
  return header(name, '0', content.size(), change) + padded(content);
}
std::string extended(const std::string& records, char type = 'x') {
  return header("PaxHeader", type, records.size()) + padded(records);
}
std::string record(const std::string& key, const std::string& value) {
  const auto rest = " " + key + "=" + value + "\n";
  auto size = rest.size() + 1;
  while (std::to_string(size).size() + rest.size() != size) ++size;
  return std::to_string(size) + rest;
}

const std::string k_package = file("package/package.json", "{}");
const std::string k_zeros(1024, '\0');
const std::string k_evil = file(k_hidden, "evil()");

class OneReading : public testing::Test {
 protected:
  fs::path saved(const std::string& bytes) const {
    const auto path = m_folder.path() / "x.tgz";
    write_file_atomically(path, bytes);
    return path;
  }
  static std::string refusal(const fs::path& path, const TarLimits& limits = {}) {
    const auto fd = open_file(path, O_RDONLY);
    TarFile file(fd.get(), "the tarball");
    const auto why = [&] {
      try {
        require_one_reading(file, "the tarball", limits);
        return std::string();
      } catch (const Error& error) {
        return std::string(error.what());
      }
    };
    const auto from_file = why();
    file.keep_if_small(k_kept);
    EXPECT_EQ(why(), from_file) << "whether it is kept makes no difference";
    return from_file;
  }
  std::string refusal_of(const std::string& bytes) const { return refusal(saved(bytes)); }
  /// What read_tar() sees; empty when it refuses.
  std::set<std::string> our_names(const std::string& bytes) const {
    const auto fd = open_file(saved(bytes), O_RDONLY);
    TarFile file(fd.get(), "the tarball");
    const auto seen = [&] {
      std::set<std::string> names;
      try {
        read_tar(file, "the tarball", {}, [&](const TarEntry& entry) -> TarSink {
          names.insert(entry.name);
          return {};
        });
      } catch (const Error&) {
        names.clear();
      }
      return names;
    };
    const auto names = seen();
    file.keep_if_small(k_kept);
    EXPECT_EQ(seen(), names);
    return names;
  }
  /// npm's own reader; empty where there is no npm.
  static fs::path node_tar() {
    const auto npm = find_program("npm");
    if (!npm || !find_program("node")) return {};
    auto module = fs::canonical(*npm).parent_path().parent_path() / "node_modules/tar";
    return fs::exists(module) ? module : fs::path();
  }
  std::set<std::string> npm_names(const std::string& bytes) const {
    const auto out =
        run_process_checked({.argv = {"node", "-e",
                                      "const tar = require(process.argv[1]); const see = (e) => console.log(e.path);\n"
                                      "tar.t({file: process.argv[2], sync: true, onentry: see, onReadEntry: see})",
                                      node_tar(), saved(bytes)}});
    std::set<std::string> names;
    for (const auto line : split(out.output, '\n')) {
      if (!line.empty()) names.emplace(line);
    }
    return names;
  }

  TemporaryFolder m_folder;
};

struct Case {
  const char* what;
  std::string bytes;
  const char* word;
};

/// Each holds a file that npm unpacks and libarchive does not show.
std::vector<Case> hiding() {
  return {
      {"one block of zeros", k_package + std::string(512, '\0') + k_evil + k_zeros, "follows the block of zeros"},
      {"a record of two lines",
       k_package + extended(record("comment", "x\n" + record("path", k_hidden) + "y")) +
           file("package/a.js", "evil()") + k_zeros,
       "no line of the length"},
      {"a link's target in a file's header",
       k_package + file("package/a.js", k_evil, [](std::string& h) { h[157] = 'x'; }) + k_zeros, "target"},
      {"a record whose length has a zero in front",
       k_package + extended("022 path=package/a.js\n") + file(k_hidden, "evil()") + k_zeros, "no line of the length"},
  };
}

TEST_F(OneReading, RefusesWhatHidesAFileFromOneOfTwoReaders) {
  for (const auto& one : hiding()) EXPECT_THAT(refusal_of(one.bytes), HasSubstr(one.word)) << one.what;
}

TEST_F(OneReading, NpmItselfUnpacksWhatIsRefusedForHiding) {
  if (node_tar().empty()) GTEST_SKIP() << "npm is not here";
  for (const auto& one : hiding()) {
    EXPECT_THAT(npm_names(one.bytes), Contains(k_hidden)) << one.what;
    EXPECT_THAT(our_names(one.bytes), Not(Contains(k_hidden))) << one.what;
  }
}

TEST_F(OneReading, RefusesHeadersThatCanBeReadInTwoWays) {
  const auto spoilt = [](const std::function<void(std::string&)>& change) {
    return k_package + file("package/a.js", "a", change) + k_zeros;
  };
  const std::vector<Case> cases = {
      {"a folder with content", k_package + header("package/d/", '5', 512) + k_evil + k_zeros, "a folder has content"},
      {"a file that is a folder", k_package + file("package/d/", k_evil) + k_zeros, "a folder has content"},
      {"binary size", spoilt([](std::string& h) { h[124] = '\x80'; }), "size in a header"},
      {"a size with more behind it", spoilt([](std::string& h) { h.replace(124, 12, "00000000001x"); }), "size"},
      {"no size", spoilt([](std::string& h) { h.replace(124, 12, std::string(12, ' ')); }), "no size"},
      {"another version", spoilt([](std::string& h) {
         h.replace(263, 2, "99");
         h.replace(345, 1, "p");
       }),
       "version"},
      {"a prefix in two parts", spoilt([](std::string& h) { h[475] = 'x'; }), "goes on behind its end"},
      {"a name in two parts", spoilt([](std::string& h) { h[60] = '\n'; }), "goes on behind its end"},
      {"a type of tar's own", k_package + header("package/v", 'V', 0) + k_zeros, "type 0x56"},
      {"two extended headers",
       k_package + extended(record("path", "package/a")) + extended(record("size", "1")) + file("x", "a") + k_zeros,
       "two extended headers"},
      {"an extended header at the end", k_package + extended(record("path", "package/a")) + k_zeros,
       "followed by nothing"},
      {"a record twice",
       k_package + extended(record("path", "package/a") + record("path", "package/b")) + file("x", "a") + k_zeros,
       "twice"},
      {"a global name", k_package + extended(record("path", "package/a"), 'g') + file("x", "a") + k_zeros, "path"},
      {"a global size", k_package + extended(record("size", "512"), 'g') + file("x", "a") + k_zeros, "size"},
      {"a sparse file", k_package + extended(record("GNU.sparse.size", "9")) + file("x", "a") + k_zeros, "sparse"},
      {"an empty name", k_package + extended(record("path", "")) + file("x", "a") + k_zeros, "no plain text"},
      {"a name that is no text", k_package + extended(record("path", "package/\xff")) + file("x", "a") + k_zeros,
       "no plain text"},
      {"a name that a parted letter makes another",
       k_package + extended(record("path", "package/\xc3\xa9")) + file("package/package.json", "{}") + k_zeros,
       "stated twice"},
      {"an extended header that is too large",
       k_package + extended(record("comment", std::string(1u << 20, 'x'))) + file("package/a", "a") + k_zeros,
       "larger than"},
      {"half a block", k_package + "x", "within a block"},
  };
  for (const auto& one : cases) EXPECT_THAT(refusal_of(one.bytes), HasSubstr(one.word)) << one.what;
  auto wrong = k_package + k_zeros;
  wrong[0] = 'q';
  EXPECT_THAT(refusal_of(wrong), HasSubstr("checksum"));
  EXPECT_THAT(refusal_of(""), HasSubstr("cannot be read"));
}

TEST_F(OneReading, AcceptsWhatPackersWrite) {
  for (const auto* format : {"USTAR_FORMAT", "GNU_FORMAT", "PAX_FORMAT"}) {
    const auto path = m_folder.path() / "python.tgz";
    run_process_checked(
        {.argv = {"python3", "-c",
                  std::string("import tarfile, io, sys\n") + "t = tarfile.open(sys.argv[1], 'w:gz', format=tarfile." +
                      format + ", pax_headers={'comment': 'abc'} if '" + format + "' == 'PAX_FORMAT' else None)\n" +
                      "names = ['package/package.json', 'package/' + 'd/' * 60 + 'a.js', "
                      "'package/\\u00e9.js']\n" +
                      "if '" + format +
                      "' != 'USTAR_FORMAT': names.append('package/' + 'n' * 180 + '/' + 'm' * 200)\n" +
                      "for n in names:\n  i = tarfile.TarInfo(n); i.size = 3\n"
                      "  t.addfile(i, io.BytesIO(b'abc'))\n"
                      "d = tarfile.TarInfo('package/e'); d.type = tarfile.DIRTYPE; t.addfile(d)\n"
                      "t.close()",
                  path}});
    EXPECT_EQ(refusal(path), "") << format;
  }
  for (const auto* format : {"ustar", "pax", "gnutar", "v7tar"}) {
    const auto bytes = test_archive(format, "gzip", {{"package/package.json", "{}"}, {"package/a", "x"}});
    EXPECT_EQ(refusal_of(bytes), "") << format;
  }
  EXPECT_EQ(refusal_of(k_package), "") << "nothing marks its end, and all take that for it";
  EXPECT_EQ(refusal_of(k_package + std::string(512, '\0')), "");
}

TEST_F(OneReading, AcceptsWhatNpmPacks) {
  if (node_tar().empty()) GTEST_SKIP() << "npm is not here";
  const auto path = m_folder.path() / "npm.tgz";
  const auto folder = m_folder.path() / "tree/package";
  make_folders(folder / std::string(120, 'd'));
  write_file_atomically(folder / "package.json", "{}");
  write_file_atomically(folder / std::string(120, 'd') / (std::string(150, 'f') + ".js"), "x");
  write_file_atomically(folder / "\xc3\xa9.js", "x");
  run_process_checked({.argv = {"node", "-e",
                                "const tar = require(process.argv[1]);\n"
                                "tar.c({file: process.argv[2], cwd: process.argv[3], gzip: true, sync: true}, "
                                "['package'])",
                                node_tar(), path, m_folder.path() / "tree"}});
  EXPECT_EQ(refusal(path), "");
}

TEST_F(OneReading, StopsBombs) {
  const auto bytes = test_archive("ustar", "gzip", {{"package/zeros", std::string(15u << 20, '\0')}});
  EXPECT_THAT(refusal(saved(bytes), {.entries = 10, .ratio = 1, .free_size = 1u << 20}),
              HasSubstr("would unpack to more"));
}

}  // namespace
}  // namespace liftlock
