#include "os/restarts.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "base/error.hpp"
#include "os/file.hpp"

namespace liftlock {
namespace {

using namespace std::chrono_literals;

/// A shell that does this, in a process of its own, for keep_running() is the caller's only thread.
class Restarts : public testing::Test {
 protected:
  /// @return the status that the caller ends with
  int run(const std::string& script) {
    const auto caller = start(script);
    int status = 0;
    ::waitpid(caller, &status, 0);
    return WEXITSTATUS(status);
  }
  /// @param before is called in the caller first
  pid_t start(const std::string& script, const std::function<void()>& before = {}) {
    const auto caller = ::fork();
    if (caller != 0) return caller;
    // The tests themselves may run in the background.
    for (const int signal : {SIGTERM, SIGINT, SIGHUP}) ::signal(signal, SIG_DFL);
    if (before) before();
    int status = 1;
    try {
      status = keep_running(
          [&](const std::function<void()>& starts) {
            append("check");
            if (fs::exists(folder.path() / "refuse")) fail(ErrorCode::blob_corrupt, "refused");
            starts();
            const auto* shell = fs::exists(folder.path() / "gone") ? "/nonexistent" : "/bin/sh";
            ::execl(shell, "sh", "-c", script.c_str(), folder.path().c_str(), nullptr);
            fail_errno("exec");
          },
          {.breaker = {.failures = 2, .window = 60s, .rest = rest},
           .on_restart = [&](int failed, std::chrono::milliseconds wait) {
             append("failed " + std::to_string(failed) + (wait >= 1s ? " long" : ""));
           }});
    } catch (const Error&) {
      status = 4;
    }
    ::_exit(status);
  }
  void append(const std::string& line, const char* file = "lines") const {
    const auto fd = open_file(folder.path() / file, O_WRONLY | O_CREAT | O_APPEND, 0600);
    write_all(fd.get(), line + "\n", file);
  }
  std::string lines() const { return read_file(folder.path() / "lines", 1u << 16); }
  bool soon_says(const std::string& words) const {
    for (int i = 0; i < 6000 && !(fs::exists(folder.path() / "lines") && lines().find(words) != std::string::npos); ++i)
      std::this_thread::sleep_for(10ms);
    return lines().find(words) != std::string::npos;
  }
  /// What has no end without the caller's fails, and does not hang.
  static int status_of(pid_t caller, bool ends) {
    if (!ends) ::kill(caller, SIGKILL);
    int status = 0;
    ::waitpid(caller, &status, 0);
    return status;
  }
  TemporaryFolder folder;
  std::chrono::seconds rest{1};
};

/// A terminal, whose session the caller comes to lead.
struct Terminal {
  UniqueFd ours{::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)};

  void take() {
    if (::grantpt(ours.get()) != 0 || ::unlockpt(ours.get()) != 0) ::_exit(99);
    const auto* name = ::ptsname(ours.get());
    // It stays open with its session.
    if (::setsid() < 0 || name == nullptr || ::open(name, O_RDWR) < 0) ::_exit(99);
    ours.reset();
  }
};

TEST_F(Restarts, WhatFailsIsCheckedAndStartedAgainUntilItEndsWell) {
  EXPECT_EQ(run("cd $0; echo ran >> lines; [ $(grep -c ran lines) -ge 4 ] || exit 9"), 0);
  EXPECT_EQ(lines(), "check\nran\nfailed 9\ncheck\nran\nfailed 9 long\ncheck\nran\nfailed 9 long\ncheck\nran\n");
}

TEST_F(Restarts, ASignalIsAFailureToo) {
  EXPECT_EQ(run("cd $0; [ $(grep -c check lines) -ge 2 ] || kill -SEGV $$"), 0);
  EXPECT_EQ(lines(), "check\nfailed 139\ncheck\n");
}

TEST_F(Restarts, WhatIsRefusedBeforeItsStartIsNotRepeated) {
  EXPECT_EQ(run("cd $0; touch refuse; exit 1"), 4);
  EXPECT_EQ(lines(), "check\nfailed 1\ncheck\n");
}

TEST_F(Restarts, WhatCannotBeExecutedIsNotRepeated) {
  EXPECT_EQ(run("cd $0; touch gone; exit 1"), 4);
  EXPECT_EQ(lines(), "check\nfailed 1\ncheck\n");
}

TEST_F(Restarts, ItEndsByTheSignalThatEndedItsProgram) {
  const auto caller = start("cd $0; echo ran >> lines; exec sleep 100");
  ASSERT_TRUE(soon_says("ran"));
  ::kill(caller, SIGTERM);
  int status = 0;
  ::waitpid(caller, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status)) << status;
  EXPECT_EQ(WTERMSIG(status), SIGTERM);
  EXPECT_EQ(lines(), "check\nran\n");
}

