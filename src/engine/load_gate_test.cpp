#include "engine/load_gate.hpp"

#include <gmock/gmock.h>
#include <limits>

#include <thread>

#include "base/code_of.hpp"
#include "base/error.hpp"
#include "engine/countersignature.hpp"
#include "engine/fair_queue.hpp"
#include "engine/memory_need.hpp"
#include "engine/model_fixture.hpp"
#include "os/sealed_memory.hpp"
#include "trust/trust_fixture.hpp"

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

TEST(LoadGate, SealedMemoryKeepsWhatWasHashed) {
  ModelFixture fixture;
  const auto blob = fixture.add_model("a", "GGUF of a model");
  const auto artifact = require_model(fixture.catalog, "a");
  const auto by_sha256 = check_model(fixture.store, artifact, {}, nullptr, ModelMemory::sealed);
  const EarlierCheck earlier{.entry = 7, .verity = by_sha256.verity, .states = by_sha256.states};
  const auto by_verity = check_model(fixture.store, artifact, {}, &earlier, ModelMemory::sealed);
  overwrite(blob, "X", 5);
  for (const auto* model : {&by_sha256, &by_verity}) {
    EXPECT_EQ(model->assurance, Assurance::sealed_memory);
    EXPECT_TRUE(model->files[0].in_memory);
    EXPECT_TRUE(is_sealed(model->files[0].file.get()));
    EXPECT_EQ(read_all(model->files[0].file.get(), 100, "model"), "GGUF of a model");
    check_again(*model);  // nothing of it can have changed
  }
  EXPECT_EQ(code_of([&] { (void)check_model(fixture.store, artifact, {}, nullptr, ModelMemory::sealed); }),
            ErrorCode::blob_corrupt);
  EXPECT_EQ(code_of([&] { (void)check_model(fixture.store, artifact, {}, &earlier, ModelMemory::sealed); }),
            ErrorCode::blob_corrupt);
}

TEST(LoadGate, SealedMemoryNeedsTheMemory) {
  ModelFixture fixture;
  fixture.add_model("a", "GGUF of a model");
  auto artifact = require_model(fixture.catalog, "a");
  artifact.files[0].size = 1ull << 50;
  EXPECT_EQ(code_of([&] { (void)check_model(fixture.store, artifact, {}, nullptr, ModelMemory::sealed); }),
            ErrorCode::model_unfit);
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
  // Debian's library lies a folder above those of library_path.
  auto above = engine;
  for (auto& folder : above.manifest.library_path) folder += "/plugins";
  EXPECT_TRUE(knows_architecture(above, "llama"));
  EXPECT_FALSE(knows_architecture(above, "nosuch"));
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
  EXPECT_EQ(need.sealed, 0u);
  const auto sealed = memory_need(require_model(fixture.catalog, "a"), facts, 0, 2, ModelMemory::sealed);
  EXPECT_EQ(sealed.sealed, 2000u);
  EXPECT_EQ(sealed.total(), need.total() + 2000);
  EXPECT_EQ(memory_need(require_model(fixture.catalog, "a"), facts, 100, 1).context, 100u);
  EXPECT_EQ(memory_need(require_model(fixture.catalog, "a"), Json::object(), 0, 1).context, k_default_context);
}

TEST(MemoryNeed, OfSpeechCountsTheModelAndTheSound) {
  ModelFixture fixture;
  fixture.add_model("says", "GGUF", Json::object(), "1", {{"ggml-says.bin", std::string(1000, 'x')}});
  const auto model = require_model(fixture.catalog, "says");
  const auto need = speech_memory_need(model, std::chrono::seconds(60));
  EXPECT_EQ(need.weights, 1000u);
  EXPECT_EQ(need.computation, (256u << 20) + 300 + 60 * (256u << 10));
  EXPECT_EQ(need.total(), need.weights + need.computation);
  EXPECT_EQ(speech_memory_need(model, std::chrono::seconds(60), ModelMemory::sealed).total(), need.total() + 1004);
}

