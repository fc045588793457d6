#include "engine/load_gate.hpp"

#include <gmock/gmock.h>

#include "base/code_of.hpp"
#include "base/error.hpp"
#include "engine/fair_queue.hpp"
#include "engine/memory_need.hpp"
#include "engine/model_fixture.hpp"

namespace liftlock::engine {
namespace {

using testing_support::ModelFixture;
using testing_support::overwrite;

TEST(LoadGate, GivesTheVeryFilesThatItHashed) {
  ModelFixture fixture;
  const auto blob = fixture.add_model("a", "GGUF of a model");
  const auto model = check_model(fixture.store, require_model(fixture.catalog, "a"));
  EXPECT_EQ(main_file(model), "/models/a.gguf");
  EXPECT_EQ(main_digest(model.artifact), sha256("GGUF of a model"));
  EXPECT_EQ(model.assurance, Assurance::store_user);
  fs::remove(blob);
  write_file_atomically(blob, "GGUF of an enemy");
  EXPECT_EQ(read_all(model.files[0].file.get(), 100, "model"), "GGUF of a model");
}

TEST(LoadGate, RefusesOtherBytesFewerAndMore) {
  for (const auto* change : {"byte", "cut", "appended"}) {
    ModelFixture fixture;
    const auto blob = fixture.add_model("a", "GGUF of a model");
    const auto artifact = require_model(fixture.catalog, "a");
    if (std::string_view(change) == "byte") overwrite(blob, "X", 5);
    if (std::string_view(change) == "cut") fs::resize_file(blob, 5);
    if (std::string_view(change) == "appended") overwrite(blob, "X", 15);
    EXPECT_EQ(code_of([&] { (void)check_model(fixture.store, artifact); }), ErrorCode::blob_corrupt) << change;
  }
}

TEST(LoadGate, NoticesBytesThatChangeAfterTheCheck) {
  ModelFixture fixture;
  const auto blob = fixture.add_model("a", "GGUF of a model");
  const auto model = check_model(fixture.store, require_model(fixture.catalog, "a"));
  check_again(model);
  fs::create_hard_link(blob, fixture.folder.path() / "link");  // touches it, and changes nothing
  check_again(model);
  const auto time = fs::last_write_time(blob);
  overwrite(blob, "X", 5);
  fs::last_write_time(blob, time);
  EXPECT_EQ(code_of([&] { check_again(model); }), ErrorCode::blob_corrupt);
}

TEST(LoadGate, SaysWhenOthersCouldWrite) {
  ModelFixture fixture;
  const auto blob = fixture.add_model("a", "GGUF of a model");
  const auto artifact = require_model(fixture.catalog, "a");
  fs::permissions(blob.parent_path(), static_cast<fs::perms>(0777));
  EXPECT_EQ(check_model(fixture.store, artifact).assurance, Assurance::shared);
}

TEST(LoadGate, FindsModelsByTheNamesOfTheCatalog) {
  ModelFixture fixture;
  fixture.add_model("a", "one", {}, "1");
  for (const auto* name : {"a", "a@1", "model:a@1"}) EXPECT_EQ(require_model(fixture.catalog, name).name, "a");
  EXPECT_EQ(code_of([&] { (void)require_model(fixture.catalog, "b"); }), ErrorCode::not_found);
  fixture.add_model("a", "two", {}, "2");
  EXPECT_EQ(code_of([&] { (void)require_model(fixture.catalog, "a"); }), ErrorCode::ambiguous);
}

TEST(NewestEngine, CountsNumbersAsNumbers) {
  ModelFixture fixture;
  EXPECT_EQ(code_of([&] { (void)newest_engine_with(fixture.engines(), "llama-server"); }),
            ErrorCode::engine_unavailable);
  for (const auto* version : {"b9999", "b10000", "b100"}) fixture.add_engine("/bin/true", version, {"llama", "gemma3"});
  const auto engine = newest_engine_with(fixture.engines(), "llama-server");
  EXPECT_EQ(engine.manifest.version, "b10000");
  EXPECT_TRUE(knows_architecture(engine, "llama"));
  EXPECT_FALSE(knows_architecture(engine, "gemma"));
  EXPECT_FALSE(knows_architecture(engine, "nosuch"));
}

TEST(MemoryNeed, CountsWeightsContextAndSlots) {
  ModelFixture fixture;
  const Json facts = {
      {"architecture", "llama"},
      {"context_length", 4096},
      {"vocabulary", 1000},
      {"gguf_main", "p"},
      {"gguf",
       {{{"path", "p"}, {"block_count", 4}, {"embedding_length", 64}, {"head_count", 8}, {"head_count_kv", 2}}}}};
  fixture.add_model("a", std::string(2000, 'x'));
  const auto need = memory_need(require_model(fixture.catalog, "a"), facts, 0, 2);
  EXPECT_EQ(need.weights, 2100u);
  EXPECT_EQ(need.context, 4096u);
  EXPECT_EQ(need.kv_cache, 2u * 4 * 64 * 2 / 4 * 4096 * 2);
  EXPECT_EQ(memory_need(require_model(fixture.catalog, "a"), facts, 100, 1).context, 100u);
  EXPECT_EQ(memory_need(require_model(fixture.catalog, "a"), Json::object(), 0, 1).context, k_default_context);
}

TEST(FairQueue, TakesTurnsBetweenCallers) {
  FairQueue<int> queue(5);
  for (const int number : {1, 2, 3}) EXPECT_TRUE(queue.push("busy", static_cast<std::uint64_t>(number), number));
  EXPECT_TRUE(queue.push("modest", 10, 10));
  EXPECT_TRUE(queue.push("other", 20, 20));
  EXPECT_FALSE(queue.push("late", 30, 30));
  EXPECT_EQ(queue.remove(20), 20);
  EXPECT_EQ(queue.remove(20), std::nullopt);
  std::vector<int> order;
  while (const auto next = queue.pop()) order.push_back(*next);
  EXPECT_THAT(order, testing::ElementsAre(1, 10, 2, 3));
}

}  // namespace
}  // namespace liftlock::engine
