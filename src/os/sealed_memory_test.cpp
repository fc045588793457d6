#include "os/sealed_memory.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>

#include "os/file.hpp"

namespace liftlock {
namespace {

std::span<const std::uint8_t> bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

TEST(SealedMemory, NobodyWritesToItOnceItIsSealed) {
  SealedMemory memory("a model", 11);
  memory.write(6, bytes("model"));
  memory.write(0, bytes("sealed"));
  const auto fd = memory.reader();
  EXPECT_FALSE(is_sealed(fd.get()));
  memory.seal();
  EXPECT_TRUE(is_sealed(fd.get()));
  EXPECT_EQ(read_all(fd.get(), 100, "memory"), "sealedmodel");
  EXPECT_EQ(::write(fd.get(), "X", 1), -1) << "it is for reading";
  // Root may open it to write, and the kernel still refuses; others may not even open it.
  const auto path = fmt::format("/proc/self/fd/{}", fd.get());
  const UniqueFd writing(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!writing.valid()) {
    EXPECT_EQ(errno, EACCES);
  } else {
    EXPECT_EQ(::pwrite(writing.get(), "X", 1, 0), -1);
    EXPECT_EQ(errno, EPERM);
    EXPECT_EQ(::ftruncate(writing.get(), 1), -1);
    EXPECT_EQ(errno, EPERM);
    EXPECT_EQ(::ftruncate(writing.get(), 100), -1);
    EXPECT_EQ(::mmap(nullptr, 11, PROT_READ | PROT_WRITE, MAP_SHARED, writing.get(), 0), MAP_FAILED);
    EXPECT_EQ(::fcntl(writing.get(), F_ADD_SEALS, F_SEAL_WRITE), -1);
  }
  // An engine maps it.
  void* mapped = ::mmap(nullptr, 11, PROT_READ, MAP_SHARED, fd.get(), 0);
  ASSERT_NE(mapped, MAP_FAILED);
  EXPECT_EQ(::mprotect(mapped, 11, PROT_READ | PROT_WRITE), -1);
  EXPECT_EQ(std::string_view(static_cast<const char*>(mapped), 11), "sealedmodel");
  ::munmap(mapped, 11);
  EXPECT_EQ(read_all(fd.get(), 100, "memory"), "sealedmodel");
}

TEST(SealedMemory, AFileIsNotSealed) {
  const TemporaryFolder folder;
  write_file_atomically(folder.path() / "file", "x");
  EXPECT_FALSE(is_sealed(open_file(folder.path() / "file", O_RDONLY).get()));
}

TEST(SealedMemory, SaysWhatIsLeft) {
  EXPECT_GT(available_memory(), 1u << 20);
  EXPECT_LT(available_memory(), 1ull << 50);
}

}  // namespace
}  // namespace liftlock
