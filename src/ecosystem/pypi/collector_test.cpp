// The collector with a real pip: local folders, and an index that python3 -m http.server serves.
#include "ecosystem/pypi/collector.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/pypi/inspector.hpp"
#include "ecosystem/pypi/pip.hpp"
#include "os/file.hpp"
#include "os/process.hpp"

namespace liftlock {
namespace {

using testing::HasSubstr;

/// python3 -m http.server over a folder; stopped by its process id.
class StaticServer {
 public:
  explicit StaticServer(const fs::path& folder) {
    int fds[2];
    if (::pipe2(fds, O_CLOEXEC) != 0) std::abort();
    const UniqueFd read(fds[0]);
    UniqueFd write(fds[1]);
    m_pid = ::fork();
    if (m_pid == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::dup2(write.get(), 1);
      ::dup2(open_file("/dev/null", O_WRONLY).get(), 2);
      ::execlp("python3", "python3", "-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory",
               folder.c_str(), nullptr);
      ::_exit(127);
    }
    write.reset();
    std::string line;  // "Serving HTTP on 127.0.0.1 port 12345 (…)"
    for (char c = 0; c != '\n' && ::read(read.get(), &c, 1) == 1;) line += c;
    const auto at = line.find("port ");
    if (at != std::string::npos) m_port = line.substr(at + 5, line.find(' ', at + 5) - at - 5);
  }
  ~StaticServer() {
    ::kill(m_pid, SIGKILL);
    ::waitpid(m_pid, nullptr, 0);
  }
  StaticServer(const StaticServer&) = delete;
  StaticServer& operator=(const StaticServer&) = delete;
  std::string url() const { return "http://127.0.0.1:" + m_port; }

 private:
  pid_t m_pid = -1;
  std::string m_port;
};

class PypiCollectorTest : public testing::Test {
 protected:
  PypiCollectorTest() {
    // What the user of this machine configured must not decide what these tests see.
    for (const auto* name : {"PIP_FIND_LINKS", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "http_proxy", "HTTP_PROXY"})
      ::unsetenv(name);
    ::setenv("PIP_CONFIG_FILE", "/dev/null", 1);
    ::setenv("PIP_NO_INDEX", "1", 1);
    run_process_checked(
        {.argv = {"python3", LIFTLOCK_SOURCE_DIR "/src/ecosystem/pypi/testdata/make_wheelhouse.py", m_folder.path()},
         .input = {},
         .set_environment = {},
         .unset_environment = {},
         .working_folder = {}});
    fs::create_directory(m_folder.path() / "scratch");
  }

  Collected resolve(Json values) {
    const StackEntry entry{.table = "python", .name = "tools", .values = std::move(values), .declared = sha256("")};
    return make_pypi_collector()->resolve(entry, context);
  }
  template <typename F>
  static Error error_of(F&& f) {
    try {
      f();
    } catch (const Error& error) {
      return error;
    }
    ADD_FAILURE() << "no Error was thrown";
    return Error(ErrorCode::internal, "");
  }

