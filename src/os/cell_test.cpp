#include "os/cell.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "base/code_of.hpp"
#include "base/error.hpp"
#include "os/file.hpp"
#include "os/parallel.hpp"

namespace liftlock {
namespace {

/// What the cells of this test do when asked; runs inside.
std::string misbehave(std::string_view request, std::span<const int> files) {
  const auto told = [](long result) {
    return result >= 0 ? std::string("allowed") : std::string(std::strerror(errno));
  };
  if (request == "read") return read_all(files[0], 100, "given") + read_all(files.back(), 100, "given");
  if (request == "open") return told(::open("/etc/passwd", O_RDONLY));
  if (request == "create") return told(::open("/tmp/liftlock-cell", O_WRONLY | O_CREAT, 0600));
  if (request == "socket") return told(::socket(AF_INET, SOCK_STREAM, 0));
  if (request == "exec") return told(::execl("/bin/true", "true", nullptr));
  if (request == "ptrace") return told(::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr));
  if (request == "fork") return told(::fork());
  if (request == "signal") return told(::kill(::getppid(), 0));
  if (request == "answer for others") return told(::write(3, "x", 1));
  if (request == "who serves") return std::to_string(::getppid());
  if (request == "crash") __builtin_trap();
  if (request == "leave") ::_exit(0);
  if (request == "spin") {
    for (volatile unsigned i = 0;;) i = i + 1;
  }
  if (request == "throw") fail(ErrorCode::usage, "thrown");
  return std::string(request);
}

std::optional<ErrorCode> code_of_call(CellPool& pool, std::string_view request) {
  return code_of([&] { pool.call(request, {}); });
}

class Cell : public testing::Test {
 protected:
  CellPool m_pool{{"/proc/self/exe", "cell"}, 2};
};

TEST_F(Cell, AnswersAndReadsOnlyWhatItIsGiven) {
  EXPECT_EQ(m_pool.call("hello", {}), "hello");
  const TemporaryFolder folder;
  write_file_atomically(folder.path() / "f", "given");
  const auto fd = open_file(folder.path() / "f", O_RDONLY);
  EXPECT_EQ(m_pool.call("read", std::vector<int>(600, fd.get())), "givengiven");
}

TEST_F(Cell, OpensNothingStartsNothingAndReachesNobody) {
  for (const auto* request : {"open", "create", "socket", "exec", "ptrace", "fork", "signal", "answer for others"}) {
    EXPECT_NE(m_pool.call(request, {}), "allowed") << request;
  }
}

/// The values of one line of /proc/PID/status.
std::string status_line(const std::string& pid, const std::string& name) {
  const auto text = read_file("/proc/" + pid + "/status", 1 << 16);
  const auto at = text.find("\n" + name + ":\t");
  if (at == std::string::npos) return "absent";
  const auto begin = at + name.size() + 3;
  return text.substr(begin, text.find('\n', begin) - begin);
}

TEST_F(Cell, IsNotRootAndHasNoCapability) {
  const auto pid = m_pool.call("who serves", {});
  for (const auto* set : {"CapInh", "CapPrm", "CapEff", "CapAmb"}) {
    EXPECT_EQ(status_line(pid, set), "0000000000000000") << set;
  }
  EXPECT_EQ(status_line(pid, "NoNewPrivs"), "1");
  if (::geteuid() != 0) GTEST_SKIP() << "the rest is for root";
  if (!read_file("/proc/self/uid_map", 1 << 12).ends_with(" 4294967295\n")) GTEST_SKIP() << "0 is not the host's here";
  EXPECT_EQ(status_line(pid, "CapBnd"), "0000000000000000");
  EXPECT_EQ(status_line(pid, "Uid"), "65534\t65534\t65534\t65534");
  EXPECT_EQ(status_line(pid, "Gid"), "65534\t65534\t65534\t65534");
  EXPECT_EQ(status_line(pid, "Groups"), " ");
}

// As libraries open them: an inspector must not read from, or write to, a connection of its parent.
TEST_F(Cell, HoldsNoDescriptorOfItsParent) {
  const UniqueFd connection(::socket(AF_INET, SOCK_STREAM, 0));
  ASSERT_TRUE(connection.valid());
  ASSERT_EQ(::fcntl(connection.get(), F_GETFD), 0) << "it would close by itself";
  const auto pid = m_pool.call("who serves", {});
  std::error_code error;
  std::vector<std::string> held;
  for (const auto& one : fs::directory_iterator("/proc/" + pid + "/fd", error)) held.push_back(one.path().filename());
  if (error) GTEST_SKIP() << "nobody looks into it: " << error.message();
  EXPECT_THAT(held, testing::UnorderedElementsAre("0", "1", "2", "3"));
}

TEST_F(Cell, WhatBreaksARequestDoesNotBreakTheNext) {
  for (const auto* request : {"crash", "leave", "throw", "spin"}) {
    EXPECT_EQ(code_of_call(m_pool, request), ErrorCode::inspection_failed) << request;
    EXPECT_EQ(m_pool.call("still there", {}), "still there");
  }
}

TEST_F(Cell, ServesManyThreads) {
  parallel_for(
      200, [&](std::size_t i) { EXPECT_EQ(m_pool.call(std::to_string(i), {}), std::to_string(i)); }, 8);
}

}  // namespace
}  // namespace liftlock

// The cells of this test are this program again.
int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "cell") == 0) {
    return liftlock::serve_cell(liftlock::misbehave, {.memory = 1ull << 30, .cpu_seconds = 1});
  }
  testing::InitGoogleMock(&argc, argv);
  return RUN_ALL_TESTS();
}
