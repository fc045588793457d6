#include "bundle/pack.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>

#include "bundle/bundle_fixture.hpp"
#include "os/process.hpp"

namespace liftlock {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST_F(BundleTest, APackedBundleVerifiesInBothForms) {
  packed("tree");
  packed("tar", ContentForm::tar);
  EXPECT_THAT(verified("tree").problems, IsEmpty());
  const auto report = verified("tar");
  EXPECT_THAT(report.problems, IsEmpty());
  EXPECT_EQ(report.files, 5u);
  EXPECT_EQ(report.signatures.at(0).status, SignatureStatus::valid);
}

TEST_F(BundleTest, TwoPacksOfOneLockDifferOnlyInWhoAndWhen) {
  packed("one");
  auto second = request("two");
  second.creator = "other(1001)";
  second.sequence = 9;
  second.low_side_host = "elsewhere";
  pack(m_store, second, silent_reporter());
  fs::remove_all(m_folder.path() / "one/signatures");
  const auto diff = run_process({.argv = {"diff", "-rq", "one", "two"}, .working_folder = m_folder.path()});
  EXPECT_EQ(diff.output, "Files one/manifest/bundle.json and two/manifest/bundle.json differ\n");
}

TEST_F(BundleTest, TarHeadersAreWhatGnuTarReads) {
  packed("tar", ContentForm::tar);
  make_folders(m_folder.path() / "out");
  run_process_checked({.argv = {"tar", "-xf", "../tar/content.tar"}, .working_folder = m_folder.path() / "out"});
  EXPECT_EQ(content("out/files/hello/hello.txt"), "hello");
  EXPECT_EQ(content("out/files/" + std::string(120, 'd') + "/" + std::string(120, 'f')), std::string(3000, 'x'));
  EXPECT_EQ(content("out/models/tiny/empty.txt"), "");
}

TEST_F(BundleTest, PackingAgainLeavesTheBundleAlone) {
  const auto first = packed("again");
  const auto second = pack(m_store, request("again"), silent_reporter());
  EXPECT_TRUE(second.unchanged);
  EXPECT_EQ(second.digest, first.digest);
  m_artifacts.pop_back();
  EXPECT_EQ(code_of([&] { pack(m_store, request("again"), silent_reporter()); }), ErrorCode::immutable);
}

TEST_F(BundleTest, AnEmptyFolderIsAPlaceForABundleAndAnythingElseIsNot) {
  fs::create_directory(m_folder.path() / "empty");
  packed("empty");
  EXPECT_THAT(verified("empty").problems, IsEmpty());
  fs::create_directories(m_folder.path() / "full/of");
  write_file_atomically(m_folder.path() / "plain", "x");
  for (const auto* place : {"full", "plain"}) {
    EXPECT_EQ(code_of([&] { packed(place); }), ErrorCode::usage) << place;
    EXPECT_FALSE(fs::exists(m_folder.path() / (std::string(place) + ".lock")));
  }
}

TEST_F(BundleTest, APackThatFailsLeavesNoLockFile) {
  const auto path = m_store.path(m_artifacts[0].files[0].digest);
  fs::permissions(path, fs::perms::owner_write, fs::perm_options::add);
  write_file_atomically(path, "HELLO");
  EXPECT_EQ(code_of([&] { packed("failed"); }), ErrorCode::blob_corrupt);
  EXPECT_FALSE(fs::exists(m_folder.path() / "failed.lock"));
}

TEST_F(BundleTest, AKilledPackIsResumedAndItsLeftoversGo) {
  overwrite_partial("resumed.partial/files/hello/hello.txt", "hello");
  overwrite_partial("resumed.partial/files/from-another-lock", "old");
  overwrite_partial("resumed.partial/models/tiny/a.gguf", "half");
  packed("resumed");
  EXPECT_THAT(verified("resumed").problems, IsEmpty());
}

TEST_F(BundleTest, ARottenBlobStopsThePack) {
  const auto path = m_store.path(m_artifacts[0].files[0].digest);
  fs::permissions(path, fs::perms::owner_write, fs::perm_options::add);
  write_file_atomically(path, "HELLO");
  EXPECT_EQ(code_of([&] { packed("rotten"); }), ErrorCode::blob_corrupt);
  EXPECT_FALSE(fs::exists(m_folder.path() / "rotten"));
}

TEST_F(BundleTest, AMissingBlobIsNamed) {
  m_store.remove(m_artifacts[0].files[0].digest);
  EXPECT_EQ(code_of([&] { packed("absent"); }), ErrorCode::not_fetched);
}

TEST_F(BundleTest, ManySmallFilesTravelAsOneTarUnlessSomebodySaysSo) {
  std::vector<FileEntry> files(4999, FileEntry{RelPath::parse("files/x"), 64u << 10, sha256("x"), {}});
  EXPECT_EQ(form_for(files), ContentForm::tree);
  files.push_back(FileEntry{RelPath::parse("files/y"), (64u << 10) + 1, sha256("y"), {}});
  EXPECT_EQ(form_for(files), ContentForm::tree) << "one is not small";
  files.push_back(files.front());
  EXPECT_EQ(form_for(files), ContentForm::tar);
  std::vector<std::pair<std::string, std::string>> many;
  for (int i = 0; i < 5000; ++i) many.emplace_back(fmt::format("files/many/{:04}", i), std::to_string(i % 7));
  add("file", "many", "1", many);
  for (const auto asked : {std::optional<ContentForm>(), std::optional(ContentForm::tree)}) {
    auto made = request(asked ? "tree" : "chosen");
    made.form = asked;
    EXPECT_EQ(pack(m_store, made, silent_reporter()).info.form, asked.value_or(ContentForm::tar));
  }
  EXPECT_TRUE(fs::exists(m_folder.path() / "chosen/content.tar"));
  const auto problems = verified("chosen").problems;
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_EQ(problems[0].path, "signatures") << "nobody signed it";
  EXPECT_NE(content("chosen/README.txt").find("tar -xf content.tar"), std::string::npos);
  // What is there already is compared in its own form: it was packed when the default was another.
  EXPECT_TRUE(pack(m_store, request("tree"), silent_reporter()).unchanged);
  auto other = request("tree");
  other.form = ContentForm::tar;
  EXPECT_EQ(code_of([&] { pack(m_store, other, silent_reporter()); }), ErrorCode::immutable) << "asked for";
}

TEST_F(BundleTest, WhatIsOnlyReferredToIsPackedFromWhereItLies) {
  const auto at = m_folder.path() / "source";
  const auto refer = [&](const Digest& digest) {
    const auto fd = open_file(at, O_RDONLY);
    m_store.references().add("list",
                             {{.digest = digest, .file = at, .identity = identity_of(stat_of(fd.get(), "source"))}});
  };
  const auto digest = m_artifacts[0].files[0].digest;
  write_file_atomically(at, "hello");
  refer(digest);
  m_store.remove(digest);
  for (const auto form : {ContentForm::tree, ContentForm::tar}) {
    const std::string where = form == ContentForm::tree ? "tree" : "tar";
    packed(where, form);
    EXPECT_THAT(verified(where).problems, IsEmpty()) << where;
  }
  // The same length, other bytes, and a list that vouches for them: what lies there is hashed all the same.
  write_file_atomically(at, "HELLO");
  refer(digest);
  for (const auto form : {ContentForm::tree, ContentForm::tar}) {
    EXPECT_EQ(code_of([&] { packed("lie", form); }), ErrorCode::upstream_changed);
    EXPECT_FALSE(fs::exists(m_folder.path() / "lie"));
    fs::remove_all(m_folder.path() / "lie.partial");
  }
  // Other bytes in another number.
  for (const std::string text : {"hello, world", "hell"}) {
    write_file_atomically(at, text);
    refer(digest);
    EXPECT_EQ(code_of([&] { packed("lie"); }), ErrorCode::upstream_changed) << text;
    fs::remove_all(m_folder.path() / "lie.partial");
  }
  fs::remove(at);
  EXPECT_EQ(code_of([&] { packed("gone"); }), ErrorCode::not_fetched);
}

TEST_F(BundleTest, PathsThatMeetAreRefused) {
  add("file", "other", "1", {{"files/HELLO/hello.txt", "x"}});
  EXPECT_EQ(code_of([&] { packed("case"); }), ErrorCode::path_collision);
  m_artifacts.pop_back();
  add("file", "third", "1", {{"files/hello", "x"}});
  EXPECT_EQ(code_of([&] { packed("folder"); }), ErrorCode::path_collision);
}

// --- what an attacker or a bad medium does to a bundle

TEST_F(BundleTest, AFlippedBitAnywhereIsFound) {
  for (const auto* file : {"files/hello/hello.txt", "models/tiny/a.gguf", "README.txt", "checksums.txt",
                           "manifest/files.jsonl", "manifest/artifacts.jsonl", "manifest/sbom.cdx.json",
                           "manifest/sbom.spdx.json", "manifest/trust/1.root.json"}) {
    fs::remove_all(m_folder.path() / "flip");
    packed("flip");
    flip(fs::path("flip") / file, 3);
    EXPECT_TRUE(codes("flip").contains(ErrorCode::digest_mismatch)) << file;
  }
}

TEST_F(BundleTest, EveryBitOfASmallTarIsGuarded) {
  m_artifacts.resize(1);
  packed("bits", ContentForm::tar);
  const auto good = content("bits/content.tar");
  for (std::size_t i = 0; i < good.size(); ++i) {
    auto bad = good;
    bad[i] = static_cast<char>(bad[i] ^ (1 << (i % 8)));
    overwrite("bits/content.tar", bad);
    EXPECT_FALSE(codes("bits").empty()) << "byte " << i;
  }
}

TEST_F(BundleTest, MissingExtraAndSpecialFilesAreAllReported) {
  packed("mixed");
  const auto at = m_folder.path() / "mixed";
  fs::remove(at / "models/tiny/a.gguf");
  write_file_atomically(at / "files/hello/extra.txt", "x");
  write_file_atomically(at / "manifest/surprise.json", "{}");
  write_file_atomically(at / "signatures/readme.txt", "x");
  fs::remove(at / "files/hello/hello.txt");
  fs::create_symlink("/etc/passwd", at / "files/hello/hello.txt");
  fs::create_directory(at / "files/empty");
  std::vector<std::string> found;
  for (const auto& problem : verified("mixed").problems) {
    found.push_back(std::string(info(problem.code).slug) + " " + problem.path);
  }
  EXPECT_THAT(found, ElementsAre("extra-file files/empty", "extra-file files/hello/extra.txt",
                                 "not-regular files/hello/hello.txt", "extra-file manifest/surprise.json",
                                 "missing-file models/tiny/a.gguf", "extra-file signatures/readme.txt"));
}

TEST_F(BundleTest, AMissingFileIsNoEmptyFolderToo) {
  packed("lacking");
  fs::remove(m_folder.path() / "lacking/files/hello/hello.txt");
  const auto problems = verified("lacking").problems;
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_EQ(problems[0].code, ErrorCode::missing_file);
}

TEST_F(BundleTest, NamesThatNoListCouldHoldAreReportedPrintably) {
  packed("names");
  std::ofstream(m_folder.path() / "names/files/new\nline") << "x";
  std::ofstream(m_folder.path() / "names/files/\xff\x1b[31m") << "x";
  for (const auto& problem : verified("names").problems) {
    EXPECT_EQ(problem.code, ErrorCode::extra_file);
    EXPECT_EQ(problem.path.find_first_of("\n\x1b\xff"), std::string::npos);
  }
}

TEST_F(BundleTest, TruncatedPaddedReorderedAndDoubledTarsAreRefused) {
  packed("evil", ContentForm::tar);
  const auto good = content("evil/content.tar");
  const auto check = [&](const std::string& bytes, const char* what) {
    overwrite("evil/content.tar", bytes);
    EXPECT_TRUE(codes("evil").contains(ErrorCode::tar_mismatch)) << what;
  };
  check(good.substr(0, good.size() - 512), "truncated");
  check(good + std::string(10240, '\0'), "padded");
  check(good.substr(0, 1024) + good, "doubled");
  check(good.substr(1024) + good.substr(0, 1024), "reordered");
}

TEST_F(BundleTest, MixAndMatchOfTwoBundlesIsRefused) {
  packed("first");
  m_artifacts[0].version = "2";
  packed("second", ContentForm::tree, 2);
  fs::copy_file(m_folder.path() / "second/manifest/artifacts.jsonl", m_folder.path() / "first/manifest/artifacts.jsonl",
                fs::copy_options::overwrite_existing);
  EXPECT_TRUE(codes("first").contains(ErrorCode::digest_mismatch));
  fs::copy_file(m_folder.path() / "second/manifest/bundle.json", m_folder.path() / "first/manifest/bundle.json",
                fs::copy_options::overwrite_existing);
  EXPECT_TRUE(codes("first").contains(ErrorCode::signature_invalid));
}

TEST_F(BundleTest, ForeignAndMissingSignaturesAreRefused) {
  packed("foreign");
  fs::remove_all(m_folder.path() / "foreign/signatures");
  EXPECT_EQ(codes("foreign"), std::set{ErrorCode::unsigned_document});
  sign_as("mallory", "foreign");
  EXPECT_EQ(codes("foreign"), std::set{ErrorCode::key_unknown});
}

TEST_F(BundleTest, AnotherDigestThanTheAnnouncedOneIsAProblem) {
  packed("announced");
  const auto report =
      verify_bundle(m_folder.path() / "announced",
                    {.expect = sha256("x"), .pinned = std::vector{m_statement}, .when = now()}, silent_reporter());
  ASSERT_EQ(report.problems.size(), 1u);
  EXPECT_EQ(report.problems[0].code, ErrorCode::expect_mismatch);
}

TEST_F(BundleTest, AFileThatNoArtifactClaimsIsRefused) {
  auto unclaimed = request("unclaimed");
  unclaimed.generated.emplace_back(RelPath::parse("models/stowaway.pkl"), "x");
  pack(m_store, unclaimed, silent_reporter());
  sign_as("bob", "unclaimed");
  EXPECT_TRUE(codes("unclaimed").contains(ErrorCode::schema_violation));
}

TEST_F(BundleTest, AnotherLocksTarLeavesNothingBehind) {
  overwrite_partial("stale.partial/content.tar", std::string(4u << 20, 'z'));
  packed("stale", ContentForm::tar);
  EXPECT_THAT(verified("stale").problems, IsEmpty());
}

/// Of many sizes, so that some members are written together and some alone.
std::vector<std::pair<std::string, std::string>> of_many_sizes() {
  std::vector<std::pair<std::string, std::string>> files;
  const std::size_t sizes[] = {0,       1, 511, 512, 513, 8192, 250'000, (256u << 10) - 1, 256u << 10, (256u << 10) + 1,
                               2u << 20};
  for (std::size_t i = 0; i < 60; ++i) {
    const auto size = sizes[i * 7 % std::size(sizes)];
    files.emplace_back(fmt::format("files/sizes/{:03}", i), std::string(size, static_cast<char>('a' + i % 26)));
  }
  return files;
}

TEST_F(BundleTest, MembersThatAreWrittenTogetherStandWhereTheListSays) {
  const auto files = of_many_sizes();
  add("file", "sizes", "1", files);
  packed("together", ContentForm::tar);
  EXPECT_THAT(verified("together").problems, IsEmpty());
  make_folders(m_folder.path() / "out");
  run_process_checked({.argv = {"tar", "-xf", "../together/content.tar"}, .working_folder = m_folder.path() / "out"});
  for (const auto& [path, text] : files) EXPECT_TRUE(content("out/" + path) == text) << path;
  EXPECT_EQ(content("out/images/index.json"), "{}");
}

TEST_F(BundleTest, AHalfWrittenTarIsCompletedToTheSameBytes) {
  add("file", "sizes", "1", of_many_sizes());
  packed("whole", ContentForm::tar);
  const auto whole = content("whole/content.tar");
  auto half = whole;
  for (std::size_t at = 0; at < half.size(); at += 3u << 20)
    half.replace(at, 1u << 20, std::string(std::min<std::size_t>(1u << 20, half.size() - at), '\0'));
  ASSERT_NE(half, whole);
  overwrite_partial("resumed.partial/content.tar", half);
  packed("resumed", ContentForm::tar);
  EXPECT_TRUE(content("resumed/content.tar") == whole);
}

TEST_F(BundleTest, ARottenMemberStopsThePackWhateverStandsBesideIt) {
  add("file", "sizes", "1", of_many_sizes());
  const auto path = m_store.path(m_artifacts[0].files[0].digest);
  fs::permissions(path, fs::perms::owner_write, fs::perm_options::add);
  for (const auto* bytes : {"HELLO", "hello!", "hell"}) {
    write_file_atomically(path, bytes);
    EXPECT_EQ(code_of([&] { packed("rotten", ContentForm::tar); }), ErrorCode::blob_corrupt) << bytes;
    EXPECT_FALSE(fs::exists(m_folder.path() / "rotten"));
  }
}

TEST(FileEntries, ThoseReadQuicklyAreReadAsTheOthers) {
  const FileEntry entry{RelPath::parse("files/a/b-1.txt"), 1234, sha256("x"), {"file:a@1", "file:b@2"}};
  const auto line = write_file_entry(entry);
  EXPECT_EQ(parse_file_entry(line), entry);
  const auto read = [](const std::string& text) {
    std::optional<FileEntry> out;
    try {
      out = parse_file_entry(text);
    } catch (const Error&) {
    }
    return out;
  };
  int taken = 0, refused = 0;
  const auto compare = [&](const std::string& text) {
    const auto end = text.rfind('}');
    if (end == std::string::npos) return;
    // A member that nobody knows keeps the quick reader away.
    auto slow = text;
    slow.insert(end, ",\"zzz\":0");
    const auto quick = read(text);
    EXPECT_EQ(quick, read(slow)) << text;
    ++(quick ? taken : refused);
  };
  for (std::size_t at = 0; at < line.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      auto flipped = line;
      flipped[at] = static_cast<char>(flipped[at] ^ (1 << bit));
      compare(flipped);
    }
    compare(line.substr(0, at) + line.substr(at + 1));
    for (const auto* more : {" ", ",", "0", "\"", "\\", "[", "]", "-", "}"})
      compare(line.substr(0, at) + more + line.substr(at));
  }
  EXPECT_GT(taken, 100);
  EXPECT_GT(refused, 100);
}

