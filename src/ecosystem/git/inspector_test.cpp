#include "ecosystem/git/inspector.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "ecosystem/git/names.hpp"
#include "ecosystem/git/pack.hpp"
#include "ecosystem/git/sample_bundle_test.hpp"
#include "os/file.hpp"
#include "os/process.hpp"

namespace liftlock::git {
namespace {

using testing::HasSubstr;
using namespace sample;  // NOLINT(google-build-using-namespace): the subject of this file

using Refs = std::vector<std::pair<std::string, ObjectId>>;

UniqueFd file_of(const std::string& bytes) {
  UniqueFd fd(::memfd_create("bundle", MFD_CLOEXEC));
  write_all(fd.get(), bytes, "memfd");
  return fd;
}

Artifact artifact_of(const Refs& refs, const std::string& head = "refs/heads/main") {
  Artifact artifact{.kind = "git", .name = "tool", .version = "1", .license = {}};
  artifact.facts = {{"head", head}, {"refs", Json::object()}};
  for (const auto& [name, id] : refs) artifact.facts["refs"][name] = to_hex(id);
  artifact.files.push_back(
      {RelPath::parse("packages/git/tool.bundle"), 0, Digest::parse_sha256_hex(std::string(64, '0')), {}, {}});
  return artifact;
}

Inspection inspect(const Artifact& artifact, const std::string& bytes) {
  const auto fd = file_of(bytes);
  const int files[] = {fd.get()};
  return BundleInspector().inspect(artifact, files);
}

/// What is said of a bundle whose lock says what it says.
std::string finding(const Refs& refs, const std::string& bytes) {
  const auto inspection = inspect(artifact_of(refs), bytes);
  return inspection.findings.empty() ? "accepted" : inspection.findings[0].message;
}

/// A file, a tree, a commit.
struct Small {
  Pack pack;
  ObjectId blob = pack.add(ObjectType::blob, "hello\n");
  ObjectId tree = pack.add(ObjectType::tree, tree_entry("100644", "a", blob));
  ObjectId commit = pack.add(ObjectType::commit, commit_text(tree));
  Refs refs{{"refs/heads/main", commit}};
};

/// A commit of a tree of one's own.
std::string with_tree(const std::string& tree, Refs& refs, const std::string& blob = "x") {
  Pack pack;
  pack.add(ObjectType::blob, blob);
  const auto id = pack.add(ObjectType::tree, tree);
  refs = {{"refs/heads/main", pack.add(ObjectType::commit, commit_text(id))}};
  return bundle(refs, pack.bytes());
}

TEST(BundleInspector, AcceptsWhatIsWholeAndCounts) {
  Small small;
  const auto tag =
      small.pack.add(ObjectType::tag, "object " + to_hex(small.commit) +
                                          "\ntype commit\ntag v1\ntagger A <a@example.test> 1 +0000\n\nv1\n");
  small.pack.add(ObjectType::blob,
                 "version https://git-lfs.github.com/spec/v1\noid sha256:" + std::string(64, 'a') + "\nsize 3\n");
  small.refs.emplace_back("refs/tags/v1", tag);
  const auto inspection = inspect(artifact_of(small.refs), bundle(small.refs, small.pack.bytes()));
  ASSERT_TRUE(inspection.findings.empty()) << inspection.findings[0].message;
  EXPECT_EQ(inspection.facts["objects"], 5);
  EXPECT_EQ(inspection.facts["commits"], 1);
  EXPECT_EQ(inspection.facts["tags"], 1);
  EXPECT_EQ(inspection.facts["lfs_pointers"], 1);
}

TEST(BundleInspector, AppliesDeltas) {
  Pack pack;
  const std::string base(1000, 'b');
  const auto first = pack.add(ObjectType::blob, base);
  // 1000 → 1003 bytes: copy all of it, then three of its own.
  const std::string delta = std::string("\xe8\x07\xeb\x07", 4) + std::string("\xb0\xe8\x03", 3) +
                            std::string(
                                "\x03"
                                "end",
                                4);
  pack.add_delta(first, delta);
  const auto second = name_for(ObjectType::blob, base + "end");
  const auto tree = pack.add(ObjectType::tree, tree_entry("100644", "a", first) + tree_entry("100755", "b", second));
  const Refs refs{{"refs/heads/main", pack.add(ObjectType::commit, commit_text(tree))}};
  EXPECT_EQ(finding(refs, bundle(refs, pack.bytes())), "accepted");
}

TEST(BundleInspector, RefusesDeltasThatReachBeyondTheirBase) {
  const std::string base(100, 'b');
  const auto with = [&](const std::string& delta) {
    Small small;
    const auto id = small.pack.add(ObjectType::blob, base);
    small.pack.add_delta(id, delta);
    return finding(small.refs, bundle(small.refs, small.pack.bytes()));
  };
  const auto text = [](std::initializer_list<int> bytes) {
    std::string out;
    for (const int byte : bytes) out += static_cast<char>(byte);
    return out;
  };
  EXPECT_EQ(with(text({100, 99, 0x90, 99})), "accepted");
  EXPECT_THAT(with(text({100, 100, 0x90, 100})), HasSubstr("twice")) << "its base again";
  EXPECT_THAT(with(text({100, 101, 0x90, 101})), HasSubstr("does not have"));
  EXPECT_THAT(with(text({100, 100, 0x91, 50, 60})), HasSubstr("does not have"));
  EXPECT_THAT(with(text({100, 50, 0x90, 60})), HasSubstr("more than it says"));
  EXPECT_THAT(with(text({100, 70, 0x90, 60})), HasSubstr("less than it says"));
  EXPECT_THAT(with(text({99, 1, 1, 'x'})), HasSubstr("another size"));
  EXPECT_THAT(with(text({100, 1, 0})), HasSubstr("reserved"));
  EXPECT_THAT(with(text({100, 9, 9, 'x'})), HasSubstr("ends within"));
  EXPECT_THAT(with(text({100, 9, 0x8f})), HasSubstr("ends within"));
  EXPECT_THAT(with(text({100})), HasSubstr("size is malformed"));
  // 4 GiB out of a delta of some bytes.
  EXPECT_THAT(with(text({100, 0x80, 0x80, 0x80, 0x80, 0x10, 0x90, 100})), HasSubstr("more than"));
}

TEST(BundleInspector, RefusesDeltasWithoutTheirBase) {
  Small small;
  small.pack.add_delta(ObjectId{1, 2, 3}, "x");
  EXPECT_THAT(finding(small.refs, bundle(small.refs, small.pack.bytes())), HasSubstr("bases of 1 deltas"));
  Small far;
  far.pack.raw(object_head(6, 1) + std::string("\x7f", 1) + deflated("x"));
  EXPECT_THAT(finding(far.refs, bundle(far.refs, far.pack.bytes())), HasSubstr("base is no object"));
}

TEST(BundleInspector, RefusesAHeadThatLies) {
  const Small small;
  const auto bytes = bundle(small.refs, small.pack.bytes());
  const Refs other{{"refs/heads/main", small.tree}};
  EXPECT_THAT(finding(other, bytes), HasSubstr("the lock at"));
  EXPECT_THAT(finding(other, bundle(other, small.pack.bytes())), HasSubstr("no commit but a tree"));
  const Refs absent{{"refs/heads/main", ObjectId{1}}};
  EXPECT_THAT(finding(absent, bundle(absent, small.pack.bytes())), HasSubstr("not in the pack"));
  const Refs more{small.refs[0], {"refs/tags/v1", small.commit}};
  EXPECT_THAT(finding(more, bytes), HasSubstr("lacks refs/tags/v1"));
  EXPECT_THAT(finding(small.refs, bundle(more, small.pack.bytes())), HasSubstr("the lock knows nothing"));
  const Refs head{small.refs[0], {"HEAD", small.blob}};
  EXPECT_THAT(finding(small.refs, bundle(head, small.pack.bytes())), HasSubstr("HEAD of the bundle"));
  EXPECT_FALSE(inspect(artifact_of(small.refs, "refs/heads/other"), bytes).findings.empty());
  auto elsewhere = artifact_of(small.refs);
  elsewhere.files[0].path = RelPath::parse("packages/git/other.bundle");
  EXPECT_FALSE(inspect(elsewhere, bytes).findings.empty());
}

std::string finding_with_head(const Refs& refs, const std::string& head, const ObjectId& at, const Pack& pack) {
  auto lines = refs;
  lines.emplace_back("HEAD", at);
  const auto inspection = inspect(artifact_of(refs, head), bundle(lines, pack.bytes()));
  return inspection.findings.empty() ? "accepted" : inspection.findings[0].message;
}

TEST(BundleInspector, HeadStandsWhereItsRefDoes) {
  Small small;
  const auto other = small.pack.add(ObjectType::commit, commit_text(small.tree, {small.commit}));
  const auto tag = [&](const ObjectId& id, const std::string& type) {
    return small.pack.add(ObjectType::tag, "object " + to_hex(id) + "\ntype " + type +
                                               "\ntag v1\ntagger A <a@example.test> 1 +0000\n\nv1\n");
  };
  const auto once = tag(small.commit, "commit"), twice = tag(once, "tag");
  const auto commit_ref = "refs/commits/" + to_hex(small.commit);
  const Refs refs = {{"refs/heads/main", small.commit}, {"refs/tags/plain", small.commit}, {"refs/tags/v1", once},
                     {"refs/tags/v2", twice},           {commit_ref, small.commit},        {"refs/heads/other", other}};
  for (const std::string head :
       {"refs/heads/main", "refs/tags/plain", "refs/tags/v1", "refs/tags/v2", commit_ref.c_str()}) {
    EXPECT_EQ(finding_with_head(refs, head, small.commit, small.pack), "accepted") << head;
    EXPECT_THAT(finding_with_head(refs, head, other, small.pack), HasSubstr("HEAD of the bundle is not at " + head));
    EXPECT_THAT(finding_with_head(refs, head, small.blob, small.pack), HasSubstr("HEAD of the bundle is not at"));
  }
  const Refs lie = {{"refs/heads/main", small.commit}, {"refs/commits/" + to_hex(other), small.commit}};
  EXPECT_THAT(finding(lie, bundle(lie, small.pack.bytes())), HasSubstr("the bundle has refs/commits/"));
}

TEST(BundleInspector, RefusesObjectsThatAreThereTwice) {
  Small plain;
  plain.pack.add(ObjectType::blob, "hello\n");
  EXPECT_THAT(finding(plain.refs, bundle(plain.refs, plain.pack.bytes())), HasSubstr("twice"));
  // Each of many equal bases would lead to all of many deltas.
  Small bases;
  for (int i = 0; i < 20'000; ++i) bases.pack.add(ObjectType::blob, "hello\n");
  for (int i = 0; i < 20'000; ++i) {
    const auto word = std::to_string(100'000 + i);
    bases.pack.add_delta(bases.blob, std::string("\x06\x06\x06", 3) + word);
  }
  bases.pack.add_delta(sha1_of("nothing"), std::string("\x06\x01\x01x", 4));  // so that it never is at its end
  EXPECT_THAT(finding(bases.refs, bundle(bases.refs, bases.pack.bytes())), HasSubstr("twice"));
  Small deltas;
  for (int i = 0; i < 20'000; ++i) deltas.pack.add_delta(deltas.blob, std::string("\x06\x06\x90\x06", 4));
  EXPECT_THAT(finding(deltas.refs, bundle(deltas.refs, deltas.pack.bytes())), HasSubstr("twice"));
}

TEST(BundleInspector, RefusesEveryTruncationAndEveryFlippedByte) {
  const Small small;
  const auto bytes = bundle(small.refs, small.pack.bytes());
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_NE(finding(small.refs, bytes.substr(0, size)), "accepted") << size;
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    auto changed = bytes;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    if (changed.starts_with("# v3")) continue;  // the other version of the same
    EXPECT_NE(finding(small.refs, changed), "accepted") << at;
  }
  EXPECT_NE(finding(small.refs, bytes + "x"), "accepted");
}

TEST(BundleInspector, RefusesObjectsThatAreMissingOrOfAnotherType) {
  Pack pack;
  const auto tree = pack.add(ObjectType::tree, tree_entry("100644", "a", ObjectId{7}));
  const Refs refs{{"refs/heads/main", pack.add(ObjectType::commit, commit_text(tree))}};
  EXPECT_THAT(finding(refs, bundle(refs, pack.bytes())), HasSubstr("the blob 07"));
  Small small;
  const auto child = small.pack.add(ObjectType::commit, commit_text(small.tree, {ObjectId{9}}));
  const Refs shallow{{"refs/heads/main", child}};
  EXPECT_THAT(finding(shallow, bundle(shallow, small.pack.bytes())), HasSubstr("the commit 09"));
  Small wrong;
  const auto commit = wrong.pack.add(ObjectType::commit, commit_text(wrong.blob));
  const Refs of_wrong{{"refs/heads/main", commit}};
  EXPECT_THAT(finding(of_wrong, bundle(of_wrong, wrong.pack.bytes())), HasSubstr("is a blob, and is named as a tree"));
}

TEST(BundleInspector, ManyMissingObjectsAreOneFinding) {
  std::string tree;
  for (int i = 0; i < 20'000; ++i) {
    ObjectId id{};
    id[0] = static_cast<std::uint8_t>(i >> 8), id[1] = static_cast<std::uint8_t>(i), id[2] = 1;
    tree += tree_entry("100644", fmt::format("{:05}", i), id);
  }
  Refs refs;
  const auto bytes = with_tree(tree, refs);
  EXPECT_THAT(finding(refs, bytes), HasSubstr("is missing from the pack"));
}

TEST(BundleInspector, RefusesTreesThatAttack) {
  const auto x = name_for(ObjectType::blob, "x");
  const auto of = [&](const std::string& tree) {
    Refs refs;
    const auto bytes = with_tree(tree, refs);
    return finding(refs, bytes);
  };
  EXPECT_EQ(of(tree_entry("100644", "a", x)), "accepted");
  EXPECT_EQ(of(tree_entry("100644", "a", x) + tree_entry("160000", "sub", ObjectId{3})), "accepted");
  for (const auto* name : {"", ".", "..", ".git", ".GIT", ".Git", "a/b"})
    EXPECT_THAT(of(tree_entry("100644", name, x)), HasSubstr("entry called")) << name;
  EXPECT_THAT(of(tree_entry("120000", ".gitmodules", x)), HasSubstr("symbolic link"));
  EXPECT_THAT(of(tree_entry("100777", "a", x)), HasSubstr("mode"));
  EXPECT_THAT(of(tree_entry("100644", "b", x) + tree_entry("100644", "a", x)), HasSubstr("order"));
  EXPECT_THAT(of(tree_entry("100644", "a", x) + tree_entry("100644", "a", x)), HasSubstr("order"));
  EXPECT_THAT(of(tree_entry("100644", "a", x) + "1"), HasSubstr("ends within"));
  EXPECT_THAT(of("100644 a"), HasSubstr("ends within"));
}

TEST(BundleInspector, BombsStayWithinTheirBounds) {
  // Says three bytes, holds a hundred million.
  Small lies;
  lies.pack.raw(object_head(3, 3) + deflated(std::string(100'000'000, '\0')));
  EXPECT_THAT(finding(lies.refs, bundle(lies.refs, lies.pack.bytes())), HasSubstr("not as long as it says"));
  // Says that it is larger than anything may be.
  Small large;
  large.pack.raw(object_head(3, std::uint64_t{1} << 50) + deflated("x"));
  EXPECT_THAT(finding(large.refs, bundle(large.refs, large.pack.bytes())), HasSubstr("of at most"));
  Small tree;
  tree.pack.raw(object_head(2, std::uint64_t{1} << 31) + deflated("x"));
  EXPECT_THAT(finding(tree.refs, bundle(tree.refs, tree.pack.bytes())), HasSubstr("of at most"));
  // Counts more objects than there are bytes.
  const Small count;
  EXPECT_THAT(finding(count.refs, bundle(count.refs, count.pack.bytes(1'000'000))), HasSubstr("ends within"));
  EXPECT_THAT(finding(count.refs, bundle(count.refs, count.pack.bytes(9'000'000))), HasSubstr("of at most"));
  // Together more than they may.
  const auto fd = file_of(count.pack.bytes());
  const auto size = regular_size(fd.get(), "pack");
  PackLimits limits;
  limits.total = 20;
  EXPECT_THROW(check_pack(fd.get(), 0, size, {}, limits), Error);
}

/// What git itself writes, deltas of deltas included.
TEST(BundleInspector, AgreesWithGit) {
  if (!find_program("git")) GTEST_SKIP() << "there is no git";
  const TemporaryFolder folder;
  const auto git = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(),
                     {"git", "-C", folder.path().string(), "-c", "user.name=A", "-c", "user.email=a@example.test"});
    return run_process_checked({.argv = arguments,
                                .input = {},
                                .set_environment = {{"GIT_CONFIG_GLOBAL", "/dev/null"}, {"GIT_CONFIG_NOSYSTEM", "1"}},
                                .unset_environment = {}})
        .output;
  };
  git({"init", "-q", "-b", "main"});
  std::string text;
  for (int i = 0; i < 400; ++i) text += "line " + std::to_string(i * 7919) + "\n";
  for (int i = 0; i < 30; ++i) {
    text.insert(text.size() / 30 * static_cast<std::size_t>(i), "revision " + std::to_string(i) + "\n");
    fs::create_directories(folder.path() / ("d" + std::to_string(i)));
    write_file_atomically(folder.path() / "a.txt", text);
    write_file_atomically(folder.path() / ("d" + std::to_string(i)) / "b", std::to_string(i));
    git({"add", "-A"});
    git({"commit", "-q", "-m", "change"});
  }
  git({"repack", "-a", "-d", "-q", "-f", "--depth=20"});
  git({"bundle", "create", "-q", "x.bundle", "HEAD", "main"});
  const auto bytes = read_file(folder.path() / "x.bundle", 1u << 20);
  const auto id = *parse_object_id(git({"rev-parse", "main"}).substr(0, 40));
  const auto inspection = inspect(artifact_of({{"refs/heads/main", id}}), bytes);
  ASSERT_TRUE(inspection.findings.empty()) << inspection.findings[0].message;
  EXPECT_EQ(inspection.facts["commits"], 30);
  EXPECT_EQ(std::to_string(inspection.facts["objects"].get<int>()) + "\n",
            git({"rev-list", "--objects", "--count", "main"}));
}

}  // namespace
}  // namespace liftlock::git
