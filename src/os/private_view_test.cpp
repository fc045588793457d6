#include "os/private_view.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/code_of.hpp"
#include "base/error.hpp"

namespace liftlock {
namespace {

constexpr uid_t k_nobody = 65534;

/// A folder that everybody may enter, with two files.
struct Files {
  Files() {
    fs::permissions(temporary.path(), static_cast<fs::perms>(0755));
    write_file_atomically(one, "one");
    write_file_atomically(two, "two");
    fs::create_directory(view);
    if (::geteuid() == 0 && ::chown(view.c_str(), k_nobody, k_nobody) != 0) ADD_FAILURE() << "chown";
  }
  TemporaryFolder temporary;
  fs::path one = temporary.path() / "1", two = temporary.path() / "2", view = temporary.path() / "view";
};

/// The exit status of a child that does this as that user: 77 where such namespaces are forbidden.
int in_child(uid_t user, const std::function<void()>& work) {
  const auto child = ::fork();
  if (child == 0) {
    if (user != ::geteuid() && (::setresgid(user, user, user) != 0 || ::setresuid(user, user, user) != 0)) ::_exit(78);
    ::prctl(PR_SET_DUMPABLE, 1);  // as a process is that was this user from its start
    try {
      work();
    } catch (const Error& error) {
      ::_exit(error.code() == ErrorCode::sandbox_unavailable ? 77 : error.code() == ErrorCode::blob_corrupt ? 5 : 79);
    }
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

class PrivateView : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (!GetParam() && ::geteuid() != 0) GTEST_SKIP() << "only root can be root";
  }
  uid_t user() const { return GetParam() && ::geteuid() == 0 ? k_nobody : ::geteuid(); }
  Files files;
};

TEST_P(PrivateView, ShowsTheVeryFilesReadOnlyToThisProcessAlone) {
  const auto status = in_child(user(), [&] {
    const auto one = open_file(files.one, O_RDONLY), two = open_file(files.two, O_RDONLY);
    show_privately(files.view, {{"a", one.get(), files.one}, {"deep/b", two.get(), files.two}});
    if (read_file(files.view / "a", 100) != "one" || read_file(files.view / "deep/b", 100) != "two") ::_exit(1);
    if (::open((files.view / "a").c_str(), O_WRONLY) >= 0) ::_exit(2);
    if (::open((files.view / "new").c_str(), O_WRONLY | O_CREAT, 0600) >= 0) ::_exit(3);
    if (::unlink((files.view / "a").c_str()) == 0) ::_exit(4);
  });
  if (status == 77) GTEST_SKIP() << "this machine forbids namespaces";
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(fs::is_empty(files.view));
}

TEST_P(PrivateView, RefusesAnotherFileInItsPlace) {
  const auto status = in_child(user(), [&] {
    const auto two = open_file(files.two, O_RDONLY);
    show_privately(files.view, {{"a", two.get(), files.one}});
  });
  if (status == 77) GTEST_SKIP() << "this machine forbids namespaces";
  EXPECT_EQ(status, 5) << "blob-corrupt";
}

INSTANTIATE_TEST_SUITE_P(As, PrivateView, testing::Bool(), [](const auto& as) { return as.param ? "AUser" : "Root"; });

}  // namespace
}  // namespace liftlock
