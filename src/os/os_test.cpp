#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>

#include "base/code_of.hpp"
#include "base/error.hpp"
#include "os/file.hpp"
#include "os/lent_user.hpp"
#include "os/log_pump.hpp"
#include "os/parallel.hpp"
#include "os/process.hpp"
#include "os/program_pipe.hpp"
#include "os/sandbox.hpp"

namespace liftlock {
namespace {

TEST(OpenBeneath, RefusesLinksAndAnswersAbsence) {
  const TemporaryFolder folder;
  write_file_atomically(folder.path() / "real", "x");
  fs::create_symlink("real", folder.path() / "link");
  fs::create_directory_symlink("/etc", folder.path() / "away");
  const auto fd = open_folder(folder.path());
  EXPECT_TRUE(open_beneath(fd.get(), RelPath::parse("real"), O_RDONLY));
  EXPECT_FALSE(open_beneath(fd.get(), RelPath::parse("nothing"), O_RDONLY));
  EXPECT_EQ(code_of([&] { open_beneath(fd.get(), RelPath::parse("link"), O_RDONLY); }), ErrorCode::not_regular);
  EXPECT_EQ(code_of([&] { open_beneath(fd.get(), RelPath::parse("away/passwd"), O_RDONLY); }), ErrorCode::not_regular);
}

TEST(AtomicFile, IsInvisibleUntilCommitAndGoneWithoutIt) {
  const TemporaryFolder folder;
  {
    AtomicFile file(folder.path() / "f");
    file.write("half");
    EXPECT_FALSE(fs::exists(folder.path() / "f"));
  }
  EXPECT_TRUE(fs::is_empty(folder.path()));
  write_file_atomically(folder.path() / "f", "old");
  write_file_atomically(folder.path() / "f", "new");
  EXPECT_EQ(read_file(folder.path() / "f", 100), "new");
  EXPECT_EQ(code_of([&] { read_file(folder.path() / "f", 2); }), ErrorCode::limit_exceeded);
}

TEST(AtomicFile, TakesNothingElsesPlace) {
  const TemporaryFolder folder;
  const auto pipe = folder.path() / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  fs::create_symlink("pipe", folder.path() / "link");
  for (const auto& taken : {pipe, folder.path() / "link", folder.path(), fs::path("/dev/null")}) {
    EXPECT_EQ(code_of([&] { write_file_atomically(taken, "x"); }), ErrorCode::usage) << taken;
  }
  EXPECT_TRUE(fs::is_fifo(pipe));
}

TEST(Walk, SortsBytewiseAndReportsLinksAndEmptyFolders) {
  const TemporaryFolder folder;
  const auto fd = open_folder(folder.path());
  for (const auto* name : {"b/c", "a", "B", "b.x"}) {
    const auto path = RelPath::parse(name);
    make_parents_beneath(fd.get(), path);
    open_beneath(fd.get(), path, O_WRONLY | O_CREAT);
  }
  fs::create_directory(folder.path() / "empty");
  fs::create_symlink("a", folder.path() / "link");
  std::vector<std::string> paths;
  for (const auto& entry : walk(folder.path(), 100)) paths.push_back(entry.path);
  EXPECT_EQ(paths, (std::vector<std::string>{"B", "a", "b.x", "b/c", "empty", "link"}));
  EXPECT_EQ(code_of([&] { walk(folder.path(), 3); }), ErrorCode::limit_exceeded);
}

TEST(FileLock, IsExclusive) {
  const TemporaryFolder folder;
  const FileLock lock(folder.path() / "lock", "a test", FileLock::Wait::no);
  EXPECT_EQ(code_of([&] { FileLock(folder.path() / "lock", "a test", FileLock::Wait::no); }), ErrorCode::busy);
}

TEST(RunProcess, CarriesInputOutputAndStatus) {
  const auto result =
      run_process({.argv = {"sh", "-c", "cat; echo no >&2; exit 3"}, .input = std::string(200000, 'x')});
  EXPECT_EQ(result.output.size(), 200000u);
  EXPECT_EQ(result.error_output, "no\n");
  EXPECT_EQ(result.status, 3);
}

TEST(RunProcess, GivesItsDescriptorsToNobody) {
  const UniqueFd connection(::socket(AF_INET, SOCK_STREAM, 0));
  ASSERT_EQ(::fcntl(connection.get(), F_GETFD), 0) << "it would close by itself";
  const auto listed = run_process({.argv = {"ls", "-l", "/proc/self/fd"}}).output;
  EXPECT_EQ(listed.find("socket:"), std::string::npos) << listed;
}

TEST(RunProcess, IsBounded) {
  EXPECT_EQ(code_of([] { run_process({.argv = {"no-such-program-here"}}); }), ErrorCode::tool_missing);
  EXPECT_EQ(code_of([] { run_process({.argv = {"yes"}, .max_output = 1000}); }), ErrorCode::limit_exceeded);
  EXPECT_EQ(code_of([] {
              run_process({.argv = {"sleep", "30"}, .timeout = std::chrono::seconds(1)});
            }),
            ErrorCode::tool_failed);
  EXPECT_EQ(code_of([] { run_process_checked({.argv = {"false"}}); }), ErrorCode::tool_failed);
}

/// A pipe in the file system that programs hold open for writing: when it ends, none of them is left.
class HeldPipe {
 public:
  HeldPipe() {
    if (::mkfifo(path().c_str(), 0600) != 0) fail_errno("mkfifo");
    m_end = UniqueFd(::open(path().c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  }
  std::string path() const { return m_folder.path() / "held"; }
  /// What comes next: up to its end, or to the first piece.
  std::string next() const {
    pollfd wait = {m_end.get(), POLLIN, 0};
    if (::poll(&wait, 1, 60'000) != 1) return "nothing";
    char buffer[100];
    const auto got = ::read(m_end.get(), buffer, sizeof buffer);
    return got < 0 ? "an error" : std::string(buffer, static_cast<std::size_t>(got));
  }

 private:
  const TemporaryFolder m_folder;
  UniqueFd m_end;
};

/// Two processes that hold the pipe, in a group that says so when it is asked to end.
ProcessSpec two_that_hold(const HeldPipe& pipe, const std::string& then) {
  return {.argv = {"sh", "-c", "exec 3> \"$1\"; trap 'echo asked >&3; exit' TERM; sleep 300 & echo begun >&3; " + then,
                   "sh", pipe.path()},
          .max_output = 1000,
          .end_all = true};
}

/// A process that runs it and does nothing else: no error of it reaches the other tests.
pid_t runner_of(const ProcessSpec& spec) {
  const pid_t runner = ::fork();
  if (runner != 0) return runner;
  try {
    run_process(spec);
  } catch (...) {
    ::_exit(1);
  }
  ::_exit(0);
}

TEST(RunProcess, EndsAllThatAProgramStartedWhenWeAreKilled) {
  const HeldPipe pipe;
  const pid_t us = runner_of(two_that_hold(pipe, "wait"));
  ASSERT_GT(us, 0);
  EXPECT_EQ(pipe.next(), "begun\n");
  ::kill(us, SIGKILL);
  ::waitpid(us, nullptr, 0);
  EXPECT_EQ(pipe.next(), "asked\n");
  EXPECT_EQ(pipe.next(), "") << "somebody is left";
}

TEST(RunProcess, EndsAllThatAProgramStartedAtAnError) {
  const HeldPipe pipe;
  EXPECT_EQ(code_of([&] { run_process(two_that_hold(pipe, "printf %2000s x; wait")); }), ErrorCode::limit_exceeded);
  EXPECT_EQ(pipe.next(), "begun\nasked\n");
  EXPECT_EQ(pipe.next(), "") << "somebody is left";
}

TEST(RunProcess, KillsWhatDoesNotEndWhenItIsAsked) {
  const HeldPipe pipe;
  EXPECT_EQ(code_of([&] { run_process(two_that_hold(pipe, "trap '' TERM; sleep 300 & printf %2000s x; wait")); }),
            ErrorCode::limit_exceeded);
  EXPECT_EQ(pipe.next(), "begun\n");
  EXPECT_EQ(pipe.next(), "") << "somebody is left";
}

TEST(RunProcess, EndsWhatOutlivesAProgramThatEndedFirst) {
  const HeldPipe pipe;
  auto spec = two_that_hold(pipe, "exit 0");
  spec.timeout = std::chrono::seconds(1);  // whoever is left holds its output
  EXPECT_EQ(code_of([&] { run_process(spec); }), ErrorCode::tool_failed);
  EXPECT_EQ(pipe.next(), "begun\n");
  EXPECT_EQ(pipe.next(), "") << "somebody is left";
}

TEST(RunProcess, EndsWhatOutlivesAProgramThatEndedFirstWhenWeAreKilled) {
  const HeldPipe pipe;
  // $$ is the program's own number in what it starts, too: it is gone when its keeper has taken its status.
  const pid_t us = runner_of(two_that_hold(
      pipe, "(while kill -0 $$ 2>/dev/null; do sleep 0.1; done; echo alone >&3; exec sleep 300) & exit 0"));
  ASSERT_GT(us, 0);
  std::string said;
  while (said.find("alone\n") == std::string::npos) {
    const auto more = pipe.next();
    ASSERT_TRUE(more.ends_with('\n')) << said << more;
    said += more;
  }
  ::kill(us, SIGKILL);
  ::waitpid(us, nullptr, 0);
  EXPECT_EQ(pipe.next(), "") << "somebody is left";
}

TEST(RunProcess, WhatAProgramLeavesBehindAtItsOwnEndStays) {
  const HeldPipe pipe;
  const auto result = run_process(
      {.argv = {"sh", "-c", "exec 3> \"$1\"; sleep 300 </dev/null >/dev/null 2>&1 & echo $!", "sh", pipe.path()},
       .end_all = true});
  EXPECT_EQ(result.status, 0);
  const auto left = static_cast<pid_t>(std::strtol(result.output.c_str(), nullptr, 10));
  ASSERT_GT(left, 1);
  EXPECT_EQ(::kill(left, SIGKILL), 0) << "it works for others, and holds nothing of ours";
  EXPECT_EQ(pipe.next(), "");
}

TEST(RunProcess, AKeeperThatCanStartNothingSaysSo) {
  if (::geteuid() != 0) GTEST_SKIP() << "a user without other processes is needed";
  const LentUser user;
  if (user.id() == LentUser::k_shared) GTEST_SKIP() << "this user namespace is too small";
  const pid_t us = ::fork();
  ASSERT_GE(us, 0);
  if (us == 0) {
    const rlimit two{2, 2};  // us and the keeper
    if (::setresuid(user.id(), user.id(), user.id()) != 0 || ::setrlimit(RLIMIT_NPROC, &two) != 0) ::_exit(3);
    try {
      const auto result = run_process({.argv = {"/bin/sh", "-c", "exit 0"}, .end_all = true});
      if (result.status == 0) ::_exit(77);
      ::_exit(result.status == 125 && result.error_output.starts_with("no process can be made") ? 0 : 1);
    } catch (...) {
      ::_exit(2);
    }
  }
  int status = 0;
  ::waitpid(us, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 77) GTEST_SKIP() << "this kernel does not limit a user's processes";
  EXPECT_EQ(status, 0) << WEXITSTATUS(status);
}

TEST(RunProcess, CarriesStatusAndOutputPastAKeeper) {
  const auto result = run_process({.argv = {"sh", "-c", "cat; exit 3"}, .input = "words", .end_all = true});
  EXPECT_EQ(result.output, "words");
  EXPECT_EQ(result.status, 3);
  EXPECT_EQ(run_process({.argv = {"sh", "-c", "kill -KILL $$"}, .end_all = true}).status, 128 + SIGKILL);
}

TEST(ProgramPipe, IsFedToItsEndAndTellsHowItEnded) {
  const TemporaryFolder folder;
  const auto file = (folder.path() / "taken").string();
  ProgramPipe program({"sh", "-c", "cat > \"$0\"; exit 3", file}, ProgramPipe::Way::into);
  const std::string text(300000, 'x');
  write_all(program.input(), text, "its input");
  EXPECT_FALSE(program.is_shut());
  EXPECT_EQ(program.wait(), 3);
  EXPECT_EQ(read_file(file, 1u << 20), text);
}

TEST(ProgramPipe, WhoReadsNoMoreIsAnErrorAndNoSignal) {
  ProgramPipe program({"true"}, ProgramPipe::Way::into);
  EXPECT_EQ(code_of([&] { write_all(program.input(), std::string(1u << 20, 'x'), "its input"); }), ErrorCode::io_error);
  EXPECT_TRUE(program.is_shut());
  EXPECT_EQ(program.wait(), 0);
}

TEST(ParallelFor, DoesEachItemOnceAndCarriesTheFirstError) {
  std::vector<std::atomic<int>> hits(1000);
  parallel_for(
      1000, [&](std::size_t i) { ++hits[i]; }, 4);
  for (const auto& hit : hits) EXPECT_EQ(hit, 1);
  EXPECT_EQ(code_of([] {
              parallel_for(
                  100,
                  [](std::size_t i) {
                    if (i == 7) fail(ErrorCode::usage, "seven");
                  },
                  4);
            }),
            ErrorCode::usage);
}

TEST(FreeSpace, WorksForPathsThatDoNotExistYet) {
  EXPECT_GT(free_space("/tmp/not/yet/there"), 0u);
}

TEST(LogPump, BoundsTheLogAndNeverHoldsUpTheWriter) {
  const TemporaryFolder folder;
  const auto log = folder.path() / "engine.log";
  constexpr std::uint64_t bound = 100'000;
  LogPump pump(log, bound);
  // As an engine's process: with a limit on files, which a log of its own would run into.
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const rlimit files{bound, bound};
    ::setrlimit(RLIMIT_FSIZE, &files);
    const std::string line(100, 'x');
    for (int i = 0; i < 10'000; ++i) {
      if (::write(pump.write_end(), line.data(), line.size()) != 100) ::_exit(1);
    }
    if (::write(pump.write_end(), "last words", 10) != 10) ::_exit(1);
    ::_exit(0);
  }
  pump.close_write_end();
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  pump.finish();
  EXPECT_TRUE(read_file(log, bound).ends_with("last words"));
  EXPECT_LE(fs::file_size(log.string() + ".1"), bound);
}

TEST(LogPump, KeepsTheLastWordsOfTheProgramBefore) {
  const TemporaryFolder folder;
  const auto log = folder.path() / "engine.log", before = folder.path() / "engine.log.1";
  const auto run = [&](std::string_view words) {
    LogPump pump(log, 1000);
    write_all(pump.write_end(), words, "the pipe");
  };
  run("out of memory");
  EXPECT_FALSE(fs::exists(before));
  run("");
  EXPECT_EQ(read_file(before, 100), "out of memory");
  EXPECT_EQ(read_file(log, 100), "");
  run("started");
  EXPECT_EQ(read_file(before, 100), "out of memory") << "one that said nothing takes nobody's place";
  EXPECT_EQ(read_file(log, 100), "started");
  run("");
  EXPECT_EQ(read_file(before, 100), "started");
}

TEST(LogPump, EndsAlthoughSomebodyStillHoldsTheWriteEnd) {
  const TemporaryFolder folder;
  LogPump pump(folder.path() / "log", 1000);
  const UniqueFd other(::dup(pump.write_end()));
  write_all(other.get(), "said", "the pipe");
  pump.finish();
  EXPECT_EQ(read_file(folder.path() / "log", 100), "said");
}

/// Puts a program of this name, a shell script, before all others.
class ProgramInFront {
 public:
  ProgramInFront(const std::string& name, const std::string& script) {
    const auto file = m_folder.path() / name;
    write_file_atomically(file, "#!/bin/sh\n" + script, 0755);
    fs::permissions(m_folder.path(), static_cast<fs::perms>(0755));
    ::setenv("PATH", (m_folder.path().string() + ":" + m_before).c_str(), 1);
  }
  ~ProgramInFront() { ::setenv("PATH", m_before.c_str(), 1); }

 private:
  const TemporaryFolder m_folder;
  const std::string m_before = ::getenv("PATH");
};

TEST(RequireSandbox, TellsWhetherOneCanBeSetUp) {
  {
    const ProgramInFront forbidden("bwrap", "echo 'bwrap: No permissions to create new namespace' >&2; exit 1");
    EXPECT_EQ(code_of([] { require_sandbox(); }), ErrorCode::sandbox_unavailable);
  }
  {
    const ProgramInFront killed("bwrap", "kill -KILL $$");
    EXPECT_EQ(code_of([] { require_sandbox(); }), ErrorCode::sandbox_unavailable) << "silence is no success";
  }
  if (!find_program("bwrap")) GTEST_SKIP() << "bubblewrap is not installed";
  if (run_process({.argv = {"bwrap", "--unshare-all", "--ro-bind", "/", "/", "true"}}).status != 0)
    GTEST_SKIP() << "this machine forbids user namespaces";
  EXPECT_NO_THROW(require_sandbox());
}

TEST(LentUser, isNobodyElses) {
  std::optional<LentUser> first(std::in_place), second(std::in_place);
  if (first->id() == LentUser::k_shared) GTEST_SKIP() << "this user namespace is too small";
  EXPECT_NE(first->id(), second->id());
  const auto freed = first->id();
  first.reset();
  EXPECT_EQ(LentUser().id(), freed);
  std::vector<std::unique_ptr<LentUser>> all;
  EXPECT_THROW(
      {
        for (int i = 0; i < 64; ++i) all.push_back(std::make_unique<LentUser>());
      },
      Error);
  EXPECT_EQ(all.size(), 63);
}

}  // namespace
}  // namespace liftlock