TEST(MemoryNeed, SaysTheLargestContextThatFits) {
  ModelFixture fixture;
  const Json facts = {{"context_length", 4096},
                      {"gguf_main", "p"},
                      {"gguf", {{{"path", "p"}, {"block_count", 4}, {"embedding_length", 64}}}}};
  fixture.add_model("a", std::string(2000, 'x'));
  const auto model = require_model(fixture.catalog, "a");
  const auto without_context = memory_need(model, facts, 0, 2).total() - memory_need(model, facts, 0, 2).kv_cache;
  constexpr std::uint64_t k_token = 2u * 4 * 64 * 2;
  const auto some = fit_into(without_context + 100 * 2 * k_token + 1, model, facts, 0, 2);
  EXPECT_FALSE(some.fits);
  EXPECT_EQ(some.largest_context, 100u);
  EXPECT_TRUE(fit_into(some.budget, model, facts, 100, 2).fits);
  EXPECT_FALSE(fit_into(some.budget, model, facts, 100, 2, ModelMemory::sealed).fits);
  EXPECT_TRUE(fit_into(some.budget + 2000, model, facts, 100, 2, ModelMemory::sealed).fits);
  EXPECT_FALSE(fit_into(some.budget, model, facts, 101, 2).fits);
  EXPECT_EQ(fit_into(1ull << 40, model, facts, 0, 2).largest_context, 4096u);  // no more than it was trained for
  EXPECT_EQ(fit_into(without_context, model, facts, 0, 2).largest_context, 0u);
}

TEST(MemoryNeed, NumbersThatNoModelHasAreBounded) {
  ModelFixture fixture;
  fixture.add_model("a", "weights");
  const auto model = require_model(fixture.catalog, "a");
  static constexpr auto k_most = std::numeric_limits<std::uint64_t>::max();
  const auto facts = [](std::uint64_t layers, std::uint64_t width, std::uint64_t heads) {
    return Json{{"gguf_main", "m"},
                {"vocabulary", k_most},
                {"gguf",
                 {{{"path", "m"},
                   {"block_count", layers},
                   {"embedding_length", width},
                   {"head_count", heads},
                   {"head_count_kv", 1}}}}};
  };
  EXPECT_GT(fit_into(1ull << 40, model, facts(1, 1, k_most), 0, 2).largest_context, 0u);
  EXPECT_FALSE(fit_into(1ull << 40, model, facts(k_most, k_most, 1), 0, 2).fits);
  EXPECT_FALSE(fit_into(1ull << 40, model, facts(1ull << 31, 1ull << 31, 1), 0, 2).fits);
}

TEST(FairQueue, TakesTurnsBetweenCallers) {
  FairQueue<int> queue(5);
  for (const int number : {1, 2, 3})
    EXPECT_EQ(queue.push("busy", static_cast<std::uint64_t>(number), number), std::nullopt);
  EXPECT_EQ(queue.push("modest", 10, 10), std::nullopt);
  EXPECT_EQ(queue.push("other", 20, 20), std::nullopt);
  EXPECT_EQ(queue.remove(20), 20);
  EXPECT_EQ(queue.remove(20), std::nullopt);
  std::vector<int> order;
  while (const auto next = queue.pop()) order.push_back(*next);
  EXPECT_THAT(order, testing::ElementsAre(1, 10, 2, 3));
}

TEST(FairQueue, WhoHoldsMostMakesRoom) {
  FairQueue<int> queue(4);
  for (const int number : {1, 2, 3, 4}) queue.push("busy", static_cast<std::uint64_t>(number), number);
  EXPECT_EQ(queue.push("busy", 5, 5), 5) << "not for the same caller";
  EXPECT_EQ(queue.push("modest", 10, 10), 4) << "the newest of whoever holds most";
  EXPECT_EQ(queue.push("modest", 11, 11), 3);
  EXPECT_EQ(queue.push("modest", 12, 12), 12) << "both hold two now";
  EXPECT_EQ(queue.push("late", 20, 20), 2);
  EXPECT_EQ(queue.size(), 4u);
}

/// A log and a policy for the whole gate.
struct Gate {
  ModelFixture fixture;
  AuditLog log{fixture.folder.path() / "audit", "test"};
  GatePolicy policy{.countersigners = {},
                    .countersignatures = fixture.folder.path() / "countersignatures",
                    .trust_folder = fixture.folder.path() / "trust",
                    .logged_trust = std::make_shared<LoggedTrust>(),
                    .recheck = true,
                    .verified_file = fixture.folder.path() / "verified.json",
                    .verity = testing_support::no_verity()};

  CheckedModel pass(const std::string& name) {
    return pass_gate(fixture.store, log, policy, require_model(fixture.catalog, name), "ada", Json::object());
  }
  Json last() { return parse_json(log.read(log.size() - 1).event.detail); }
};

