// A hostile program in an engine's place, started by root and by a user who is not.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "base/code_of.hpp"
#include "engine/engine_process.hpp"
#include "engine/used_up.hpp"
#include "net/unix_client.hpp"
#include "os/deadly_calls.hpp"
#include "os/process.hpp"
#include "os/process_memory.hpp"
#include "os/sandbox.hpp"

namespace liftlock::engine {
namespace {

using testing::ContainsRegex;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::Optional;

constexpr uid_t k_nobody = 65534;
constexpr std::uint64_t k_memory = 1u << 30;

/// @param address the one to listen on; becomes the one that was given
template <typename Address>
UniqueFd listen_on(int type, Address& address, std::size_t size = sizeof(Address)) {
  auto* const given = reinterpret_cast<sockaddr*>(&address);
  UniqueFd fd(::socket(given->sa_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  EXPECT_EQ(::bind(fd.get(), given, static_cast<socklen_t>(size)), 0);
  EXPECT_TRUE(type != SOCK_STREAM || ::listen(fd.get(), 8) == 0);
  socklen_t most = sizeof address;
  EXPECT_EQ(::getsockname(fd.get(), given, &most), 0);
  return fd;
}

UniqueFd listen_at(const fs::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.string().copy(address.sun_path, sizeof address.sun_path - 1);
  return listen_on(SOCK_STREAM, address);
}

/// What a program reaches that shares the host's network.
class HostNetwork {
 public:
  HostNetwork() {
    m_port.sin_family = m_datagrams.sin_family = AF_INET;
    m_port.sin_addr.s_addr = m_datagrams.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    m_name.sun_family = AF_UNIX;
    m_server = listen_on(SOCK_STREAM, m_port);
    m_mailbox = listen_on(SOCK_DGRAM, m_datagrams);
    m_abstract = listen_on(SOCK_STREAM, m_name, sizeof m_name.sun_family);  // the kernel gives a name
  }
  std::string port() const { return std::to_string(ntohs(m_port.sin_port)); }
  std::string datagrams() const { return std::to_string(ntohs(m_datagrams.sin_port)); }
  std::string name() const { return m_name.sun_path + 1; }
  void expect_untouched() const {
    char byte = 0;
    EXPECT_EQ(::accept(m_server.get(), nullptr, nullptr), -1) << "it came to a port of the host";
    EXPECT_EQ(::recv(m_mailbox.get(), &byte, 1, 0), -1) << "it sent a datagram to the host";
    EXPECT_EQ(::accept(m_abstract.get(), nullptr, nullptr), -1) << "it came to an abstract socket of the host";
  }

 private:
  sockaddr_in m_port{}, m_datagrams{};
  sockaddr_un m_name{};
  UniqueFd m_server, m_mailbox, m_abstract;
};

/// What it said, once it tried all, and whether we followed where its socket leads.
void attempt(const fs::path& folder) {
  fs::create_directories(folder / "root/usr/bin");
  fs::copy_file(LIFTLOCK_TRY_LEAVE, folder / "root/usr/bin/engine");
  fs::permissions(folder / "root/usr/bin/engine", static_cast<fs::perms>(0755));
  const auto elsewhere = folder / "elsewhere.sock";
  const auto listening = listen_at(elsewhere);
  const HostNetwork network;
  // As libraries open them: without close-on-exec.
  const UniqueFd connection(::socket(AF_INET, SOCK_STREAM, 0));
  ASSERT_EQ(::fcntl(connection.get(), F_GETFD), 0);
  SandboxSpec spec;
  spec.argv = {"/usr/bin/engine",        network.port(),      elsewhere,     std::to_string(::getpid()),
               std::to_string(k_memory), network.datagrams(), network.name()};
  spec.root = folder / "root";
  spec.run_folder = folder / "run";
  spec.log = folder / "log";
  spec.environment = {{"PATH", "/usr/bin"}};
  spec.max_memory = k_memory;
  Sandbox sandbox(spec);
  std::string said;
  for (int i = 0; i < 600 && said.find("ways out") == std::string::npos; ++i) {
    if (const auto status = sandbox.poll()) FAIL() << *status << "\n" << read_file(spec.log, 1u << 20);
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    said = read_file(spec.log, 1u << 20);
  }
  EXPECT_THAT(said, HasSubstr("\n0 ways out\n"));
  // Each was stopped by the bound, and not for want of a place to write to.
  for (const auto* place : {"4096 files in its own /tmp", "4096 files in /dev/shm", "64 files in the shared folder"})
    EXPECT_THAT(said, ContainsRegex(std::string(place) + " +No space left on device\n"));
  EXPECT_THAT(said, Not(HasSubstr("SUCCEEDED")));
  for (const auto* call : {"mount a file system", "join a network namespace", "trace another process",
                           "load a BPF program", "load a module of the kernel", "start another kernel"})
    EXPECT_THAT(said, ContainsRegex(std::string(call) + " +ended for it\n"));
  // Refusals are not seen from outside; that nothing is left is.
  EXPECT_THAT(sandbox.full_folders(), ElementsAre("/dev/shm", "/tmp"));
  const auto use = use_of(sandbox.pid());
  EXPECT_THAT(used_up(sandbox, use), Optional(HasSubstr("processes and threads, and may have 512")));
  EXPECT_THAT(used_up(sandbox, ProcessUse()), Optional(std::string("it filled its /dev/shm and /tmp")));
  network.expect_untouched();
  const auto socket = sandbox.run_folder() / k_socket_name;
  ASSERT_TRUE(fs::is_symlink(socket)) << "it leads elsewhere now";
  EXPECT_EQ(misuse_of_folder(sandbox), "a symlink stood where its socket belongs");
  EXPECT_FALSE(is_healthy(socket, std::chrono::milliseconds(500)));
  EXPECT_EQ(::accept(listening.get(), nullptr, nullptr), -1) << "nobody followed it";
}

class Escape : public testing::Test {
 protected:
  void SetUp() override {
    if (!find_program("bwrap")) GTEST_SKIP() << "bubblewrap is not installed";
    fs::permissions(temporary.path(), static_cast<fs::perms>(0777));
  }
  TemporaryFolder temporary;
};

/// @param act with a folder of its own, by a user who is not root
void try_as_user(const fs::path& folder, void (*act)(const fs::path&)) {
  if (::geteuid() != 0) return act(folder);
  const auto child = ::fork();
  if (child == 0) {
    if (::setresgid(k_nobody, k_nobody, k_nobody) != 0 || ::setresuid(k_nobody, k_nobody, k_nobody) != 0) ::_exit(78);
    try {
      act(folder);
    } catch (const Error& error) {
      ::_exit(error.code() == ErrorCode::sandbox_unavailable ? 77 : 79);
    }
    ::_exit(testing::Test::HasFailure() ? 1 : 0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 77) GTEST_SKIP() << "this machine forbids user namespaces";
  EXPECT_EQ(status, 0) << WEXITSTATUS(status);
}

TEST_F(Escape, NoWayOutOfWhatRootStarted) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root is root";
  attempt(temporary.path() / "r");
}

/// With more threads of the same user outside than an engine may have: only those inside count.
void attempt_of_a_busy_user(const fs::path& folder) {
  std::vector<std::jthread> others(SandboxSpec{}.max_processes + 100);
  for (auto& one : others) {
    one = std::jthread([](const std::stop_token& stop) {
      std::mutex mutex;
      std::condition_variable_any end;
      std::unique_lock lock(mutex);
      end.wait(lock, stop, [] { return false; });
    });
  }
  attempt(folder);
}

TEST_F(Escape, NoWayOutOfWhatAUserStarted) {
  try_as_user(temporary.path() / "u", attempt_of_a_busy_user);
}

/// Of a program whose grandchild makes a call and which goes on by itself.
struct End {
  std::optional<int> status;  ///< nullopt: it did not end
  std::optional<std::string> seen;
  bool is_watched;
  std::string entry;  ///< detail of its start
};

End end_of(const fs::path& folder, const std::string& call, DeadlyCalls rule) {
  fs::create_directories(folder / "root/usr/bin");
  fs::copy_file(LIFTLOCK_TRY_LEAVE, folder / "root/usr/bin/engine", fs::copy_options::overwrite_existing);
  fs::permissions(folder / "root/usr/bin/engine", static_cast<fs::perms>(0755));
  SandboxSpec spec;
  spec.argv = {"/usr/bin/engine", "--grandchild", call};
  spec.root = folder / "root";
  spec.run_folder = folder / "run";
  spec.log = folder / "log";
  spec.deadly_calls = rule;
  Sandbox sandbox(spec);
  for (int i = 0; i < 600 && !sandbox.poll(); ++i) {
    if (read_file(spec.log, 1u << 20).find("and I go on\n") != std::string::npos) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  std::string entry = "{}";
  tell_of_watch(sandbox, entry);
  return {sandbox.poll(), sandbox.deadly_call(), sandbox.is_watched(), entry};
}

void have_grandchildren_call(const fs::path& folder) {
  const auto unwatched = end_of(folder / "alone", "mount", DeadlyCalls::end_their_process);
  EXPECT_FALSE(unwatched.status || unwatched.seen) << "the grandchild ends alone, and nobody sees it";
  EXPECT_FALSE(unwatched.is_watched);
  // Under a filter of a service or a container not all can be seen; the grandchild ends all the same.
  for (const std::string call : {"mount", "ptrace", "bpf", "setns"}) {
    const bool is_seen = DeadlyCallWatch::sees(call);
    const auto end = end_of(folder / call, call, DeadlyCalls::end_all);
    EXPECT_EQ(end.status, is_seen ? std::optional<int>(128 + SIGSYS) : std::nullopt) << call;
    EXPECT_EQ(end.seen, is_seen ? std::optional<std::string>(call) : std::nullopt) << call;
    EXPECT_EQ(end.is_watched, DeadlyCallWatch::sees("mount")) << call;
  }
}

/// As in a server of more clients than an engine may have descriptors: they are there until exec closes them.
void call_beside_many_clients(const fs::path& folder) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  if (before.rlim_max < 2048) GTEST_SKIP() << "no process may have that many descriptors here";
  auto more = before;
  more.rlim_cur = std::max<rlim_t>(before.rlim_cur, 2048);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &more), 0);
  const auto one = open_file("/dev/null", O_RDONLY);
  std::vector<UniqueFd> clients;
  for (int i = 0; i < 1100; ++i) {
    clients.emplace_back(::fcntl(one.get(), F_DUPFD_CLOEXEC, 0));
    ASSERT_TRUE(clients.back().valid());
  }
  const bool is_seen = DeadlyCallWatch::sees("mount");
  const auto end = end_of(folder, "mount", DeadlyCalls::end_all);
  EXPECT_EQ(end.status, is_seen ? std::optional<int>(128 + SIGSYS) : std::nullopt);
  EXPECT_EQ(end.seen, is_seen ? std::optional<std::string>("mount") : std::nullopt);
  EXPECT_EQ(end.is_watched, is_seen);
  ::setrlimit(RLIMIT_NOFILE, &before);
}

TEST_F(Escape, ABusyServerThatIsRootSeesWhatAGrandchildCalls) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root is root";
  call_beside_many_clients(temporary.path() / "r");
}

TEST_F(Escape, ABusyServerThatIsAUserSeesWhatAGrandchildCalls) {
  try_as_user(temporary.path() / "u", call_beside_many_clients);
}

/// Below a filter with a listener there can be no other one, and no way back: so in a child.
void call_below_another_watch(const fs::path& folder) {
  const auto child = ::fork();
  if (child == 0) {
    try {
      if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
          load_with_listener({BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)}) < 0)
        ::_exit(77);
      const auto end = end_of(folder, "mount", DeadlyCalls::end_all);
      EXPECT_FALSE(end.status || end.seen) << "the grandchild ends alone";
      EXPECT_FALSE(end.is_watched);
      EXPECT_EQ(end.entry, R"({"unwatched":true})");
    } catch (const Error& error) {
      ::_exit(error.code() == ErrorCode::sandbox_unavailable ? 77 : 79);
    }
    ::_exit(testing::Test::HasFailure() ? 1 : 0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 77) GTEST_SKIP() << "no listener can be had here, or no sandbox";
  EXPECT_EQ(status, 0);
}

