#include "engine/install.hpp"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "base/code_of.hpp"
#include "base/error.hpp"
#include "engine/package_fixture.hpp"

namespace liftlock::engine {
namespace {

using namespace testing_support;
using testing::HasSubstr;

Machine amd64_machine() {
  Machine machine;
  machine.architecture = "amd64";
  return machine;
}

/// An engine whose llama-server is this program.
UniqueFd package_of(const std::string& program, const std::string& version = "1", const std::string& variant = "cpu") {
  const std::vector<Item> items = {folder("usr"), folder("usr/bin"), file("usr/bin/llama-server", program, true),
                                   folder("usr/lib"), folder("usr/lib64")};
  EngineManifest manifest;
  manifest.name = "tiny";
  manifest.version = version;
  manifest.variant = variant;
  manifest.architecture = "amd64";
  manifest.executables = {{"llama-server", "usr/bin/llama-server"}};
  manifest.loader = "usr/bin/llama-server";
  manifest.files = items.size();
  manifest.unpacked_size = program.size();
  return package(items, manifest);
}

struct Refused {
  ErrorCode code;
  std::string message;
};

Refused refused(const fs::path& engines, const UniqueFd& package) {
  try {
    (void)install_engine(package.get(), engines, {}, amd64_machine(), Unsuited::refuse);
  } catch (const Error& error) {
    return {error.code(), error.message()};
  }
  return {ErrorCode::internal, "it was installed"};
}

bool holds_nothing(const fs::path& engines) {
  return !fs::exists(engines / "tiny") || fs::is_empty(engines / "tiny");
}

TEST(Install, AVariantThatCannotRunIsRefusedAndCanBeInsistedOn) {
  const TemporaryFolder engines;
  const auto package = package_of("no program", "1", "cuda12");
  const auto why = refused(engines.path(), package);
  EXPECT_EQ(why.code, ErrorCode::engine_unfit);
  EXPECT_THAT(why.message,
              HasSubstr("cannot run on this machine: not in this version, which shows no GPU to an engine"));
  EXPECT_TRUE(holds_nothing(engines.path()));
  const auto engine = install_engine(package.get(), engines.path(), {}, amd64_machine(), Unsuited::install);
  EXPECT_EQ(full_name(engine), "tiny/1-cuda12");
  EXPECT_EQ(flags_of(engine, "llama-server"), nullptr) << "nobody could ask it";
}

TEST(Install, WhatWasInsistedOnIsAnOverrideInTheLog) {
  const TemporaryFolder folder;
  AuditLog log(folder.path() / "audit", "test");
  const auto package = package_of("no program", "1", "cuda12");
  const AuditEvent event{.type = "engine.install",
                         .actor = "ada",
                         .outcome = Outcome::intent,
                         .subject = "engine:tiny@1",
                         .detail = R"({"remark":"unsigned import: a test"})"};
  (void)install_engine(log, event, package.get(), folder.path() / "engines", {}, this_machine(), Unsuited::install);
  const auto entry = log.find_last("engine.install", "engine:tiny@1");
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->event.outcome, Outcome::success);
  EXPECT_THAT(parse_json(entry->event.detail).value("remark", ""),
              testing::StartsWith("unsigned import: a test; anyway: not tried, for this machine cannot run it: "));
}

TEST(LlamaServer, IsToldWhatTheModelIsForInTheSpellingOfItsVersion) {
  InstalledEngine engine{.manifest = {}, .folder = "/engines/tiny/1-cpu", .facts = {}};
  engine.manifest.executables = {{"llama-server", "usr/bin/llama-server"}};
  const auto told = [&](ModelTask task) {
    return llama_server_arguments(engine, {.model_path = "/m", .alias = "m", .slots = 2, .context = 512, .task = task});
  };
  EXPECT_THAT(told(ModelTask::reranking), testing::IsSupersetOf({"--reranking", "--ubatch-size", "512", "1024"}))
      << "nobody asked it";
  engine.facts.flags["llama-server"] = {"--host",      "-m", "--alias", "--parallel", "-c",
                                        "--embedding", "-b", "-ub",     "--no-slots"};
  EXPECT_THAT(told(ModelTask::text),
              testing::ElementsAre("/usr/bin/llama-server", "--host", "/run/liftlock/engine.sock", "-m", "/m",
                                   "--alias", "m", "--parallel", "2", "-c", "1024"));
  EXPECT_THAT(told(ModelTask::embeddings), testing::IsSupersetOf({"--embedding", "-b", "-ub", "512"}));
  const auto why = code_of([&] { (void)told(ModelTask::reranking); });
  EXPECT_EQ(why, ErrorCode::model_unsupported);
}

class InstallInSandbox : public testing::Test {
 protected:
  void SetUp() override {
    const auto package = package_of(read_file(LIFTLOCK_STAND_IN, 1u << 26));
    try {
      (void)install_engine(package.get(), engines.path(), {"test", "sha256:00", {}, {}, {}}, amd64_machine(),
                           Unsuited::refuse);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::sandbox_unavailable && error.code() != ErrorCode::tool_missing) throw;
      GTEST_SKIP() << error.what();
    }
  }
  const TemporaryFolder engines;
};

