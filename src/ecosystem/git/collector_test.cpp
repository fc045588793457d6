#include "ecosystem/git/collector.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/git/git_program.hpp"
#include "ecosystem/git/upstream.hpp"
#include "os/file.hpp"
#include "os/process.hpp"

namespace liftlock::git {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(LsRemote, IsReadLineByLine) {
  const std::string a(40, 'a'), b(40, 'b'), c(40, 'c');
  const auto upstream =
      parse_ls_remote("ref: refs/heads/main\tHEAD\n" + a + "\tHEAD\n" + a + "\trefs/heads/main\n" + b +
                      "\trefs/pull/1/head\n" + b + "\trefs/tags/v1\n" + c + "\trefs/tags/v1^{}\n");
  EXPECT_EQ(upstream.head, "refs/heads/main");
  ASSERT_EQ(upstream.refs.size(), 2u);
  EXPECT_EQ(to_hex(upstream.refs.at("refs/tags/v1")), b);
  EXPECT_EQ(parse_ls_remote("ref: refs/heads/gone\tHEAD\n").head, "");
  EXPECT_THROW(parse_ls_remote("warning: what\n"), Error);
}

TEST(GitProgram, MayGoNowhereThatIsLessThanWhatWasAsked) {
  const TemporaryFolder folder;
  write_file_atomically(folder.path() / "git", "#!/bin/sh\nprintf %s \"$GIT_ALLOW_PROTOCOL\"\n", 0755);
  const std::string before = std::getenv("PATH");
  ::setenv("PATH", (folder.path().string() + ":" + before).c_str(), 1);
  const GitProgram git(folder.path() / "home");
  EXPECT_EQ(git.run({"fetch", "https://git.example/a"}), "https");
  EXPECT_EQ(git.run({"fetch", "http://git.example/a"}), "http:https");
  EXPECT_EQ(git.run({"fetch", "/srv/a"}), "file");
  ::setenv("PATH", before.c_str(), 1);
}

TEST(SelectRefs, KnowsNamesPatternsAndIds) {
  Upstream upstream{.refs = {{"refs/heads/main", {1}},
                             {"refs/heads/both", {2}},
                             {"refs/tags/both", {3}},
                             {"refs/tags/v1.0", {4}},
                             {"refs/tags/v1.1", {5}}},
                    .head = "refs/heads/main"};
  const auto names = [&](std::vector<std::string> wanted) {
    std::vector<std::string> out;
    for (const auto& [name, id] : select_refs(upstream, wanted, "[git.x]").refs) out.push_back(name);
    return out;
  };
  const std::string id(40, 'd');
  EXPECT_THAT(names({}), ElementsAre("refs/heads/main"));
  EXPECT_THAT(names({"v1.*"}), ElementsAre("refs/tags/v1.0", "refs/tags/v1.1"));
  EXPECT_THAT(names({"refs/tags/both", "main"}), ElementsAre("refs/heads/main", "refs/tags/both"));
  EXPECT_THAT(names({id}), ElementsAre("refs/commits/" + id));
  EXPECT_EQ(select_refs(upstream, std::vector<std::string>{"v1.0", "main"}, "").head, "refs/heads/main");
  EXPECT_EQ(select_refs(upstream, std::vector<std::string>{"v1.1", "v1.0"}, "").head, "refs/tags/v1.1");
  const auto refusal = [&](std::vector<std::string> wanted) {
    try {
      select_refs(upstream, wanted, "[git.x]");
    } catch (const Error& error) {
      return std::string(error.what()) + " " + std::string(error.hint());
    }
    return std::string();
  };
  EXPECT_THAT(refusal({"both"}), HasSubstr("refs/heads/both or refs/tags/both"));
  EXPECT_THAT(refusal({"v2"}), HasSubstr("no branch or tag 'v2'"));
  EXPECT_THAT(refusal({"v2*"}), HasSubstr("v1.0, v1.1"));
  upstream.head.clear();
  EXPECT_THAT(refusal({}), HasSubstr("no default branch"));
}

class GitCollectorTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!find_program("git")) GTEST_SKIP() << "there is no git";
    fs::create_directories(m_root / "up");
    git({"init", "-q", "-b", "main"});
    commit("a.txt", "one\n");
  }
  std::string git(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(),
                     {"git", "-C", (m_root / "up").string(), "-c", "user.name=A", "-c", "user.email=a@example.test"});
    auto out = run_process_checked({.argv = arguments,
                                    .input = {},
                                    .set_environment = {{"GIT_CONFIG_GLOBAL", "/dev/null"},
                                                        {"GIT_CONFIG_NOSYSTEM", "1"},
                                                        {"GIT_AUTHOR_DATE", "1700000000 +0000"},
                                                        {"GIT_COMMITTER_DATE", "1700000000 +0000"}},
                                    .unset_environment = {}})
                   .output;
    while (!out.empty() && out.back() == '\n') out.pop_back();
    return out;
  }
  std::string commit(const std::string& name, const std::string& text) {
    write_file_atomically(m_root / "up" / name, text);
    git({"add", "-A"});
    git({"commit", "-q", "-m", name});
    return git({"rev-parse", "HEAD"});
  }
  StackEntry entry(std::vector<std::string> refs = {}, const std::string& url = "up") {
    StackEntry out{.table = "git", .name = "tool", .values = {{"url", url}}, .declared = sha256("")};
    if (!refs.empty()) out.values["refs"] = refs;
    return out;
  }
  Collected resolve(const StackEntry& entry, std::span<const Artifact> before = {}) {
    remove_tree(m_root / "scratch");
    fs::create_directories(m_root / "scratch");
    context.before = before;
    return GitCollector().resolve(entry, context);
  }
  Error error(const StackEntry& entry) {
    try {
      resolve(entry);
    } catch (const Error& error) {
      return error;
    }
    ADD_FAILURE() << "no Error was thrown";
    return Error(ErrorCode::internal, "");
  }

  TemporaryFolder m_folder;
  fs::path m_root = m_folder.path();
  BlobStore store{m_root / "store"};
  Downloader downloader{store, silent_reporter()};
  CollectContext context{store, downloader, silent_reporter(), m_root, m_root / "scratch", "linux/amd64"};
};