TEST_F(Escape, WhereAnotherOneWatchesItIsSaid) {
  try_as_user(temporary.path() / "u", call_below_another_watch);
}

TEST_F(Escape, AGrandchildThatCallsWhatNoEngineCallsEndsAllThatRootStarted) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root is root";
  have_grandchildren_call(temporary.path() / "r");
}

TEST_F(Escape, AGrandchildThatCallsWhatNoEngineCallsEndsAllThatAUserStarted) {
  try_as_user(temporary.path() / "u", have_grandchildren_call);
}

/// What a machine says that forbids user namespaces.
TEST_F(Escape, WhereNoSandboxCanBeMadeItIsSaidWhy) {
  const auto folder = temporary.path();
  fs::create_directories(folder / "bin");
  write_file_atomically(folder / "bin/bwrap",
                        "#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n", 0755);
  fs::create_directories(folder / "root/usr");
  const std::string path = ::getenv("PATH");
  SandboxSpec spec;
  spec.argv = {"/usr/bin/engine"};
  spec.root = folder / "root";
  spec.run_folder = folder / "run";
  spec.log = folder / "log";
  spec.deadly_calls = DeadlyCalls::end_all;
  ::setenv("PATH", ((folder / "bin").string() + ":" + path).c_str(), 1);
  try {
    Sandbox sandbox(spec);
    ::setenv("PATH", path.c_str(), 1);
    wait_until_ready(sandbox, std::chrono::seconds(20));
    FAIL() << "nothing can have become ready";
  } catch (const Error& error) {
    ::setenv("PATH", path.c_str(), 1);
    EXPECT_EQ(error.code(), ErrorCode::sandbox_unavailable);
    EXPECT_THAT(error.what(), HasSubstr("No permissions to create new namespace"));
  }
}

}  // namespace
}  // namespace liftlock::engine