TEST_F(Restarts, OrphansOfTheProgramAreReaped) {
  if (!fs::exists("/proc/thread-self/children")) GTEST_SKIP() << "a kernel without CONFIG_PROC_CHILDREN";
  // Until the program is the only child left.
  EXPECT_EQ(run("cd $0; for i in 1 2 3 4 5; do (sleep 0 &); done; for i in $(seq 600); do "
                "[ \"$(cat /proc/$PPID/task/*/children)\" = \"$$ \" ] && exit 0; sleep 0.1; done; exit 1"),
            0);
}

TEST_F(Restarts, WhoAsksForTheEndGetsIt) {
  const auto caller =
      start("cd $0; trap 'echo asked >> lines; exit 7' TERM; echo ran >> lines; while :; do sleep 0.01; done");
  ASSERT_TRUE(soon_says("ran"));
  ::kill(caller, SIGTERM);
  int status = 0;
  ::waitpid(caller, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 7);
  EXPECT_EQ(lines(), "check\nran\nasked\n");
}

TEST_F(Restarts, AStopWhileItWaitsEndsItByTheSignal) {
  rest = 600s;
  const auto caller = start("exit 9");
  const bool waits = soon_says("long");
  ::kill(caller, SIGTERM);
  const int status = status_of(caller, waits);
  ASSERT_TRUE(WIFSIGNALED(status)) << status;
  EXPECT_EQ(WTERMSIG(status), SIGTERM);
}

TEST_F(Restarts, WhatItsStarterIgnoresIsNoStop) {
  const auto caller =
      start("cd $0; echo ran >> lines; until [ -e go ]; do sleep 0.01; done; [ $(grep -c ran lines) -ge 2 ] || exit 9",
            [] { ::signal(SIGHUP, SIG_IGN); });
  const bool ran = soon_says("ran");
  ::kill(caller, SIGHUP);
  append("", "go");
  const int status = status_of(caller, ran);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  EXPECT_EQ(lines(), "check\nran\nfailed 9\ncheck\nran\n");
}

TEST_F(Restarts, AHangupReachesTheProgram) {
  Terminal terminal;
  const auto caller =
      start("cd $0; trap 'echo asked >> lines; exit 7' HUP; echo ran >> lines; while :; do sleep 0.01; done",
            [&] { terminal.take(); });
  EXPECT_TRUE(soon_says("ran"));
  terminal.ours.reset();
  const bool asked = soon_says("asked");
  EXPECT_TRUE(asked);
  const int status = status_of(caller, asked);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 7) << status;
}

TEST_F(Restarts, AnInterruptReachesAProgramOnce) {
  Terminal terminal;
  const auto caller = start(
      "cd $0; trap 'echo asked >> lines' INT; trap 'exit 7' TERM; echo ran >> lines; while :; do sleep 0.01; done",
      [&] { terminal.take(); });
  EXPECT_TRUE(soon_says("ran"));
  write_all(terminal.ours.get(), std::string_view("\x03"), "the terminal");
  const bool asked = soon_says("asked");
  EXPECT_TRUE(asked);
  ::kill(caller, SIGTERM);
  const int status = status_of(caller, asked);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 7) << status;
  EXPECT_EQ(lines(), "check\nran\nasked\n");
}

TEST_F(Restarts, AnInterruptReachesAProgramOfAnotherGroup) {
  Terminal terminal;
  const auto caller = start(
      "cd $0; exec setsid sh -c \"trap 'echo asked >> lines; exit 7' INT; echo ran >> lines; while :; do sleep 0.01; "
      "done\"",
      [&] { terminal.take(); });
  EXPECT_TRUE(soon_says("ran"));
  write_all(terminal.ours.get(), std::string_view("\x03"), "the terminal");
  const bool asked = soon_says("asked");
  EXPECT_TRUE(asked);
  const int status = status_of(caller, asked);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 7) << status;
}

TEST_F(Restarts, NothingOfAProgramStaysBesideTheNext) {
  EXPECT_EQ(run("cd $0; if [ -e pid ]; then ! kill -0 $(cat pid); else setsid sleep 100 & echo $! > pid; exit 1; fi"),
            0);
}

TEST_F(Restarts, TheProgramIsAskedToEndWhenItsCallerIsKilled) {
  const auto caller =
      start("cd $0; trap 'echo asked >> lines; exit 7' TERM; echo ran >> lines; while :; do sleep 0.01; done");
  ASSERT_TRUE(soon_says("ran"));
  ::kill(caller, SIGKILL);
  ::waitpid(caller, nullptr, 0);
  EXPECT_TRUE(soon_says("asked"));
}

}  // namespace
}  // namespace liftlock
