#include "ecosystem/git/route.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/text.hpp"
#include "ecosystem/git/request_body.hpp"
#include "ecosystem/git/upload_pack.hpp"
#include "os/file.hpp"

namespace liftlock::git {
namespace {

using testing::HasSubstr;

class GitRouteTest : public testing::Test {
 protected:
  void add(const std::string& name, std::uint64_t sequence, const std::string& bytes, const std::string& origin,
           std::uint64_t hour = 0) {
    Artifact artifact;
    artifact.kind = "git";
    artifact.name = name;
    artifact.version = std::to_string(sequence);
    artifact.files.push_back(
        {RelPath::parse("packages/git/" + name + ".bundle"), bytes.size(), store.put(bytes), origin, {}});
    artifact.facts = {{"head", "refs/heads/main"}, {"refs", {{"refs/heads/main", std::string(40, 'a')}}}};
    view->artifacts.push_back(
        {std::move(artifact), "demo", sequence, Timestamp(std::chrono::hours(hour > 0 ? hour : sequence))});
  }
  std::unique_ptr<const Route> route() const { return make_git_route(view, environment); }
  HttpResponse ask(std::string_view method, std::string_view path, std::string_view query = {},
                   std::map<std::string, std::string> fields = {}, std::string_view body = {}) const {
    HttpRequest request{};
    request.method = method;
    request.path = request.raw_path = path;
    request.query = query;
    request.body = body;
    request.header = [&](std::string_view name) -> std::string_view {
      const auto found = fields.find(std::string(name));
      return found == fields.end() ? std::string_view() : found->second;
    };
    return route()->handle(request);
  }
  static std::string text(const HttpResponse& response) { return std::get<std::string>(response.body); }

