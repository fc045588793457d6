// The kernel's own half can be tried only where there is one that does it; what is proven everywhere is how a refusal
// goes. The other half is in engine/load_gate_test.cpp, with a double.
#include "os/verity_file.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "os/file.hpp"

namespace liftlock {
namespace {

struct SampleFile {
  SampleFile() { write_file_atomically(path, "GGUF of a model", 0444); }
  TemporaryFolder folder;
  fs::path path = folder.path() / "blob";
};

TEST(KernelVerity, OfAFileThatNobodyKeepsThereIsNoDigest) {
  const SampleFile file;
  EXPECT_EQ(kernel_verity().measure(open_file(file.path, O_RDONLY).get()), std::nullopt);
  EXPECT_EQ(kernel_verity().measure(-1), std::nullopt);
}

TEST(KernelVerity, AKernelThatRefusesLeavesTheFileAsItWas) {
  const SampleFile file;
  const auto fd = open_file(file.path, O_RDONLY);
  const auto before = stat_of(fd.get(), "a file");
  const auto outcome = kernel_verity().enable(fd.get());
  if (kernel_verity().measure(fd.get())) GTEST_SKIP() << "this kernel and file system have fs-verity";
  EXPECT_EQ(outcome, VerityOutcome::refused);
  const auto after = stat_of(fd.get(), "a file");
  EXPECT_EQ(after.st_mode, before.st_mode);
  EXPECT_EQ(after.st_ino, before.st_ino);
  EXPECT_EQ(read_file(file.path, 100), "GGUF of a model");
  fs::rename(file.path, file.folder.path() / "moved");
  EXPECT_TRUE(fs::remove(file.folder.path() / "moved"));
}

TEST(VerityRefusals, KnowAFileByWhatItIs) {
  const SampleFile file, other;
  VerityRefusals refusals;
  EXPECT_FALSE(refusals.contains(open_file(file.path, O_RDONLY).get()));
  refusals.add(open_file(file.path, O_RDONLY).get());
  fs::rename(file.path, file.folder.path() / "moved");
  EXPECT_TRUE(refusals.contains(open_file(file.folder.path() / "moved", O_RDONLY).get()));
  EXPECT_FALSE(refusals.contains(open_file(other.path, O_RDONLY).get()));
}

TEST(KernelVerity, WhereTheKernelDoesItNobodyWritesAnyMore) {
  const SampleFile file;
  const auto fd = open_file(file.path, O_RDONLY);
  const auto outcome = kernel_verity().enable(fd.get());
  if (!kernel_verity().measure(fd.get())) GTEST_SKIP() << "this kernel or file system has no fs-verity";
  EXPECT_EQ(outcome, VerityOutcome::kept);
  EXPECT_EQ(kernel_verity().enable(fd.get()), VerityOutcome::kept) << "since before";
  EXPECT_EQ(stat_of(fd.get(), "a file").st_mode & 0777, 0444u);
  EXPECT_FALSE(UniqueFd(::open(file.path.c_str(), O_WRONLY | O_CLOEXEC)).valid()) << "root may not either";
  EXPECT_EQ(read_file(file.path, 100), "GGUF of a model");
  fs::rename(file.path, file.folder.path() / "moved");
  EXPECT_TRUE(fs::remove(file.folder.path() / "moved")) << "as gc and scrub do";
}

}  // namespace
}  // namespace liftlock