  TemporaryFolder m_folder;
  BlobStore store{m_folder.path() / "store"};
  Downloader downloader{store, silent_reporter()};
  CollectContext context{store,        downloader, silent_reporter(), m_folder.path(), m_folder.path() / "scratch",
                         "linux/amd64"};
};

TEST_F(PypiCollectorTest, ResolvesFromALocalFolderWithWhatIsNeeded) {
  const auto collected = resolve({{"requirements", {"Top.Level[fast]"}}, {"find_links", {"wheels"}}});
  ASSERT_EQ(collected.artifacts.size(), 3u);
  const auto& top = collected.artifacts[2];
  EXPECT_EQ(top.id(), "wheel:top-level@1.0");
  EXPECT_EQ(top.license, "Apache-2.0");
  EXPECT_EQ(top.needs, (std::vector<std::string>{"wheel:dep-one@1.2", "wheel:dep-two@0.5"}));
  EXPECT_EQ(top.files[0].path.text(), "packages/pypi/top_level-1.0-py3-none-any.whl");
  EXPECT_EQ(top.files[0].evidence[0].type, "first-use");
  EXPECT_EQ(collected.artifacts[0].license, "MIT License");
  EXPECT_TRUE(store.contains(top.files[0].digest));
  EXPECT_TRUE(collected.notes.empty()) << collected.notes[0];
  EXPECT_EQ(resolve({{"requirements", {"Top.Level[fast]"}}, {"find_links", {"wheels"}}}).artifacts,
            collected.artifacts);
}

TEST_F(PypiCollectorTest, TwoFilesThatAreOneWheelAreRefusedByBothNames) {
  const auto wheels = m_folder.path() / "wheels", more = m_folder.path() / "more";
  const Json values = {{"requirements", {"dep-one"}}, {"find_links", {"wheels", "more"}}};
  make_folders(more);
  fs::copy_file(wheels / "dep_one-1.2-py3-none-any.whl", more / "Dep.One-1.2-py3-none-any.whl");
  EXPECT_EQ(resolve(values).artifacts.size(), 1u) << "the same bytes are no harm";
  write_file_atomically(more / "Dep_Two-0.5-py3-none-any.whl", "other bytes, and nobody asks for it");
  EXPECT_EQ(resolve(values).artifacts.size(), 1u);
  write_file_atomically(more / "Dep.One-1.2-py3-none-any.whl",
                        read_file(more / "Dep.One-1.2-py3-none-any.whl", 1u << 20) + "more");
  const auto error = error_of([&] { resolve(values); });
  EXPECT_EQ(error.code(), ErrorCode::path_collision);
  EXPECT_THAT(error.what(),
              testing::AllOf(HasSubstr("wheels/dep_one-1.2-py3-none-any.whl"),
                             HasSubstr("more/Dep.One-1.2-py3-none-any.whl"), HasSubstr("the wheel dep-one 1.2")));
}

TEST_F(PypiCollectorTest, ResolvesFromAnIndexAndPlansTheDownloads) {
  const StaticServer server(m_folder.path());
  ::unsetenv("PIP_NO_INDEX");
  ::setenv("PIP_INDEX_URL", (server.url() + "/simple/").c_str(), 1);
  const auto collected = resolve({{"requirements", {"top-level"}}});
  ASSERT_EQ(collected.artifacts.size(), 2u);
  const auto& file = collected.artifacts[1].files[0];
  EXPECT_EQ(file.evidence[0].type, "index-hash");
  EXPECT_EQ(file.origin, server.url() + "/wheels/top_level-1.0-py3-none-any.whl");
  EXPECT_EQ(file.size, fs::file_size(m_folder.path() / "wheels/top_level-1.0-py3-none-any.whl"));
  EXPECT_FALSE(store.contains(file.digest)) << "locking needs no download when the index states the digest";
  const StackEntry entry{.table = "python", .name = "tools", .values = Json::object(), .declared = sha256("")};
  const auto jobs = make_pypi_collector()->plan(collected.artifacts[1], entry, context);
  ASSERT_EQ(jobs.size(), 1u);
  downloader.fetch(jobs);
  EXPECT_TRUE(store.contains(file.digest));
  EXPECT_TRUE(make_pypi_collector()->plan(collected.artifacts[1], entry, context).empty());
}

TEST_F(PypiCollectorTest, AForeignTargetIsToldApart) {
  const auto collected = resolve({{"requirements", {"top-level"}},
                                  {"find_links", {"wheels"}},
                                  {"python_version", "3.12"},
                                  {"platforms", {"manylinux2014_aarch64"}}});
  ASSERT_EQ(collected.notes.size(), 1u);
  EXPECT_THAT(collected.notes[0], HasSubstr("markers"));
}

TEST_F(PypiCollectorTest, FailsWithPipsWordsWhenNothingFits) {
  const auto error = error_of([&] { resolve({{"requirements", {"top-level>=2"}}, {"find_links", {"wheels"}}}); });
  EXPECT_EQ(error.code(), ErrorCode::unresolvable);
  EXPECT_THAT(error.what(), HasSubstr("top-level>=2"));
  EXPECT_EQ(error_of([&] { resolve(Json::object()); }).code(), ErrorCode::stack_invalid);
  EXPECT_EQ(error_of([&] { resolve({{"requirements", {"--index-url=x"}}}); }).code(), ErrorCode::stack_invalid);
  EXPECT_EQ(error_of([&] {
              resolve({{"requirements", {"a"}}, {"interpreter", "no-such-python"}});
            }).code(),
            ErrorCode::tool_missing);
}

/// With this machine's own pip configuration; ctest -L online sets the variable, unit runs have no network to rely on.
TEST(PypiOnline, LocksFetchesInspectsAndInstallsFromAFolder) {
  if (::getenv("LIFTLOCK_ONLINE") == nullptr) GTEST_SKIP() << "talks to the configured index: run ctest -L online";
  const TemporaryFolder folder;
  for (const auto* name : {"scratch", "packages"}) fs::create_directory(folder.path() / name);
  BlobStore store(folder.path() / "store");
  Downloader downloader(store, silent_reporter());
  CollectContext context{store, downloader, silent_reporter(), folder.path(), folder.path() / "scratch", "linux/amd64"};
  const StackEntry entry{
      .table = "python", .name = "tools", .values = {{"requirements", {"idna", "six"}}}, .declared = sha256("")};
  const auto collector = make_pypi_collector();
  const auto collected = collector->resolve(entry, context);
  ASSERT_EQ(collected.artifacts.size(), 2u);
  for (const auto& artifact : collected.artifacts) {
    downloader.fetch(collector->plan(artifact, entry, context));
    const auto& file = artifact.files.at(0);
    const auto blob = store.open(file.digest);
    const int fds[] = {blob.get()};
    EXPECT_TRUE(make_pypi_inspector()->inspect(artifact, fds).findings.empty()) << artifact.id();
    EXPECT_EQ(file.evidence.at(0).type, "index-hash");
    EXPECT_FALSE(artifact.license.empty());
    fs::copy_file(store.path(file.digest), folder.path() / "packages" / file.path.filename());
  }
  const auto requests = downloader.requests();
  EXPECT_EQ(collector->resolve(entry, context).artifacts, collected.artifacts);
  EXPECT_EQ(downloader.requests(), requests) << "the second lock finds everything in the store";
  run_process_checked({.argv = {"python3", "-m", "pip", "install", "--no-index", "--find-links",
                                folder.path() / "packages", "--target", folder.path() / "installed", "idna", "six"},
                       .input = {},
                       .set_environment = {},
                       .unset_environment = {"PIP_FIND_LINKS"},
                       .working_folder = {}});
  EXPECT_TRUE(fs::exists(folder.path() / "installed/six.py"));
}

TEST(IndexCredentials, AreTakenFromPipsConfigurationAndStayWithTheirOrigin) {
  const auto credentials = IndexCredentials::parse(
      "global.index-url='https://user:p%40ss@index.test/simple'\nglobal.extra-index-url='\\nhttps://a.test/\\nhttps://"
      "u:v@b.test:8443/s'\n"
      ":env:.cert='/x'\n");
  EXPECT_EQ(credentials.headers_for("https://index.test/files/a.whl").at(0).value, "Basic dXNlcjpwQHNz");
  EXPECT_EQ(credentials.headers_for("https://b.test:8443/a.whl").size(), 1u);
  for (const auto* other :
       {"https://a.test/a.whl", "http://index.test/a.whl", "https://index.test:444/a", "file:///a.whl"}) {
    EXPECT_TRUE(credentials.headers_for(other).empty()) << other;
  }
}

}  // namespace
}  // namespace liftlock
