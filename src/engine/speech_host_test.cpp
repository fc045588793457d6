#include "engine/speech_host.hpp"

#include <gmock/gmock.h>

#include <future>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/code_of.hpp"
#include "base/soon.hpp"
#include "engine/countersignature.hpp"
#include "engine/model_fixture.hpp"
#include "engine/model_host.hpp"
#include "os/process.hpp"
#include "trust/trust_fixture.hpp"

namespace liftlock::engine {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing_support::ModelFixture;
using testing_support::overwrite;
using namespace std::chrono_literals;
using namespace std::string_literals;

using Said = std::variant<Transcribed, Error>;

/// Who asks which model.
struct Asked {
  std::string model = "says", caller = "ada";
};

class Speech : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!find_program("bwrap")) GTEST_SKIP() << "bubblewrap is not installed";
    fixture.add_engine(LIFTLOCK_STAND_IN, "1", {}, "whisper-cli");
    for (const auto* name : {"says", "also"})
      fixture.add_model(name, "GGUF "s + name, Json::object(), "1", {{"ggml-"s + name + ".bin", "weights"}});
    options.store_folder = fixture.store.folder();
    options.engines_folder = fixture.engines();
    options.gate.trust_folder = fixture.folder.path() / "trust";
    options.gate.countersignatures = fixture.folder.path() / "countersignatures";
    options.gate.verity = testing_support::no_verity();
    options.log_folder = fixture.folder.path() / "logs";
  }

  std::uint64_t ask(SpeechHost& host, const Asked& asked, const std::string& words, SpeechHost::Got got) {
    const auto recording = std::make_shared<const Recording>(std::string_view("RIFF....WAVE" + words));
    return host.transcribe(require_model(fixture.catalog, asked.model), asked.caller, recording, {}, std::move(got));
  }
  Said said(SpeechHost& host, const std::string& words = "", const Asked& asked = {}) {
    const auto promise = std::make_shared<std::promise<Said>>();
    ask(host, asked, words, [promise](auto outcome) { promise->set_value(std::move(outcome)); });
    return promise->get_future().get();
  }
  std::string heard(SpeechHost& host, const std::string& words = "", const Asked& asked = {}) {
    const auto outcome = said(host, words, asked);
    if (const auto* error = std::get_if<Error>(&outcome)) return error->what();
    return std::get<Transcribed>(outcome).transcript.text();
  }
  std::optional<ErrorCode> refused(SpeechHost& host, const std::string& words = "", const Asked& asked = {}) {
    const auto outcome = said(host, words, asked);
    const auto* error = std::get_if<Error>(&outcome);
    return error == nullptr ? std::nullopt : std::optional(error->code());
  }
  /// A recording at which the engine of the model hangs, until cancel().
  std::uint64_t hang(SpeechHost& host, const Asked& asked = {}) {
    const auto before = logged("engine.start");
    const auto ticket =
        ask(host, asked, "hang", [](const auto&) { ADD_FAILURE() << "it hangs, and who asked it gave up"; });
    EXPECT_TRUE(soon([&] { return logged("engine.start") == before + 1; }));
    return ticket;
  }
  /// Of this type, how many that did not fail, and are not announced only.
  int logged(const std::string& type) {
    int count = 0;
    log.for_each(0, log.size(), [&](const AuditEntry& entry) {
      if (entry.event.type == type && entry.event.outcome == Outcome::success) ++count;
      return true;
    });
    return count;
  }
  /// Outcome and reason of each.
  std::vector<std::string> ends(const std::string& type) {
    std::vector<std::string> out;
    log.for_each(0, log.size(), [&](const AuditEntry& entry) {
      if (entry.event.type != type) return true;
      const bool is_good = entry.event.outcome == Outcome::success;
      out.push_back((is_good ? "success " : "failure ") +
                    parse_json(entry.event.detail).at("reason").get<std::string>());
      return true;
    });
    return out;
  }
  Json last(const std::string& type) { return parse_json(log.find_last(type, "model:says@1").value().event.detail); }

  ModelFixture fixture;
  AuditLog log{fixture.folder.path() / "audit", ""};
  SpeechOptions options;
};

