#include "cli/output_file.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>

#include "base/code_of.hpp"
#include "os/file.hpp"

namespace liftlock {
namespace {

/// While it lives standard output is this file.
class StandardOutput {
 public:
  explicit StandardOutput(const fs::path& file)
      : m_before(::dup(STDOUT_FILENO)), m_file(open_file(file, O_WRONLY | O_CREAT | O_TRUNC, 0600)) {
    ::fflush(stdout);
    ::dup2(m_file.get(), STDOUT_FILENO);
  }
  ~StandardOutput() { ::dup2(m_before.get(), STDOUT_FILENO); }
  StandardOutput(const StandardOutput&) = delete;
  StandardOutput& operator=(const StandardOutput&) = delete;

 private:
  UniqueFd m_before, m_file;
};

struct OutputFile : testing::Test {
  TemporaryFolder folder;
  fs::path out = folder.path() / "out";
  fs::path before = fs::current_path();

  OutputFile() { fs::current_path(folder.path()); }
  ~OutputFile() override { fs::current_path(before); }
};

TEST_F(OutputFile, AHyphenIsStandardOutputAndNoFile) {
  const std::string bytes("a\0\x1b\xff\n", 5);
  {
    const StandardOutput to(out);
    write_output("-", bytes);
  }
  EXPECT_EQ(read_file(out, 100), bytes) << "the very bytes";
  EXPECT_FALSE(fs::exists("-"));
}

TEST_F(OutputFile, AnyOtherNameIsAFile) {
  write_output("named", "text", 0600);
  EXPECT_EQ(read_file("named", 100), "text");
  EXPECT_EQ(fs::status("named").permissions(), fs::perms::owner_read | fs::perms::owner_write);
  write_output("./-", "text");
  EXPECT_EQ(read_file("./-", 100), "text");
}

TEST_F(OutputFile, StandardOutputThatTakesNothingIsAnError) {
  const StandardOutput to("/dev/full");
  EXPECT_EQ(code_of([] { write_output("-", "text"); }), ErrorCode::disk_full);
}

TEST_F(OutputFile, WhatIsNoStreamWantsAName) {
  EXPECT_EQ(code_of([] { require_file_name("-", "--out"); }), ErrorCode::usage);
  EXPECT_NO_THROW(require_file_name("./-", "--out"));
}

}  // namespace
}  // namespace liftlock
