#include "engine/speech_host.hpp"

#include <gmock/gmock.h>

#include <future>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/code_of.hpp"
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

class Speech : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!find_program("bwrap")) GTEST_SKIP() << "bubblewrap is not installed";
    fixture.add_engine(LIFTLOCK_STAND_IN, "1", {}, "whisper-cli");
    fixture.add_model("says", "GGUF", Json::object(), "1", {{"ggml-says.bin", "weights"}});
    options.store_folder = fixture.store.folder();
    options.catalog_file = fixture.store.folder() / "catalog.db";
    options.engines_folder = fixture.engines();
    options.gate.trust_folder = fixture.folder.path() / "trust";
    options.gate.countersignatures = fixture.folder.path() / "countersignatures";
    options.gate.verity = testing_support::no_verity();
    options.log = fixture.folder.path() / "transcribe.log";
  }

  std::variant<Transcribed, Error> said(SpeechHost& host, const std::string& recording = "RIFF....WAVE") {
    std::promise<std::variant<Transcribed, Error>> promise;
    auto got = promise.get_future();
    host.transcribe("says", "ada", std::make_shared<const Recording>(std::string_view(recording)), {},
                    [&](auto outcome) { promise.set_value(std::move(outcome)); });
    return got.get();
  }
  std::string heard(SpeechHost& host, const std::string& recording = "RIFF....WAVE") {
    const auto outcome = said(host, recording);
    if (const auto* error = std::get_if<Error>(&outcome)) return error->what();
    return std::get<Transcribed>(outcome).transcript.text();
  }
  std::optional<ErrorCode> refused(SpeechHost& host) {
    const auto outcome = said(host);
    const auto* error = std::get_if<Error>(&outcome);
    return error == nullptr ? std::nullopt : std::optional(error->code());
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
  const std::string tail(200'000, '.'), long_one = "RIFF....WAVE" + tail;
  EXPECT_THAT(heard(host, "RIFF....WAVE hang"), HasSubstr("did not end within 2 s"));
  EXPECT_EQ(heard(host, long_one), "I heard it") << "it has 100 s more";
  EXPECT_THAT(heard(host, "RIFF....WAVE crash" + tail), HasSubstr("the engine ended with status"));
  EXPECT_EQ(heard(host, long_one), "I heard it");
  EXPECT_THAT(ends("engine.stop"),
              ElementsAre(HasSubstr("failure the engine did not end within 2 s"), "success it heard the recording",
                          HasSubstr("failure the engine ended with status"), "success it heard the recording"));
  EXPECT_THAT(ends("engine.suspicious"), ElementsAre());
}

TEST_F(Speech, WhatNoEngineForSpeechDoesEndsItAndIsSeen) {
  options.memory_slack = 64u << 20;  // its share is 256 MiB
  SpeechHost host(options, log, "tester");
  const std::string what = "the engine does what none for speech does: ";
  EXPECT_THAT(heard(host, "RIFF....WAVE mislead"), HasSubstr(what + "something else stood where its transcript"));
  EXPECT_THAT(heard(host, "RIFF....WAVE devour"), HasSubstr(what + "it held"));
  EXPECT_THAT(heard(host, "RIFF....WAVE trespass"), HasSubstr(what + "it made "));
  EXPECT_EQ(heard(host), "I heard it");
  EXPECT_THAT(ends("engine.suspicious"),
              ElementsAre("failure something else stood where its transcript belongs",
                          HasSubstr("of memory, and may hold 448.0 MiB"), HasSubstr("no engine makes")));
  EXPECT_EQ(host.suspicious().at("says"), 3u);
  EXPECT_EQ(last("engine.suspicious").at("engine"), "tiny/1-cpu");
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
  EXPECT_EQ(heard(host, "RIFF....WAVE" + std::string(2'000'000, '.')), "I heard it") << "500 MiB by its length";
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
    of_texts.catalog_file = options.catalog_file;
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
  /// Waits up to 20 s for something that other threads bring about.
  template <typename F>
  static bool soon(F&& is_so) {
    for (int i = 0; i < 2000; ++i) {
      if (is_so()) return true;
      std::this_thread::sleep_for(10ms);
    }
    return false;
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
  const auto recording = std::make_shared<const Recording>(std::string_view("RIFF....WAVE hang"));
  const auto ticket = speech->transcribe("says", "ada", recording, {}, [](const auto&) {});
  ASSERT_TRUE(soon([&] { return logged("engine.start") == 1; }));
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
  const auto recording = std::make_shared<const Recording>(std::string_view("RIFF....WAVE"));
  const auto ticket =
      speech->transcribe("says", "ada", recording, {}, [](const auto&) { ADD_FAILURE() << "it was given up"; });
  std::this_thread::sleep_for(300ms);  // it waits by now
  speech->cancel(ticket);
  speech.reset();  // would take as long as it waits
  EXPECT_FALSE(log.find_last("model.load", "model:says@1"));
}

}  // namespace
}  // namespace liftlock::engine
