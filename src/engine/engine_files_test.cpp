#include "engine/engine_files.hpp"

#include <gmock/gmock.h>

#include "base/code_of.hpp"
#include "base/error.hpp"
#include "engine/install.hpp"
#include "engine/load_gate.hpp"
#include "engine/model_fixture.hpp"
#include "engine/package_fixture.hpp"

namespace liftlock::engine {
namespace {

using namespace testing_support;
using testing::HasSubstr;

/// Installed without being asked for its options: what is in it is no program.
class EngineFilesTest : public ::testing::Test {
 protected:
  EngineFilesTest() : engine(installed("1")) {}

  UniqueFd package_of(const std::string& version) const {
    const std::vector<Item> items = {folder("usr"),
                                     folder("usr/bin"),
                                     file("usr/bin/llama-server", "program", true),
                                     folder("usr/lib"),
                                     link("usr/lib/libllama.so", "libllama.so.0"),
                                     file("usr/lib/libllama.so.0", "library " + version),
                                     folder("usr/lib64")};
    EngineManifest manifest;
    manifest.name = "tiny";
    manifest.version = version;
    manifest.variant = "cuda12";
    manifest.architecture = "amd64";
    manifest.executables = {{"llama-server", "usr/bin/llama-server"}};
    manifest.loader = "usr/bin/llama-server";
    manifest.files = items.size();
    for (const auto& item : items) manifest.unpacked_size += item.content.size();
    return package(items, manifest);
  }
  InstalledEngine installed(const std::string& version) {
    Machine machine;
    machine.architecture = "amd64";
    return install_engine(
        log, {.type = "engine.install", .actor = "ada", .outcome = Outcome::intent, .subject = "tiny", .detail = "{}"},
        package_of(version).get(), engines.path(), {}, machine, Unsuited::install);
  }
  std::string refusal(bool recheck = true) {
    try {
      (void)checks.require(engine, log, recheck);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::blob_corrupt);
      return error.message();
    }
    return "it was believed";
  }
  /// Somebody changes it and sets its time back.
  void change(const std::string& path, std::string_view text) const {
    const auto time = fs::last_write_time(engine.folder / path);
    const auto found = [&] {
      struct stat status {};
      ::lstat((engine.folder / path).c_str(), &status);
      return state_of(status);
    };
    const auto before = found();
    overwrite(engine.folder / path, text);
    // Before Linux 6.13 two changes within one tick of the clock look alike.
    do fs::last_write_time(engine.folder / path, time);
    while (found() == before);
  }

