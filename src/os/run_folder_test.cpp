#include "os/run_folder.hpp"

#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <thread>
#include <vector>

#include "base/error.hpp"

namespace liftlock {
namespace {

fs::path lock_of(const fs::path& folder) {
  return folder.string() + ".lock";
}

/// Makes a run folder in a process that is then killed.
fs::path folder_of_the_dead() {
  int ready[2];
  EXPECT_EQ(::pipe2(ready, O_CLOEXEC), 0);
  const auto child = ::fork();
  if (child == 0) {
    const RunFolder folder("dead");
    write_file_atomically(folder.path() / "left", "over");
    if (::geteuid() == 0) {
      fs::create_directory(folder.path() / "mounted");
      if (::mount("test", folder.path().c_str(), "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=65536") == 0) {
        write_file_atomically(folder.path() / "hidden", "behind a mount");
      }
    }
    write_all(ready[1], folder.path().string(), "pipe");
    ::pause();
    ::_exit(0);
  }
  char text[256] = {};
  EXPECT_GT(::read(ready[0], text, sizeof text - 1), 1);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  return text;
}

TEST(RunFolder, GoesWithItsObject) {
  fs::path path;
  {
    const RunFolder folder("test");
    path = folder.path();
    write_file_atomically(path / "a", "b");
    EXPECT_LT(path.string().size() + 20, 108u);
  }
  EXPECT_FALSE(fs::exists(path));
  EXPECT_FALSE(fs::exists(lock_of(path)));
}

TEST(RunFolder, ThoseOfKilledProcessesGoWithTheNext) {
  const auto dead = folder_of_the_dead();  // which another process may have taken away by now
  const RunFolder mine("test");
  EXPECT_FALSE(fs::exists(dead));
  EXPECT_FALSE(fs::exists(lock_of(dead)));
}

TEST(RunFolder, ThoseOfTheLivingStay) {
  const RunFolder mine("test");
  const auto other = ::fork();
  if (other == 0) {
    {
      const RunFolder theirs("test");
    }
    ::_exit(0);
  }
  ::waitpid(other, nullptr, 0);
  const RunFolder second("test");
  EXPECT_TRUE(fs::exists(mine.path()));
  EXPECT_NE(mine.path(), second.path());
}

TEST(RunFolder, AFolderOfSomebodyElseIsNotTaken) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs two users";
  const TemporaryFolder runtime;
  ASSERT_EQ(::chmod(runtime.path().c_str(), 0777), 0);
  fs::create_directory_symlink("/tmp", runtime.path() / "liftlock");
  const auto other = ::fork();
  if (other == 0) {
    ::setenv("XDG_RUNTIME_DIR", runtime.path().c_str(), 1);
    if (::setresuid(65534, 65534, 65534) != 0) ::_exit(2);
    try {
      const RunFolder folder("test");
    } catch (const Error&) {
      ::_exit(0);
    }
    ::_exit(1);
  }
  int status = 0;
  ::waitpid(other, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(RunFolder, ManyAtOnce) {
  std::vector<std::jthread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([] {
      for (int k = 0; k < 20; ++k) {
        const RunFolder folder("many");
        EXPECT_TRUE(fs::exists(folder.path()));
      }
    });
  }
}

}  // namespace
}  // namespace liftlock
