#include "server/local_door.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/code_of.hpp"
#include "base/error.hpp"
#include "net/unix_client.hpp"

namespace liftlock {
namespace {

HttpHandler says(const std::string& text) {
  return [text](const HttpRequest& request) {
    if (request.path == "/status") return text_response(200, "text/plain", text);
    return text_response(200, "text/plain", std::string(request.peer) + " " + std::string(request.body));
  };
}

TEST(LocalDoor, AnswersItsUserAlsoInADeepFolderAndAsOftenAsAsked) {
  const TemporaryFolder folder;
  const auto deep = folder.path() / std::string(100, 'a') / std::string(100, 'b');
  const std::string status(100'000, 'x');
  {
    const LocalDoor door(deep, says(status));
    for (int i = 0; i < 3; ++i) EXPECT_EQ(read_status(deep), status);
    const auto said = UnixClient(door_in(deep)).request({.method = "POST", .target = "/v1/x", .body = "hello"});
    EXPECT_EQ(said.body, "local hello");
    struct stat folder_status {};
    ASSERT_EQ(::stat(deep.c_str(), &folder_status), 0);
    EXPECT_EQ(folder_status.st_mode & 0777, 0700u);
  }
  EXPECT_FALSE(is_open(deep));
  EXPECT_EQ(code_of([&] { read_status(deep); }), ErrorCode::not_found);
  EXPECT_FALSE(fs::exists(deep / "serve.sock"));
}

TEST(LocalDoor, TakesThePlaceOfASocketThatAKilledServerLeft) {
  const TemporaryFolder folder;
  const auto child = ::fork();
  if (child == 0) {
    const LocalDoor dies(folder.path(), says(""));
    ::_exit(0);
  }
  ::waitpid(child, nullptr, 0);
  ASSERT_TRUE(fs::exists(folder.path() / "serve.sock"));
  EXPECT_EQ(code_of([&] { read_status(folder.path()); }), ErrorCode::not_found);
  const LocalDoor door(folder.path(), says("well"));
  EXPECT_EQ(read_status(folder.path()), "well");
}

TEST(LocalDoor, AnswersNobodyElse) {
  if (::geteuid() != 0) GTEST_SKIP() << "another user is needed";
  const TemporaryFolder folder;
  const auto child = ::fork();
  if (child == 0) {
    // The door's user is not root here, whom every door answers.
    if (::chown(folder.path().c_str(), 65533, 65533) != 0) ::_exit(2);
    if (::setuid(65533) != 0) ::_exit(2);
    const LocalDoor door(folder.path() / "run", says("well"));
    ::chmod(folder.path().c_str(), 0755);
    ::chmod((folder.path() / "run").c_str(), 0755);  // as if somebody had opened it
    ::chmod((folder.path() / "run/serve.sock").c_str(), 0777);
    ::pause();
  }
  const auto asked_as = [&](uid_t user) {
    const auto other = ::fork();
    if (other == 0) {
      if (::setuid(user) != 0) ::_exit(2);
      try {
        ::_exit(read_status(folder.path() / "run") == "well" ? 0 : 1);
      } catch (const Error& error) {
        ::_exit(error.code() == ErrorCode::network ? 3 : 4);
      }
    }
    int status = 0;
    ::waitpid(other, &status, 0);
    return WEXITSTATUS(status);
  };
  for (int i = 0; i < 6000 && asked_as(65533) != 0; ++i) ::usleep(10'000);
  EXPECT_EQ(asked_as(65533), 0);
  EXPECT_EQ(asked_as(0), 0);
  EXPECT_EQ(asked_as(65534), 3) << "it is let in by the file's mode, and gets no answer";
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
}

}  // namespace
}  // namespace liftlock