TEST_F(GitCollectorTest, PinsTheDefaultBranchInABundle) {
  const auto tip = git({"rev-parse", "HEAD"});
  const auto collected = resolve(entry());
  ASSERT_EQ(collected.artifacts.size(), 1u);
  const auto& artifact = collected.artifacts[0];
  EXPECT_EQ(artifact.name, "tool");
  EXPECT_THAT(artifact.version, testing::MatchesRegex("20231114221320-[0-9a-f]{12}"));
  EXPECT_EQ(artifact.facts["head"], "refs/heads/main");
  EXPECT_EQ(artifact.facts["refs"]["refs/heads/main"], tip);
  EXPECT_EQ(artifact.files[0].path.text(), "packages/git/tool.bundle");
  EXPECT_THAT(collected.notes, testing::Contains(HasSubstr("refs/heads/main is pinned to " + tip)));
  const auto verified =
      run_process_checked({.argv = {"git", "bundle", "list-heads", store.path(artifact.files[0].digest)},
                           .input = {},
                           .set_environment = {},
                           .unset_environment = {}});
  EXPECT_EQ(verified.output, tip + " HEAD\n" + tip + " refs/heads/main\n");
}

TEST_F(GitCollectorTest, TheSameCommitsAreTheSameBundleHoweverTheUpstreamPackedThem) {
  for (int i = 0; i < 12; ++i)
    commit("a.txt", std::string(static_cast<std::size_t>(500 + i * 40), 'x') + std::to_string(i));
  const auto loose = resolve(entry()).artifacts;
  git({"repack", "-a", "-d", "-q", "-f", "--depth=3", "--window=3"});
  const auto packed = resolve(entry()).artifacts;
  EXPECT_EQ(loose[0].files[0].digest, packed[0].files[0].digest);
}

TEST_F(GitCollectorTest, ASecondLockOfTheSameCommitsTakesNothing) {
  const auto first = resolve(entry()).artifacts;
  const auto again = resolve(entry(), first).artifacts;
  EXPECT_EQ(again, first);
  EXPECT_FALSE(fs::exists(m_root / "scratch/repository.git"));
  commit("b.txt", "two\n");
  const auto moved = resolve(entry(), first).artifacts;
  EXPECT_NE(moved[0].files[0].digest, first[0].files[0].digest);
  EXPECT_NE(moved[0].version, first[0].version);
}

