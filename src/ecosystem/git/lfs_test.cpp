// Git LFS, as strangers write it: pointers, answers of servers, questions of clients, and files in an artifact.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "ecosystem/git/inspector.hpp"
#include "ecosystem/git/lfs_batch.hpp"
#include "ecosystem/git/lfs_pointer.hpp"
#include "ecosystem/git/sample_bundle_test.hpp"
#include "os/file.hpp"

namespace liftlock::git {
namespace {

using testing::HasSubstr;

const std::string k_a(64, 'a'), k_b(64, 'b');
Digest digest_of(const std::string& hex) {
  return Digest::parse_sha256_hex(hex);
}
std::string pointer_text(const std::string& hex, const std::string& size) {
  return "version https://git-lfs.github.com/spec/v1\noid sha256:" + hex + "\nsize " + size + "\n";
}

TEST(LfsPointer, IsReadAsGitLfsWritesIt) {
  const auto pointer = parse_lfs_pointer(pointer_text(k_a, "12345"));
  ASSERT_TRUE(pointer);
  EXPECT_EQ(pointer->oid.hex(), k_a);
  EXPECT_EQ(pointer->size, 12345u);
  EXPECT_TRUE(parse_lfs_pointer("version https://git-lfs.github.com/spec/v1\r\noid sha256:" + k_a + "\r\nsize 1"));
  EXPECT_TRUE(parse_lfs_pointer("version https://git-lfs.github.com/spec/v1\next-0-foo sha256:" + k_b +
                                "\noid sha256:" + k_a + "\nsize 1\n"));
  EXPECT_EQ(lfs_path("tool", pointer->oid), "packages/git/tool.lfs/objects/aa/aa/" + k_a);
}

TEST(LfsPointer, IsNothingElse) {
  const std::string upper(64, 'A');
  for (const auto& text :
       {std::string(), pointer_text("", "1"), pointer_text(k_a.substr(1), "1"), pointer_text(k_a + "a", "1"),
        pointer_text(upper, "1"), pointer_text(k_a, ""), pointer_text(k_a, "-1"),
        pointer_text(k_a,
                     "1 "
                     "x"),
        pointer_text(k_a, "0x10"), pointer_text(k_a, "9007199254740992"), pointer_text(k_a, "99999999999999999999"),
        pointer_text(k_a, "1") + "more 1\n", "x" + pointer_text(k_a, "1"),
        "version https://git-lfs.github.com/spec/v2\noid sha256:" + k_a + "\nsize 1\n",
        "version https://git-lfs.github.com/spec/v1\noid sha1:" + k_a + "\nsize 1\n",
        "version https://git-lfs.github.com/spec/v1\nsize 1\noid sha256:" + k_a + "\n",
        pointer_text(k_a, "1") + std::string(1 << 20, '\n')}) {
    EXPECT_FALSE(parse_lfs_pointer(text)) << text.substr(0, 200);
  }
  EXPECT_TRUE(parse_lfs_pointer(pointer_text(k_a, "9007199254740991"))) << "a large file is none of its business";
}

const std::vector<LfsPointer> k_asked = {{digest_of(k_a), 5}, {digest_of(k_b), 7}};

Json file(const std::string& hex, std::uint64_t size, const std::string& href) {
  return {{"oid", hex}, {"size", size}, {"actions", {{"download", {{"href", href}}}}}};
}
Json good_answer() {
  return {{"transfer", "basic"},
          {"objects", Json::array({file(k_b, 7, "https://cdn.example/b"), file(k_a, 5, "https://cdn.example/a")})}};
}
std::string refusal(const Json& answer, LfsScheme scheme = LfsScheme::https) {
  try {
    parse_lfs_answer(dump_json_line(answer), k_asked, scheme);
  } catch (const Error& error) {
    return fmt::format("{}: {}", info(error.code()).slug, error.message());
  }
  return "accepted";
}

TEST(LfsAnswer, IsTakenInTheOrderOfTheQuestion) {
  auto json = good_answer();
  json["objects"][1]["actions"]["download"]["header"] = {{"Authorization", "Basic x"}};
  json["objects"][1]["actions"]["download"]["expires_in"] = 60;
  const auto answer = parse_lfs_answer(dump_json_line(json), k_asked, LfsScheme::https);
  ASSERT_EQ(answer.size(), 2u);
  EXPECT_EQ(answer[0]->href, "https://cdn.example/a");
  EXPECT_EQ(answer[0]->headers.at(0).second, "Basic x");
  EXPECT_EQ(answer[0]->good_for, std::chrono::seconds(60));
  EXPECT_EQ(answer[1]->href, "https://cdn.example/b");
  EXPECT_FALSE(answer[1]->good_for);
  EXPECT_FALSE(answer[0]->authenticated);
  json["objects"][1]["authenticated"] = true;
  EXPECT_TRUE(parse_lfs_answer(dump_json_line(json), k_asked, LfsScheme::https)[0]->authenticated);
}

TEST(LfsAnswer, ExpiresAtATime) {
  const auto expiry = [](const Json& text) {
    auto json = good_answer();
    json["objects"][1]["actions"]["download"]["expires_at"] = text;
    return parse_lfs_answer(dump_json_line(json), k_asked, LfsScheme::https)[0]->expires_at;
  };
  const auto noon = parse_time("2026-12-01T12:00:00Z");
  for (const auto* same : {"2026-12-01T12:00:00Z", "2026-12-01T12:00:00.123456789Z", "2026-12-01T13:30:00+01:30",
                           "2026-12-01T04:00:00.5-08:00"})
    EXPECT_EQ(expiry(same), noon) << same;
  for (const auto* none : {"", "0001-01-01T00:00:00Z", "2026-12-01T12:00:00", "2026-12-01T12:00:00.",
                           "2026-13-01T12:00:00Z", "2026-12-01T12:00:00+0130", "2026-12-01T12:00:00ZZ", "tomorrow"})
    EXPECT_FALSE(expiry(none)) << none;
  EXPECT_FALSE(expiry(1));
}

TEST(LfsAnswer, SaysWhatIsNotThere) {
  auto json = good_answer();
  json["objects"][0] = {{"oid", k_b}, {"size", 0}, {"error", {{"code", 404}, {"message", "gone"}}}};
  json["objects"][1].erase("actions");
  const auto answer = parse_lfs_answer(dump_json_line(json), k_asked, LfsScheme::https);
  EXPECT_FALSE(answer[0]);
  EXPECT_FALSE(answer[1]);
  json["objects"][0]["error"] = {{"code", 422}, {"message", "the size is wrong"}};
  EXPECT_THAT(refusal(json), HasSubstr("http-status: the LFS server answers 422"));
}

TEST(LfsAnswer, AnswersWhatWasAskedAndEachOnce) {
  auto fewer = good_answer();
  fewer["objects"].erase(1);
  EXPECT_THAT(refusal(fewer), HasSubstr("has no word of " + k_a));
  auto more = good_answer();
  more["objects"].push_back(file(std::string(64, 'c'), 1, "https://cdn.example/c"));
  EXPECT_THAT(refusal(more), HasSubstr("was not asked for"));
  auto twice = good_answer();
  twice["objects"].push_back(file(k_a, 5, "https://cdn.example/other"));
  EXPECT_THAT(refusal(twice), HasSubstr("answered before"));
  auto size = good_answer();
  size["objects"][0]["size"] = 8;
  EXPECT_THAT(refusal(size), HasSubstr("size-mismatch"));
}

TEST(LfsAnswer, LeadsNowhereButToTheWeb) {
  for (const auto* href :
       {"file:///etc/passwd", "/relative", "ftp://cdn.example/a", "ssh://cdn.example/a", "", "https://cdn.example/a b",
        "https://cdn.example/a\nX: y", "HTTPS:cdn.example", "http://cdn.example/a"}) {
    auto json = good_answer();
    json["objects"][1]["actions"]["download"]["href"] = href;
    EXPECT_THAT(refusal(json), HasSubstr("schema-violation")) << href;
  }
  for (const auto* href : {"ftp://cdn.example/a?X-Amz-Signature=s3cret", "ftp://cdn.example/a b#s3cret",
                           "ftp://user:s3cret@cdn.example/a"}) {
    auto json = good_answer();
    json["objects"][1]["actions"]["download"]["href"] = href;
    const auto words = refusal(json);
    EXPECT_THAT(words, HasSubstr("cdn.example/a")) << href;
    EXPECT_THAT(words, testing::Not(HasSubstr("s3cret"))) << "a log is no place for it";
  }
  auto plain = good_answer();
  plain["objects"][1]["actions"]["download"]["href"] = "http://cdn.example/a";
  EXPECT_EQ(refusal(plain, LfsScheme::http), "accepted");
}

TEST(LfsAnswer, SetsNoHeaderThatIsOurs) {
  for (const auto& [name, value] : std::vector<std::pair<std::string, std::string>>{{"Host", "other"},
                                                                                    {"Range", "bytes=0-"},
                                                                                    {"Content-Length", "0"},
                                                                                    {"Proxy-Authorization", "x"},
                                                                                    {"Cookie", "session=x"},
                                                                                    {"X-HTTP-Method-Override", "PUT"},
                                                                                    {"X_HTTP_Method_Override", "PUT"},
                                                                                    {"Content_Length", "0"},
                                                                                    {"X Y", "x"},
                                                                                    {"", "x"},
                                                                                    {"X", "a\r\nHost: other"},
                                                                                    {"X", std::string(9000, 'x')}}) {
    auto json = good_answer();
    json["objects"][1]["actions"]["download"]["header"] = Json::object({{name, value}});
    EXPECT_THAT(refusal(json), HasSubstr("header")) << name;
  }
}

TEST(LfsAnswer, HasTheFormOfTheBasicTransfer) {
  auto other = good_answer();
  other["transfer"] = "ssh";
  EXPECT_THAT(refusal(other), HasSubstr("another transfer"));
  auto hash = good_answer();
  hash["hash_algo"] = "sha512";
  EXPECT_THAT(refusal(hash), HasSubstr("other names"));
  for (const auto* text : {"", "[]", "{}", "{\"objects\":1}", "{\"objects\":[1]}", "{\"objects\":[],\"objects\":[]}"})
    EXPECT_THROW(parse_lfs_answer(text, k_asked, LfsScheme::https), Error) << text;
  EXPECT_THROW(parse_lfs_answer(std::string(5u << 20, ' '), k_asked, LfsScheme::https), Error);
}

TEST(LfsQuestion, IsWhatTheOtherSideReads) {
  const auto question = parse_lfs_question(lfs_question(k_asked));
  EXPECT_EQ(question.operation, LfsQuestion::Operation::download);
  EXPECT_TRUE(question.basic);
  EXPECT_TRUE(question.sha256);
  ASSERT_EQ(question.objects.size(), 2u);
  EXPECT_EQ(question.objects[1].oid, k_b);
  EXPECT_EQ(question.objects[1].size, 7u);
  EXPECT_EQ(parse_lfs_question("{\"operation\":\"upload\",\"objects\":[]}").operation, LfsQuestion::Operation::upload);
  EXPECT_FALSE(parse_lfs_question("{\"operation\":\"download\",\"transfers\":[\"tus\"],\"objects\":[]}").basic);
  Json many = {{"operation", "download"}, {"objects", Json::array()}};
  for (std::size_t i = 0; i <= k_max_lfs_asked; ++i) many["objects"].push_back({{"oid", k_a}, {"size", 1}});
  for (const auto& text : {std::string("{}"), std::string("{\"operation\":\"verify\",\"objects\":[]}"),
                           std::string("{\"operation\":\"download\"}"), dump_json_line(many)})
    EXPECT_THROW(parse_lfs_question(text), Error) << text.substr(0, 100);
}

/// A repository with one pointer, to `hex` of `size` bytes, and an artifact that brings these files for it.
Inspection inspect_with(const std::string& hex, const std::string& size,
                        const std::vector<std::pair<std::string, ArtifactFile>>& files) {
  sample::Pack pack;
  const auto blob = pack.add(ObjectType::blob, pointer_text(hex, size));
  const auto tree = pack.add(ObjectType::tree, sample::tree_entry("100644", "weights.bin", blob));
  const auto commit = pack.add(ObjectType::commit, sample::commit_text(tree));
  const auto bytes = sample::bundle({{"refs/heads/main", commit}}, pack.bytes());
  Artifact artifact{.kind = "git", .name = "tool", .version = "1", .license = {}};
  artifact.facts = {{"head", "refs/heads/main"}, {"refs", {{"refs/heads/main", to_hex(commit)}}}};
  artifact.files.push_back({RelPath::parse("packages/git/tool.bundle"), bytes.size(), digest_of(k_b), {}, {}});
  for (const auto& [path, one] : files) {
    artifact.files.push_back(one);
    artifact.files.back().path = RelPath::parse(path);
  }
  const UniqueFd fd(::memfd_create("bundle", MFD_CLOEXEC));
  write_all(fd.get(), bytes, "memfd");
  std::vector<int> descriptors(artifact.files.size(), -1);
  descriptors[0] = fd.get();
  const BundleInspector inspector;
  for (std::size_t i = 0; i < artifact.files.size(); ++i) EXPECT_EQ(inspector.reads(artifact, i), i == 0);
  return inspector.inspect(artifact, descriptors);
}

TEST(LfsFiles, ComeWithThePointerThatAsksForThem) {
  const ArtifactFile file{RelPath::parse("x"), 5, digest_of(k_a), {}, {}};
  const auto path = lfs_path("tool", digest_of(k_a));
  const auto with = [&](const std::string& hex, const std::string& size, const std::string& at) {
    const auto inspection = inspect_with(hex, size, {{at, file}});
    return inspection.findings.empty() ? "accepted" : inspection.findings[0].message;
  };
  EXPECT_EQ(with(k_a, "5", path), "accepted");
  EXPECT_THAT(with(k_a, "6", path), HasSubstr("no pointer in the bundle asks for")) << "a size that lies";
  EXPECT_THAT(with(k_b, "5", path), HasSubstr("no pointer in the bundle asks for")) << "a name that nobody knows";
  EXPECT_THAT(with(k_a, "5", lfs_path("other", digest_of(k_a))), HasSubstr("neither the repository's bundle"));
  EXPECT_THAT(with(k_a, "5", lfs_path("tool", digest_of(k_b))), HasSubstr("neither the repository's bundle"));
  EXPECT_THAT(with(k_a, "5", "packages/git/tool.lfs/hooks"), HasSubstr("neither the repository's bundle"));
  const auto alone = inspect_with(k_a, "5", {});
  EXPECT_TRUE(alone.findings.empty()) << "lfs = false";
  EXPECT_EQ(alone.facts["lfs_pointers"], 1);
  EXPECT_EQ(alone.facts["lfs_files"], 0);
}

}  // namespace
}  // namespace liftlock::git
