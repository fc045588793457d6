// Crashes and company: processes that die at any moment, and several that append at once.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <iostream>
#include <map>
#include <random>
#include <thread>

#include "audit/audit_entry.hpp"
#include "audit/audit_log.hpp"
#include "audit/audit_reserve.hpp"
#include "base/error.hpp"

namespace liftlock {
namespace {

AuditEvent event(const std::string& subject) {
  return {.type = "test.append", .actor = "tester(1)", .outcome = Outcome::intent, .subject = subject, .detail = ""};
}

std::string entry(const std::string& subject) {
  return entry_to_bytes(event(subject), now());
}

/// Runs work in a child that ends with it.
template <typename F>
pid_t in_child(F&& work) {
  const auto child = ::fork();
  if (child != 0) return child;
  int status = 0;
  try {
    work();
  } catch (...) {
    status = 1;
  }
  ::_exit(status);
}

int wait_for(pid_t child) {
  int status = 0;
  ::waitpid(child, &status, 0);
  return status;
}

TEST(AuditFault, AcknowledgedEntriesSurviveSigkillAtAnyMoment) {
  const TemporaryFolder temporary;
  const auto folder = temporary.path() / "audit";
  std::mt19937 random(20261123);  // NOLINT: the same moments on every run are wanted
  std::uint64_t acknowledged = 0;
  for (int round = 0; round < 20; ++round) {
    int pipe_ends[2];
    ASSERT_EQ(::pipe(pipe_ends), 0);
    const auto child = in_child([&] {
      AuditLog log(folder, "o");
      for (int i = 0; i < 100'000; ++i) {
        // Batches of changing size, so that tiles fill within and at the end of one.
        std::vector<AuditEvent> batch(static_cast<std::size_t>(1 + i % 50), event(fmt::format("{}/{}", round, i)));
        const auto end = log.append(batch) + batch.size();
        if (::write(pipe_ends[1], &end, sizeof end) != sizeof end) ::_exit(1);
      }
    });
    ::close(pipe_ends[1]);
    std::uint64_t end = 0;
    // In every other round not before something was acknowledged, however slow the machine is.
    if (round % 2 == 1 && ::read(pipe_ends[0], &end, sizeof end) == sizeof end) acknowledged = end;
    std::this_thread::sleep_for(std::chrono::microseconds(std::uniform_int_distribution(5000, 80000)(random)));
    ::kill(child, SIGKILL);
    wait_for(child);
    while (::read(pipe_ends[0], &end, sizeof end) == sizeof end) acknowledged = end;
    ::close(pipe_ends[0]);

    AuditLog log(folder, "o");
    ASSERT_GE(log.size(), acknowledged) << "round " << round;
    ASSERT_NO_THROW(log.verify()) << "round " << round;
  }
  EXPECT_GT(acknowledged, 0u);
}

TEST(AuditFault, TwoProcessesKeepOneLog) {
  const TemporaryFolder temporary;
  const auto folder = temporary.path() / "audit";
  std::vector<pid_t> children;
  for (int who = 0; who < 2; ++who) {
    children.push_back(in_child([&] {
      AuditLog log(folder, "o");
      for (int i = 0; i < 500; ++i) log.append(event(fmt::format("{}/{}", who, i)));
    }));
  }
  for (const auto child : children) EXPECT_EQ(wait_for(child), 0);
  const AuditLog log(folder, "o");
  EXPECT_EQ(log.size(), 1000u);
  EXPECT_NO_THROW(log.verify());
  std::map<std::string, int> next;
  log.for_each(0, 1000, [&](const AuditEntry& entry) {
    const auto who = entry.event.subject.substr(0, 1);
    EXPECT_EQ(entry.event.subject, fmt::format("{}/{}", who, next[who]++));
    return true;
  });
  EXPECT_EQ(next["0"], 500);
  EXPECT_EQ(next["1"], 500);
}

TEST(AuditFault, ThreadsOfOneProcessKeepOneLog) {
  const TemporaryFolder temporary;
  AuditLog log(temporary.path() / "audit", "o");
  std::vector<std::jthread> threads;
  for (int who = 0; who < 4; ++who) {
    threads.emplace_back([&log] {
      for (int i = 0; i < 100; ++i) {
        log.append(event("x"));
        if (log.read(log.size() - 1).event.subject != "x") std::abort();
      }
    });
  }
  threads.clear();
  EXPECT_EQ(log.size(), 400u);
  EXPECT_NO_THROW(log.verify());
}

TEST(AuditFault, ATornRecordIsDroppedAndSaidSo) {
  const TemporaryFolder temporary;
  const auto folder = temporary.path() / "audit";
  { AuditLog(folder, "o").append(event("before")); }
  { std::ofstream(folder / "journal", std::ios::binary | std::ios::app) << std::string("\0\0\1\0 torn", 9); }
  AuditLog log(folder, "o");
  EXPECT_EQ(log.size(), 1u);
  EXPECT_NO_THROW(log.verify());
  EXPECT_EQ(log.append(event("after")), 2u);
  EXPECT_EQ(log.read(1).event.type, "audit.recovered");
  EXPECT_EQ(log.read(2).event.subject, "after");
  EXPECT_NO_THROW(log.verify());
}

// The blocks of an append that was not synced may reach the disk in any order.
TEST(AuditFault, OfAnAppendThatWasNotSyncedAnyPartMayBeLeft) {
  const TemporaryFolder temporary;
  const auto folder = temporary.path() / "audit";
  { AuditLog(folder, "o").append(event("before")); }
  const auto before = read_file(folder / "journal", 1 << 20);
  { AuditLog(folder, "o").append_made(std::vector(20, entry(std::string(1000, 'x')))); }
  const auto after = read_file(folder / "journal", 1 << 20);
  ASSERT_EQ(before.size(), after.size());
  const auto checkpoint = read_file(folder / "checkpoint", 4096);
  for (std::size_t block = 0; block < 6; ++block) {
    for (const bool lost : {true, false}) {
      auto left = lost ? after : before;
      left.replace(block * 4096, 4096, lost ? before : after, block * 4096, 4096);
      if (left == before || left == after) continue;
      write_file_atomically(folder / "journal", left);
      AuditLog log(folder, "o");
      EXPECT_EQ(log.size(), 1u) << block << lost;
      EXPECT_NO_THROW(log.verify());
      log.append_made({entry("after")});
      EXPECT_EQ(log.read(1).event.type, "audit.recovered");
      EXPECT_EQ(AuditLog::open_to_read(folder).size(), 3u);
      write_file_atomically(folder / "checkpoint", checkpoint);
    }
  }
}

TEST(AuditFault, FilesThatAPowerCutLostAreMadeAgain) {
  const TemporaryFolder temporary;
  const auto folder = temporary.path() / "audit";
  {
    AuditLog log(folder, "o");
    for (int i = 0; i < 300; ++i) log.append(event(std::to_string(i)));
  }
  for (const auto* name : {"checkpoint", "tile/0/001.p/44", "tile/entries/001.p/44", "tile/1/000.p/1"}) {
    {
      std::ofstream empty(folder / name, std::ios::binary | std::ios::trunc);
    }
    EXPECT_NO_THROW(AuditLog(folder, "o").verify()) << name;
    fs::remove(folder / name);
    EXPECT_NO_THROW(AuditLog(folder, "o").verify()) << name;
  }
}

TEST(AuditFault, AFullDiskRefusesAndLosesNothing) {
  const TemporaryFolder temporary;
  const auto folder = temporary.path() / "audit";
  { AuditLog(folder, "o").append(event("before")); }
  const auto limit = fs::file_size(folder / "journal") + 100;
  const auto child = in_child([&] {
    ::signal(SIGXFSZ, SIG_IGN);
    AuditLog log(folder, "o");
    const struct rlimit small {
      limit, limit
    };
    ::setrlimit(RLIMIT_FSIZE, &small);
    try {
      log.append(std::vector(100, event(std::string(1000, 'x'))));  // more than the zeros that lie ready
      ::_exit(2);
    } catch (const Error& error) {
      ::_exit(error.code() == ErrorCode::disk_full ? 0 : 3);
    }
  });
  const auto status = wait_for(child);
  EXPECT_EQ(WEXITSTATUS(status), 0);
  AuditLog log(folder, "o");
  EXPECT_EQ(log.size(), 1u);
  EXPECT_EQ(log.append(event("after")), 1u);
  EXPECT_NO_THROW(log.verify());
}

TEST(AuditFault, EntriesAreDurableBeforeTheirViews) {
  const TemporaryFolder temporary;
  const auto folder = temporary.path() / "audit";
  const auto checkpoint = [&] { return read_file(folder / "checkpoint", 4096); };
  AuditLog log(folder, "o");
  log.append(event("first"));
  const auto before = checkpoint();
  const auto child = in_child([&] {
    AuditLog other(folder, "o");
    other.append_made({entry("second")});
    ::raise(SIGKILL);
  });
  EXPECT_TRUE(WIFSIGNALED(wait_for(child)));
  EXPECT_EQ(checkpoint(), before);
  EXPECT_EQ(log.read(1).event.subject, "second");
  for (int i = 0; i < 300; ++i) log.append_made({entry("many")});
  EXPECT_NE(checkpoint(), log.checkpoint()) << "but for tiles that fill";
  EXPECT_NO_THROW(AuditLog::open_to_read(folder).verify());
  log.publish();
  EXPECT_EQ(checkpoint(), log.checkpoint());
  log.append_made({entry("last")});
  EXPECT_NO_THROW(log.verify());
  EXPECT_EQ(checkpoint(), log.checkpoint());
  EXPECT_EQ(AuditLog(folder, "o").size(), 303u);
}

/// Runs `work` in a child that sees a file system of 96 MiB at `at`. Returns its exit status; 77 where that is not
/// allowed.
template <typename F>
int on_small_disk(const fs::path& at, F&& work) {
  const auto child = ::fork();
  if (child == 0) {
    if (::unshare(CLONE_NEWNS) != 0 || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("none", at.c_str(), "tmpfs", 0, "size=96m") != 0) {
      ::_exit(77);
    }
    int status = 1;
    try {
      status = work();
    } catch (const std::exception& error) {
      std::cerr << error.what() << "\n";
    }
    ::_exit(status);
  }
  const auto status = wait_for(child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

void fill(const fs::path& file) {
  const UniqueFd fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  const std::string block(4096, 'x');
  while (::write(fd.get(), block.data(), block.size()) > 0) {
  }
}

TEST(AuditFault, AFullDiskStopsEverythingElseFirst) {
  const TemporaryFolder temporary;
  const auto disk = temporary.path();
  const auto status = on_small_disk(disk, [&] {
    const auto folder = disk / "audit";
    AuditLog log(folder, "o");
    if (!has_audit_reserve(folder)) return 10;
    fill(disk / "filler");
    auto large = event("large");
    large.detail = fmt::format("{{\"text\":\"{}\"}}", std::string(20'000, 't'));
    std::uint64_t written = 0;
    try {
      for (; written < 100'000; ++written) log.append(large);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::disk_full) return 11;
    }
    if (written < 100 || written == 100'000) return 12;
    if (has_audit_reserve(folder)) return 13;
    const auto reader = AuditLog::open_to_read(folder);
    std::uint64_t said = 0;
    reader.for_each(0, reader.size(), [&](const AuditEntry& entry) {
      said += entry.event.type == "audit.reserve" ? 1 : 0;
      return true;
    });
    // The last append may have been durable before its derived files found no room.
    if (said != 1 || reader.size() < written + 1 || reader.size() > written + 2) return 14;
    reader.verify();
    ::unlink((disk / "filler").c_str());
    AuditLog again(folder, "o");
    again.append(event("room"));
    again.verify();
    return has_audit_reserve(folder) ? 0 : 15;
  });
  if (status == 77) GTEST_SKIP() << "mounting is not allowed here";
  EXPECT_EQ(status, 0);
}

// Their journal is longer than one that publish() is asked to shorten, and nobody can.
TEST(AuditFault, OnAFullDiskEntriesThatAreDurableAreNotRefused) {
  const TemporaryFolder temporary;
  const auto disk = temporary.path();
  const auto status = on_small_disk(disk, [&] {
    const auto folder = disk / "audit";
    AuditLog log(folder, "o");
    const std::vector<std::string> entries(16, entry(std::string(4000, 'x')));
    while (fs::file_size(folder / "journal") < (32u << 20) - (100u << 10)) log.append_made(entries);
    // The room that a journal has which was begun after a long one.
    const auto journal = open_file(folder / "journal", O_WRONLY);
    if (::posix_fallocate(journal.get(), 0, 33 << 20) != 0) return 10;
    fs::remove(folder / "reserve");
    fill(disk / "filler");
    const auto before = log.size();
    for (int i = 0; i < 6; ++i) log.append_made(entries);
    if (log.size() != before + 6 * entries.size()) return 11;
    try {
      log.publish();
      return 12;
    } catch (const Error& error) {
      if (error.code() != ErrorCode::disk_full) return 13;
    }
    fs::remove(disk / "filler");
    log.publish();
    log.verify();
    return fs::file_size(folder / "journal") < (32u << 20) ? 0 : 14;
  });
  if (status == 77) GTEST_SKIP() << "mounting is not allowed here";
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace liftlock