TEST(WholeGate, HashesEveryByteUnlessPolicySaysOtherwise) {
  Gate gate;
  const auto blob = gate.fixture.add_model("a", "GGUF of a model");
  EXPECT_EQ(gate.pass("a").check, Check::every_byte);
  EXPECT_EQ(gate.last().at("by"), "sha256");
  EXPECT_EQ(gate.pass("a").check, Check::every_byte);
  EXPECT_EQ(gate.last().at("by"), "fs-verity");
  EXPECT_EQ(gate.last().at("since"), 0);
  EXPECT_FALSE(gate.last().contains("files")) << "they are as they were";
  gate.policy.recheck = false;
  EXPECT_EQ(gate.pass("a").check, Check::untouched);
  EXPECT_EQ(gate.last().at("check"), "untouched");
  EXPECT_EQ(gate.pass("a").check, Check::untouched);
  fs::create_hard_link(blob, gate.fixture.folder.path() / "link");
  EXPECT_EQ(gate.pass("a").check, Check::every_byte) << "touched, and the same";
  EXPECT_EQ(gate.last().at("by"), "fs-verity");
  EXPECT_EQ(gate.pass("a").check, Check::untouched) << "since then";
}

// An auditor must not read of a model that failed its check where the machine lacks a sandbox; nor is making one time
// of the check.
TEST(WholeGate, TheSandboxIsNoPartOfTheCheck) {
  Gate gate;
  gate.fixture.add_model("a", "GGUF of a model");
  const auto pass = [&](const std::function<void(const CheckedModel&)>& opened) {
    return pass_gate(gate.fixture.store, gate.log, gate.policy, require_model(gate.fixture.catalog, "a"), "ada",
                     Json::object(), {}, opened);
  };
  EXPECT_EQ(code_of([&] { pass([](const CheckedModel&) { fail(ErrorCode::sandbox_unavailable, "no namespaces"); }); }),
            ErrorCode::sandbox_unavailable);
  EXPECT_EQ(gate.last().at("stage"), "sandbox");
  EXPECT_EQ(gate.last().at("error"), "sandbox-unavailable");
  // However slow the machine is: what the check took has room beside the sandbox in what all of it took.
  constexpr std::chrono::milliseconds k_sandbox{200};
  const auto begin = std::chrono::steady_clock::now();
  const auto check = pass([&](const CheckedModel&) { std::this_thread::sleep_for(k_sandbox); }).duration;
  const auto rest = std::chrono::steady_clock::now() - begin - k_sandbox;
  EXPECT_LE(check, rest);
  EXPECT_LE(std::chrono::milliseconds(gate.last().at("milliseconds").get<int>()), rest);
  gate.fixture.add_model("b", "GGUF of another model");
  fs::remove(gate.fixture.store.path(require_model(gate.fixture.catalog, "b").files.at(0).digest));
  EXPECT_THROW(gate.pass("b"), Error);
  EXPECT_EQ(gate.last().at("stage"), "bytes");
}

TEST(WholeGate, OtherBytesPassByNeitherDigest) {
  for (const bool recheck : {true, false}) {
    Gate gate;
    gate.policy.recheck = recheck;
    const std::string content(3'000'000, 'm');
    const auto blob = gate.fixture.add_model("a", content);
    for (const std::uint64_t at : {0u, 1'500'000u, 2'999'999u}) {
      EXPECT_NO_THROW((void)gate.pass("a"));
      const auto time = fs::last_write_time(blob);
      overwrite(blob, "X", at);
      fs::last_write_time(blob, time);
      EXPECT_EQ(code_of([&] { (void)gate.pass("a"); }), ErrorCode::blob_corrupt) << at;
      EXPECT_EQ(gate.log.read(gate.log.size() - 1).event.outcome, Outcome::failure);
      fs::remove(gate.policy.verified_file);
      EXPECT_EQ(code_of([&] { (void)gate.pass("a"); }), ErrorCode::blob_corrupt) << at;
      overwrite(blob, "m", at);
    }
  }
}

