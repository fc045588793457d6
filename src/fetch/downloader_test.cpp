#include "fetch/downloader.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <future>
#include <random>
#include <thread>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "crypto/hash.hpp"
#include "os/file.hpp"
#include "os/gigabyte_fixture.hpp"
#include "os/host.hpp"

namespace liftlock {
namespace {

using testing::HasSubstr;
using testing::Not;

/// src/fetch/testdata/flaky_server.py on a port of its own; killed by its process id.
class FlakyServer {
 public:
  FlakyServer(const fs::path& folder, const fs::path& log) : m_log(log) {
    int fds[2];
    if (::pipe2(fds, O_CLOEXEC) != 0) std::abort();
    const UniqueFd read(fds[0]);
    UniqueFd write(fds[1]);
    m_pid = ::fork();
    if (m_pid == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::dup2(write.get(), 1);
      ::execlp("python3", "python3", LIFTLOCK_SOURCE_DIR "/src/fetch/testdata/flaky_server.py", folder.c_str(),
               log.c_str(), nullptr);
      ::_exit(127);
    }
    write.reset();
    char text[16] = {};
    std::size_t size = 0;
    while (size < sizeof text - 1 && std::string_view(text).find('\n') == std::string_view::npos) {
      const auto got = ::read(read.get(), text + size, sizeof text - 1 - size);
      if (got <= 0) break;
      size += static_cast<std::size_t>(got);
    }
    m_port = std::string(trim(std::string_view(text, size)));
  }
  ~FlakyServer() {
    ::kill(m_pid, SIGKILL);
    ::waitpid(m_pid, nullptr, 0);
  }
  FlakyServer(const FlakyServer&) = delete;
  FlakyServer& operator=(const FlakyServer&) = delete;

  std::string url(std::string_view path, std::string_view host = "127.0.0.1") const {
    return fmt::format("http://{}:{}/{}", host, m_port, path);
  }
  std::vector<std::string> log() const {
    std::ifstream in(m_log);
    std::vector<std::string> lines;
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    return lines;
  }

