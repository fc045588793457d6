#include "archive/descriptor_input.hpp"

#include <archive_entry.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "archive/archive_fixture.hpp"
#include "base/code_of.hpp"
#include "base/encoding.hpp"
#include "os/file.hpp"

namespace liftlock {
namespace {

UniqueFd file_of(std::string_view bytes) {
  UniqueFd fd(::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  write_all(fd.get(), as_bytes(bytes), "a test");
  return fd;
}

/// The names of its entries, without their content, which is skipped; then what is wrong, if something is.
std::string names_in(DescriptorInput& input) {
  const ReaderHandle tar(archive_read_new());
  archive_read_support_format_tar(tar.get());
  if (input.open(tar.get()) != ARCHIVE_OK) return reader_words(tar.get());
  std::string out;
  archive_entry* entry = nullptr;
  int result = ARCHIVE_OK;
  while ((result = archive_read_next_header(tar.get(), &entry)) == ARCHIVE_OK)
    out += std::string(archive_entry_pathname(entry)) + ";";
  return result == ARCHIVE_EOF ? out : out + reader_words(tar.get());
}

class DescriptorInputTest : public testing::Test {
 protected:
  std::string m_tar =
      test_archive("ustar", "none", {{"a", std::string(1u << 20, 'a')}, {"b", std::string(1u << 20, 'b')}});
};

TEST_F(DescriptorInputTest, TheDescriptorsOwnOffsetIsNeitherUsedNorMoved) {
  const auto fd = file_of(m_tar);
  ::lseek(fd.get(), 77, SEEK_SET);
  DescriptorInput input(fd.get());
  EXPECT_EQ(names_in(input), "a;b;");
  EXPECT_EQ(::lseek(fd.get(), 0, SEEK_CUR), 77);
}

TEST_F(DescriptorInputTest, APartOfAFileEndsWhereItIsToEnd) {
  const auto fd = file_of("before" + m_tar + m_tar);
  DescriptorInput input(fd.get(), 6, m_tar.size());
  EXPECT_EQ(names_in(input), "a;b;");
}

TEST_F(DescriptorInputTest, ContentThatIsSkippedMustBeThere) {
  const auto fd = file_of(std::string_view(m_tar).substr(0, (1u << 20) + 4096));
  DescriptorInput input(fd.get());
  const auto names = names_in(input);
  EXPECT_TRUE(names.starts_with("a;b;") && names.size() > 4) << names;
}

TEST_F(DescriptorInputTest, AFileThatShrinksIsNoEnd) {
  const auto fd = file_of(m_tar);
  DescriptorInput input(fd.get());
  ASSERT_EQ(::ftruncate(fd.get(), 0), 0);
  EXPECT_EQ(names_in(input), "the file cannot be read to its end");
}

TEST_F(DescriptorInputTest, APipeIsNone) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd in(ends[0]), out(ends[1]);
  EXPECT_EQ(code_of([&] { DescriptorInput input(in.get()); }), ErrorCode::not_regular);
}

}  // namespace
}  // namespace liftlock
