// Files of Git LFS of a repository on this machine, as the lock has them and as they are fetched. Servers are asked in
// tests/interop/lfs_test.sh.
#include "ecosystem/git/lfs_collect.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/text.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/git/collector.hpp"
#include "ecosystem/git/lfs_pointer.hpp"
#include "ecosystem/git/lfs_server.hpp"
#include "ecosystem/git/repository_copy.hpp"
#include "os/file.hpp"
#include "os/process.hpp"

namespace liftlock::git {
namespace {

using testing::Contains;
using testing::HasSubstr;

StackEntry entry_with(const Json& more = Json::object(), const std::string& url = "up") {
  StackEntry out{.table = "git", .name = "tool", .values = {{"url", url}}, .declared = sha256("")};
  out.values.update(more);
  return out;
}

std::optional<Error> error_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& error) {
    return error;
  }
  return std::nullopt;
}

std::string url_of(const std::optional<LfsAddress>& address) {
  return address ? address->url : "none";
}

class LfsCollectTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!find_program("git")) GTEST_SKIP() << "there is no git";
    fs::create_directories(m_root / "up");
    git({"init", "-q", "-b", "main"});
  }
  std::string git(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(),
                     {"git", "-C", (m_root / "up").string(), "-c", "user.name=A", "-c", "user.email=a@example.test"});
    return run_process_checked({.argv = arguments,
                                .input = {},
                                .set_environment = {{"GIT_CONFIG_GLOBAL", "/dev/null"}, {"GIT_CONFIG_NOSYSTEM", "1"}},
                                .unset_environment = {}})
        .output;
  }
  void commit(const std::string& name, const std::string& text) {
    write_file_atomically(m_root / "up" / name, text);
    git({"add", "-A"});
    git({"commit", "-q", "-m", name});
  }
  static std::string pointer(const std::string& content, std::size_t size) {
    return "version https://git-lfs.github.com/spec/v1\noid sha256:" + sha256(content).hex() + "\nsize " +
           std::to_string(size) + "\n";
  }
  /// A file as git-lfs has it: its pointer in a commit, its bytes below .git/lfs.
  Digest add(const std::string& name, const std::string& content) {
    commit(name, pointer(content, content.size()));
    return keep(content);
  }
  Digest keep(const std::string& content) {
    const auto oid = sha256(content);
    const auto at = place(oid);
    fs::create_directories(at.parent_path());
    write_file_atomically(at, content);
    return oid;
  }
  fs::path place(const Digest& oid) const { return m_root / "up/.git/lfs" / lfs_place(oid); }
  Collected resolve(const StackEntry& entry, std::span<const Artifact> before = {}) {
    remove_tree(m_root / "scratch");
    fs::create_directories(m_root / "scratch");
    context.before = before;
    return GitCollector().resolve(entry, context);
  }

  Selection selection() {
    const auto id = parse_object_id(trim(git({"rev-parse", "HEAD"})));
    return {.refs = {{"refs/heads/main", id.value()}}, .head = "refs/heads/main"};
  }
  /// What a lock makes of the repository.
  RepositoryCopy copy() {
    remove_tree(m_root / "copy");
    fs::create_directories(m_root / "copy");
    RepositoryCopy out(m_git, m_root / "copy");
    out.fetch({.source = (m_root / "up").string(), .selection = selection()});
    return out;
  }

  TemporaryFolder m_folder;
  fs::path m_root = m_folder.path();
  GitProgram m_git{m_root / "home"};
  BlobStore store{m_root / "store"};
  Downloader downloader{store, silent_reporter()};
  CollectContext context{store, downloader, silent_reporter(), m_root, m_root / "scratch", "linux/amd64"};
};