TEST(FileEntries, OneDigestHasOneSize) {
  const auto line = [](const char* path, std::uint64_t size) {
    return write_file_entry({RelPath::parse(path), size, sha256("x"), {"file:a@1"}});
  };
  EXPECT_EQ(parse_files_list(line("files/a", 1) + line("files/b", 1)).size(), 2u);
  EXPECT_EQ(code_of([&] { parse_files_list(line("files/a", 1) + line("files/b", 1ull << 52)); }),
            ErrorCode::schema_violation);
  const auto carried = parse_files_list(line("files/a", 1)), left_out = parse_files_list(line("files/b", 2));
  EXPECT_EQ(code_of([&] { join_files(carried, left_out); }), ErrorCode::schema_violation);
  constexpr auto k_most = (1ull << 53) - 1;
  EXPECT_EQ(parse_files_list(line("files/a", k_most)).at(0).size, k_most);
  EXPECT_EQ(code_of([&] { parse_files_list(line("files/a", k_most + 1)); }), ErrorCode::limit_exceeded);
}

// --- README.txt says how to check without Liftlock: every "$" line of it is run here

std::vector<std::string> commands_of(const std::string& readme) {
  std::vector<std::string> out;
  for (const auto line : split(readme, '\n')) {
    if (trim(line).starts_with("$ ")) out.emplace_back(trim(line).substr(2));
  }
  return out;
}