TEST_F(GitCollectorTest, AFetchMakesTheSameBundleFromALockAlone) {
  const auto artifact = resolve(entry()).artifacts[0];
  commit("b.txt", "what came later\n");
  BlobStore other(m_root / "other");
  Downloader there(other, silent_reporter());
  CollectContext empty{other, there, silent_reporter(), m_root, m_root / "scratch2", "linux/amd64"};
  const auto jobs = GitCollector().plan(artifact, entry(), empty);
  ASSERT_EQ(jobs.size(), 1u);
  there.fetch(jobs);
  EXPECT_TRUE(other.contains(artifact.files[0].digest));
  EXPECT_TRUE(GitCollector().plan(artifact, entry(), empty).empty());
}

TEST_F(GitCollectorTest, NamesWhatDoesNotCross) {
  write_file_atomically(m_root / "up/.gitmodules",
                        "[submodule \"x\"]\n\tpath = lib/x\n\turl = https://git.example/x.git\n");
  const auto other = git({"rev-parse", "HEAD"});
  git({"update-index", "--add", "--cacheinfo", "160000," + other + ",lib/x"});
  git({"add", ".gitmodules"});
  git({"commit", "-q", "-m", "a submodule"});
  const auto collected = resolve(entry());
  EXPECT_THAT(collected.notes, testing::Contains(HasSubstr("submodule lib/x (https://git.example/x.git)")));
  EXPECT_EQ(collected.artifacts[0].facts["submodules"],
            Json::array({{{"path", "lib/x"}, {"url", "https://git.example/x.git"}, {"commit", other}}}));
}

TEST_F(GitCollectorTest, NoFileOfThisMachineIsIncludedByAStrangersOne) {
  write_file_atomically(m_root / "secret", "[submodule \"x\"]\n\turl = https://secret.example/x.git\n");
  write_file_atomically(m_root / "up/.gitmodules",
                        "[submodule \"x\"]\n\tpath = lib/x\n\turl = https://git.example/x.git\n[include]\n\tpath = " +
                            (m_root / "secret").string() + "\n");
  const auto other = git({"rev-parse", "HEAD"});
  git({"update-index", "--add", "--cacheinfo", "160000," + other + ",lib/x"});
  git({"add", ".gitmodules"});
  git({"commit", "-q", "-m", "a submodule"});
  const auto artifact = resolve(entry()).artifacts.at(0);
  EXPECT_EQ(artifact.facts["submodules"][0]["url"], "https://git.example/x.git");
}

TEST_F(GitCollectorTest, TakesTagsAndCommitsByThemselves) {
  const auto first = git({"rev-parse", "HEAD"});
  git({"tag", "-a", "-m", "one", "v1"});
  commit("b.txt", "two\n");
  const auto artifact = resolve(entry({"v1", first})).artifacts[0];
  EXPECT_EQ(artifact.facts["head"], "refs/tags/v1");
  EXPECT_EQ(artifact.facts["refs"].size(), 2u);
  EXPECT_EQ(artifact.facts["refs"]["refs/commits/" + first], first);
  EXPECT_EQ(artifact.facts["refs"]["refs/tags/v1"], git({"rev-parse", "v1"}));
}

TEST_F(GitCollectorTest, NothingOfTheUpstreamOrTheUserIsRun) {
  const auto mark = m_root / "mark";
  const auto script = "#!/bin/sh\ntouch " + mark.string() + "\n";
  for (const auto* hook : {"post-checkout", "reference-transaction", "post-update"}) {
    write_file_atomically(m_root / "up/.git/hooks" / hook, script, 0755);
  }
  write_file_atomically(m_root / "run", script, 0755);
  git({"config", "uploadpack.packObjectsHook", (m_root / "run").string()});
  git({"config", "core.fsmonitor", (m_root / "run").string()});
  write_file_atomically(m_root / "config", "[core]\n\tfsmonitor = " + (m_root / "run").string() +
                                               "\n[uploadpack]\n\tpackObjectsHook = " + (m_root / "run").string() +
                                               "\n");
  ::setenv("GIT_CONFIG_GLOBAL", (m_root / "config").c_str(), 1);
  resolve(entry());
  ::unsetenv("GIT_CONFIG_GLOBAL");
  EXPECT_FALSE(fs::exists(mark));
}

