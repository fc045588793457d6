#include "crypto/verity.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdio>

#include "base/code_of.hpp"
#include "crypto/hash.hpp"
#include "os/file.hpp"
#include "os/parallel.hpp"

namespace liftlock {
namespace {

std::string content(std::size_t size) {
  std::string out(size, '\0');
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<char>(i * 7 + i / 4096);
  return out;
}

struct SampleFile {
  explicit SampleFile(const std::string& text) : size(text.size()) { write_file_atomically(path, text); }
  UniqueFd open() const { return open_file(path, O_RDONLY); }

  TemporaryFolder folder;
  fs::path path = folder.path() / "file";
  std::uint64_t size;
};

// On all sides of a block, of a block of hashes, and of a level.
const std::vector<std::size_t> k_sizes = {
    0, 1, 4095, 4096, 4097, 524'287, 524'288, 524'289, 5000000, 128u * 524'288, 128u * 524'288 + 1};

/// What Debian's fsverity says; empty without it.
std::string digest_by_fsverity(const fs::path& file) {
  std::array<char, 256> line{};
  const auto command = "fsverity digest --compact '" + file.string() + "' 2>/dev/null";
  FILE* out = ::popen(command.c_str(), "r");  // NOLINT(cert-env33-c): a fixed program, a name of our own
  const auto count = std::fread(line.data(), 1, line.size() - 1, out);
  ::pclose(out);
  return {line.data(), std::min<std::size_t>(count, 64)};
}

TEST(Verity, IsWhatFsverityComputes) {
  if (digest_by_fsverity("/dev/null").empty() && digest_by_fsverity(__FILE__).empty())
    GTEST_SKIP() << "fsverity is not installed";
  for (const auto size : k_sizes) {
    const SampleFile file(content(size));
    const auto digests = digests_of_file(file.open().get(), size, "file", {});
    EXPECT_EQ(digests.verity.hex(), digest_by_fsverity(file.path)) << size;
    EXPECT_EQ(digests.sha256, sha256(content(size))) << size;
  }
}

// Of the kernel's documentation and of fsverity 1.5, so that this does not hang on a program that may be missing.
TEST(Verity, OfNothingAndOfALittle) {
  const SampleFile nothing("");
  EXPECT_EQ(digests_of_file(nothing.open().get(), 0, "file", {}).verity.hex(),
            "3d248ca542a24fc62d1c43b916eae5016878e2533c88238480b26128a1f1af95");
}

TEST(Verity, PiecesMayComeInAnyOrder) {
  const auto text = content(5'000'000);
  const SampleFile file(text);
  VerityTree tree(text.size());
  parallel_for(tree.pieces(), [&](std::size_t i) {
    const auto piece = tree.pieces() - 1 - i;
    tree.add(piece, std::span(reinterpret_cast<const std::uint8_t*>(text.data()), text.size())
                        .subspan(tree.begin(piece), tree.length(piece)));
  });
  EXPECT_EQ(tree.digest(), digests_of_file(file.open().get(), text.size(), "file", {}).verity);
}

TEST(Verity, EveryBitCounts) {
  auto text = content(10'000);
  const auto of = [](const std::string& bytes) {
    const SampleFile file(bytes);
    return digests_of_file(file.open().get(), bytes.size(), "file", {}).verity;
  };
  const auto good = of(text);
  for (const std::size_t at : {0u, 4095u, 4096u, 9'999u}) {
    text[at] = static_cast<char>(text[at] ^ 1);
    EXPECT_NE(of(text), good) << at;
    text[at] = static_cast<char>(text[at] ^ 1);
  }
  EXPECT_NE(of(text + '\0'), good) << "zeros behind the end";
}

TEST(Verity, TellsOfProgressAndOfAFileThatIsCut) {
  const SampleFile file(content(9'000'000));
  std::uint64_t done = 0;
  digests_of_file(file.open().get(), file.size, "file", [&](std::uint64_t bytes) { done += bytes; });
  EXPECT_EQ(done, file.size);
  EXPECT_EQ(code_of([&] { digests_of_file(file.open().get(), file.size + 1, "file", {}); }), ErrorCode::size_mismatch);
}

}  // namespace
}  // namespace liftlock