  const TemporaryFolder engines;
  const TemporaryFolder state;
  AuditLog log{state.path() / "audit", "test"};
  EngineChecks checks;
  const InstalledEngine engine;
};

TEST_F(EngineFilesTest, WhatWasInstalledIsBelieved) {
  const auto list = parse_files(read_file(engine.folder / k_files_file, 1u << 20));
  EXPECT_EQ(list.at("usr/lib/libllama.so"), "-> libllama.so.0");
  EXPECT_EQ(list.at("usr/lib/libllama.so.0"), sha256("library 1").hex());
  EXPECT_TRUE(list.contains("engine.json"));
  EXPECT_EQ(encode_files(list), read_file(engine.folder / k_files_file, 1u << 20));
  EXPECT_FALSE(checks.require(engine, log, true).untouched);
  EXPECT_FALSE(checks.require(engine, log, true).untouched);
  EXPECT_TRUE(checks.require(engine, log, false).untouched);
  EXPECT_FALSE(EngineChecks().require(engine, log, false).untouched) << "nobody hashed it in this process";
}

TEST_F(EngineFilesTest, AChangedLibraryIsRefused) {
  for (const bool recheck : {true, false}) {
    (void)checks.require(engine, log, recheck);
    change("usr/lib/libllama.so.0", "L");
    EXPECT_THAT(refusal(recheck), HasSubstr("'usr/lib/libllama.so.0' has the SHA-256 "));
    change("usr/lib/libllama.so.0", "l");
  }
  EXPECT_EQ(refusal(), "it was believed");
}

TEST_F(EngineFilesTest, NothingMoreNothingLessAndNothingElse) {
  write_file_atomically(engine.folder / "usr/lib/libggml-evil.so", "x");
  EXPECT_THAT(refusal(), HasSubstr("'usr/lib/libggml-evil.so' does not belong to it"));
  fs::remove(engine.folder / "usr/lib/libggml-evil.so");
  fs::remove(engine.folder / "usr/lib/libllama.so");
  EXPECT_THAT(refusal(), HasSubstr("'usr/lib/libllama.so' is gone"));
  fs::create_symlink("libother.so.0", engine.folder / "usr/lib/libllama.so");
  EXPECT_THAT(refusal(), HasSubstr("'usr/lib/libllama.so' is something else now"));
  fs::remove(engine.folder / "usr/lib/libllama.so");
  fs::create_symlink("libllama.so.0", engine.folder / "usr/lib/libllama.so");
  EXPECT_EQ(refusal(), "it was believed");
  change("engine.json", " ");
  EXPECT_THAT(refusal(), HasSubstr("'engine.json' has the SHA-256 "));
}

TEST_F(EngineFilesTest, TheListIsThatOfTheLog) {
  auto list = parse_files(read_file(engine.folder / k_files_file, 1u << 20));
  const auto original = encode_files(list);
  list["usr/lib/libllama.so.0"] = sha256("library of an enemy").hex();
  write_file_atomically(engine.folder / k_files_file, encode_files(list));
  fs::remove(engine.folder / "usr/lib/libllama.so.0");
  write_file_atomically(engine.folder / "usr/lib/libllama.so.0", "library of an enemy");
  EXPECT_THAT(refusal(), HasSubstr("another than the audit log has"));
  EXPECT_TRUE(has_list(engine));
  fs::remove(engine.folder / k_files_file);
  EXPECT_FALSE(has_list(engine));
  EXPECT_THAT(refusal(), HasSubstr("the list of its files is gone"));
  write_file_atomically(engine.folder / k_files_file, original);
  const AuditLog another(state.path() / "another", "test");
  EXPECT_EQ(code_of([&] { (void)EngineChecks().require(engine, another, true); }), ErrorCode::blob_corrupt);
}

TEST_F(EngineFilesTest, ASecondVersionHasAListOfItsOwn) {
  const auto other = installed("2");
  (void)checks.require(other, log, true);
  (void)checks.require(engine, log, true);
}

TEST_F(EngineFilesTest, WhatChangesAfterTheCheckIsNoticed) {
  const auto checked = checks.require(engine, log, true);
  check_again(engine, checked);
  write_file_atomically(engine.folder / "usr/lib/libggml-evil.so", "x");
  fs::remove(engine.folder / "usr/lib/libggml-evil.so");
  EXPECT_EQ(code_of([&] { check_again(engine, checked); }), ErrorCode::blob_corrupt) << "it was there for a while";
  const auto once_more = checks.require(engine, log, true);
  check_again(engine, once_more);
  change("usr/lib/libllama.so.0", "L");
  change("usr/lib/libllama.so.0", "l");
  EXPECT_EQ(code_of([&] { check_again(engine, once_more); }), ErrorCode::blob_corrupt) << "it has its bytes again";
}

TEST_F(EngineFilesTest, OneThatWasRemovedDoesNotComeBackByItself) {
  EXPECT_EQ(refusal(), "it was believed");
  log.append({.type = "engine.remove",
              .actor = "ada",
              .outcome = Outcome::success,
              .subject = full_name(engine),
              .detail = "{}"});
  const auto why = [&] {
    try {
      (void)EngineChecks().require(engine, log, true);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("it was believed");
  };
  EXPECT_THAT(why(), HasSubstr("removed"));
  log.append(files_event(full_name(engine), read_file(engine.folder / k_files_file, 1u << 20), "ada"));
  EXPECT_EQ(why(), "it was believed") << "it was installed again";
}

TEST_F(EngineFilesTest, ADamagedLogTakesNoEngine) {
  log.append(std::vector<AuditEvent>(
      600, {.type = "test.fill", .actor = "ada", .outcome = Outcome::success, .subject = "x", .detail = {}}));
  const auto tile = state.path() / "audit/tile/entries/001";
  ASSERT_TRUE(fs::exists(tile));
  write_file_atomically(tile, std::string(fs::file_size(tile), '\0'));
  EXPECT_EQ(code_of([&] { (void)AuditLog(state.path() / "audit", "").find_last("none", "none"); }),
            ErrorCode::audit_broken);
  const AuditLog damaged(state.path() / "audit", "");
  EXPECT_EQ(code_of([&] { (void)EngineChecks().require(engine, damaged, true); }), std::nullopt);
}

TEST_F(EngineFilesTest, ARefusedStartIsOnRecord) {
  GatePolicy policy;
  policy.catalog_file = state.path() / "catalog.db";
  const AuditEvent event{
      .type = "engine.start", .actor = "ada", .outcome = Outcome::success, .subject = "model:a@1", .detail = "{}"};
  auto start = event;
  ASSERT_TRUE(pass_gate(engine, log, policy, start));
  EXPECT_EQ(parse_json(start.detail).at("check"), "every-byte");
  const auto before = log.size();
  change("usr/lib/libllama.so.0", "L");
  start = event;
  EXPECT_EQ(code_of([&] { (void)pass_gate(engine, log, policy, start); }), ErrorCode::blob_corrupt);
  ASSERT_EQ(log.size(), before + 1);
  const auto told = log.read(before).event;
  EXPECT_EQ(told.outcome, Outcome::failure);
  EXPECT_EQ(parse_json(told.detail).at("error"), "blob-corrupt");
}

}  // namespace
}  // namespace liftlock::engine