TEST_F(GitCollectorTest, RefusesAttacksBeforeTheyAreLocked) {
  // CVE-2018-17456: an address that ssh or git takes for an option.
  write_file_atomically(m_root / "up/.gitmodules", "[submodule \"x\"]\n\tpath = x\n\turl = -u./payload\n");
  git({"add", "-A"});
  git({"commit", "-q", "-m", "evil"});
  const auto refused = error(entry());
  EXPECT_EQ(refused.code(), ErrorCode::tool_failed);
  EXPECT_THAT(std::string(refused.what()), HasSubstr("gitmodulesUrl"));
}

TEST_F(GitCollectorTest, SaysWhatIsNoRepository) {
  fs::create_directories(m_root / "plain");
  write_file_atomically(m_root / "plain/file", "text");
  for (const auto* url : {"plain", "plain/file"}) {
    const auto refused = error(entry({}, url));
    EXPECT_EQ(refused.code(), ErrorCode::unresolvable) << url;
    EXPECT_THAT(std::string(refused.what()), HasSubstr("is no git repository")) << url;
    EXPECT_THAT(std::string(refused.hint()), HasSubstr("[file.NAME]")) << url;
  }
  fs::create_directories(m_root / "empty");
  run_process_checked({.argv = {"git", "init", "-q", (m_root / "empty").string()}});
  EXPECT_THAT(std::string(error(entry({}, "empty")).what()), HasSubstr("is empty"));
}

TEST_F(GitCollectorTest, TakesOtherMisfortunesForWhatTheyAre) {
  const std::string before = std::getenv("PATH");
  const auto refused_by = [&](const std::string& words) {
    write_file_atomically(m_root / "bin/git", "#!/bin/sh\ncat >&2 <<'END'\n" + words + "\nEND\nexit 128\n", 0755);
    ::setenv("PATH", ((m_root / "bin").string() + ":" + before).c_str(), 1);
    const auto refused = error(entry({}, "https://git.example/team/tool.git"));
    ::setenv("PATH", before.c_str(), 1);
    return refused;
  };
  fs::create_directories(m_root / "bin");
  for (const auto* words :
       {"git-remote-https: error while loading shared libraries: libcurl.so.4: not found", "sh: 1: ssh: not found",
        "fatal: unable to access 'https://git.example/': SSL certificate problem: certificate is not valid yet"}) {
    const auto refused = refused_by(words);
    EXPECT_EQ(refused.code(), ErrorCode::tool_failed) << words;
    EXPECT_THAT(std::string(refused.what()), HasSubstr(words));
  }
  for (const auto* words : {"fatal: repository 'https://git.example/team/tool.git/' not found",
                            "fatal: https://git.example/info/refs not valid: is this a git repository?",
                            "remote: Repository not found.\nfatal: Authentication failed for 'https://git.example/'"}) {
    const auto refused = refused_by(words);
    EXPECT_EQ(refused.code(), ErrorCode::unresolvable) << words;
    const std::string_view last = std::string_view(words).substr(std::string_view(words).find("fatal: ") + 7);
    EXPECT_THAT(std::string(refused.what()), HasSubstr(last)) << "git's own words";
  }
}

TEST_F(GitCollectorTest, RefusesOtherAddresses) {
  for (const auto* url : {"git@git.example:team/tool.git", "ssh://git.example/tool", "git://git.example/tool",
                          "ext::sh -c true", "https://user:secret@git.example/tool"}) {
    EXPECT_EQ(error(entry({}, url)).code(), ErrorCode::stack_invalid) << url;
  }
  EXPECT_EQ(error(entry({}, "nowhere")).code(), ErrorCode::not_found);
  auto named = entry();
  named.name = "tool.git";
  EXPECT_EQ(error(named).code(), ErrorCode::stack_invalid);
}

}  // namespace
}  // namespace liftlock::git