TEST_F(LfsCollectTest, FilesOfTheWholeHistoryCrossByTheirDigests) {
  const auto older = add("weights.bin", "older weights");
  const auto newer = add("weights.bin", "newer weights");
  commit("README", "words\n");
  const auto collected = resolve(entry_with());
  const auto& artifact = collected.artifacts.at(0);
  ASSERT_EQ(artifact.files.size(), 3u);
  EXPECT_EQ(artifact.files[0].path.text(), "packages/git/tool.bundle");
  EXPECT_TRUE(std::is_sorted(artifact.files.begin(), artifact.files.end(),
                             [](const auto& a, const auto& b) { return a.path < b.path; }));
  for (const auto& oid : {older, newer}) {
    const auto found = std::find_if(artifact.files.begin(), artifact.files.end(),
                                    [&](const auto& file) { return file.digest == oid; });
    ASSERT_NE(found, artifact.files.end());
    EXPECT_EQ(found->path.text(), lfs_path("tool", oid));
    EXPECT_EQ(found->size, 13u);
    EXPECT_EQ(found->origin, "up/.git/lfs/" + lfs_place(oid));
    EXPECT_EQ(found->evidence.at(0).type, "lfs-oid");
    EXPECT_EQ(found->evidence[0].details.value("path", ""), oid == newer ? "weights.bin" : "");
    EXPECT_FALSE(store.contains(oid)) << "a lock downloads nothing of them";
  }
  EXPECT_EQ(artifact.facts["lfs_pointers"], 2);
  EXPECT_EQ(artifact.facts["lfs_files"], 2);
  EXPECT_FALSE(artifact.facts.contains("lfs_missing"));
  EXPECT_THAT(collected.notes, Contains(HasSubstr("2 files of Git LFS with 26 B cross with it")));
  EXPECT_THAT(collected.notes, Contains(HasSubstr("Git LFS: weights.bin, 13 B")));
}

TEST_F(LfsCollectTest, AreFetchedAndCheckedWhileTheyArrive) {
  const auto oid = add("weights.bin", "some weights");
  const auto artifact = resolve(entry_with()).artifacts.at(0);
  auto jobs = GitCollector().plan(artifact, entry_with(), context);
  ASSERT_EQ(jobs.size(), 1u) << "the bundle is in the store";
  EXPECT_EQ(jobs[0].digest, oid);
  EXPECT_EQ(jobs[0].size, 12u);
  EXPECT_EQ(jobs[0].title, oid.hex());
  write_file_atomically(place(oid), "evil weights");
  const auto refused = error_of([&] { downloader.fetch(jobs); });
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->code(), ErrorCode::upstream_changed);
  EXPECT_FALSE(store.contains(oid));
  keep("some weights");
  downloader.fetch(jobs);
  EXPECT_TRUE(store.contains(oid));
  EXPECT_TRUE(GitCollector().plan(artifact, entry_with(), context).empty());
}

TEST_F(LfsCollectTest, WhatIsNotThereIsNamed) {
  commit("weights.bin", pointer("gone", 4));
  const auto short_one = add("short.bin", "whole");
  write_file_atomically(place(short_one), "cut");
  const auto linked = add("link.bin", "linked");
  fs::remove(place(linked));
  write_file_atomically(m_root / "elsewhere", "linked");
  fs::create_symlink(m_root / "elsewhere", place(linked));
  const auto collected = resolve(entry_with());
  const auto& artifact = collected.artifacts.at(0);
  EXPECT_EQ(artifact.files.size(), 1u);
  const auto& missing = artifact.facts["lfs_missing"];
  EXPECT_EQ(missing["count"], 3);
  EXPECT_EQ(missing["bytes"], 15);
  EXPECT_EQ(missing["first"].size(), 3u);
  EXPECT_THAT(collected.notes, Contains(HasSubstr("not at the upstream")));
  EXPECT_THAT(collected.notes, Contains(HasSubstr("weights.bin of Git LFS, 4 B")));
  keep("gone");
  const auto again = resolve(entry_with(), collected.artifacts).artifacts.at(0);
  EXPECT_EQ(again.files.size(), 2u) << "what was lacking is asked for again";
}

TEST_F(LfsCollectTest, WhatIsGoneOrDamagedBeforeItWasFetchedIsAskedForAgain) {
  const auto oid = add("weights.bin", "some weights");
  const auto other = add("other.bin", "other weights");
  const auto first = resolve(entry_with());
  ASSERT_EQ(first.artifacts.at(0).files.size(), 3u);
  fs::remove(place(oid));  // git lfs prune
  write_file_atomically(place(other), "OTHER weights");
  const auto second = resolve(entry_with(), first.artifacts);
  EXPECT_EQ(second.artifacts.at(0).files.size(), 1u);
  EXPECT_EQ(second.artifacts[0].facts["lfs_missing"]["count"], 2);
  EXPECT_THAT(second.notes, Contains(HasSubstr("not crossing: weights.bin of Git LFS")));
  EXPECT_THAT(second.notes, Contains(HasSubstr("not crossing: other.bin of Git LFS")));
  EXPECT_EQ(resolve(entry_with(), second.artifacts).artifacts, second.artifacts) << "the size alone says too little";
  keep("some weights");
  keep("other weights");
  EXPECT_EQ(resolve(entry_with(), second.artifacts).artifacts, first.artifacts);
  downloader.fetch(GitCollector().plan(first.artifacts[0], entry_with(), context));
  fs::remove(place(oid));
  EXPECT_EQ(resolve(entry_with(), first.artifacts).artifacts, first.artifacts) << "the store has it";
  EXPECT_FALSE(fs::exists(m_root / "scratch/repository.git"));
}

