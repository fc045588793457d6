#include "ecosystem/offline_client.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.hpp"
#include "os/fd.hpp"
#include "os/file.hpp"

namespace liftlock {
namespace {

/// A daemon that listens below /run, as docker's does.
class Daemon {
 public:
  Daemon() : m_socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    listens = ::bind(m_socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
              ::listen(m_socket.get(), 1) == 0 && ::chmod(path.c_str(), 0666) == 0;
  }
  ~Daemon() {
    if (listens) ::unlink(path.c_str());
  }
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  std::string path = "/run/liftlock-test-" + std::to_string(::getpid()) + ".sock";
  bool listens = false;

 private:
  UniqueFd m_socket;
};

/// What a client that looks for its daemon says.
std::string client_of(const Daemon& daemon) {
  ::setenv("DOCKER_HOST", ("unix://" + daemon.path).c_str(), 1);
  ::setenv("SSH_AUTH_SOCK", daemon.path.c_str(), 1);
  ProcessSpec spec;
  spec.argv = {"sh", "-c", "test ! -S \"$1\" && echo \"$DOCKER_HOST$SSH_AUTH_SOCK $(id -u)\"", "client", daemon.path};
  const auto answer = run_offline(spec);
  ::unsetenv("DOCKER_HOST");
  ::unsetenv("SSH_AUTH_SOCK");
  return answer.done ? answer.output : "the socket is there";
}

TEST(RunOffline, DaemonsOfRunAreOutOfReach) {
  const Daemon daemon;
  if (!daemon.listens) GTEST_SKIP() << "nobody may listen in /run here";
  EXPECT_EQ(client_of(daemon), " " + std::to_string(::geteuid()) + "\n");
  EXPECT_TRUE(fs::exists(daemon.path));
}

TEST(RunOffline, DaemonsOfRunAreOutOfReachOfOthersThanRootToo) {
  const Daemon daemon;
  if (!daemon.listens || ::geteuid() != 0) GTEST_SKIP() << "it takes root to be somebody else";
  const auto child = ::fork();
  if (child == 0) {
    int status = 1;
    try {
      if (::setgid(65534) == 0 && ::setuid(65534) == 0) status = client_of(daemon) == " 65534\n" ? 0 : 2;
    } catch (const Error& error) {
      status = error.code() == ErrorCode::sandbox_unavailable ? 77 : 3;
    }
    ::_exit(status);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == 77) GTEST_SKIP() << "user namespaces are for root alone here";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(RunOffline, WorksWhereTheWorkingFolderLiesInRun) {
  const Daemon daemon;
  const fs::path folder = "/run/liftlock-test-" + std::to_string(::getpid());
  if (!daemon.listens || !fs::create_directory(folder)) GTEST_SKIP() << "nobody may write in /run here";
  write_file_atomically(folder / "file", "kept");
  ProcessSpec spec;
  spec.argv = {"sh", "-c", "cat file && cat \"$(pwd)/file\" && test ! -S \"$1\"", "client", daemon.path};
  spec.working_folder = folder;
  const auto answer = run_offline(spec);
  remove_tree(folder);
  EXPECT_TRUE(answer.done) << answer.words;
  EXPECT_EQ(answer.output, "keptkept");
}

TEST(RunOffline, AClientThatFailsHasWords) {
  ProcessSpec spec;
  spec.argv = {"sh", "-c", "echo 'error: no such thing' >&2; exit 3"};
  EXPECT_EQ(run_offline(spec, {.prefixes = {"error:"}}).words, "no such thing");
  spec.argv = {"sh", "-c", "exit 3"};
  EXPECT_EQ(run_offline(spec).words, "sh ended with 3");
}

TEST(InOneLine, KeepsWhatMattersOfAClientsWords) {
  const ClientNoise noise{.prefixes = {"npm error"}, .lines = {"code E", "A complete log"}, .end = "Usage:"};
  EXPECT_EQ(in_one_line("npm error code EUSAGE\nnpm error\nnpm error Missing: a@1 from lock file\nnpm error Usage:\n"
                        "npm error npm ci\n",
                        noise),
            "Missing: a@1 from lock file");
  EXPECT_EQ(in_one_line("npm error code ENOTCACHED\nnpm error no cached response\nnpm error A complete log of it: /x\n",
                        noise),
            "no cached response");
}

TEST(ScratchFolderTest, DoesNotTakeWhatIsThereAlready) {
  const TemporaryFolder folder;
  fs::create_directory(folder.path() / "of-another");
  try {
    const ScratchFolder scratch(folder.path(), "of-another");
    FAIL() << "it took the folder of another";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::io_error);
  }
  EXPECT_TRUE(fs::exists(folder.path() / "of-another"));
  fs::path at;
  {
    const ScratchFolder scratch(folder.path(), "own");
    at = scratch.path();
    EXPECT_TRUE(fs::exists(at));
  }
  EXPECT_FALSE(fs::exists(at));
}

}  // namespace
}  // namespace liftlock