std::string run_readme(const fs::path& bundle) {
  std::string out;
  for (const auto& command : commands_of(read_file(bundle / "README.txt", 1 << 20))) {
    const auto result = run_process({.argv = {"sh", "-c", command}, .working_folder = bundle});
    out += result.output + (result.status == 0 ? "" : fmt::format("FAILED {}\n", result.status));
  }
  return out;
}

TEST_F(BundleTest, TheReadmeChecksTheBundleWithCoreutilsAlone) {
  for (const auto form : {ContentForm::tree, ContentForm::tar}) {
    const std::string where = form == ContentForm::tree ? "plain" : "archive";
    const auto result = packed(where, form);
    const auto said = run_readme(m_folder.path() / where);
    EXPECT_THAT(said, testing::StartsWith(result.digest.hex()));
    EXPECT_THAT(said, testing::HasSubstr("checksums.txt is the one that was signed"));
    EXPECT_THAT(said, testing::EndsWith("every file is as listed\n"));
  }
  write_file_atomically(m_folder.path() / "plain/files/extra", "x");
  EXPECT_THAT(run_readme(m_folder.path() / "plain"), testing::HasSubstr("> files/extra"));
  fs::remove(m_folder.path() / "plain/files/extra");
  flip("plain/models/tiny/a.gguf", 100);
  EXPECT_THAT(run_readme(m_folder.path() / "plain"), testing::HasSubstr("models/tiny/a.gguf: FAILED"));
}

}  // namespace
}  // namespace liftlock