TEST_F(LfsCollectTest, AnotherServerIsAskedWhereTheStackNamesAnother) {
  const auto oid = add("weights.bin", "some weights");
  auto artifact = resolve(entry_with()).artifacts.at(0);
  downloader.fetch(GitCollector().plan(artifact, entry_with(), context));
  ASSERT_TRUE(store.contains(oid));
  const LfsServer server(downloader, "https://lfs.example/a");
  artifact.files.at(1).origin = server.name_of(oid);
  const auto stated = [](const std::string& url) { return entry_with({{"lfs_url", url}}); };
  artifact.facts["lfs_server"] = "lfs_url";
  EXPECT_TRUE(has_lfs_as_wanted(artifact, stated("https://lfs.example/a/"), context));
  EXPECT_FALSE(has_lfs_as_wanted(artifact, stated("https://lfs.example/b"), context));
  EXPECT_FALSE(has_lfs_as_wanted(artifact, entry_with(), context)) << "it is no longer named";
  artifact.facts["lfs_server"] = ".lfsconfig";
  EXPECT_TRUE(has_lfs_as_wanted(artifact, entry_with(), context));
  EXPECT_FALSE(has_lfs_as_wanted(artifact, stated("https://lfs.example/b"), context));
  artifact.files[1].digest = sha256("not in the store");
  artifact.files[1].origin = server.name_of(artifact.files[1].digest);
  EXPECT_FALSE(has_lfs_as_wanted(artifact, entry_with(), context)) << "the server may have deleted it";
}

TEST_F(LfsCollectTest, HowManyACheckoutLacksIsKnownOfMoreThanAreListed) {
  commit("weights.bin", pointer("older", 5));
  for (std::size_t i = 1; i <= 101; ++i)
    write_file_atomically(m_root / "up" / fmt::format("{}.bin", i), pointer(fmt::format("gone {}", i), i));
  commit("weights.bin", "no pointer any more\n");
  const Json missing = resolve(entry_with()).artifacts.at(0).facts["lfs_missing"];
  EXPECT_EQ(missing["count"], 102);
  EXPECT_EQ(missing["with_path"], 101);
  EXPECT_EQ(missing["first"].size(), 100u);
  EXPECT_TRUE(missing["first"][99].contains("path"));
}

TEST_F(LfsCollectTest, AreLeftOutWhereTheStackSaysSo) {
  add("weights.bin", "some weights");
  const auto without = entry_with({{"lfs", false}});
  const auto collected = resolve(without);
  const auto& artifact = collected.artifacts.at(0);
  EXPECT_EQ(artifact.files.size(), 1u);
  EXPECT_EQ(artifact.facts["lfs_left_out"]["count"], 1);
  EXPECT_EQ(artifact.facts["lfs_left_out"]["first"][0]["path"], "weights.bin");
  EXPECT_THAT(collected.notes, Contains(HasSubstr("are left out (lfs = false)")));
  EXPECT_EQ(resolve(without, collected.artifacts).artifacts, collected.artifacts);
  EXPECT_FALSE(fs::exists(m_root / "scratch/repository.git")) << "nothing is fetched again";
  const auto with = resolve(entry_with(), collected.artifacts);
  EXPECT_EQ(with.artifacts.at(0).files.size(), 2u);
  EXPECT_EQ(resolve(entry_with(), with.artifacts).artifacts, with.artifacts);
  EXPECT_FALSE(fs::exists(m_root / "scratch/repository.git"));
  EXPECT_EQ(resolve(without, with.artifacts).artifacts.at(0).files.size(), 1u);
}