TEST_F(InstallInSandbox, WhatTheEngineSaysOfItselfIsKept) {
  const auto found = installed_engines(engines.path());
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].facts.origin, "test");
  EXPECT_EQ(found[0].facts.says, "version: 1 (stand-in)");
  ASSERT_NE(flags_of(found[0], "llama-server"), nullptr);
  EXPECT_TRUE(flags_of(found[0], "llama-server")->contains("--ctx-size"));
  const auto arguments = llama_server_arguments(found[0], {"/models/a.gguf", "a", 2, 256, "", {}});
  EXPECT_THAT(arguments, testing::ElementsAre("/usr/bin/llama-server", "--host", "/run/liftlock/engine.sock", "-m",
                                              "/models/a.gguf", "--alias", "a", "--parallel", "2", "-c", "512"))
      << "an option that it does not know is not passed";
}

TEST_F(InstallInSandbox, AnEngineThatLacksAnOptionLeavesNothingBehind) {
  const TemporaryFolder other;
  auto program = read_file(LIFTLOCK_STAND_IN, 1u << 26);
  for (const std::string gone : {"--parallel N", "-c,  --ctx-size"})
    program.replace(program.find(gone), gone.size(), std::string(gone.size(), '.'));
  const auto why = refused(other.path(), package_of(program, "2"));
  EXPECT_EQ(why.code, ErrorCode::engine_unfit) << why.message;
  EXPECT_THAT(why.message, HasSubstr("no option for the slots (--parallel or -np), the context"));
  EXPECT_TRUE(holds_nothing(other.path()));
}

TEST_F(InstallInSandbox, AnEngineThatDoesNotStartIsRefused) {
  const TemporaryFolder other;
  const auto why = refused(other.path(), package_of("no program", "2"));
  EXPECT_EQ(why.code, ErrorCode::engine_unfit) << why.message;
  EXPECT_THAT(why.message, HasSubstr("did not say what options it has"));
  EXPECT_TRUE(holds_nothing(other.path()));
}

TEST_F(InstallInSandbox, TheChosenEngineLoadsItsFormatAndNotTheNewest) {
  const auto newer = package_of(read_file(LIFTLOCK_STAND_IN, 1u << 26), "2");
  (void)install_engine(newer.get(), engines.path(), {}, amd64_machine(), Unsuited::refuse);
  Choices defaults(engines.path() / "defaults.json");
  EXPECT_EQ(full_name(engine_for(engines.path(), defaults, "gguf")), "tiny/2-cpu");
  defaults.choose("gguf", {"tiny/1-cpu", "", {}, "ada"});
  EXPECT_EQ(full_name(engine_for(engines.path(), defaults, "gguf")), "tiny/1-cpu");
  remove_tree(engines.path() / "tiny/1-cpu");
  try {
    (void)engine_for(engines.path(), defaults, "gguf");
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::engine_unavailable);
    EXPECT_THAT(error.message(), HasSubstr("tiny/1-cpu, which is gone"));
  }
}

}  // namespace
}  // namespace liftlock::engine
