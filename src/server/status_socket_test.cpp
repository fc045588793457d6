#include "server/status_socket.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/code_of.hpp"
#include "base/error.hpp"

namespace liftlock {
namespace {

TEST(StatusSocketTest, TellsItsUserAlsoInADeepFolderAndAsOftenAsAsked) {
  const TemporaryFolder folder;
  const auto deep = folder.path() / std::string(100, 'a') / std::string(100, 'b');
  const std::string status(100'000, 'x');
  {
    const StatusSocket socket(deep, [&] { return status; });
    for (int i = 0; i < 3; ++i) EXPECT_EQ(read_status(deep), status);
    struct stat folder_status {};
    ASSERT_EQ(::stat(deep.c_str(), &folder_status), 0);
    EXPECT_EQ(folder_status.st_mode & 0777, 0700u);
  }
  EXPECT_EQ(code_of([&] { read_status(deep); }), ErrorCode::not_found);
  EXPECT_FALSE(fs::exists(deep / "serve.sock"));
}

TEST(StatusSocketTest, TakesThePlaceOfASocketThatAKilledServerLeft) {
  const TemporaryFolder folder;
  const auto child = ::fork();
  if (child == 0) {
    const StatusSocket dies(folder.path(), [] { return std::string(); });
    ::_exit(0);
  }
  ::waitpid(child, nullptr, 0);
  ASSERT_TRUE(fs::exists(folder.path() / "serve.sock"));
  EXPECT_EQ(code_of([&] { read_status(folder.path()); }), ErrorCode::not_found);
  const StatusSocket socket(folder.path(), [] { return std::string("well"); });
  EXPECT_EQ(read_status(folder.path()), "well");
}

TEST(StatusSocketTest, TellsNobodyElse) {
  if (::geteuid() != 0) GTEST_SKIP() << "another user is needed";
  const TemporaryFolder folder;
  const StatusSocket socket(folder.path() / "run", [] { return std::string("well"); });
  ::chmod(folder.path().c_str(), 0755);
  ::chmod((folder.path() / "run").c_str(), 0755);  // as if somebody had opened it
  ::chmod((folder.path() / "run/serve.sock").c_str(), 0777);
  const auto child = ::fork();
  if (child == 0) {
    if (::setuid(65534) != 0) ::_exit(2);
    try {
      ::_exit(read_status(folder.path() / "run").empty() ? 0 : 1);
    } catch (...) {
      ::_exit(3);
    }
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace liftlock