TEST_F(LfsCollectTest, PointersThatLieEndTheLockOrAreNone) {
  add("weights.bin", "some weights");
  commit("other.bin", pointer("some weights", 5));
  const auto refused = error_of([&] { resolve(entry_with()); });
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->code(), ErrorCode::package_malformed);
  EXPECT_THAT(refused->message(), HasSubstr("two pointers"));
  EXPECT_EQ(resolve(entry_with({{"lfs", false}})).artifacts.at(0).facts["lfs_left_out"]["count"], 1)
      << "as the hint says";
  git({"rm", "-q", "other.bin"});
  commit("large.bin", pointer("some weights", 5) + std::string(1 << 20, '\n'));
  commit("empty.bin", pointer("", 0));
  git({"checkout", "-q", "--orphan", "fresh"});
  git({"commit", "-q", "-m", "without the lie"});
  const auto artifact = resolve(entry_with({{"refs", {"fresh"}}})).artifacts.at(0);
  EXPECT_EQ(artifact.files.size(), 2u) << "what is longer than a pointer is none, and no bytes need no file";
  EXPECT_EQ(artifact.facts["lfs_pointers"], 2);
}

TEST_F(LfsCollectTest, OfABareRepositoryTheyAreBelowIt) {
  const auto oid = add("weights.bin", "some weights");
  run_process_checked({.argv = {"git", "clone", "-q", "--bare", (m_root / "up").string(), (m_root / "bare").string()}});
  fs::copy(m_root / "up/.git/lfs", m_root / "bare/lfs", fs::copy_options::recursive);
  const auto artifact = resolve(entry_with(Json::object(), "bare")).artifacts.at(0);
  ASSERT_EQ(artifact.files.size(), 2u);
  EXPECT_EQ(artifact.files[1].origin, "bare/lfs/" + lfs_place(oid));
}

TEST_F(LfsCollectTest, PointersAreBoundedOfHoweverFewFiles) {
  const auto text = pointer("some weights", 12);
  commit("a.bin", text);
  commit("b.bin",
         text.substr(0, text.find('\n')) + "\next-0-x sha256:" + sha256("x").hex() + text.substr(text.find('\n')));
  EXPECT_FALSE(copy().lfs_files(selection(), 2).trouble);
  const auto found = copy().lfs_files(selection(), 1);
  EXPECT_EQ(found.files.size(), 1u);
  ASSERT_TRUE(found.trouble);
  EXPECT_EQ(found.trouble->code(), ErrorCode::limit_exceeded);
  EXPECT_THAT(found.trouble->message(), HasSubstr("more than 1 pointers of Git LFS"));
}