 private:
  fs::path m_log;
  pid_t m_pid = -1;
  std::string m_port;
};

std::string random_bytes(std::size_t size, unsigned seed) {
  std::mt19937 random(seed);
  std::string out(size, '\0');
  for (auto& byte : out) byte = static_cast<char>(random());
  return out;
}

template <typename F>
Error error_of(F&& f) {
  try {
    f();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "no Error was thrown";
  return Error(ErrorCode::internal, "");
}

class CountingReporter : public Reporter {
 public:
  TaskId begin(std::string_view, Unit, std::uint64_t amount) override { return total += amount, 1; }
  void grow(TaskId, std::uint64_t more) override { total += more; }
  void advance(TaskId, std::uint64_t amount) override { done += amount; }
  void end(TaskId) override {}
  void note(std::string_view) override {}
  void warn(std::string_view) override {}
  std::atomic<std::uint64_t> total{0}, done{0};
};

class DownloaderTest : public testing::Test {
 protected:
  DownloaderTest() { fs::create_directory(m_folder.path() / "www"); }

  Digest serve(const std::string& name, const std::string& content) {
    write_file_atomically(m_folder.path() / "www" / name, content);
    return sha256(content);
  }
  DownloaderOptions quick() const {
    return {.attempts = 3, .retry_base = std::chrono::milliseconds(5), .retry_cap = std::chrono::milliseconds(20)};
  }
  FetchJob job(std::string_view path, std::optional<Digest> digest, std::optional<std::uint64_t> size = {}) {
    return {.title = std::string(path.substr(0, path.find('?'))),
            .digest = digest,
            .size = size,
            .url = server.url(path),
            .headers = {},
            .produce = {}};
  }
  std::vector<FetchResult> fetch(const std::vector<FetchJob>& jobs) {
    return Downloader(store, reporter, quick()).fetch(jobs);
  }
  std::string stored(const Digest& digest) { return read_file(store.path(digest), 64u << 20); }

  TemporaryFolder m_folder;
  BlobStore store{m_folder.path() / "store"};
  CountingReporter reporter;
  FlakyServer server{m_folder.path() / "www", m_folder.path() / "log"};
};

TEST_F(DownloaderTest, AsksForManyFilesAtOnceForADistantServerAnswersLate) {
  std::vector<FetchJob> jobs;
  for (unsigned i = 0; i < 12; ++i) {
    const auto name = fmt::format("far{}", i);
    jobs.push_back(job(name + "?together=12", serve(name, random_bytes(100, i))));
  }
  EXPECT_EQ(fetch(jobs).size(), jobs.size());
  EXPECT_EQ(server.log().size(), jobs.size());
}

TEST_F(DownloaderTest, FetchesManyFilesOnceAndReportsTheirBytes) {
  std::vector<FetchJob> jobs;
  std::uint64_t total = 0;
  for (unsigned i = 0; i < 20; ++i) {
    const auto content = random_bytes(1000 * (i + 1), i);
    total += content.size();
    const auto name = fmt::format("f{}", i);
    jobs.push_back(job(name, serve(name, content), content.size()));
  }
  jobs.push_back(jobs.front());
  Downloader downloader(store, reporter, quick());
  const auto results = downloader.fetch(jobs);
  ASSERT_EQ(results.size(), 21u);
  EXPECT_EQ(results[20].digest, results[0].digest);
  EXPECT_EQ(stored(results[7].digest), random_bytes(8000, 7));
  EXPECT_EQ(downloader.requests(), 20u);
  EXPECT_EQ(reporter.total, total);
  EXPECT_EQ(reporter.done, total);
  downloader.fetch(jobs);
  EXPECT_EQ(downloader.requests(), 20u) << "what the store has is skipped without a request";
}

TEST_F(DownloaderTest, TellsOfEachFileOnceTheStoreHasItWhileOthersAreOnTheirWay) {
  std::vector<FetchJob> jobs{job("late?slow=20000", serve("late", random_bytes(1'000'000, 1)))};
  for (unsigned i = 0; i < 5; ++i) {
    const auto name = fmt::format("f{}", i);
    jobs.push_back(job(name, serve(name, random_bytes(1000, i))));
  }
  jobs.push_back(jobs.back());
  jobs.push_back(job("kept", store.put("kept")));
  std::vector<std::size_t> told;
  const auto results = Downloader(store, reporter, quick()).fetch(jobs, [&](std::size_t i, const FetchResult& result) {
    EXPECT_TRUE(store.contains(result.digest)) << i;
    EXPECT_EQ(result.digest, *jobs[i].digest);
    told.push_back(i);
  });
  EXPECT_EQ(results.size(), jobs.size());
  EXPECT_THAT(told, testing::UnorderedElementsAre(0, 1, 2, 3, 4, 5, 6, 7));
  EXPECT_EQ(told.front(), 7u) << "it was there before";
  EXPECT_EQ(told.back(), 0u) << "it came last, and nobody waited for it";
}

TEST_F(DownloaderTest, SmallFilesLeaveNothingInStaging) {
  std::vector<FetchJob> jobs;
  std::vector<Digest> digests;
  for (unsigned i = 0; i < 40; ++i) {
    const auto name = fmt::format("f{}", i);
    // Some have the same bytes, some are too large to stay in memory.
    digests.push_back(serve(name, random_bytes(i % 10 == 9 ? 300'000 : 2000, i / 2)));
    jobs.push_back(job(name, std::nullopt));
  }
  const auto results = fetch(jobs);
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    EXPECT_EQ(results[i].digest, digests[i]);
    EXPECT_TRUE(store.contains(digests[i]));
  }
  EXPECT_TRUE(fs::is_empty(store.folder() / "staging"));
}

TEST_F(DownloaderTest, LearnsTheDigestOnFirstUseAndTakesEmptyFiles) {
  const auto digest = serve("a", "hello"), empty = serve("empty", "");
  const auto results = fetch({job("a", std::nullopt), job("empty", empty, 0)});
  EXPECT_EQ(results[0].digest, digest);
  EXPECT_EQ(results[0].size, 5u);
  EXPECT_TRUE(store.contains(empty));
}

TEST_F(DownloaderTest, ResumesAfterCutConnections) {
  const auto content = random_bytes(300'000, 1);
  const auto digest = serve("cut", content);
  fetch({job("cut?cut=50000&times=4", digest, content.size())});
  EXPECT_EQ(stored(digest), content);
  const auto log = server.log();
  ASSERT_EQ(log.size(), 5u) << "tries that get further do not count against the limit of 3";
  EXPECT_THAT(log[1], HasSubstr(R"("range": "bytes=50000-")"));
  EXPECT_THAT(log[1], HasSubstr(R"("if-range": "\"v1\"")"));
  EXPECT_EQ(reporter.done, content.size());
}

TEST_F(DownloaderTest, StartsAgainWhenTheServerHasNoRanges) {
  const auto content = random_bytes(100'000, 2);
  const auto digest = serve("n", content);
  fetch({job("n?noranges=1&cut=60000&times=1", digest, content.size())});
  EXPECT_EQ(stored(digest), content);
}

TEST_F(DownloaderTest, StartsAgainWhenTheFileChangedMeanwhile) {
  const auto older = random_bytes(100'000, 3), newer = random_bytes(100'000, 4);
  serve("c", older);
  auto options = quick();
  options.attempts = 1;
  error_of([&] { Downloader(store, reporter, options).fetch({job("c?cut=60000&times=1", std::nullopt)}); });
  const auto digest = serve("c", newer);
  serve("c.etag", "\"v2\"");
  const auto results = fetch({job("c?cut=60000&times=1", std::nullopt)});
  EXPECT_EQ(results[0].digest, digest);
  EXPECT_THAT(server.log()[1], HasSubstr(R"("if-range": "\"v1\"")"));
}

TEST_F(DownloaderTest, StartsAgainAfterARebootWhenNoDigestTellsWhatBecameOfOldBytes) {
  const auto digest = serve("boot", random_bytes(400'000, 6));
  const auto the_job = job("boot?cut=300000&times=1", std::nullopt);
  auto options = quick();
  options.attempts = 1;
  error_of([&] { Downloader(store, reporter, options).fetch({the_job}); });
  // A power cut: the part has its size, and zeros in it.
  const auto batch = store.folder() / "staging" / ("fetch-" + sha256("url:" + the_job.url).hex());
  const auto put = [&](std::string_view name, const std::string& content) {
    const auto file = batch / ("named-" + sha256(name).hex());
    ASSERT_TRUE(fs::exists(file)) << name;
    fs::permissions(file, static_cast<fs::perms>(0644));
    std::ofstream(file, std::ios::binary) << content;
  };
  put("part", std::string(300'000, '\0'));
  auto state = read_file(batch / ("named-" + sha256("part.state").hex()), 4096);
  const auto boot = boot_id();
  ASSERT_NE(state.find(boot), std::string::npos) << "nothing tells when the part was begun";
  put("part.state", state.replace(state.find(boot), boot.size(), std::string(boot.size(), '0')));
  EXPECT_EQ(fetch({the_job})[0].digest, digest);
  EXPECT_THAT(server.log()[1], Not(HasSubstr(R"("range":)")));
}

TEST_F(DownloaderTest, StartsAgainWhenOldBytesDoNotFitAndNoValidatorSaysSo) {
  const auto older = random_bytes(100'000, 3), newer = random_bytes(100'000, 4);
  serve("u", older);
  const auto digest = sha256(newer);
  auto options = quick();
  options.attempts = 1;
  error_of([&] { Downloader(store, reporter, options).fetch({job("u?noetag=1&cut=60000&times=1", digest)}); });
  serve("u", newer);
  fetch({job("u?noetag=1&cut=60000&times=1", digest)});
  EXPECT_EQ(stored(digest), newer);
}

TEST_F(DownloaderTest, ContinuesWhereAKilledRunWas) {
  const auto content = random_bytes(2'000'000, 5);
  const auto digest = serve("kill", content);
  const auto the_job = job("kill?cut=500000&hold=1&times=1", digest, content.size());
  const auto child = ::fork();
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    Downloader(store, silent_reporter(), quick()).fetch({the_job});
    ::_exit(0);
  }
  const auto part = "named-" + sha256("part").hex();
  const auto begun = [&] {
    std::error_code gone;
    for (fs::recursive_directory_iterator at(store.folder() / "staging", gone), end; !gone && at != end;
         at.increment(gone)) {
      if (at->path().filename() == part && fs::file_size(at->path(), gone) > 0 && !gone) return true;
    }
    return false;
  };
  for (int i = 0; i < 6000 && !begun(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  ::kill(child, SIGKILL);
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status)) << "it was to be killed half-way";
  EXPECT_FALSE(store.contains(digest));
  fetch({the_job});
  EXPECT_EQ(stored(digest), content);
  const auto log = server.log();
  ASSERT_EQ(log.size(), 2u);
  EXPECT_THAT(log[1], HasSubstr(R"("range": "bytes=)"));
  EXPECT_THAT(log[1], Not(HasSubstr(R"("range": "bytes=0-")")));
}

TEST_F(DownloaderTest, TriesAgainAfterServerErrorsAndHonoursRetryAfter) {
  const auto digest = serve("s", "content");
  const auto begin = std::chrono::steady_clock::now();
  fetch({job("s?status=503&times=1&retry_after=1", digest)});
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(950));
  const auto busy = serve("t", "429");
  fetch({job("t?status=429&times=2", busy)});
  const auto error = error_of([&] { fetch({job("v?status=500", serve("v", "never"))}); });
  EXPECT_EQ(error.code(), ErrorCode::http_status);
  EXPECT_THAT(error.what(), HasSubstr("tried 3 times"));
}

TEST_F(DownloaderTest, DoesNotTryAgainAfterClientErrorsAndSavesNoErrorPage) {
  const auto error = error_of([&] { fetch({job("absent?token=secret", std::nullopt)}); });
  EXPECT_EQ(error.code(), ErrorCode::http_status);
  EXPECT_THAT(error.what(), HasSubstr("404"));
  EXPECT_THAT(error.what(), Not(HasSubstr("secret")));
  EXPECT_EQ(server.log().size(), 1u);
}

TEST_F(DownloaderTest, NamesBothSidesOfAMismatch) {
  const auto right = serve("m", "right content");
  const auto size = error_of([&] { fetch({job("m", right, 5)}); });
  EXPECT_EQ(size.code(), ErrorCode::size_mismatch);
  EXPECT_THAT(size.what(), HasSubstr("13 bytes where 5"));
  const auto other = sha256("other");
  const auto digest = error_of([&] { fetch({job("m", other, 13)}); });
  EXPECT_EQ(digest.code(), ErrorCode::digest_mismatch);
  EXPECT_THAT(digest.what(), HasSubstr(right.text()));
  EXPECT_THAT(digest.what(), HasSubstr(other.text()));
  EXPECT_FALSE(store.contains(right));
  const auto lie = error_of([&] { fetch({job("m?lie=10", std::nullopt)}); });
  EXPECT_EQ(lie.code(), ErrorCode::network) << "the connection ended before the promised length, every time";
}

TEST_F(DownloaderTest, ChecksADigestOfAnotherAlgorithmInTheSamePass) {
  const auto sha512 = [](std::string_view text) {
    Hasher hasher(DigestAlgorithm::sha512);
    hasher.update(text);
    return hasher.finish();
  };
  const auto content = random_bytes(300'000, 9);
  const auto digest = serve("w", content);
  auto with = job("w?cut=200000&times=1", std::nullopt);
  with.also = sha512("other");
  const auto error = error_of([&] { fetch({with}); });
  EXPECT_EQ(error.code(), ErrorCode::digest_mismatch);
  EXPECT_THAT(error.what(), HasSubstr(sha512(content).text()));
  EXPECT_THAT(error.what(), HasSubstr(sha512("other").text()));
  EXPECT_FALSE(store.contains(digest));
  // One URL, two claims about it: both are looked at.
  auto right = job("w", std::nullopt), wrong = job("w", std::nullopt);
  right.also = sha512(content);
  wrong.also = sha512("other");
  EXPECT_EQ(error_of([&] { fetch({right, wrong}); }).code(), ErrorCode::digest_mismatch);
  // Continued after a cut, the digest is that of the whole.
  auto cut = job("w?cut=100000&times=2", std::nullopt);
  cut.also = sha512(content);
  EXPECT_EQ(fetch({cut})[0].digest, digest);
}

TEST_F(DownloaderTest, FollowsTenRedirectsAndNoMore) {
  const auto digest = serve("r", "there");
  fetch({job("r?hops=10", digest)});
  EXPECT_EQ(error_of([&] { fetch({job("r?hops=11", std::nullopt)}); }).code(), ErrorCode::network);
}

TEST_F(DownloaderTest, DropsCredentialsWhenARedirectLeavesTheOrigin) {
  const auto digest = serve("x", "elsewhere"), same = serve("y", "same");
  auto away = job("away?to=" + server.url("x", "localhost"), digest);
  away.headers = [] { return std::vector<HttpHeader>{{"Authorization", "Bearer s3cret"}, {"Accept", "a/b"}}; };
  auto stay = job("stay?to=" + server.url("y"), same);
  stay.headers = away.headers;
  fetch({away});
  fetch({stay});
  const auto log = server.log();
  ASSERT_EQ(log.size(), 4u);
  EXPECT_THAT(log[0], HasSubstr("s3cret"));
  EXPECT_THAT(log[0], HasSubstr(R"("user-agent": "liftlock/)"));
  EXPECT_THAT(log[0], HasSubstr(R"("accept-encoding": "identity")"));
  EXPECT_THAT(log[1], Not(HasSubstr("s3cret")));
  EXPECT_THAT(log[1], HasSubstr(R"("accept": "a/b")"));
  EXPECT_THAT(log[3], HasSubstr("s3cret"));
}

TEST_F(DownloaderTest, RefusesRedirectsToFilesAndOtherSchemes) {
  for (const auto* target : {"file:///etc/hostname", "ftp://127.0.0.1/x", "gopher://127.0.0.1/"}) {
    const auto error = error_of([&] { fetch({job(fmt::format("bad?to={}", target), std::nullopt)}); });
    EXPECT_EQ(error.code(), ErrorCode::network) << target;
  }
  EXPECT_EQ(server.log().size(), 3u);
  FetchJob ftp{.title = "f", .digest = {}, .size = {}, .url = "ftp://127.0.0.1/x", .headers = {}, .produce = {}};
  EXPECT_EQ(error_of([&] { fetch({ftp}); }).code(), ErrorCode::network);
}

TEST_F(DownloaderTest, PostsAQuestionAgainWhereAGetWouldBeRepeated) {
  serve("question", "the answer");
  const std::string body(3000, 'q');
  const auto document =
      Downloader(store, reporter, quick())
          .get({.url = server.url("question?status=503&times=1"), .headers = {{"Content-Type", "a/b"}}, .body = body});
  EXPECT_EQ(document.body, "the answer");
  const auto log = server.log();
  ASSERT_EQ(log.size(), 2u);
  for (const auto& line : log) {
    EXPECT_THAT(line, HasSubstr(R"("method": "POST")"));
    EXPECT_THAT(line, HasSubstr(body));
    EXPECT_THAT(line, HasSubstr(R"("content-type": "a/b")"));
    EXPECT_THAT(line, Not(HasSubstr("100-continue")));
  }
}

TEST_F(DownloaderTest, APostLeavesNeitherItsOriginNorItsMethod) {
  serve("y", "same");
  const auto post = [&](const std::string& path) {
    return Downloader(store, reporter, quick())
        .get({.url = server.url(path), .headers = {{"Authorization", "Bearer s3cret"}}, .body = "question"});
  };
  EXPECT_EQ(post("stay?as=307&to=" + server.url("y")).body, "same");
  EXPECT_EQ(server.log().size(), 2u);
  for (const auto& path : {"away?as=307&to=" + server.url("y", "localhost"), "get?to=" + server.url("y")})
    EXPECT_EQ(error_of([&] { post(path); }).code(), ErrorCode::network) << path;
  EXPECT_EQ(server.log().size(), 4u) << "nobody was asked at the other place";
}

TEST_F(DownloaderTest, AFileIsWhereItIsAtThatMomentAndIsResumedByItsName) {
  const auto content = random_bytes(100'000, 8);
  const auto digest = serve("moving", content);
  auto moving = job("moving", digest, content.size());
  unsigned asked = 0;
  moving.locate = [&] {
    return FetchPlace{server.url(fmt::format("moving?cut=60000&times=1&signature={}", ++asked)),
                      {{"X-Ticket", fmt::format("t{}", asked)}}};
  };
  fetch({moving});
  EXPECT_EQ(stored(digest), content);
  const auto log = server.log();
  ASSERT_EQ(log.size(), 2u);
  EXPECT_EQ(asked, 2u);
  EXPECT_THAT(log[1], HasSubstr("signature=2"));
  EXPECT_THAT(log[1], HasSubstr(R"("x-ticket": "t2")"));
  EXPECT_THAT(log[1], HasSubstr(R"("range": "bytes=60000-")")) << "another address, the same file";
}

TEST_F(DownloaderTest, WhoIsSlowToSayWhereAFileIsHoldsUpNoOther) {
  const auto slow = serve("slow", "a file"), other = serve("other", "another file");
  std::promise<void> came;
  auto late = job("slow", slow);
  late.locate = [this, others = came.get_future().share()] {
    if (others.wait_for(std::chrono::seconds(30)) != std::future_status::ready)
      fail(ErrorCode::internal, "the other file waits for this answer");
    return FetchPlace{server.url("slow"), {}};
  };
  Downloader(store, reporter, quick()).fetch({late, job("other", other)}, [&](std::size_t index, const FetchResult&) {
    if (index == 1) came.set_value();
  });
  EXPECT_TRUE(store.contains(slow));
}

TEST_F(DownloaderTest, WhatIsNowhereEndsTheQueue) {
  auto lost = job("lost", serve("lost", "a file"));
  lost.locate = []() -> FetchPlace { fail(ErrorCode::upstream_changed, "it is nowhere"); };
  EXPECT_EQ(error_of([&] { fetch({lost}); }).code(), ErrorCode::upstream_changed);
  EXPECT_TRUE(server.log().empty());
}

TEST_F(DownloaderTest, ALoginGoesToAPlaceOnlyWhereItIsForIt) {
  const std::string login = " login ci password s3cret\n";
  write_file_atomically(m_folder.path() / "netrc", "machine 127.0.0.1" + login + "machine localhost" + login);
  ::setenv("NETRC", (m_folder.path() / "netrc").c_str(), 1);
  Downloader downloader(store, reporter, quick());
  ::unsetenv("NETRC");
  const auto fetch_from = [&](const std::string& name, const std::string& at, Logins logins) {
    auto wanted = job(name, serve(name, "the file " + name));
    wanted.locate = [place = FetchPlace{at, {}, logins}] { return place; };
    downloader.fetch({wanted});
    return server.log();
  };
  const auto has_login = HasSubstr(R"("authorization": "Basic )");
  EXPECT_THAT(fetch_from("mine", server.url("mine"), Logins::own).at(0), has_login);
  EXPECT_THAT(fetch_from("strange", server.url("strange"), Logins::none).at(1), Not(has_login));
  const auto own = fetch_from("led", server.url("away?to=" + server.url("led", "localhost")), Logins::own);
  ASSERT_EQ(own.size(), 4u);
  EXPECT_THAT(own[2], has_login);
  EXPECT_THAT(own[3], Not(has_login)) << "another origin is another place";
  const auto all = fetch_from("any", server.url("away?to=" + server.url("any", "localhost")), Logins::all);
  ASSERT_EQ(all.size(), 6u);
  EXPECT_THAT(all[5], has_login);
}

TEST_F(DownloaderTest, TakesFileUrlsAndProducersEvenOffline) {
  const auto digest = serve("local", "from the disk");
  auto options = quick();
  options.offline = true;
  Downloader offline(store, reporter, options);
  const FetchJob local{.title = "local",
                       .digest = digest,
                       .size = {},
                       .url = "file://" + (m_folder.path() / "www/local").string(),
                       .headers = {},
                       .produce = {}};
  const FetchJob made{.title = "made", .digest = {}, .size = {}, .url = {}, .headers = {}, .produce = [](int out) {
                        write_all(out, "made here", "made");
                      }};
  const auto results = offline.fetch({local, made});
  EXPECT_EQ(stored(results[0].digest), "from the disk");
  EXPECT_EQ(stored(results[1].digest), "made here");
  EXPECT_EQ(offline.requests(), 0u);
  EXPECT_EQ(error_of([&] { offline.fetch({job("local", sha256("x"))}); }).code(), ErrorCode::network);
  EXPECT_TRUE(server.log().empty());
  auto absent = local;
  absent.digest = sha256("absent");
  absent.url += ".absent";
  EXPECT_EQ(error_of([&] { offline.fetch({absent}); }).code(), ErrorCode::not_found);
}

TEST_F(DownloaderTest, AFullDiskIsAnErrorOfItsOwn) {
  const auto content = random_bytes(400'000, 6);
  const auto digest = serve("big", content);
  const auto child = ::fork();
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{100'000, 100'000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    try {
      fetch({job("big", digest)});
    } catch (const Error& error) {
      ::_exit(error.code() == ErrorCode::disk_full ? 42 : 1);
    }
    ::_exit(2);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 42);
  fetch({job("big", digest)});
  EXPECT_THAT(server.log().back(), HasSubstr(R"("range": "bytes=100000-")"));
}

TEST_F(DownloaderTest, AFullDiskIsOneForSmallFilesToo) {
  const auto jobs = std::vector{job("a", serve("a", random_bytes(20'000, 1))), job("b", serve("b", "few"))};
  const auto child = ::fork();
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{10'000, 10'000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    try {
      fetch(jobs);
    } catch (const Error& error) {
      ::_exit(error.code() == ErrorCode::disk_full ? 42 : 1);
    }
    ::_exit(2);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 42);
  EXPECT_FALSE(store.contains(*jobs[0].digest));
  fetch(jobs);
  EXPECT_EQ(stored(*jobs[0].digest), random_bytes(20'000, 1));
}

TEST_F(DownloaderTest, OneErrorStopsNewWorkAndKeepsWhatRuns) {
  const auto content = random_bytes(1'000'000, 7);
  const auto digest = serve("slow", content);
  auto bad = job("nothing", std::nullopt);
  error_of([&] { fetch({job("slow?slow=20000", digest), bad}); });
  fetch({job("slow?slow=20000", digest)});
  EXPECT_EQ(stored(digest), content);
}

TEST_F(DownloaderTest, DocumentsAreBoundedAndHeadAsksForNoBody) {
  serve("doc", "0123456789");
  Downloader downloader(store, reporter, quick());
  const auto document = downloader.get({.url = server.url("go?to=" + server.url("doc")), .headers = {}});
  EXPECT_EQ(document.body, "0123456789");
  EXPECT_EQ(document.final_url, server.url("doc"));
  EXPECT_EQ(document.header("etag"), "\"v1\"");
  EXPECT_EQ(downloader.requests(), 2u);
  const auto head = downloader.get({.url = server.url("doc"), .headers = {}, .head = true});
  EXPECT_EQ(head.header("content-length"), "10");
  EXPECT_EQ(head.body, "");
  EXPECT_EQ(error_of([&] { downloader.get({.url = server.url("doc"), .headers = {}, .max_bytes = 9}); }).code(),
            ErrorCode::limit_exceeded);
  EXPECT_EQ(error_of([&] { downloader.get({.url = server.url("no"), .headers = {}}); }).code(), ErrorCode::http_status);
  EXPECT_EQ(downloader.get({.url = server.url("no"), .headers = {}, .accepted_status = {200, 404}}).status, 404);
  EXPECT_EQ(downloader.get({.url = server.url("doc?status=502&times=0"), .headers = {}}).status, 200);
}

TEST_F(DownloaderTest, ADocumentOfAGigabyteEndsAtItsLimit) {
  Downloader downloader(store, reporter, quick());
  for (const auto* path : {"index?zeros=1073741824", "index?zeros=1073741824&unsaid=1"}) {
    const PeakMemory memory;
    EXPECT_EQ(error_of([&] { downloader.get({.url = server.url(path), .headers = {}}); }).code(),
              ErrorCode::limit_exceeded)
        << path;
    EXPECT_LT(memory.grown(), 160u << 20) << "the limit is 64 MiB, and a text that grows is there twice";
  }
}

TEST_F(DownloaderTest, AServerThatIsGoneIsANetworkErrorAfterSomeTries) {
  Downloader downloader(store, reporter, quick());
  const auto error = error_of([&] { downloader.get({.url = "http://127.0.0.1:1/x", .headers = {}}); });
  EXPECT_EQ(error.code(), ErrorCode::network);
  EXPECT_EQ(downloader.requests(), 3u);
}

}  // namespace
}  // namespace liftlock