  TemporaryFolder folder;
  BlobStore store{folder.path() / "store"};
  RouteEnvironment environment{.blobs = store,
                               .clearsign = {},
                               .public_key = {},
                               .public_key_armored = {},
                               .cache_folder = folder.path() / "cache"};
  std::shared_ptr<MirrorView> view = std::make_shared<MirrorView>();
};

TEST_F(GitRouteTest, ListsAndHandsOutTheNewestBundle) {
  add("tool", 1, "older", "https://git.example/team/tool.git");
  add("tool", 2, "newest one", "https://git.example/team/tool.git");
  const auto list = parse_json(text(ask("GET", "/git/")));
  ASSERT_EQ(list["repositories"].size(), 1u);
  EXPECT_EQ(list["repositories"][0]["version"], "2");
  const auto& newest = view->artifacts[1].artifact.files[0].digest;
  const auto bundle = ask("GET", "/git/tool.bundle");
  EXPECT_TRUE(bundle.live) << "not before git looked at it";
  EXPECT_EQ(bundle.audit_subject, newest.text());
  const auto made = folder.path() / "cache/git" / (newest.hex() + ".git");
  fs::create_directories(made);
  EXPECT_TRUE(ask("GET", "/git/tool.bundle").live) << "half a repository is none";
  write_file_atomically(made / "info-refs-2", "refs");
  EXPECT_EQ(std::get<FileBody>(ask("GET", "/git/tool.bundle").body).size, 10u);
  add("tool", 1, "what came late", "https://git.example/team/tool.git", 9);
  EXPECT_EQ(std::get<FileBody>(ask("GET", "/git/tool.bundle").body).size, 10u) << "a late bundle replaces nothing";
  EXPECT_EQ(ask("GET", "/git/other.bundle").status, 404);
  EXPECT_EQ(ask("GET", "/git/tool").status, 404);
}

TEST_F(GitRouteTest, IsAskedForByTheAddressThatItHasElsewhere) {
  add("tool", 1, "x", "https://git.example/team/tool.git");
  add("local", 1, "y", "up/local");
  add("with-port", 1, "z", "http://git.example:8080/team/tool");
  const auto live = [&](const std::string& address) {
    return ask("GET", "/git/-/" + address + "/info/refs", "service=git-upload-pack").live != nullptr;
  };
  for (const auto* address :
       {"git.example/team/tool.git", "git.example/team/tool", "Git.Example/team/tool/", "git@git.example/team/tool",
        "git.example:team/tool.git", "user:word@git.example/team/tool", "git.example:8080/team/tool"}) {
    EXPECT_TRUE(live(address)) << address;
  }
  for (const auto* address : {"git.example/team/toolbox", "git.example/team", "git.example:8081/team/tool", "up/local",
                              "tool", "other.example/team/tool", "", "/", "@", ":", "git.example/team/tool/tool"}) {
    EXPECT_FALSE(live(address)) << address;
  }
  EXPECT_EQ(ask("GET", "/git/-/git.example/team/tool/info/refs", "service=git-receive-pack").status, 403);
  EXPECT_EQ(ask("GET", "/git/-/git.example/team/tool/HEAD").status, 404);
  EXPECT_THAT(text(ask("GET", "/git/-/user:token@git.example/other/info/refs", "service=git-upload-pack")),
              testing::HasSubstr("no repository 'git.example/other'"));
  EXPECT_THAT(text(ask("GET", "/git/-/git.example/other/info/refs", "service=git-upload-pack")),
              HasSubstr("no repository 'git.example/other'"));
  EXPECT_EQ(route()->max_body("POST", "/git/-/git.example/team/tool/git-upload-pack"), k_max_body);
}

TEST_F(GitRouteTest, OfTwoFromOneAddressTheNewerIsLedTo) {
  add("a-tool", 1, "older", "https://git.example/team/tool.git", 1);
  add("b-tool", 1, "newer", "https://git.example/team/tool", 3);
  add("c-tool", 1, "old", "https://git.example/team/tool.git", 2);
  const auto answer = ask("POST", "/git/-/git.example/team/tool/git-upload-pack", {},
                          {{"Content-Type", "application/x-git-upload-pack-request"}}, "0000");
  EXPECT_EQ(answer.audit_subject, view->artifacts[1].artifact.files[0].digest.text());
  const auto configuration = route()->client_configuration("http://m");
  EXPECT_THAT(configuration,
              HasSubstr("[url \"http://m/git/b-tool~\"]\n  insteadOf = https://git.example/team/tool\n"));
  EXPECT_THAT(configuration, testing::Not(HasSubstr("[url \"http://m/git/a-tool~\"]")));
}

TEST_F(GitRouteTest, NobodyPushes) {
  add("tool", 1, "x", "tool");
  for (const auto* name : {"tool", "tool.git"}) {
    const auto path = std::string("/git/") + name;
    const auto refused = ask("GET", path + "/info/refs", "service=git-receive-pack");
    EXPECT_EQ(refused.status, 403);
    EXPECT_THAT(text(refused), HasSubstr("read-only"));
    EXPECT_EQ(ask("POST", path + "/git-receive-pack").status, 403);
  }
  EXPECT_EQ(ask("GET", "/git/tool/info/refs").status, 403) << "the dumb protocol";
  EXPECT_EQ(ask("GET", "/git/tool/HEAD").status, 404);
  EXPECT_EQ(ask("GET", "/git/tool/git-upload-pack").status, 405);
  EXPECT_EQ(ask("POST", "/git/tool/git-upload-pack").status, 415);
  EXPECT_EQ(ask("GET", "/git/other/info/refs", "service=git-upload-pack").status, 404);
}

TEST_F(GitRouteTest, AnswersTheTwoRequestsOfTheProtocolLive) {
  add("tool", 1, "x", "tool");
  EXPECT_TRUE(ask("GET", "/git/tool.git/info/refs", "service=git-upload-pack").live);
  const auto answer =
      ask("POST", "/git/tool/git-upload-pack", {}, {{"Content-Type", "application/x-git-upload-pack-request"}}, "0000");
  EXPECT_TRUE(answer.live);
  EXPECT_EQ(answer.audit_subject, view->artifacts[0].artifact.files[0].digest.text());
}

TEST_F(GitRouteTest, RefsAreAnsweredWithoutGitOnceTheRepositoryIsMade) {
  add("tool", 1, "x", "tool");
  const auto made = folder.path() / "cache/git" / (view->artifacts[0].artifact.files[0].digest.hex() + ".git");
  fs::create_directories(made);
  for (const std::string protocol : {"0", "1", "2"})
    write_file_atomically(made / ("info-refs-" + protocol), std::string(std::stoi(protocol) + 1, 'x'));
  const auto size = [&](const std::string& header) {
    const auto answer = ask("GET", "/git/tool/info/refs", "service=git-upload-pack", {{"Git-Protocol", header}});
    return answer.live ? 0 : std::get<FileBody>(answer.body).size;
  };
  EXPECT_EQ(size(""), 1u);
  EXPECT_EQ(size("version=1"), 2u);
  EXPECT_EQ(size("version=2"), 3u);
}

TEST_F(GitRouteTest, BodiesThatWaitHaveABound) {
  add("tool", 1, "x", "tool");
  const std::string body(k_max_body, '0');
  std::vector<HttpResponse> waiting;
  for (int i = 0; i < 5; ++i) {
    waiting.push_back(ask("POST", "/git/tool/git-upload-pack", {},
                          {{"Content-Type", "application/x-git-upload-pack-request"}}, body));
  }
  EXPECT_TRUE(waiting[3].live);
  EXPECT_EQ(waiting[4].status, 503);
}

TEST_F(GitRouteTest, IsMadeWhateverTheCacheIs) {
  write_file_atomically(folder.path() / "file", "x");
  environment.cache_folder = folder.path() / "file";
  add("tool", 1, "x", "tool");
  EXPECT_NO_THROW(route());
}

TEST_F(GitRouteTest, TakesBodiesOnlyThere) {
  const auto made = route();
  EXPECT_EQ(made->max_body("POST", "/git/tool/git-upload-pack"), k_max_body);
  EXPECT_EQ(made->max_body("POST", "/git/tool.git/git-upload-pack"), k_max_body);
  EXPECT_EQ(made->max_body("PUT", "/git/tool/git-upload-pack"), 0u);
  EXPECT_EQ(made->max_body("POST", "/git/tool/info/refs"), 0u);
  EXPECT_EQ(made->max_body("POST", "/git/"), 0u);
}

/// What git reads of its configuration.
std::string without_comments(const std::string& text) {
  std::string out;
  for (const auto line : split(text, '\n')) {
    if (!line.starts_with("#")) out += std::string(line) + "\n";
  }
  return out;
}

TEST_F(GitRouteTest, LeadsOriginsHere) {
  add("local", 1, "x", "repos/local");
  add("tool", 1, "x", "https://git.example/team/tool.git");
  const auto text = route()->client_configuration("http://m");
  EXPECT_THAT(text, HasSubstr("[url \"http://m/git/tool~\"]\n  insteadOf = https://git.example/team/tool\n"));
  EXPECT_THAT(without_comments(text), testing::Not(HasSubstr("local")));
  // A path of another machine leads nowhere: what to write instead is said.
  EXPECT_THAT(text, HasSubstr("\n# local: what crossed came from 'repos/local'"));
  EXPECT_THAT(text, HasSubstr("# [url \"http://m/git/local~\"]\n#   insteadOf = https://"));
}

TEST_F(GitRouteTest, LeadsNothingThatIsNoWholeOrigin) {
  int count = 0;
  for (const auto* bad :
       {"https://#", "https://", "https:///", "https://git.example", "https://git.example/", "https://git.example//",
        "https://git.example/.git", "https:///team/tool", "https://git.example/a b", "https://git.example/a\tb",
        "https://git.example/a;b", "https://git.example/a#b", "https://git.example/\"a", "https://git.example/a\\b",
        "https://git.example/a\x7f", "https://git.example/a\nb", "https://git.example/\xc3\xa4", "ssh://git.example/a"})
    add("bad" + std::to_string(++count), 1, "x", bad);
  EXPECT_THAT(without_comments(route()->client_configuration("http://m")), testing::Not(HasSubstr("insteadOf")));
}

TEST_F(GitRouteTest, WhatBeginsLikeAnOriginIsNotItsRepository) {
  add("tool", 1, "x", "https://git.example/team/tool.git");
  add("toolbox", 1, "y", "https://git.example/other/toolbox.git");
  for (const auto* same : {"/git/tool~/info/refs", "/git/tool~.git/info/refs", "/git/tool.git/info/refs"})
    EXPECT_TRUE(ask("GET", same, "service=git-upload-pack").live) << same;
  // git asks for these where https://git.example/team/toolbox is wanted.
  for (const auto* other : {"/git/tool~box/info/refs", "/git/tool~box.git/info/refs"})
    EXPECT_EQ(ask("GET", other, "service=git-upload-pack").status, 404) << other;
}

std::string gzip(const std::string& bytes) {
  z_stream stream{};
  deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, bytes.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

TEST(RequestBody, IsInflatedWithinBounds) {
  const auto body = [](const std::string& bytes, std::string_view encoding) {
    return read_all(body_in_memory(bytes, encoding).get(), 1u << 20, "body");
  };
  const auto refusal = [&](const std::string& bytes, std::string_view encoding) {
    try {
      body(bytes, encoding);
    } catch (const Error& error) {
      return error.code();
    }
    return ErrorCode::internal;
  };
  EXPECT_EQ(body("0000", ""), "0000");
  EXPECT_EQ(body(gzip("0009done\n"), "gzip"), "0009done\n");
  EXPECT_EQ(body(gzip(""), "x-gzip"), "");
  EXPECT_EQ(refusal("0000", "br"), ErrorCode::encoding_unsupported);
  EXPECT_EQ(refusal("0000", "gzip"), ErrorCode::bad_request);
  EXPECT_EQ(refusal("", "gzip"), ErrorCode::bad_request);
  EXPECT_EQ(refusal(gzip("0009done\n").substr(0, 15), "gzip"), ErrorCode::bad_request);
  EXPECT_EQ(refusal(gzip("x") + "x", "gzip"), ErrorCode::bad_request);
  EXPECT_EQ(refusal(gzip(std::string(70u << 20, '\0')), "gzip"), ErrorCode::body_too_large);
}

TEST(GitProtocol, IsPassedOnOnlyWhereItIsAVersion) {
  EXPECT_EQ(accepted_protocol("version=2"), "version=2");
  EXPECT_EQ(accepted_protocol("x:version=2:y"), "version=2");
  EXPECT_EQ(accepted_protocol("version=1"), "version=1");
  EXPECT_EQ(accepted_protocol(""), "");
  EXPECT_EQ(accepted_protocol("version=3\nX=Y"), "");
}

}  // namespace
}  // namespace liftlock::git
