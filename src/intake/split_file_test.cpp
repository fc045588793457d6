// Archives that Zarf and Hauler cut into parts.
#include <gtest/gtest.h>

#include "intake/import_fixture.hpp"
#include "intake/split_file.hpp"

namespace liftlock {
namespace {

class SplitImports : public Imports {
 protected:
  SplitImports() {
    write("whole/SHA256SUMS", "");
    python(
        "import os, hashlib; d = os.urandom(300000); open('whole/data.bin', 'wb').write(d)\n"
        "open('whole/SHA256SUMS', 'w').write(hashlib.sha256(d).hexdigest() + '  data.bin\\n')");
    run({"tar", "-C", "whole", "--zstd", "-cf", "it.tar.zst", "."});
    whole = sha256(read_file(drop() / "it.tar.zst", 1u << 20));
  }
  /// @param name Python of the name of part i
  void cut(const std::string& first, const std::string& name) const {
    python(
        "import hashlib, json, os\nd = open('it.tar.zst', 'rb').read(); n = 100000; c = -(-len(d) // n)\nfor k in "
        "range(c): i = k + " +
        first + "; open(" + name + ", 'wb').write(d[k * n:(k + 1) * n])\nos.remove('it.tar.zst')");
  }
  void zarf_head(const std::string& digest, const std::string& more = "") const {
    write("it.tar.zst.part000", "{\"Sha256Sum\":\"" + digest + "\",\"Bytes\":" + std::to_string(size()) +
                                    ",\"Count\":" + std::to_string(parts()) + more + "}");
  }
  std::size_t parts() const {
    std::size_t out = 0;
    while (fs::exists(drop() / fmt::format("it.tar.zst.part{:03}", out + 1))) ++out;
    return out;
  }
  std::uint64_t size() const {
    std::uint64_t sum = 0;
    for (std::size_t i = 1; i <= parts(); ++i) sum += fs::file_size(drop() / fmt::format("it.tar.zst.part{:03}", i));
    return sum;
  }
  Digest whole = sha256("");
};

TEST_F(SplitImports, PartsOfZarfAreJoinedAndComparedWithTheFirst) {
  cut("1", "f'it.tar.zst.part{i:03}'");
  zarf_head(whole.hex());
  EXPECT_EQ(planned("it.tar.zst.part000").shape, "listed-files");
  auto asked = request("it.tar.zst.part002");
  asked.allow_unsigned = false;
  asked.expect = whole;
  EXPECT_EQ(import_from(site(), asked, silent_reporter()).belief, Belief::digest) << "the digest is that of the whole";
  zarf_head(hex("other"));
  EXPECT_EQ(refused("it.tar.zst.part000"), ErrorCode::digest_mismatch);
  EXPECT_EQ(refused("it.tar.zst"), ErrorCode::digest_mismatch) << "by the name of the whole";
  write("it.tar.zst.part000", "{\"Sha256Sum\":\"" + whole.hex() + "\",\"Bytes\":1,\"Count\":2}");
  EXPECT_EQ(refused("it.tar.zst.part000"), ErrorCode::size_mismatch);
  zarf_head(whole.hex());
  fs::rename(drop() / "it.tar.zst.part002", drop() / "elsewhere");
  write("it.tar.zst.part000", "{\"Sha256Sum\":\"" + whole.hex() + "\",\"Bytes\":300000,\"Count\":4}");
  EXPECT_EQ(refused("it.tar.zst.part000"), ErrorCode::missing_file);
}

TEST_F(SplitImports, ChunksOfHaulerAreJoinedInBothForms) {
  cut("0", "f'it_{i}.tar.zst'");
  EXPECT_EQ(imported("it_0.tar.zst").shape, "listed-files");
  for (std::size_t i = 0; fs::exists(drop() / fmt::format("it_{}.tar.zst", i)); ++i)
    fs::rename(drop() / fmt::format("it_{}.tar.zst", i), drop() / fmt::format("it.tar.zst.{:03}", i + 1));
  EXPECT_EQ(imported("it.tar.zst.001").status, ImportResult::Status::already_present);
  EXPECT_EQ(imported("it.tar.zst").status, ImportResult::Status::already_present);
  fs::remove(drop() / "it.tar.zst.003");
  EXPECT_EQ(refused("it.tar.zst.001"), ErrorCode::missing_file) << "a hole in the middle";
}

TEST_F(SplitImports, ArchivesOfTheirOwnAreNoParts) {
  fs::copy_file(drop() / "it.tar.zst", drop() / "it_0.tar.zst");
  fs::copy_file(drop() / "it.tar.zst", drop() / "it_1.tar.zst");
  EXPECT_EQ(planned("it_0.tar.zst").files, 1U);
}

TEST_F(SplitImports, NumberedFilesThatAreNoArchivesAreNoParts) {
  for (const auto* name : {"model_0.gguf", "model_1.gguf", "notes_0.txt", "notes_1.txt", "log.001", "log.002"})
    write(name, std::string("GGUF") + name);
  for (const auto* name : {"model_7.gguf", "notes_20.txt"}) write(name, "beside them");
  for (const auto* name : {"model_0.gguf", "model_1.gguf", "model_7.gguf", "notes_1.txt", "notes_20.txt", "log.001"})
    EXPECT_FALSE(split_file(drop() / name)) << name;
  EXPECT_FALSE(split_file(drop() / "log")) << "by the name of the whole";
  cut("0", "f'it_{i}.tar.zst'");
  ASSERT_TRUE(split_file(drop() / "it_0.tar.zst"));
  const auto count = split_file(drop() / "it_0.tar.zst")->parts.size();
  const auto beside = fmt::format("it_{}.tar.zst", count + 20);
  write(beside, "of its own");
  EXPECT_FALSE(split_file(drop() / beside)) << "it would be left out of what is imported in its name";
  fs::rename(drop() / "it_0.tar.zst", drop() / "it_0.whl");
  fs::rename(drop() / "it_1.tar.zst", drop() / "it_1.whl");
  EXPECT_FALSE(split_file(drop() / "it_0.whl"));
}

}  // namespace
}  // namespace liftlock