TEST_F(LfsCollectTest, TheRepositorysOwnConfigurationIncludesNothingAndIsReadOnlyWhereItDecides) {
  write_file_atomically(m_root / "secret", "[lfs]\n\turl = https://secret.example/x\n");
  commit(".lfsconfig",
         "[lfs]\n\turl = https://git.example/x\n[include]\n\tpath = " + (m_root / "secret").string() + "\n");
  EXPECT_EQ(copy().lfs_url(selection()), "https://git.example/x");
  commit(".lfsconfig", std::string(70'000, '#'));
  EXPECT_THROW(copy().lfs_url(selection()), Error) << "it is too long to be read";
  commit("weights.bin", pointer("gone", 4));
  EXPECT_EQ(resolve(entry_with()).artifacts.at(0).facts["lfs_missing"]["count"], 1) << "of a path nobody asks a server";
}

TEST(LfsAddress, IsTheStacksElseTheRepositorysOwnHost) {
  const std::string source = "https://git.example/team/tool";
  const auto address = [&](const std::optional<std::string>& configured, const Json& more = Json::object()) {
    return url_of(lfs_address(entry_with(more, source), source, configured));
  };
  EXPECT_EQ(address(std::nullopt), "https://git.example/team/tool.git/info/lfs");
  EXPECT_EQ(url_of(lfs_address(entry_with(), source + ".git/", std::nullopt)),
            "https://git.example/team/tool.git/info/lfs");
  EXPECT_EQ(address("https://Git.Example/lfs/"), "https://Git.Example/lfs");
  EXPECT_EQ(address("https://other.example/lfs", {{"lfs_url", "https://third.example/x/"}}), "https://third.example/x");
  EXPECT_EQ(address("https://git.example:443/lfs"), "https://git.example:443/lfs");
  EXPECT_EQ(url_of(lfs_address(entry_with(), "http://git.example/tool", "https://git.example/lfs")),
            "https://git.example/lfs");
  EXPECT_FALSE(lfs_address(entry_with(), "/srv/tool", "https://git.example/lfs"));
  EXPECT_EQ(url_of(lfs_address(entry_with({{"lfs_url", "https://lfs.example/x"}}), "/srv/tool", std::nullopt)),
            "https://lfs.example/x");
  for (const auto* elsewhere :
       {"https://other.example/lfs", "http://git.example/lfs", "file:///etc", "ssh://git.example/x",
        "git@git.example:x", "https://git.example.other.example/lfs", "", "https://git.example:8443/lfs",
        "https://git.example/api/v4/user?name=x", "https://git.example/api/v4/user#", "https://git.example#/lfs"}) {
    const auto refused = error_of([&] { address(elsewhere); });
    ASSERT_TRUE(refused) << elsewhere;
    EXPECT_EQ(refused->code(), ErrorCode::unresolvable) << elsewhere;
    EXPECT_THAT(std::string(refused->hint()), HasSubstr("lfs_url")) << elsewhere;
  }
  const auto port =
      error_of([&] { lfs_address(entry_with(), "http://git.example:8080/tool", "https://git.example/lfs"); });
  ASSERT_TRUE(port) << "another port is another server";
  EXPECT_EQ(port->code(), ErrorCode::unresolvable);
  for (const auto* swallowing : {"https://lfs.example/x?y", "https://lfs.example/x#"}) {
    const auto refused = error_of([&] { address(std::nullopt, {{"lfs_url", swallowing}}); });
    ASSERT_TRUE(refused) << swallowing;
    EXPECT_EQ(refused->code(), ErrorCode::stack_invalid) << swallowing;
  }
  const auto secret = error_of([&] { address("https://user:word@git.example/lfs"); });
  ASSERT_TRUE(secret);
  EXPECT_EQ(secret->code(), ErrorCode::stack_invalid);
  EXPECT_THAT(secret->message(), testing::Not(HasSubstr("word@")));
}

TEST(LfsServer, IsFoundAgainByTheNameOfAFile) {
  const TemporaryFolder folder;
  BlobStore store(folder.path());
  Downloader downloader(store, silent_reporter());
  const auto oid = sha256("x");
  const LfsServer server(downloader, "https://git.example/team/tool.git/info/lfs");
  EXPECT_EQ(LfsServer::address_in(server.name_of(oid), oid), "https://git.example/team/tool.git/info/lfs");
  EXPECT_FALSE(LfsServer::address_in(server.name_of(oid), sha256("y")));
  EXPECT_FALSE(LfsServer::address_in("file:///objects/" + oid.hex(), oid));
}

TEST(LfsServer, IsAskedAgainBeforeItsAnswerExpires) {
  using std::chrono::seconds;
  const auto now = parse_time("2026-12-01T12:00:00Z");
  LfsDownload download{.href = "https://cdn.example/x", .headers = {}, .good_for = {}};
  EXPECT_EQ(lfs_good_for(download, now), seconds(300));
  download.expires_at = now + seconds(60);
  EXPECT_EQ(lfs_good_for(download, now), seconds(60));
  download.good_for = seconds(20);
  EXPECT_EQ(lfs_good_for(download, now), seconds(20));
  download.expires_at = now - seconds(60);
  EXPECT_EQ(lfs_good_for(download, now), seconds(0)) << "two clocks";
  download = {.href = "https://cdn.example/x", .headers = {}, .good_for = seconds(86'400)};
  EXPECT_EQ(lfs_good_for(download, now), seconds(300));
}

TEST(LfsServer, HasTheLoginForItsOwnOriginAlone) {
  const std::string address = "https://git.example/team/tool.git/info/lfs";
  const auto logins_at = [&](const std::string& href, bool authenticated) {
    return fetch_place({.href = href, .headers = {}, .good_for = {}, .authenticated = authenticated}, address).logins;
  };
  EXPECT_EQ(logins_at("https://git.example/files/x", false), Logins::own);
  EXPECT_EQ(logins_at("https://Git.Example:443/files/x", false), Logins::own);
  EXPECT_EQ(logins_at("https://git.example/files/x", true), Logins::none);
  for (const auto* elsewhere : {"https://cdn.example/x", "https://git.example:8443/x", "http://git.example/x",
                                "https://git.example@cdn.example/x"})
    EXPECT_EQ(logins_at(elsewhere, false), Logins::none) << elsewhere;
  const auto place =
      fetch_place({.href = "https://cdn.example/x", .headers = {{"X-Ticket", "t"}}, .good_for = {}}, address);
  ASSERT_EQ(place.headers.size(), 1u);
  EXPECT_EQ(place.headers[0].value, "t");
}

}  // namespace
}  // namespace liftlock::git