TEST(WholeGate, AHintIsNoEvidence) {
  Gate gate;
  const auto blob = gate.fixture.add_model("a", "GGUF of a model");
  gate.fixture.add_model("b", "GGUF of another model");
  (void)gate.pass("a");
  const auto hints = read_file(gate.policy.verified_file, 10'000);
  for (const std::string forged : {"", "[]", R"({"a":1})"}) {
    write_file_atomically(gate.policy.verified_file, forged);
    (void)gate.pass("a");
    EXPECT_EQ(gate.last().at("by"), "sha256") << forged;
  }
  // To an entry of another model, and to one that somebody forged.
  (void)gate.pass("b");
  auto swapped = parse_json(read_file(gate.policy.verified_file, 10'000));
  for (auto& [key, entry] : swapped.items()) entry = gate.log.size() - 1;
  write_file_atomically(gate.policy.verified_file, dump_json(swapped));
  (void)gate.pass("a");
  EXPECT_EQ(gate.last().at("by"), "sha256");
  gate.policy.recheck = false;
  write_file_atomically(gate.policy.verified_file, hints);
  fs::permissions(blob.parent_path(), static_cast<fs::perms>(0777));
  EXPECT_EQ(gate.pass("a").check, Check::every_byte) << "others can write there";
}

TEST(WholeGate, AForgedEntryStopsTheLoad) {
  Gate gate;
  gate.fixture.add_model("a", "GGUF of a model");
  (void)gate.pass("a");
  gate.log.append(std::vector<AuditEvent>(
      300, {.type = "test.fill", .actor = "ada", .outcome = Outcome::success, .subject = "x", .detail = {}}));
  const auto path = gate.fixture.folder.path() / "audit/tile/entries/000";
  auto forged = read_file(path, 1u << 20);
  const auto at = forged.find("fsverity_sha256");
  ASSERT_NE(at, std::string::npos);
  forged[at + 20] = forged[at + 20] == '0' ? '1' : '0';
  write_file_atomically(path, forged);
  EXPECT_EQ(code_of([&] { (void)gate.pass("a"); }), ErrorCode::audit_broken);
}

// An older chain would believe an approver who was revoked since.
TEST(WholeGate, JudgesByTheTrustThatTheLogTellsOf) {
  Gate gate;
  gate.fixture.add_model("a", "GGUF of a model");
  const auto model = require_model(gate.fixture.catalog, "a");
  gate.policy.countersigners = {Role::approver};
  CountersignatureStore(gate.policy.countersignatures)
      .add(model, signature_by("ada", "approver", model_statement(model)));
  TrustStore trust(gate.policy.trust_folder);
  const auto first = signed_statement(sample_root(), {"root1"});
  const auto second = signed_statement(next(sample_root()), {"root1"});
  const auto tell = [&](const std::string& type, const std::string& statement) {
    gate.log.append({.type = type,
                     .actor = "ada",
                     .outcome = Outcome::success,
                     .subject = root_fingerprint(statement).text(),
                     .detail = "{}"});
  };
  trust.pin(first, root_fingerprint(first));
  tell("trust.pin", first);
  EXPECT_NO_THROW((void)gate.pass("a"));
  trust.follow({second}, k_now);
  tell("trust.update", second);
  EXPECT_NO_THROW((void)gate.pass("a"));
  fs::remove(gate.policy.trust_folder / "2.root.json");
  EXPECT_EQ(code_of([&] { (void)gate.pass("a"); }), ErrorCode::trust_broken);
  EXPECT_EQ(gate.last().at("stage"), "countersignatures");
}

// What vouches for a model is in bundle/standing_test.cpp; this one came with nothing.
TEST(WholeGate, TheCatalogIsNobodyWhoVouches) {
  Gate gate;
  gate.fixture.add_model("a", "GGUF of a model");
  gate.policy.catalog_file = gate.fixture.folder.path() / "store/catalog.db";
  EXPECT_EQ(code_of([&] { (void)gate.pass("a"); }), ErrorCode::store_invalid);
  EXPECT_EQ(gate.last().at("stage"), "signatures");
  EXPECT_EQ(gate.last().at("error"), "store-invalid");
  EXPECT_EQ(gate.log.read(gate.log.size() - 1).event.outcome, Outcome::failure);
}

// Damage to the log is an alarm of its own, and takes models from nobody.
TEST(WholeGate, ALogThatCannotBeReadThroughTakesNoModel) {
  Gate gate;
  gate.fixture.add_model("a", "GGUF of a model");
  Artifact model = require_model(gate.fixture.catalog, "a");
  const ImportRecord record{.shape = "model",
                            .source = "a.gguf",
                            .belief = Belief::nobody,
                            .document = {},
                            .keys = {},
                            .reason = "a test",
                            .actor = "ada",
                            .imported_at = k_now,
                            .artifacts = {model.id()},
                            .content = import_content({model}),
                            .replaced = {},
                            .digests = {}};
  const auto text = encode_import_record(record);
  gate.fixture.catalog.publish({.channel = "import",
                                .sequence = 1,
                                .bundle_digest = sha256(text),
                                .bundle_json = text,
                                .published_at = k_now,
                                .artifacts = {model},
                                .other_files = {}});
  gate.log.append({.type = std::string(k_import_event),
                   .actor = "ada",
                   .outcome = Outcome::success,
                   .subject = "import/1",
                   .detail = dump_json_line({{"import", sha256(text).text()}})});
  // So that the import lies in what is damaged.
  gate.log.append(std::vector<AuditEvent>(
      300, {.type = "test.fill", .actor = "ada", .outcome = Outcome::success, .subject = "x", .detail = {}}));
  gate.policy.catalog_file = gate.fixture.folder.path() / "store/catalog.db";
  EXPECT_NO_THROW((void)gate.pass("a"));
  EXPECT_EQ(gate.last().at("publication"), "import/1");
  EXPECT_EQ(gate.last().at("believed_by"), "nobody");
  EXPECT_FALSE(gate.last().contains("trust"));
  const auto path = gate.fixture.folder.path() / "audit/tile/entries/000";
  write_file_atomically(path, std::string(fs::file_size(path), '\0'));
  gate.policy.logged_trust = std::make_shared<LoggedTrust>();
  gate.policy.beliefs = std::make_shared<Beliefs>();
  EXPECT_NO_THROW((void)gate.pass("a"));
  EXPECT_TRUE(gate.last().contains("trust"));
  gate.policy.countersigners = {Role::approver};
  EXPECT_EQ(code_of([&] { (void)gate.pass("a"); }), ErrorCode::audit_broken);
}

TEST(WholeGate, WantsTheSignaturesThatPolicyNames) {
  Gate gate;
  gate.fixture.add_model("a", "GGUF of a model");
  const auto model = require_model(gate.fixture.catalog, "a");
  const auto statement = model_statement(model);
  gate.policy.countersigners = {Role::approver};
  EXPECT_EQ(code_of([&] { (void)gate.pass("a"); }), ErrorCode::trust_missing);
  const auto root = sample_root();
  const auto good = signature_by("ada", "approver", statement);
  const auto judge_by = [&](const std::vector<SignatureFile>& files) {
    return code_of([&] { (void)require_countersignatures(model, files, root, {Role::approver}, k_now); });
  };
  EXPECT_EQ(judge_by({}), ErrorCode::unsigned_document);
  EXPECT_EQ(judge_by({good}), std::nullopt);
  EXPECT_EQ(judge_by({signature_by("bob", "builder", statement)}), ErrorCode::key_role);
  EXPECT_EQ(judge_by({signature_by("stranger", "approver", statement)}), ErrorCode::key_unknown);
  auto other = model;
  other.files[0].digest = sha256("other bytes");
  EXPECT_EQ(judge_by({signature_by("ada", "approver", model_statement(other))}), ErrorCode::signature_invalid);
  auto revoked = root;
  find_owner(revoked, "ada").revoked_since = k_now;
  EXPECT_EQ(code_of([&] { (void)require_countersignatures(model, {good}, revoked, {Role::approver}, k_now); }),
            ErrorCode::key_revoked);
  auto two = root;
  two.thresholds[Role::approver] = 2;
  EXPECT_EQ(code_of([&] { (void)require_countersignatures(model, {good}, two, {Role::approver}, k_now); }),
            ErrorCode::unsigned_document);
  CountersignatureStore store(gate.policy.countersignatures);
  store.add(model, good);
  store.add(model, good);
  EXPECT_EQ(store.signatures(model).size(), 1u);
  EXPECT_TRUE(store.signatures(other).empty());
}

TEST(WholeGate, ShardsAndProjectorsAreToldApart) {
  CheckedModel model;
  for (const auto* name : {"a-mmproj-f16.gguf", "a-00001-of-00002.gguf", "a-00002-of-00002.gguf"})
    model.files.push_back({std::string("/models/") + name, UniqueFd()});
  EXPECT_EQ(main_file(model), "/models/a-00001-of-00002.gguf");
  EXPECT_EQ(projector_file(model), "/models/a-mmproj-f16.gguf");
}

TEST(WholeGate, SeveralModelsInOneAreRefused) {
  for (const auto& names : {std::vector<std::string>{"a-Q4.gguf", "a-Q8.gguf"},
                            {"a-00001-of-00002.gguf", "a-00001-of-00003.gguf"},
                            {"a-00001-of-00002.gguf", "b-00001-of-00002.gguf"}}) {
    CheckedModel model;
    for (const auto& name : names) model.files.push_back({"/models/" + name, UniqueFd()});
    EXPECT_EQ(code_of([&] { (void)main_file(model); }), ErrorCode::model_unsupported) << names[1];
  }
}

}  // namespace
}  // namespace liftlock::engine