TEST_F(Speech, EachProcessOfTheEnginePassesTheGate) {
  SpeechHost host(options, log, "tester");
  EXPECT_EQ(heard(host), "I heard it");
  EXPECT_EQ(heard(host), "I heard it");
  EXPECT_EQ(logged("model.load"), 2);
  EXPECT_EQ(last("model.load").at("check"), "every-byte");
  EXPECT_EQ(logged("engine.start"), 2);
  EXPECT_EQ(last("engine.start").at("engine"), "tiny/1-cpu");
  EXPECT_EQ(last("engine.start").at("model"), last("model.load").at("digest"));
  const auto model = require_model(fixture.catalog, "says");
  const auto weights = std::find_if(model.files.begin(), model.files.end(),
                                    [](const auto& file) { return file.path.filename() == "ggml-says.bin"; });
  overwrite(fixture.store.path(weights->digest), "W");
  EXPECT_EQ(refused(host), ErrorCode::blob_corrupt);
  EXPECT_EQ(logged("engine.start"), 2);
  EXPECT_EQ(last("model.load").at("error"), "blob-corrupt");
}

TEST_F(Speech, AnEngineThatHangsOrCrashesIsEndedAndTheNextRecordingIsHeard) {
  options.patience = 2s;
  options.pace = 1;
  SpeechHost host(options, log, "tester");
  const std::string tail(200'000, '.');
  EXPECT_THAT(heard(host, "hang"), HasSubstr("did not end within 2 s"));
  EXPECT_EQ(heard(host, tail), "I heard it") << "it has 100 s more";
  EXPECT_THAT(heard(host, "crash" + tail), HasSubstr("the engine ended with status"));
  EXPECT_EQ(heard(host, tail), "I heard it");
  EXPECT_THAT(ends("engine.stop"),
              ElementsAre(HasSubstr("failure the engine did not end within 2 s"), "success it heard the recording",
                          HasSubstr("failure the engine ended with status"), "success it heard the recording"));
  EXPECT_THAT(ends("engine.suspicious"), ElementsAre());
}

TEST_F(Speech, WhatNoEngineForSpeechDoesEndsItAndIsSeen) {
  options.memory_slack = 64u << 20;  // its share is 256 MiB
  options.terms.failures = 4;
  SpeechHost host(options, log, "tester");
  const std::string what = "the engine does what none for speech does: ";
  EXPECT_THAT(heard(host, "mislead"), HasSubstr(what + "something else stood where its transcript"));
  EXPECT_THAT(heard(host, "devour"), HasSubstr(what + "it held"));
  EXPECT_THAT(heard(host, "trespass"), HasSubstr(what + "it made "));
  EXPECT_EQ(heard(host), "I heard it");
  EXPECT_THAT(ends("engine.suspicious"),
              ElementsAre("failure something else stood where its transcript belongs",
                          HasSubstr("of memory, and may hold 448.0 MiB"), HasSubstr("no engine makes")));
  ASSERT_EQ(host.loads().size(), 1u);
  EXPECT_EQ(host.loads()[0].suspicious, 3u);
  EXPECT_EQ(last("engine.suspicious").at("engine"), "tiny/1-cpu");
}

TEST_F(Speech, AFolderOfItsOwnThatAnEngineFillsEndsItAndIsSeen) {
  SpeechHost host(options, log, "tester");
  EXPECT_THAT(heard(host, "RIFF....WAVE hoard"), HasSubstr("what none for speech does: it filled its /tmp"));
  EXPECT_EQ(heard(host), "I heard it");
  EXPECT_THAT(ends("engine.suspicious"), ElementsAre("failure it filled its /tmp"));
}

TEST_F(Speech, ASignatureThatIsGoneIsMissedByTheNextProcess) {
  const auto statement = signed_statement(sample_root(), {"root1"});
  TrustStore(options.gate.trust_folder).pin(statement, root_fingerprint(statement));
  options.gate.countersigners = {Role::approver};
  const auto model = require_model(fixture.catalog, "says");
  CountersignatureStore(options.gate.countersignatures)
      .add(model, signature_by("ada", "approver", model_statement(model)));
  SpeechHost host(options, log, "tester");
  EXPECT_EQ(heard(host), "I heard it");
  fs::remove_all(options.gate.countersignatures);
  EXPECT_EQ(refused(host), ErrorCode::unsigned_document);
}

TEST_F(Speech, AModelThatTheMemoryIsTooSmallForIsRefused) {
  options.memory = 100u << 20;
  SpeechHost host(options, log, "tester");
  EXPECT_EQ(refused(host), ErrorCode::model_unfit);
  EXPECT_THAT(heard(host), HasSubstr("'says' needs about 256.0 MiB, and engines may use 100.0 MiB"));
  EXPECT_FALSE(log.find_last("model.load", "model:says@1"));
}

TEST_F(Speech, ALongRecordingHasAllTheMemoryAndIsTried) {
  options.memory = 300u << 20;
  SpeechHost host(options, log, "tester");
  EXPECT_EQ(heard(host, std::string(2'000'000, '.')), "I heard it") << "500 MiB by its length";
}

TEST_F(Speech, AModelThatHangsHoldsUpNoOther) {
  SpeechHost host(options, log, "tester");
  const auto ticket = hang(host);
  EXPECT_EQ(heard(host, "", {.model = "also"}), "I heard it");
  EXPECT_TRUE(soon([&] { return host.running().size() == 1; }));
  EXPECT_EQ(host.running().at(0).model, "says") << "it hangs still";
  host.cancel(ticket);
  EXPECT_EQ(heard(host), "I heard it");
}

TEST_F(Speech, KeysTakeTurnsAtAModelAndFindABoundedQueue) {
  std::vector<std::string> order;  // by the model's one thread
  std::promise<void> third;
  options.queue = 3;
  SpeechHost host(options, log, "tester");
  const auto ticket = hang(host, {.caller = "eve"});
  for (const auto* caller : {"ada", "ada", "bob"}) {
    ask(host, {.caller = caller}, "", [&order, &third, caller](const Said& outcome) {
      order.push_back(std::get_if<Error>(&outcome) == nullptr ? caller : "an error");
      if (order.size() == 3) third.set_value();
    });
  }
  EXPECT_EQ(refused(host), ErrorCode::overloaded) << "of a queue that ada holds most of";
  EXPECT_EQ(heard(host, "", {.model = "also"}), "I heard it") << "which is full of one model's recordings";
  host.cancel(ticket);
  third.get_future().get();
  EXPECT_THAT(order, ElementsAre("ada", "bob", "ada"));
}

TEST_F(Speech, WhatFailsAgainAndAgainIsLeftAloneUnread) {
  options.terms.rest = 1h;
  SpeechHost host(options, log, "tester");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(refused(host, "crash"), ErrorCode::engine_failed);
  EXPECT_EQ(refused(host), ErrorCode::engine_unavailable);
  EXPECT_THAT(heard(host), HasSubstr("the engine of 'says' ended 3 times at requests of this key"));
  EXPECT_EQ(logged("model.load"), 3);
  EXPECT_EQ(heard(host, "", {.caller = "bob"}), "I heard it") << "a key's recordings take no model from the others";
  for (const auto* caller : {"bob", "dan", "eve"})
    EXPECT_EQ(refused(host, "crash", {.caller = caller}), ErrorCode::engine_failed);
  EXPECT_EQ(refused(host, "", {.caller = "fay"}), ErrorCode::engine_unavailable);
  EXPECT_THAT(heard(host, "", {.caller = "fay"}), HasSubstr("the engine of 'says' failed 3 times within 600 s"));
  EXPECT_EQ(logged("model.load"), 7);
  EXPECT_TRUE(soon([&] { return host.running().at(0).state == "failed"; }));
  EXPECT_EQ(heard(host, "", {.model = "also"}), "I heard it");
}

TEST_F(Speech, WhoWaitsWhenItsEngineIsLeftAloneIsTold) {
  std::promise<Said> crash, next;
  options.terms.failures = 1;
  options.terms.rest = 1h;
  SpeechHost host(options, log, "tester");
  const auto ticket = hang(host, {.caller = "eve"});
  ask(host, {}, "crash", [&](auto outcome) { crash.set_value(std::move(outcome)); });
  ask(host, {.caller = "bob"}, "", [&](auto outcome) { next.set_value(std::move(outcome)); });
  host.cancel(ticket);
  EXPECT_EQ(std::get<Error>(crash.get_future().get()).code(), ErrorCode::engine_failed);
  EXPECT_EQ(std::get<Error>(next.get_future().get()).code(), ErrorCode::engine_unavailable);
  EXPECT_EQ(logged("model.load"), 2);
}

TEST_F(Speech, WhatRestedIsTriedAgain) {
  options.terms.failures = 1;
  options.terms.rest = 1s;
  SpeechHost host(options, log, "tester");
  EXPECT_EQ(refused(host, "crash"), ErrorCode::engine_failed);
  EXPECT_TRUE(soon([&] { return heard(host) == "I heard it"; }));
  ASSERT_EQ(host.loads().size(), 1u);
  EXPECT_EQ(host.loads()[0].restarts, 1u);
}

TEST_F(Speech, WhatHearsIsSeenAndCounted) {
  SpeechHost host(options, log, "tester");
  EXPECT_TRUE(host.running().empty());
  const auto ticket = hang(host);
  const auto second = ask(host, {}, "", [](const auto&) { ADD_FAILURE() << "it was given up"; });
  EXPECT_TRUE(soon([&] { return host.running().at(0).resident > 0; }));
  const auto seen = host.running().at(0);
  EXPECT_EQ(seen.model, "says");
  EXPECT_EQ(seen.state, "ready");
  EXPECT_EQ(seen.engine, "tiny/1-cpu");
  EXPECT_EQ(seen.digest, main_digest(require_model(fixture.catalog, "says")).text());
  EXPECT_EQ(seen.assurance, last("model.load").at("assurance"));
  EXPECT_GE(seen.memory, 256u << 20);
  EXPECT_EQ(seen.slots, 1u);
  EXPECT_EQ(seen.active, 1u);
  EXPECT_EQ(seen.queued, 1u);
  host.cancel(second);
  host.cancel(ticket);
  EXPECT_TRUE(soon([&] { return host.running().empty(); }));
  EXPECT_EQ(heard(host), "I heard it");
  ASSERT_EQ(host.loads().size(), 1u);
  const auto counts = host.loads()[0];
  EXPECT_EQ(counts.model, "says");
  EXPECT_EQ(counts.checks, 2u);
  EXPECT_EQ(counts.loads, 2u);
  EXPECT_EQ(counts.restarts, 0u) << "who gives up is no failure of the engine";
}

TEST_F(Speech, WhoWaitsWhenTheHostGoesIsTold) {
  std::promise<Said> waiting;
  {
    SpeechHost host(options, log, "tester");
    ask(host, {}, "hang", [](const auto&) {});
    ask(host, {}, "", [&](auto outcome) { waiting.set_value(std::move(outcome)); });
    EXPECT_TRUE(soon([&] { return logged("engine.start") == 1; }));
  }
  EXPECT_EQ(std::get<Error>(waiting.get_future().get()).code(), ErrorCode::engine_unavailable);
}

/// Texts and speech in one server, with memory for one of the two at a time.
class OneBudget : public Speech {
 protected:
  using Leased = std::variant<std::shared_ptr<Lease>, Error>;

  void SetUp() override {
    Speech::SetUp();
    if (IsSkipped()) return;
    fixture.add_engine(LIFTLOCK_STAND_IN, "2");
    fixture.add_model("talks", "GGUF talks");
    of_texts.store_folder = options.store_folder;
    of_texts.catalog_file = fixture.store.folder() / "catalog.db";
    of_texts.engines_folder = options.engines_folder;
    of_texts.log_folder = fixture.folder.path() / "logs";
    of_texts.context = 16;  // it needs 80 MiB then
    of_texts.patience = 10min;
    of_texts.memory_budget = options.memory = 300u << 20;
  }

  void start() {
    texts.emplace(of_texts, log, "tester");
    options.room = [this](const std::string& model, std::uint64_t size, const std::function<void()>& look) {
      return texts->room(model, size, look);
    };
    speech.emplace(options, log, "tester");
  }

  std::future<Leased> lease() {
    const auto promise = std::make_shared<std::promise<Leased>>();
    auto got = promise->get_future();
    texts->lease("talks", "ada", 0s, [promise](Leased outcome) { promise->set_value(std::move(outcome)); });
    return got;
  }
  /// Loads and ends, as they came: "TYPE ID".
  std::vector<std::string> history() {
    std::vector<std::string> out;
    log.for_each(0, log.size(), [&](const AuditEntry& entry) {
      const auto& event = entry.event;
      if (event.type == "model.load" || event.type == "engine.stop") out.push_back(event.type + " " + event.subject);
      return true;
    });
    return out;
  }
  HostOptions of_texts;
  std::optional<ModelHost> texts;
  std::optional<SpeechHost> speech;
};

TEST_F(OneBudget, AModelThatNobodyUsesLeavesForARecording) {
  start();
  ASSERT_TRUE(std::get<0>(lease().get()));
  EXPECT_EQ(texts->running().size(), 1u);
  EXPECT_EQ(heard(*speech), "I heard it");
  EXPECT_TRUE(soon([&] { return texts->running().empty(); }));
  EXPECT_THAT(ends("engine.stop"),
              ElementsAre("success made room for another model", "success it heard the recording"));
  ASSERT_TRUE(std::get<0>(lease().get())) << "what the recording had is free again";
}

TEST_F(OneBudget, ARecordingWaitsForAModelThatIsAtWork) {
  of_texts.patience = 10s;
  start();
  auto at_work = std::get<0>(lease().get());
  ASSERT_TRUE(at_work);
  const auto outcome = said(*speech);
  const auto* error = std::get_if<Error>(&outcome);
  ASSERT_NE(error, nullptr);
  EXPECT_EQ(error->code(), ErrorCode::overloaded);
  EXPECT_THAT(error->message(), HasSubstr("for 'says' no memory became free"));
  EXPECT_FALSE(log.find_last("model.load", "model:says@1"));
  at_work.reset();
  EXPECT_EQ(heard(*speech), "I heard it");
}

TEST_F(OneBudget, AModelWaitsForARecording) {
  start();
  const auto ticket = hang(*speech);
  auto waiting = lease();
  EXPECT_EQ(waiting.wait_for(500ms), std::future_status::timeout);
  speech->cancel(ticket);
  ASSERT_TRUE(std::get<0>(waiting.get()));
  EXPECT_THAT(history(),
              ElementsAre("model.load model:says@1", "engine.stop model:says@1", "model.load model:talks@1"));
}

TEST_F(OneBudget, WhatIsGivenUpWaitsForNoMemory) {
  start();
  const auto at_work = std::get<0>(lease().get());
  ASSERT_TRUE(at_work);
  const auto ticket = ask(*speech, {}, "", [](const auto&) { ADD_FAILURE() << "it was given up"; });
  std::this_thread::sleep_for(300ms);  // it waits by now
  speech->cancel(ticket);
  speech.reset();  // would take as long as it waits
  EXPECT_FALSE(log.find_last("model.load", "model:says@1"));
}

TEST_F(OneBudget, OneModelOfSpeechWaitsForTheMemoryOfAnother) {
  start();
  const auto ticket = hang(*speech);
  const auto waiting = std::make_shared<std::promise<Said>>();
  auto got = waiting->get_future();
  ask(*speech, {.model = "also"}, "", [waiting](auto outcome) { waiting->set_value(std::move(outcome)); });
  EXPECT_EQ(got.wait_for(500ms), std::future_status::timeout);
  const auto seen = speech->running();
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[0].model, "also");
  EXPECT_EQ(seen[0].state, "loading");
  speech->cancel(ticket);
  EXPECT_TRUE(std::holds_alternative<Transcribed>(got.get()));
  EXPECT_THAT(history(), ElementsAre("model.load model:says@1", "engine.stop model:says@1", "model.load model:also@1",
                                     "engine.stop model:also@1"));
}

}  // namespace
}  // namespace liftlock::engine
